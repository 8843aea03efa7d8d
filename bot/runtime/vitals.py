"""Heartbeats of the long tasks, and the guard that restarts one that died.

A task beats whenever it makes progress. One that has not beaten within its limit is stalled, one that ended by
an error is dead until it runs again; both are problems that readiness reports.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.domain.actions import Severity
from bot.ports import StoreError

STALL_MS = 8_000
PATIENCE_S = 60.0
"""How long a venue may take to answer (or to let us ask) before the task that waits counts as stalled."""
RESTARTS_MAX = 5
HEALTHY_MS = 60_000
"""A task that ran this long has its restarts forgiven."""

Report = Callable[..., None]
"""report(severity, name, **fields): a log line, and an alert from warning on."""


@dataclass(slots=True)
class _Pulse:
    limit_ms: int
    beat_ms: int
    death: str | None = None


class Vitals:
    """Knows which long tasks exist, when each last made progress and which are dead."""

    def __init__(self, mono_ms: Callable[[], int]) -> None:
        self._mono_ms = mono_ms
        self._pulses: dict[str, _Pulse] = {}

    def watch(self, name: str, limit_ms: int = STALL_MS) -> None:
        """Expect beats of this task from now on."""
        self._pulses[name] = _Pulse(limit_ms, self._mono_ms())

    def beat(self, name: str) -> None:
        pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.beat_ms = self._mono_ms()
            pulse.death = None

    def died(self, name: str, reason: str) -> None:
        pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.death = reason

    def forget(self, name: str) -> None:
        """The task ended as it should."""
        self._pulses.pop(name, None)

    def problems(self) -> list[str]:
        """One sentence for each task that is dead or stalled."""
        now = self._mono_ms()
        found = []
        for name, pulse in self._pulses.items():
            if pulse.death is not None:
                found.append(f"task {name} is dead: {pulse.death}")
            elif now - pulse.beat_ms > pulse.limit_ms:
                found.append(f"task {name} has not moved for {(now - pulse.beat_ms) / 1000:.0f} s")
        return found

    def still_s(self, name: str) -> float | None:
        """For how long a task has been stalled; None while it moves, is dead or unknown."""
        pulse = self._pulses.get(name)
        if pulse is None or pulse.death is not None:
            return None
        idle_ms = self._mono_ms() - pulse.beat_ms
        return idle_ms / 1000 if idle_ms > pulse.limit_ms else None

    @contextmanager
    def attending(self, name: str, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """Keep beating while the task waits for a venue's answer, but not longer than patience lasts."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        timer: list[asyncio.TimerHandle] = []

        def beat() -> None:
            self.beat(name)
            if loop.time() < until:
                timer[:] = [loop.call_later(2.0, beat)]

        beat()
        try:
            yield
        finally:
            for handle in timer:
                handle.cancel()

    async def sleep(self, name: str, seconds: float) -> None:
        """Sleep and keep beating."""
        while seconds > 0:
            self.beat(name)
            await asyncio.sleep(min(seconds, 2.0))
            seconds -= 2.0
        self.beat(name)


async def guard(
    name: str,
    work: Callable[[], Awaitable[None]],
    vitals: Vitals,
    report: Report,
    mono_ms: Callable[[], int],
    restarts_max: int = RESTARTS_MAX,
) -> None:
    """Run a task that should never end; restart it with back-off when it does.

    The error of the last allowed restart is raised: the daemon ends, and its next start is a recovery.
    """
    restarts = 0
    while True:
        vitals.watch(name)
        started_ms = mono_ms()
        try:
            await work()
            reason, error = "it ended", None
        except Exception as caught:  # noqa: BLE001 - whatever it was, it is reported and bounded
            reason, error = f"{type(caught).__name__}: {caught}", caught
        if mono_ms() - started_ms >= HEALTHY_MS:
            restarts = 0
        restarts += 1
        vitals.died(name, reason)
        report(Severity.CRITICAL, "task.died", task=name, reason=reason, restarts=restarts)
        if restarts > restarts_max:
            if isinstance(error, StoreError):
                raise error
            raise RuntimeError(f"task {name} died {restarts} times: {reason}") from error
        await asyncio.sleep(min(0.25 * 2**restarts, 10.0))

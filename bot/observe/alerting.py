"""Alerts on their way to the owner: through the gate, then to each channel's courier; and the heartbeat.

Everything here lives in tasks of its own. `tell` is called on the daemon's event loop for each emitted line, takes
microseconds, never waits and never raises.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.domain.actions import Emit, Severity
from bot.observe.courier import Courier, name_of
from bot.observe.gate import Gate, Message
from bot.observe.notebook import Notebook
from bot.observe.wording import WORDINGS
from bot.settings import Alerts, Channel

LOOK_EVERY_S = 1.0
DRAIN_S, DRAIN_STEP_S = 2.0, 0.02
"""How long the end of the daemon waits for the last alerts to leave."""
FAILED_DRAIN_S = 8.0
"""After an error: nobody waits for an end, and its owner has to hear of it, by a slow service too."""
REMEMBER_EVERY_S = 5.0
"""How long what was told may be known to this process alone."""
REMEMBER_WAIT_S = 1.0
"""How long the end of the process waits for the disk that keeps it."""
Report = Callable[..., None]
"""report(severity, name, **fields)"""


def utc_minute() -> int:
    """The minute of the UTC day by the machine's clock."""
    return time.time_ns() // 60_000_000_000 % 1440


class Alerting:
    """Build it, enter `running()`, call `tell` for what is emitted; `configure` replaces the settings at any time."""

    def __init__(
        self,
        policy: Alerts,
        report: Report,
        minute: Callable[[], int] = utc_minute,
        pause_s_first: float | None = None,
        memory: Path | None = None,
    ) -> None:
        self._gate = Gate(policy, time.monotonic())
        self._memory = None if memory is None else Notebook(memory)
        """File of what was told lately, and of what is held back, for the next process."""
        self._told, self._noted, self._noted_s = 0, (0, 0), -math.inf
        """Alerts and messages so far; these and what waited when that was last written down; when."""
        self._report = report
        self._minute = minute
        self._courier_options = {} if pause_s_first is None else {"pause_s_first": pause_s_first}
        self._couriers: dict[Channel, tuple[Courier, asyncio.Task[None] | None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._beat_s = time.monotonic()
        self.redact: Callable[[str], str] = str
        """Takes secrets out of a text before it leaves."""
        self.heartbeat: Callable[[], str] = lambda: "The daemon lives."
        """What a heartbeat says."""
        self._open(policy)
        self._recall()

    @property
    def couriers(self) -> list[Courier]:
        return [courier for courier, _ in self._couriers.values()]

    def counts(self) -> Mapping[str, float]:
        """For the metrics."""
        return {
            "alerts_sent": sum(each.sent for each in self.couriers),
            "alerts_waiting": sum(len(each) for each in self.couriers),
            "alerts_failing": sum(1 for each in self.couriers if each.failures),
        }

    def tell(self, emit: Emit) -> None:
        """Warnings and worse, and information that has a wording."""
        told = emit.severity in (Severity.WARNING, Severity.CRITICAL)
        if self._couriers and (told or (emit.severity is Severity.INFO and emit.name in WORDINGS)):
            self._told += 1
            self._hand_out(self._gate.offer(emit, time.monotonic(), self._minute()))

    def configure(self, policy: Alerts) -> None:
        """Take over new settings. A channel that stays keeps its queue; the others' unsent messages go with them."""
        self._gate.policy = policy
        for channel in [each for each in self._couriers if each not in policy.channels]:
            _, task = self._couriers.pop(channel)
            if task is not None:
                task.cancel()
        self._open(policy)

    @asynccontextmanager
    async def running(self, hurried: Callable[[], bool] = lambda: False) -> AsyncIterator[None]:
        """Deliver inside; at the end the last messages get a moment to leave. `hurried`: somebody waits for that."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            looking = tasks.create_task(self._look(), name="alerts")
            self._start_all()
            failed = False
            try:
                yield
            except Exception:
                failed = not hurried()
                raise
            finally:
                self._hand_out_due()
                for message in self._gate.last(time.monotonic(), self._minute()):
                    self._hand_out(message)
                await self._drained(failed=failed)
                self.remember()
                self._tasks = None
                looking.cancel()
                for _, task in self._couriers.values():
                    if task is not None:
                        task.cancel()

    def remember(self, wait_s: float = REMEMBER_WAIT_S) -> None:
        """Write down what was told, for a process that is started again and again."""
        if self._memory is not None:
            now_s = time.monotonic()
            content: dict[str, Any] = {"at_s": time.time_ns() / 1e9, "beat_ago_s": now_s - self._beat_s}
            content |= self._gate.memory(now_s, self.redact)
            content["waiting"] = {courier.name: courier.memory() for courier in self.couriers if len(courier)}
            self._memory.write(json.dumps(content), wait_s)
            self._noted, self._noted_s = self._state(), now_s

    def _remember_news(self) -> None:
        """A process that is killed writes nothing at its end: the next one must not tell everything once more."""
        if self._noted != self._state() and time.monotonic() - self._noted_s >= REMEMBER_EVERY_S:
            self.remember(0.0)

    def _state(self) -> tuple[int, int]:
        return self._told, sum(len(courier) for courier in self.couriers)

    def _recall(self) -> None:
        if self._memory is not None:
            with suppress(Exception):  # none yet, or whatever else may be in it: then nothing is remembered
                found = json.loads(self._memory.path.read_text())
                down_s = max(0.0, time.time_ns() / 1e9 - float(found["at_s"]))
                self._gate.recall(found, time.monotonic(), down_s)
                self._beat_s = time.monotonic() - down_s - float(found["beat_ago_s"])
                for courier in self.couriers:
                    courier.recall(found.get("waiting", {}).get(courier.name, []), down_s)
                self._noted = self._state()

    def _open(self, policy: Alerts) -> None:
        for number, channel in enumerate(policy.channels, 1):
            if channel not in self._couriers:
                courier = Courier(name_of(number, channel), channel, self._complain, **self._courier_options)
                self._couriers[channel] = (courier, None)
        if self._tasks is not None:
            self._start_all()

    def _start_all(self) -> None:
        assert self._tasks is not None
        for channel, (courier, task) in self._couriers.items():
            if task is None:
                started = self._tasks.create_task(_endless(courier), name=f"alerts {courier.name}")
                self._couriers[channel] = (courier, started)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with suppress(Exception):  # a defect of ours must not end the daemon with the alerts
                self._hand_out_due()
                self._beat()
                self._remember_news()

    def _beat(self) -> None:
        hours, now_s = self._gate.policy.heartbeat_h, time.monotonic()
        if not hours:
            self._beat_s = now_s
        elif now_s - self._beat_s >= hours * 3600 and not self._gate.quiet(Severity.INFO, self._minute()):
            title, body = "carrybot heartbeat: the daemon lives", self.heartbeat()
            self._beat_s = now_s
            self._hand_out(Message(Severity.INFO, title, body, everyone=True))

    def _hand_out_due(self) -> None:
        for message in self._gate.due(time.monotonic(), self._minute()):
            self._hand_out(message)

    def _hand_out(self, message: Message | None) -> None:
        if message is None:
            return
        self._told += 1
        clean = replace(message, title=self.redact(message.title), body=self.redact(message.body))
        for courier in self.couriers:
            if courier.wants(clean):
                courier.put(clean)

    async def _drained(self, *, failed: bool) -> None:
        """A channel that failed before is not waited for, but for one more try where the daemon has `failed`."""
        before = {courier: courier.failures if failed else 0 for courier in self.couriers}
        for courier in before if failed else ():
            courier.hurry()
        for _ in range(int((FAILED_DRAIN_S if failed else DRAIN_S) / DRAIN_STEP_S)):
            if not any(len(courier) and courier.failures <= failures for courier, failures in before.items()):
                return
            await asyncio.sleep(DRAIN_STEP_S)

    def _complain(self, channel: str, failures: int, waiting: int) -> None:
        self._report(Severity.WARNING, "alerts.undelivered", channel=channel, failures=failures, waiting=waiting)


async def _endless(courier: Courier) -> None:
    """A defect of ours must not end the daemon with the alerts."""
    while True:
        try:
            await courier.run()
        except Exception:  # noqa: BLE001 - whatever it was, the next message is tried again
            await asyncio.sleep(1.0)

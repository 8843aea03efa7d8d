"""Virtual time: an event loop whose clock jumps to the next timer, and the daemon's modules led to that clock.

Nothing here waits. A second of the loop's time costs what its callbacks cost; the same calls in the same order give
the same run. Wall time is the loop's time plus an offset that faults move about, monotonic time never jumps.
"""

import asyncio
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BEGAN_S = 1_000.0
WALL_BEGAN_S = 1_790_000_000.0
LED = ("bot.runtime", "bot.venues", "asyncio_throttle")
"""Packages whose modules take their time from the loop while `led` lasts."""


class DeadlockError(RuntimeError):
    """Nothing is left that could ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without input or output."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self
        self.now_s = BEGAN_S
        self.wall_offset_s = 0.0
        """How far the machine's wall clock is wrong."""
        self.failures: list[str] = []
        self.set_exception_handler(lambda _, context: self.failures.append(str(context.get("message"))))

    def time(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        """The machine's wall clock."""
        return WALL_BEGAN_S + self.now_s + self.wall_offset_s

    def select(self, timeout: float | None) -> tuple[()]:
        """What the base class asks its selector for: here, that time passes."""
        if timeout is None:
            raise DeadlockError("no timer is set and nothing is ready")
        if timeout > 0:
            self.now_s = max(self.now_s, self._scheduled[0].when())  # type: ignore[attr-defined]
        return ()

    def _process_events(self, event_list: object) -> None:
        del event_list

    def _write_to_self(self) -> None:
        """Nobody sleeps in a system call."""


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def monotonic() -> float:
    return _loop().now_s


def monotonic_ns() -> int:
    return int(_loop().now_s * 1e9)


def wall_s() -> float:
    return _loop().wall_s()


def wall_ns() -> int:
    return int(wall_s() * 1e9)


def frozen() -> float:
    """For what is measured and not waited for."""
    return 0.0


_FUNCTIONS: dict[Any, Any] = {
    time.monotonic: monotonic,
    time.monotonic_ns: monotonic_ns,
    time.time: wall_s,  # noqa: TID251 - it is what is replaced
    time.time_ns: wall_ns,
    time.perf_counter: frozen,
    time.perf_counter_ns: lambda: 0,
}
_MODULE = types.SimpleNamespace(
    monotonic=monotonic,
    monotonic_ns=monotonic_ns,
    time=wall_s,
    time_ns=wall_ns,
    perf_counter=frozen,
    perf_counter_ns=lambda: 0,
)


@contextmanager
def led() -> Iterator[None]:
    """The clocks of the daemon's modules are the running loop's; afterwards they are the machine's again."""
    changed: list[tuple[types.ModuleType, str, Any]] = []
    for name, module in list(sys.modules.items()):
        if module is None or not name.startswith(LED):
            continue
        for attribute, value in list(vars(module).items()):
            led_to = _MODULE if value is time else _replacement(value)
            if led_to is not None:
                changed.append((module, attribute, value))
                setattr(module, attribute, led_to)
    try:
        yield
    finally:
        for module, attribute, value in changed:
            setattr(module, attribute, value)


def _replacement(value: Any) -> Any:
    try:
        return _FUNCTIONS.get(value)
    except TypeError:
        return None

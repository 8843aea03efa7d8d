"""Virtual time: an event loop whose clock jumps to the next timer, and the daemon's modules led to that clock.

Nothing here waits. A second of the loop's time costs what its callbacks cost; the same calls in the same order give
the same run. Wall time is the loop's time plus an offset that faults move about, monotonic time never jumps.
"""

import asyncio
import heapq
import itertools
import sys
import time
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Any

from bot import steady

BEGAN_S = 1_000.0
WALL_BEGAN_S = 1_790_000_000.0
RESOLUTION_S = 1e-9
"""Timers so near to each other are of one moment."""
LED = ("bot.runtime", "bot.venues", "asyncio_throttle")
"""Packages whose modules take their time from the loop while `led` lasts."""


class DeadlockError(RuntimeError):
    """Nothing is left that could ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without input or output."""

    _ready: deque[asyncio.Handle]
    _stopping: bool
    _scheduled: list[tuple[float, int, asyncio.TimerHandle]]

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count()
        self.now_s = BEGAN_S
        self.now_ns = int(BEGAN_S * 1e9)
        self.wall_offset_s = 0.0
        """How far the machine's wall clock is wrong."""
        self.failures: list[str] = []
        self.set_exception_handler(lambda _, context: self.failures.append(str(context.get("message"))))

    def time(self) -> float:
        return self.now_s

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, (when, next(self._numbers), timer))
        return timer

    def wall_s(self) -> float:
        """The machine's wall clock."""
        return WALL_BEGAN_S + self.now_s + self.wall_offset_s

    def _run_once(self) -> None:
        """The base class's turn, without a selector: what is ready runs; where nothing is, time passes.

        Timers of one moment go off in the order in which they were set, whatever was cancelled in between.
        """
        timers, ready = self._scheduled, self._ready
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise DeadlockError("no timer is set and nothing is ready")
            self.now_s = max(self.now_s, timers[0][0])
            self.now_ns = int(self.now_s * 1e9)
        while timers and timers[0][0] < self.now_s + RESOLUTION_S:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _process_events(self, event_list: object) -> None:
        del event_list

    def _write_to_self(self) -> None:
        """Nobody sleeps in a system call."""


def _replacements(loop: VirtualLoop) -> Mapping[Any, Callable[[], Any]]:
    """Each clock of the machine with what stands in for it. They are read tens of thousands of times a seed."""
    still = repeat(0.0).__next__  # for what is measured and not waited for
    return {
        time.monotonic: partial(attrgetter("now_s"), loop),
        time.monotonic_ns: partial(attrgetter("now_ns"), loop),
        steady.monotonic: partial(attrgetter("now_s"), loop),
        steady.monotonic_ns: partial(attrgetter("now_ns"), loop),
        time.time: loop.wall_s,  # noqa: TID251 - it is what is replaced
        time.time_ns: lambda: int(loop.wall_s() * 1e9),
        time.perf_counter: still,
        time.perf_counter_ns: repeat(0).__next__,
    }


@contextmanager
def led(loop: VirtualLoop) -> Iterator[None]:
    """The clocks of the daemon's modules are this loop's; afterwards they are the machine's again."""
    replacements = _replacements(loop)
    module_led = types.SimpleNamespace(**{clock.__name__: instead for clock, instead in replacements.items()})
    changed: list[tuple[types.ModuleType, str, Any]] = []
    for name, module in list(sys.modules.items()):
        if module is None or not name.startswith(LED):
            continue
        for attribute, value in list(vars(module).items()):
            led_to = module_led if value is time else _instead(value, replacements)
            if led_to is not None:
                changed.append((module, attribute, value))
                setattr(module, attribute, led_to)
    try:
        yield
    finally:
        for module, attribute, value in changed:
            setattr(module, attribute, value)


def _instead(value: Any, replacements: Mapping[Any, Callable[[], Any]]) -> Callable[[], Any] | None:
    try:
        return replacements.get(value)
    except TypeError:  # not hashable, so no clock
        return None

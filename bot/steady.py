"""The machine's clock that is never set, and that goes on while the machine is suspended.

`time.monotonic` stands still then (a laptop that is shut, a virtual machine that is paused): after waking, what was
heard an hour ago would be fresh, and a lease that another daemon has taken over would still run.
"""

import time


def _clock() -> int:
    """The one that counts the suspended time too, where the platform has it."""
    boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    try:
        time.clock_gettime_ns(boot)
    except OSError:
        return time.CLOCK_MONOTONIC
    return int(boot)


_CLOCK = _clock()


def monotonic_ns() -> int:
    """Nanoseconds; their zero means nothing."""
    return time.clock_gettime_ns(_CLOCK)


def monotonic() -> float:
    """The same in seconds."""
    return time.clock_gettime(_CLOCK)

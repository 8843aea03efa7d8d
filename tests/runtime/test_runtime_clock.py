"""Time that the machine was suspended for has passed: for the age of prices, and for the lease."""

import time
from pathlib import Path

import pytest

import bot
from bot import steady
from bot.runtime.clock import mono_ms
from bot.runtime.lease import LEASE_MS, Lease

BOOT = getattr(time, "CLOCK_BOOTTIME", None)
VENUES = Path(bot.__file__).parent / "venues"


class Machine:
    """Its clocks, of which one stands still while it is suspended."""

    def __init__(self) -> None:
        self.awake_ns = 5 * 10**9
        self.suspended_ns = 0

    def gettime_ns(self, clock: int) -> int:
        return self.awake_ns + (self.suspended_ns if clock == BOOT else 0)

    def gettime(self, clock: int) -> float:
        return self.gettime_ns(clock) / 1e9


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(time, "clock_gettime_ns", made.gettime_ns)
    monkeypatch.setattr(time, "clock_gettime", made.gettime)
    monkeypatch.setattr(time, "monotonic_ns", lambda: made.awake_ns)
    monkeypatch.setattr(time, "monotonic", lambda: made.awake_ns / 1e9)
    return made


@pytest.mark.skipif(BOOT is None, reason="the platform has no clock that counts it")
async def test_a_lease_runs_out_while_the_machine_is_suspended(machine: Machine) -> None:
    """Another daemon may have taken over: what it wakes with would have been signed for five seconds more."""

    async def confirm() -> None:
        return None

    lease = Lease(mono_ms, confirm)
    await lease.proving(lambda _: confirm())([])
    assert lease.refusal() is None
    machine.suspended_ns += 3_600 * 10**9
    assert lease.refusal() is not None
    assert mono_ms() == 5_000 + 3_600_000 > LEASE_MS
    assert steady.monotonic() == 3_605.0


def test_where_no_clock_counts_it_the_common_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(clock: int) -> int:
        if clock == BOOT:
            raise OSError(22, "Invalid argument")
        return 1

    monkeypatch.setattr(time, "clock_gettime_ns", refused)
    assert steady._clock() == time.CLOCK_MONOTONIC
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert steady._clock() == time.CLOCK_MONOTONIC


def test_no_venue_reads_a_clock_that_stands_still() -> None:
    """Ages of frames, bans and market time; the engine compares some of them with the daemon's own."""
    for path in sorted(VENUES.rglob("*.py")):
        assert "from time import monotonic" not in path.read_text(), path
        assert "time.monotonic" not in path.read_text(), path

"""How far the venue's wall clock is from ours, and how well that is known."""

from functools import partial

import pytest

from bot.venues.binance import rest as module
from bot.venues.binance.gate import EDGE_S, WEIGHT_SHARE_OPENING, Api
from bot.venues.binance.rest import BinanceRest
from tests.venues.test_binance_units import Minute, used

NOW_MS = 1_790_000_000_000
about = partial(pytest.approx, abs=1)


class Clocks:
    """A venue that answers `took_s` after it was asked, and read its clock `read_s` after that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mono_s, self.ahead_ms, self.slept_ms = 100.0, 0, 0
        self.rest = BinanceRest("key", "secret", None)
        monkeypatch.setattr(module, "monotonic", lambda: self.mono_s)
        monkeypatch.setattr(module, "time_ns", lambda: self._wall_ms() * 1_000_000)

    def _wall_ms(self) -> int:
        return NOW_MS + self.slept_ms + int(self.mono_s * 1_000)

    async def measured_ms(self, monkeypatch: pytest.MonkeyPatch, took_s: float, read_s: float) -> int:
        async def data(endpoint: str) -> object:
            assert endpoint == "publicGetTime"
            self.mono_s += read_s
            told_ms = self._wall_ms() + self.ahead_ms
            self.mono_s += took_s - read_s
            return {"serverTime": told_ms}

        monkeypatch.setattr(self.rest, "data", data)
        await self.rest.open()
        try:
            return await self.rest.measure_clock()
        finally:
            await self.rest.close()


async def test_a_slow_answer_moves_nothing_that_it_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    assert await clocks.measured_ms(monkeypatch, 2.0, 2.0) == about(1_000), "read at the end of it: a second wrong"
    assert await clocks.measured_ms(monkeypatch, 0.1, 0.05) == about(0), "a quick one knows better"
    assert await clocks.measured_ms(monkeypatch, 2.0, 2.0) == about(0)
    assert await clocks.measured_ms(monkeypatch, 0.02, 0.02) == about(10), "and a quicker one better still"


async def test_a_clock_that_moved_is_believed_of_a_slow_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    assert await clocks.measured_ms(monkeypatch, 0.0, 0.0) == about(0)
    clocks.ahead_ms = 5_000
    assert await clocks.measured_ms(monkeypatch, 2.0, 1.0) == about(5_000), "what is known is impossible"
    clocks.ahead_ms = 5_500
    assert await clocks.measured_ms(monkeypatch, 3.0, 1.5) == about(5_000)
    clocks.rest.clock_refused.set()
    assert await clocks.measured_ms(monkeypatch, 3.0, 1.5) == about(5_500), "the venue says that it is wrong"
    assert not clocks.rest.clock_refused.is_set()


async def test_a_machine_that_slept_counts_the_minute_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its monotonic clock stood still meanwhile; its other clock was set right again, so that no stamp is wrong."""
    clocks = Clocks(monkeypatch)
    assert await clocks.measured_ms(monkeypatch, 0.02, 0.01) == about(0)
    budget = clocks.rest.budgets[Api.SPOT]
    known_s = budget.clock_offset_s
    assert known_s is not None
    clocks.slept_ms = 30_000
    assert await clocks.measured_ms(monkeypatch, 0.4, 0.1) == about(0)
    assert budget.clock_offset_s == pytest.approx(known_s + 30, abs=0.2)
    assert budget.clock_error_s == pytest.approx(0.2, abs=0.002)
    again_s = budget.clock_offset_s
    await clocks.measured_ms(monkeypatch, 0.8, 0.4)
    assert budget.clock_offset_s == again_s, "a slower answer that allows it changes nothing"


async def test_a_minute_is_new_as_late_as_the_clock_may_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks(monkeypatch)
    await clocks.measured_ms(monkeypatch, 2.0, 2.0)
    minute, budget = Minute(monkeypatch, 50), clocks.rest.budgets[Api.SPOT]
    budget.observe(used(5_900), 200)
    minute.into_s = 59.9
    assert budget.pause_s(WEIGHT_SHARE_OPENING) > 0, "by the wrong offset the minute is over"
    minute.into_s = 60.0
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == 0
    await clocks.measured_ms(monkeypatch, 0.0, 0.0)
    minute.into_s = 50
    budget.observe(used(5_900), 200)
    minute.into_s = 60
    assert budget.pause_s(WEIGHT_SHARE_OPENING) == pytest.approx(EDGE_S)

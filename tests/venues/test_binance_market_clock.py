"""The venue's market time: one wrong stamp does not carry it away."""

import json

import pytest

from bot.domain.market import Mark
from bot.domain.time import DAY_MS
from bot.venues.binance import clock as clock_module
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.market_lines import market_lines
from bot.venues.binance.symbols import SymbolBook
from tests.engine import market_kit as kit

NOW_MS = 1_790_000_000_000
FAR_MS = NOW_MS + 400 * DAY_MS


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MarketClock:
    monkeypatch.setattr(clock_module, "monotonic", lambda: 5.0)
    clock = MarketClock()
    assert clock.observe(NOW_MS)
    return clock


def test_one_stamp_far_ahead_changes_nothing(clock: MarketClock) -> None:
    assert not clock.observe(FAR_MS)
    assert clock.now_ms() == NOW_MS
    assert clock.observe(NOW_MS + 1_000)
    assert not clock.observe(FAR_MS), "what came between does not confirm it"
    assert clock.now_ms() == NOW_MS + 1_000


def test_after_a_long_silence_the_second_frame_is_believed(clock: MarketClock) -> None:
    assert not clock.observe(FAR_MS)
    assert clock.observe(FAR_MS + 1_000)
    assert clock.now_ms() == FAR_MS + 1_000


def test_a_mark_of_another_age_is_complained_of_and_not_delivered(clock: MarketClock) -> None:
    told: list[object] = []
    spot, perp = kit.pair_instruments("BTC")
    book = SymbolBook.of((spot, perp))
    on_frame = market_lines("binance", lambda: book, told.append, clock)[-1].on_frame

    def frame(event_ms: int) -> bytes:
        mark = {"s": perp.symbol, "p": "100", "i": "100", "r": "0.0001", "T": NOW_MS + DAY_MS, "E": event_ms}
        return json.dumps({"stream": "", "data": mark}).encode()

    with pytest.raises(DecodeError, match="event time"):
        on_frame(frame(FAR_MS))
    assert told == []
    on_frame(frame(NOW_MS + 1_000))
    assert [type(one) for one in told] == [Mark]
    assert clock.now_ms() == NOW_MS + 1_000

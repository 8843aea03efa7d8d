"""The perpetual's leg fills later: at the close of then where candles are fine enough, else at a stated cost."""

import math
from decimal import Decimal
from pathlib import Path

import pytest
from recorded_kit import START_MS, make

from bot.domain.config import CoreConfig, Limits
from bot.domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from bot.research.backtest import Answer, Question, run
from bot.research.bars import BarMarket, Costs
from bot.research.latency import MEAN_ABSOLUTE, late_leg
from bot.research.recordings import Series, read_recordings
from bot.simulator.model import Book

CONFIG = CoreConfig(limits=Limits(cash_rate=0))
D = Decimal


def series(closes: list[str], step_ms: int) -> Series:
    ends = tuple((place + 1) * step_ms for place in range(len(closes)))
    return Series(step_ms, ends, tuple(map(D, closes)), (1.0,) * len(closes))


def test_candles_as_fine_as_the_latency_give_the_price_of_then() -> None:
    minutes = series(["100", "101", "102", "103", "104"], MINUTE_MS)
    times = range(MINUTE_MS, 5 * MINUTE_MS + 1, 2 * MINUTE_MS)
    prices = [D("100"), D("102"), D("104")]
    found = late_leg(minutes, prices, times, 60)
    assert found.prices == [D("101"), D("103"), D("104")], "the last candle has nothing after it"
    assert not any(found.charged)
    assert late_leg(minutes, prices, times, 90).prices == [D("102"), D("104"), D("104")]


def test_longer_candles_charge_the_expected_move_of_the_day_before() -> None:
    """Moves of 1 % an hour: in 36 s, a hundredth of it, a tenth as far, and the mean size of a normal move."""
    closes = [f"{100 * math.exp(0.01 * (place % 2)):.12f}" for place in range(60)]
    hours = series(closes, HOUR_MS)
    times = range(30 * HOUR_MS, 50 * HOUR_MS, 4 * HOUR_MS)
    prices = [D(100)] * len(times)
    found = late_leg(hours, prices, times, 36)
    assert list(found.prices) == prices
    assert [float(each) for each in found.charged] == pytest.approx([0.01 * 0.1 * MEAN_ABSOLUTE] * 5, rel=1e-4)


def test_the_charge_knows_nothing_of_the_future() -> None:
    calm = ["100", "100.1"] * 30
    wild = calm[:40] + ["200", "50"] * 10
    times = range(20 * HOUR_MS, 41 * HOUR_MS, HOUR_MS)
    prices = [D(100)] * len(times)
    one, other = (late_leg(series(each, HOUR_MS), prices, times, 30).charged for each in (calm, wild))
    assert one[:21] == other[:21]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"), coins=("BTC", "ETH"), days=30)


def answer(folder: Path, latency_s: float) -> Answer:
    costs = Costs(leg_latency_s=latency_s)
    return run(read_recordings(folder), Question(START_MS, START_MS + 30 * DAY_MS, CONFIG, costs))


def test_it_is_paid_as_slippage_and_the_sums_still_agree(folder: Path) -> None:
    at_once, late = answer(folder, 0), answer(folder, 10)
    assert late.book.unexplained < 1e-12
    market = BarMarket(read_recordings(folder), START_MS, START_MS + 30 * DAY_MS, costs=Costs(leg_latency_s=10))
    top = market.top(Book.PERP, "BTCUSDT", START_MS)
    close = market.close(Book.PERP, "BTCUSDT", START_MS)
    charged = float(top.ask / close) - 1 - 1e-4
    assert charged == pytest.approx(0.005 * math.sqrt(10 / 3600) * MEAN_ABSOLUTE, rel=0.5)
    assert market.top(Book.SPOT, "BTCUSDT", START_MS).ask / market.close(Book.SPOT, "BTCUSDT", START_MS) < D(
        "1.00011"
    )
    paid = -late.total.slippage / late.total.turnover
    assert paid > -at_once.total.slippage / at_once.total.turnover + charged / 2
    assert late.total.net < at_once.total.net


def test_what_is_beyond_the_guard_does_not_fill(folder: Path) -> None:
    """An hour late the perpetual is now and then further away than any order reaches: hedges are repaired."""
    found = answer(folder, 3_600)
    for coin, holding in found.book.holdings.items():
        assert holding.spot == pytest.approx(-holding.perp, rel=0.02, abs=1e-3), coin

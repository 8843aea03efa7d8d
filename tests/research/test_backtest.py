"""The engine over recorded bars: sums, determinism, no look-ahead, gaps, listings and endings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_kit import START_MS, make

from bot.domain.config import CoreConfig, Limits, StrategyConfig
from bot.domain.time import DAY_MS, HOUR_MS
from bot.research.backtest import Answer, Question, as_json, run
from bot.research.bars import BarMarket, halted_times
from bot.research.recordings import Recording, Series, read_recordings
from bot.research.report import SECTIONS, page
from bot.research.trace import trace
from bot.simulator.market.table import HistoryError
from bot.simulator.model import Book

CONFIG = CoreConfig(limits=Limits(cash_rate=0))


def answer(folder: Path, days: int = 60, **more) -> Answer:
    return run(read_recordings(folder), Question(START_MS, START_MS + days * DAY_MS, CONFIG, **more))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def usual(plain) -> Answer:
    return answer(plain)


def test_the_parts_add_up_to_the_change_of_nav(usual) -> None:
    book = usual.book
    assert usual.total.trades >= 10
    assert usual.total.funding > 0 > usual.total.fees
    assert book.unexplained < 1e-12
    parts = usual.total.funding + usual.total.fees + usual.total.slippage + usual.total.basis
    assert parts == pytest.approx(usual.total.net, abs=1e-12)
    grown = 1.0
    for point in book.points:
        grown *= 1 + point.net
    assert book.nav_usd == pytest.approx(1e6 * grown, rel=1e-12)


def test_the_ledger_agrees_with_the_exchange_on_closes_with_many_digits(usual) -> None:
    """ADA's closes have a digit more than its lots can be paid with: a difference of 1e-8 would block the venue."""
    assert "R15" not in {row["rule"] for row in as_json(usual)["rules"]}


def test_costs_are_what_was_asked_for(plain, usual) -> None:
    """Turnover counts one side; both legs pay their fee on about the same notional, and half a spread each."""
    assert -usual.total.fees == pytest.approx(usual.total.turnover * 0.0015, rel=0.01)
    assert -usual.total.slippage == pytest.approx(usual.total.turnover * 0.0002, rel=0.02)


def test_the_same_question_has_the_same_answer(plain, usual) -> None:
    assert json.dumps(as_json(answer(plain))) == json.dumps(as_json(usual))


def test_the_future_does_not_reach_back(plain, usual, tmp_path) -> None:
    """Prices and rates (beyond their caps) are other ones after a day: until then every trade and NAV is the same."""
    then_ms = START_MS + 30 * DAY_MS
    other = make(
        tmp_path,
        price=lambda _, at_ms, price: price * (1.3 if at_ms > then_ms else 1),
        rate=lambda _, at_ms, rate: -0.02 if at_ms > then_ms else rate,
    )
    shifted = answer(other)
    before = [point for point in usual.book.points if point.at_ms <= then_ms]
    assert before == shifted.book.points[: len(before)]
    assert [one for one in usual.book.trades if one.at_ms <= then_ms + HOUR_MS] == [
        one for one in shifted.book.trades if one.at_ms <= then_ms + HOUR_MS
    ]
    assert usual.book.points != shifted.book.points


def test_a_missing_spot_freezes_the_pair(tmp_path) -> None:
    gap = range(START_MS + 10 * DAY_MS, START_MS + 12 * DAY_MS)
    folder = make(tmp_path, spot_missing=lambda coin, at_ms: coin == "ADA" and at_ms in gap)
    found = answer(folder, 20)
    assert not [one for one in found.book.trades if one.coin == "ADA" and one.at_ms in gap]
    market = BarMarket(read_recordings(folder), START_MS, START_MS + 20 * DAY_MS)
    inside = gap.start + 8 * HOUR_MS
    assert market.depth(Book.SPOT, "ADAUSDT", inside, 5) == ((), ())
    assert market.close(Book.PERP, "ADAUSDT", inside) == market.close(Book.PERP, "ADAUSDT", gap.start - 1)
    assert market.depth(Book.SPOT, "BTCUSDT", inside, 5) != ((), ())


def test_a_halt_is_known_by_the_silence_of_every_spot(tmp_path) -> None:
    halt = START_MS + 5 * DAY_MS + 3 * HOUR_MS
    folder = make(tmp_path, spot_missing=lambda _, at_ms: at_ms == halt)
    assert halted_times(read_recordings(folder)) == {halt, halt - HOUR_MS}


def test_a_coin_has_a_price_where_a_candle_of_its_own_ends(tmp_path) -> None:
    """Hourly bars over four-hourly candles: the last close could not be traded at in between."""
    halt = START_MS + 5 * DAY_MS + 4 * HOUR_MS
    found = read_recordings(make(tmp_path, spot_missing=lambda coin, at_ms: coin != "ADA" and at_ms == halt))
    slow = [slower(one) if one.coin == "ADA" else one for one in found]
    bars = BarMarket(slow, START_MS, START_MS + 10 * DAY_MS, HOUR_MS).coins["ADAUSDT"]
    then = (halt - START_MS) // HOUR_MS
    fresh = [index - then for index in range(then - 12, then + 9) if bars.fresh[index]]
    assert fresh == [-12, -8, -4, 4, 8]
    assert len(set(bars.spot[then - 4 : then + 4])) == 1
    hourly = replace(CONFIG, strategy=StrategyConfig(decide_every_h=1))
    made = run(slow, Question(START_MS, START_MS + 20 * DAY_MS, hourly, grid_ms=HOUR_MS))
    hours = {
        coin: {one.at_ms // HOUR_MS % 4 for one in made.book.trades if one.coin == coin} for coin in ("ADA", "BTC")
    }
    assert hours["ADA"] == {0} < hours["BTC"]
    assert not [one for one in made.actions if one.rule == "R11" and one.coin == "ADA" and one.at_ms < halt]


def slower(one: Recording) -> Recording:
    return replace(one, spot=four_hourly(one.spot), perp=four_hourly(one.perp))


def four_hourly(series: Series) -> Series:
    kept = [place for place, end in enumerate(series.ends_ms) if end % (4 * HOUR_MS) == 0]
    columns = (series.ends_ms, series.closes, series.volumes_usd)
    return Series(4 * HOUR_MS, *(tuple(column[place] for place in kept) for column in columns))


def test_a_coin_exists_from_its_first_data_and_is_closed_at_its_last(tmp_path) -> None:
    folder = make(tmp_path, from_day={"ADA": 50}, until_day={"ADA": 40})
    found = answer(folder)
    mine = [one for one in found.book.trades if one.coin == "ADA"]
    assert mine
    assert mine[0].at_ms >= START_MS + 10 * DAY_MS
    assert mine[-1].at_ms <= START_MS + 40 * DAY_MS + HOUR_MS
    assert "ADA" not in found.book.shares[-1][1]
    assert found.book.holdings["ADA"].perp == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("grid_h", [1, 8])
def test_other_bars(plain, grid_h) -> None:
    found = answer(plain, 20, grid_ms=grid_h * HOUR_MS)
    assert len(found.book.points) == 20 * 24 // grid_h
    assert found.book.unexplained < 1e-12
    assert found.total.funding > 0


def test_funding_is_paid_at_its_own_times_on_what_was_held(plain, usual) -> None:
    """Counted again from the trades and the files alone: rate x close x short position at each settlement."""
    market = BarMarket(read_recordings(plain), START_MS, START_MS + 60 * DAY_MS)
    navs = [(START_MS - 1, 1e6), *((point.at_ms, point.nav_usd) for point in usual.book.points)]
    expected = 0.0
    for bars in market.coins.values():
        mine = [one for one in usual.book.trades if one.coin == bars.coin and one.leg == "perp"]
        for at_ms, rate in bars.rates:
            held = sum(
                float(one.quantity_base) * (1 if one.side == "buy" else -1) for one in mine if one.at_ms < at_ms
            )
            if held and at_ms < market.times_ms.stop:
                before = [nav for then_ms, nav in navs if then_ms < at_ms][-1]
                close = market.close(Book.PERP, bars.symbol, at_ms)
                expected -= held * float(close) * float(rate) / before
    assert usual.total.funding == pytest.approx(expected, rel=1e-9)


def test_the_fixed_names(usual) -> None:
    view = as_json(usual)
    row = view["years"][0]
    assert {"year", "net", "drawdown", "deployed", "turnover", "foresight", "share"} <= row.keys()
    assert row["year"] == 2023
    assert row["share"] == pytest.approx(row["net"] / row["foresight"])
    assert {one["name"] for one in view["benchmarks"]} == {"foresight", "btc_eth", "equal_weight", "cash"}


def test_the_page_needs_nothing_else(usual) -> None:
    text = page(usual)
    assert text.count("<svg") == 5
    assert "http" not in text
    assert "<script" not in text
    assert all(f"<h2>{title}</h2>" in text for title in SECTIONS)
    assert "Forced reductions. Months" in text


def test_an_empty_window_is_refused(plain) -> None:
    with pytest.raises(HistoryError, match="choose other dates"):
        run(read_recordings(plain), Question(START_MS + 400 * DAY_MS, START_MS + 420 * DAY_MS, CONFIG))


def test_a_folder_without_spot_is_refused(tmp_path) -> None:
    with pytest.raises(HistoryError, match="layout"):
        read_recordings(tmp_path)


def test_a_coin_is_followed_day_by_day(usual) -> None:
    """The days' parts are the coin's own, and the rules' actions stand on their days."""
    rows = trace(usual, "ADA")
    coins = {row["coin"]: row for row in as_json(usual)["coins"]}
    assert sum(row["net"] for row in rows) == pytest.approx(coins["ADA"]["net"], abs=1e-6)
    assert sum(row["trades"] for row in rows) == sum(one.coin == "ADA" for one in usual.book.trades)
    acted = [one for one in usual.actions if one.coin == "ADA"]
    assert sum(len(row["rules"]) for row in rows) == len(acted)
    assert 'id="ada"' in page(usual, "ADA")


def test_every_action_of_a_rule_is_kept(tmp_path) -> None:
    """Rates fall for six days: R1 removes the coins on the fifth, and the list says so."""
    turn = START_MS + 20 * DAY_MS
    folder = make(tmp_path, coins=("BTC",), days=30, rate=lambda _, at_ms, rate: -1e-4 if at_ms > turn else abs(rate))
    actions = as_json(answer(folder, 30))["rule_actions"]
    removed = [one for one in actions if one["event"] == "coin.removed" and one["at"] > "2023-01-21T08"]
    assert removed[0] == {
        "at": "2023-01-26T00:00:00.000Z",
        "rule": "R1",
        "event": "coin.removed",
        "coin": "BTC",
        "observed": "5",
        "limit": "5",
    }

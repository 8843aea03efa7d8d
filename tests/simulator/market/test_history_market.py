"""What the simulated market promises: the same answer for the same time, and history where history is."""

import csv
import gzip
import itertools
import random
from decimal import Decimal

import pytest

from bot.simulator.market import HistoryMarket
from bot.simulator.market.table import DAY_MS, STEP_MS
from bot.simulator.model import Book, Market

HOUR_MS = 3_600_000


def answers(market, times):
    return [
        (market.top(book, symbol, at_ms), market.mark(symbol, at_ms) if book is Book.PERP else None)
        for at_ms in times
        for book, symbol in market.listings
    ]


def test_is_a_market():
    market: Market = HistoryMarket.embedded()
    assert market.start_ms == HistoryMarket.embedded().table.demo_start_ms


def test_same_seed_same_answers_in_any_order_of_calls(market):
    times = [market.start_ms + 1_234_567 * step for step in range(40)]
    first = dict(zip(times, ([answers(market, [at_ms])] for at_ms in times), strict=True))
    other = HistoryMarket.embedded()
    shuffled = list(times)
    random.Random(3).shuffle(shuffled)
    for at_ms in shuffled:
        assert [answers(other, [at_ms])] == first[at_ms]


def test_another_seed_gives_another_path_through_the_same_points(market):
    other = HistoryMarket.embedded(seed=market.seed + 1)
    knot = market.start_ms
    between = knot + STEP_MS // 2
    assert other.last_price(Book.PERP, "BTCUSDT", knot) == market.last_price(Book.PERP, "BTCUSDT", knot)
    assert other.last_price(Book.PERP, "BTCUSDT", between) != market.last_price(Book.PERP, "BTCUSDT", between)


def test_bridge_meets_every_recorded_point_to_the_tick(market):
    for coin in market.table.coins:
        for book, symbol, prices in (
            (Book.PERP, coin.symbol, coin.perp),
            (Book.SPOT, coin.spot_symbol, coin.spot),
        ):
            tick = market.listings[book, symbol].tick
            for index in range(0, len(prices), 13):
                at_ms = market.table.from_ms + index * STEP_MS
                recorded = Decimal(repr(prices[index]))
                assert abs(market.last_price(book, symbol, at_ms) - recorded) <= tick / 2
                top = market.top(book, symbol, at_ms)
                assert top.bid <= recorded + tick / 1000
                assert recorded - tick / 1000 <= top.ask


def test_path_has_no_jumps_at_recorded_points(market):
    for knot in (market.start_ms, market.start_ms + STEP_MS, market.table.until_ms):
        before, at, after = (float(market.last_price(Book.PERP, "ETHUSDT", knot + shift)) for shift in (-900, 0, 900))
        assert abs(before / at - 1) < 1e-3
        assert abs(after / at - 1) < 1e-3


def test_top_is_the_first_level_of_depth_and_levels_go_away_from_it(market):
    generator = random.Random(11)
    for book, symbol in market.listings:
        listing = market.listings[book, symbol]
        for _ in range(10):
            at_ms = market.start_ms + generator.randrange(40 * DAY_MS)
            top = market.top(book, symbol, at_ms)
            bids, asks = market.depth(book, symbol, at_ms, 50)
            assert (bids[0].price, bids[0].size) == (top.bid, top.bid_size)
            assert (asks[0].price, asks[0].size) == (top.ask, top.ask_size)
            assert top.bid < top.ask
            assert [level.price for level in bids] == sorted({level.price for level in bids}, reverse=True)
            assert [level.price for level in asks] == sorted({level.price for level in asks})
            for level in (*bids, *asks):
                assert level.size > 0
                assert level.size % listing.lot == 0
                assert level.price % listing.tick == 0


def test_most_books_fill_ten_thousand_usd_within_ten_bps(market):
    deep = 0
    for book, symbol in market.listings:
        _, asks = market.depth(book, symbol, market.start_ms + 777_000, 100)
        within = [level for level in asks if level.price <= asks[0].price * Decimal("1.001")]
        deep += sum(level.price * level.size for level in within) >= 10_000
    assert deep >= len(market.listings) - 2


def test_mark_is_near_index_and_predicts_what_is_settled_only_at_the_end(market):
    for settlement in market.settlements(market.start_ms, market.start_ms + 3 * DAY_MS):
        eve = market.mark(settlement.symbol, settlement.at_ms - 1)
        assert eve.next_funding_ms == settlement.at_ms
        assert eve.interval_s == settlement.interval_s
        assert abs(eve.predicted_rate - settlement.rate) <= Decimal("1e-7")
        at = market.mark(settlement.symbol, settlement.at_ms)
        assert at.mark == settlement.mark
        assert at.next_funding_ms > settlement.at_ms
        if at.interval_s == settlement.interval_s:
            assert at.predicted_rate == settlement.rate
        assert abs(at.mark / at.index - 1) < Decimal("0.02")


def test_settlements_are_the_recorded_ones(market, recorded):
    checked = 0
    for coin in market.table.coins:
        shift_ms = coin.redated_days * DAY_MS
        path = recorded / "funding" / "binance-usdm" / f"{coin.recorded_as}.csv.gz"
        with gzip.open(path, "rt") as handle:
            expected = {
                int(row["timestamp_ms"]) // 60_000 * 60_000 + shift_ms: Decimal(row["funding_rate"])
                for row in csv.DictReader(handle)
            }
        until_ms = coin.settlements[-1][0]
        for settlement in market.settlements_of(coin.symbol, market.table.from_ms - 1, until_ms):
            assert abs(expected[settlement.at_ms] - settlement.rate) < Decimal("1e-8")
            checked += 1
        in_window = [at_ms for at_ms in expected if market.table.from_ms <= at_ms <= market.table.until_ms]
        assert [at_ms for at_ms, _ in coin.settlements] == in_window
    assert checked > 10_000


def test_settlements_are_ordered_complete_and_half_open(market):
    start_ms, until_ms = market.start_ms, market.start_ms + 90 * DAY_MS
    whole = market.settlements(start_ms, until_ms)
    assert list(whole) == sorted(whole, key=lambda one: (one.at_ms, one.symbol))
    middle_ms = whole[len(whole) // 2].at_ms
    halves = [*market.settlements(start_ms, middle_ms), *market.settlements(middle_ms, until_ms)]
    assert halves == list(whole)
    previous = {}
    for one in whole:
        if one.symbol in previous:
            assert one.at_ms - previous[one.symbol] == one.interval_s * 1000
        previous[one.symbol] = one.at_ms
        assert one.mark > 0


def funding_days(market, symbol, from_ms, until_ms):
    """UTC day -> sum of rates; a settlement at midnight closes the day before."""
    days = {}
    for one in market.settlements_of(symbol, from_ms, until_ms):
        day = (one.at_ms - 1) // DAY_MS
        days[day] = days.get(day, Decimal(0)) + one.rate
    return days


@pytest.mark.parametrize(("symbol", "first_day", "length"), [("SUIUSDT", 6, 9), ("SOLUSDT", 7, 6)])
def test_a_coin_that_paid_turns_negative_for_five_days_within_the_demo(market, symbol, first_day, length):
    start_day = market.start_ms // DAY_MS
    before = funding_days(market, symbol, market.start_ms - 30 * DAY_MS, market.start_ms)
    assert sum(before.values()) > Decimal("0.015")
    after = funding_days(market, symbol, market.start_ms, market.start_ms + 15 * DAY_MS)
    negative = [day - start_day for day, total in sorted(after.items()) if total < 0]
    assert negative == list(range(first_day, first_day + length))
    assert first_day + 5 <= 14


def test_most_coins_pay_more_than_they_cost_at_the_start(market):
    positive = [
        coin.symbol
        for coin in market.table.coins
        if sum(funding_days(market, coin.symbol, market.start_ms - 30 * DAY_MS, market.start_ms).values())
        > Decimal("0.0068")
    ]
    assert len(positive) == 24


def test_funding_interval_changes_as_recorded(market):
    intervals = []
    for one in market.settlements_of("SOL22USDT", market.start_ms, market.table.until_ms):
        if not intervals or intervals[-1][1] != one.interval_s:
            intervals.append((one.at_ms, one.interval_s))
    assert [seconds // 3600 for _, seconds in intervals] == [8, 4, 2, 8]
    assert [(at_ms - market.start_ms) // HOUR_MS for at_ms, _ in intervals[1:]] == [164, 174, 376]
    assert {market.mark(symbol, market.start_ms).interval_s for symbol in ("BTCUSDT", "TONUSDT")} == {
        28_800,
        14_400,
    }


def test_november_is_a_bull_stretch(market):
    first, last = (
        market.last_price(Book.SPOT, "BTCUSDT", market.table.trading_from_ms + days * DAY_MS) for days in (0, 30)
    )
    assert last > first * Decimal("1.3")


def test_after_the_table_prices_return_and_history_repeats(market):
    table = market.table
    period_ms = table.period_ms
    assert period_ms == 71 * DAY_MS
    for symbol in ("BTCUSDT", "SUIUSDT", "SOL22USDT"):
        for book in Book:
            for days in (0, 17, 60):
                at_ms = table.trading_from_ms + days * DAY_MS
                expected = market.last_price(book, symbol, at_ms)
                assert market.last_price(book, symbol, at_ms + period_ms) == expected
                assert market.last_price(book, symbol, at_ms + 1000 * period_ms) == expected
            way_back = market.last_price(book, symbol, table.until_ms + 5 * DAY_MS)
            ends = [
                market.last_price(book, symbol, table.until_ms + days * DAY_MS) for days in (0, table.return_days)
            ]
            assert min(ends) < way_back < max(ends)
        once = market.settlements_of(symbol, table.trading_from_ms, table.trading_from_ms + period_ms)
        again = market.settlements_of(
            symbol, table.trading_from_ms + 7 * period_ms, table.trading_from_ms + 8 * period_ms
        )
        assert [one.rate for one in again] == [one.rate for one in once]
        assert [one.at_ms - 7 * period_ms for one in again] == [one.at_ms for one in once]


def test_return_stretch_is_flagged_and_pays_the_base_rate(market):
    table = market.table
    assert not market.is_synthetic(table.until_ms)
    assert not market.is_synthetic(table.until_ms + (table.return_days * DAY_MS) + 1)
    assert market.is_synthetic(table.until_ms + 1)
    assert market.is_synthetic(table.until_ms + table.period_ms + DAY_MS)
    for one in market.settlements(table.until_ms, table.until_ms + table.return_days * DAY_MS):
        assert one.rate == Decimal("0.0001") * one.interval_s / 28_800


def test_candles_and_day_stats_agree_with_the_path(market):
    at_ms = market.start_ms + 5 * HOUR_MS + 123_456
    for book in Book:
        candles = market.candles(book, "XRPUSDT", 3600, at_ms - DAY_MS, at_ms)
        assert [candle.open_ms % HOUR_MS for candle in candles] == [0] * 24
        assert candles[-1].close == market.last_price(book, "XRPUSDT", at_ms)
        for before, after in itertools.pairwise(candles):
            assert before.close == after.open
        for candle in candles:
            assert candle.low <= min(candle.open, candle.close)
            assert candle.high >= max(candle.open, candle.close)
            assert candle.volume_base > 0
        stats = market.day_stats(book, "XRPUSDT", at_ms)
        assert stats.last == market.last_price(book, "XRPUSDT", at_ms)
        assert stats.open == market.last_price(book, "XRPUSDT", at_ms - DAY_MS)
        assert stats.low <= min(candle.low for candle in candles)
        assert stats.high >= max(candle.high for candle in candles)
    assert len(market.candles(Book.PERP, "BTCUSDT", 60, at_ms - HOUR_MS, at_ms)) == 60
    assert market.open_interest("XRPUSDT", at_ms) > 0


def test_listings_carry_the_venues_filters(market):
    perp = market.listings[Book.PERP, "BTCUSDT"]
    spot = market.listings[Book.SPOT, "BTCUSDT"]
    assert (perp.tick, perp.lot, perp.notional_min) == (Decimal("0.1"), Decimal("0.001"), Decimal(100))
    assert (spot.tick, spot.lot, spot.notional_min) == (Decimal("0.01"), Decimal("0.00001"), Decimal(5))
    assert perp.tiers[0].maintenance_rate == Decimal("0.004")
    for listing in market.listings.values():
        assert listing.listed_ms < market.start_ms
        if listing.book is Book.PERP:
            for before, after in itertools.pairwise(listing.tiers):
                edge = before.cap_usd
                assert edge == after.floor_usd
                assert edge * before.maintenance_rate - before.cumulative_usd == (
                    edge * after.maintenance_rate - after.cumulative_usd
                )
    for one in market.settlements(market.table.from_ms - 1, market.table.until_ms):
        listing = market.listings[Book.PERP, one.symbol]
        assert listing.funding_floor <= one.rate <= listing.funding_cap


def test_unknown_symbol_and_times_before_the_table(market):
    with pytest.raises(KeyError):
        market.top(Book.SPOT, "NOPEUSDT", market.start_ms)
    early = market.last_price(Book.PERP, "BTCUSDT", 0)
    assert early == market.last_price(Book.PERP, "BTCUSDT", market.table.from_ms)
    assert list(market.settlements(0, market.table.from_ms - 1)) == []
    assert market.mark("BTCUSDT", 0).interval_s == 28_800

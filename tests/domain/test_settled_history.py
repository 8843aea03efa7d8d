"""Settled rates are kept in their place of time, however they are delivered; what is made of them follows."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.market import RATES_KEPT, MarketState, SettledRate
from bot.domain.time import HOUR_MS

PERP = "binance:BTCUSDT:perp"
START_MS = 1_733_011_200_000


def history(intervals_h: list[int], seed: int) -> list[SettledRate]:
    at_ms, dice, found = START_MS, Random(seed), []
    for interval_h in intervals_h:
        at_ms += interval_h * HOUR_MS
        found.append(SettledRate(PERP, at_ms, Decimal(dice.randint(-90, 90)).scaleb(-5), interval_h * 3600))
    return found


def as_delivered(rates: list[SettledRate], order: list[int]) -> list[SettledRate]:
    """What a venue's adapter makes of them: the interval is the distance to the newest earlier one that it knows."""
    known: dict[int, SettledRate] = {}
    found = []
    for place in order:
        before = max((one for one in known if one < place), default=None)
        since_ms = rates[place].settled_ms - rates[place].interval_s * 1000
        if before is not None:
            since_ms = rates[before].settled_ms
        spaced = SettledRate(
            PERP, rates[place].settled_ms, rates[place].rate, (rates[place].settled_ms - since_ms) // 1000
        )
        known[place] = spaced
        found.append(spaced)
    return found


@given(st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=40), st.integers(0, 2**20), st.data())
@settings(max_examples=200, deadline=None)
def test_any_order_of_delivery_leaves_the_same_history(intervals: list[int], seed: int, data: st.DataObject) -> None:
    rates = history(intervals, seed)
    places = list(range(len(rates)))
    order = data.draw(st.permutations(places)) + data.draw(st.lists(st.sampled_from(places), max_size=5))
    in_order, shuffled = MarketState(), MarketState()
    for one in rates:
        assert in_order.add_rate(one) == (one,)
    seen = set[int]()
    for one in as_delivered(rates, order):
        added = shuffled.add_rate(one)
        assert bool(added) is (one.settled_ms not in seen), "twice delivered is nothing new"
        seen.add(one.settled_ms)
        assert list(shuffled.rates[PERP]) == sorted(shuffled.rates[PERP], key=lambda each: each.settled_ms)
    assert shuffled.rates == in_order.rates
    at_ms = rates[-1].settled_ms + HOUR_MS
    for mean, other in zip(shuffled.means[PERP], in_order.means[PERP], strict=True):
        assert mean.per_hour(at_ms) == pytest.approx(other.per_hour(at_ms), rel=1e-9, abs=1e-15)


def test_a_full_history_drops_its_oldest_and_takes_nothing_older() -> None:
    rates = history([1] * (RATES_KEPT + 2), 7)
    market = MarketState()
    missing = rates.pop(500)
    oldest = rates.pop(0)
    for one in rates:
        market.add_rate(one)
    assert len(market.rates[PERP]) == RATES_KEPT
    assert market.add_rate(oldest) == ()
    assert market.add_rate(missing) == (missing, rates[499])
    assert list(market.rates[PERP]) == [*rates[1:499], missing, *rates[499:]]

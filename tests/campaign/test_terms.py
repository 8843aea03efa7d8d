"""Faults of what was agreed or taken for granted: funding caps, what the quote currency is worth and counts for."""

from decimal import Decimal
from random import Random

import pytest

from tests.campaign.clockwork import VirtualLoop
from tests.campaign.counted import QUOTE
from tests.campaign.faults import HOUR, START, Fault
from tests.campaign.market import HOUR_MS, START_MS, CampaignMarket
from tests.campaign.mischief import strike
from tests.campaign.plans import DAYS, Plan, plan
from tests.campaign.shaping import CAPPED_H, shape
from tests.campaign.truth import MARGIN
from tests.campaign.world import World

SEED, HOUR_OF_CHANGE, CAP = 520_000, 20.0, 0.0001
COIN, SYMBOL = "XRP", "XRPUSDT"
CHANGE = Fault("caps_changed", HOUR, HOUR_OF_CHANGE, COIN, CAP)


def _calm(seed: int) -> Plan:
    return plan(seed, range(100))


def _market(found: Plan) -> CampaignMarket:
    return CampaignMarket(Random(f"market:{found.seed}"), found.shapes, DAYS + 1)


def test_a_cap_binds_what_settles_while_it_stands_and_nothing_before_or_after() -> None:
    free, capped = _calm(SEED), _calm(SEED)
    shape(CHANGE, capped.shapes)
    before, after = (_market(one).coins[COIN].settlements for one in (free, capped))
    bound = 0
    for one, other in zip(before, after, strict=True):
        hour = (one.at_ms - START_MS) / HOUR_MS
        if HOUR_OF_CHANGE < hour <= HOUR_OF_CHANGE + CAPPED_H:
            assert abs(other.rate) <= CAP
            bound += one.rate != other.rate
        else:
            assert one == other
    assert bound, "the cap is too wide to show"


def test_marks_tell_the_rate_that_will_settle() -> None:
    capped = _calm(SEED)
    shape(CHANGE, capped.shapes)
    market = _market(capped)
    settled = [one for one in market.settlements(START_MS, START_MS + 60 * HOUR_MS) if one.symbol == SYMBOL]
    for one in settled:
        mark = market.mark(SYMBOL, one.at_ms - 1)
        assert (mark.predicted_rate, mark.next_funding_ms) == (one.rate, one.at_ms)


def test_a_changed_cap_enters_the_funding_info_and_leaves_it() -> None:
    loop = VirtualLoop()
    try:
        found = _calm(SEED)
        found.shapes[COIN].intervals = [(-1e9, 8)]
        world = World(found, loop)
        assert SYMBOL not in _told(world)
        strike(world, CHANGE)
        assert _told(world)[SYMBOL] == ("0.00010000", "-0.00010000", 8)
        (back,) = world.waiting[HOUR]
        assert back.at == HOUR_OF_CHANGE + CAPPED_H
        strike(world, back)
        assert SYMBOL not in _told(world)
        assert not world.waiting[HOUR][1:]
    finally:
        loop.close()


def _told(world: World) -> dict[str, tuple[str, str, int]]:
    rows = world.wire._apply("perp", "GET", "/fapi/v1/fundingInfo", {}).document
    return {
        row["symbol"]: (row["adjustedFundingRateCap"], row["adjustedFundingRateFloor"], row["fundingIntervalHours"])
        for row in rows
    }


def test_all_coins_cost_more_in_a_quote_currency_that_is_worth_less_and_return_together() -> None:
    whole, worth_less = _calm(SEED), _calm(SEED)
    shape(Fault("depeg", START, 10.0, "6", 0.1), worth_less.shapes)
    before, after = _market(whole), _market(worth_less)
    for hour, factor in ((9.9, 1.0), (10.0, 1 / 0.9), (15.9, 1 / 0.9), (16.0, 1.0)):
        at_ms = START_MS + int(hour * HOUR_MS)
        for coin in before.coins:
            ratio = after.coins[coin].price(at_ms) / before.coins[coin].price(at_ms)
            assert ratio == pytest.approx(factor), (coin, hour)


def test_the_oracle_holds_loans_against_what_the_venue_counts() -> None:
    """1,500 against 1,000 owed: a rise of 14 % leaves 246 above the level of liquidation, and at 0.8 it lacks 54."""
    loop = VirtualLoop()
    try:
        found = _calm(SEED)
        found.lent = {COIN: (0.1, 1e6)}
        world = World(found, loop)
        wallet, price = world.oracle._account().margin, world.oracle._price(COIN)
        wallet.free[QUOTE], wallet.owed[COIN] = Decimal(1_500), 1_000 / price
        assert not [*world.oracle.loans_uncovered()]
        world.exchange.faults.add([{"kind": "collateral_ratio", "asset": QUOTE, "ratio": 0.8}])
        ((rule, why),) = world.oracle.loans_uncovered()
        assert rule == ("R7, loans", "all")
        assert "leaves -54 " in why
        coming = {(COIN, MARGIN): 500 / price}
        assert world.oracle.collateral_left(Decimal(1), Decimal(1), coming) == pytest.approx(Decimal(350))
    finally:
        loop.close()

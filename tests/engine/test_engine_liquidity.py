"""Size by liquidity, and what R1 is about to remove: two bounds that the strategy sets itself."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, fills, orders, said, silence

from bot.domain.config import Limits
from bot.domain.events import Tick, VenueListed
from bot.domain.funding_days import FundingDay
from bot.domain.hedges import HedgeState
from bot.domain.instruments import MarginTier
from bot.domain.market import Liquidity, Mark
from bot.domain.time import DAY_MS, HOUR_MS
from bot.domain.valuation import notional_usd
from bot.risk.rules.r01_negative_funding import removal_of


@pytest.mark.parametrize(
    ("spot_volume", "open_interest", "at_most"),
    [(200e6, 1e9, 490_000), (2e6, 1e9, 100_000), (200e6, 700_000, 70_000), (900_000, 1e9, 0)],
)
def test_a_hedge_is_at_most_its_share_of_the_thinner_volume_and_of_open_interest(
    play: Play, spot_volume: float, open_interest: float, at_most: int
) -> None:
    book = play().scene(spot_usdt="7000000", perp_usdt="3000000")
    spot, perp = kit.liquidity("BTC")
    book.feed(Liquidity(spot.instrument, spot_volume, spot.depth_usd, None))
    book.feed(Liquidity(perp.instrument, perp.volume_usd, perp.depth_usd, open_interest))
    book.run(60)
    held = sum(notional_usd(book.state.book, hedge) for hedge in book.state.book.live_hedges())
    assert 0.99 * at_most <= held <= 1.0001 * at_most


@pytest.mark.parametrize(("leverage", "at_most"), [(50, 45_000), (20, 45_000), (10, 45_000)])
def test_a_hedge_stays_within_the_position_that_the_venue_allows(play: Play, leverage: int, at_most: int) -> None:
    """A thin coin's largest leverage is below what an account has by default; its brackets bind all the same."""
    book = play().scene(spot_usdt="7000000", perp_usdt="3000000")
    first = MarginTier(Decimal(0), Decimal(50_000), leverage, Decimal("0.01"), Decimal(0))
    second = MarginTier(Decimal(50_000), Decimal("1e12"), 5, Decimal("0.02"), Decimal(500))
    book.state.market.tiers[kit.perp_id("BTC")] = (first, second)
    book.run(20)
    assert 0.97 * at_most <= notional_usd(book.state.book, book.hedge) <= 1.0001 * at_most


@pytest.mark.parametrize("ending", [0, 1])
def test_a_coin_that_the_venue_is_going_to_end_is_closed_at_the_announcement_and_not_entered_again(
    play: Play, ending: int
) -> None:
    book = play(kit.config(("BTC",))).scene().run()
    hedge = book.hedge
    assert hedge.state is HedgeState.HEDGED
    legs = list(kit.pair_instruments("BTC"))
    legs[ending] = replace(legs[ending], ends_ms=book.market_ms + 30 * DAY_MS)
    book.feed(VenueListed(kit.VENUE, tuple(legs), {}, {}))
    book.run(40)
    assert hedge.reason == "R8: the venue ends trading of BTC"
    assert not book.state.book.live_hedges()
    book.until(book.market_ms + DAY_MS).alive()
    book.run(20)
    assert not book.state.book.live_hedges()


@pytest.mark.parametrize(
    ("negative_days", "predicted", "bps_under_spot", "leaves"),
    [
        (1, "-0.00001", 44, False),
        (2, "-0.00001", 44, True),
        (2, "1e-4", 44, False),
        (3, "-0.00001", 38, False),
        (4, "-0.00001", 38, True),
        (4, "1e-4", 38, False),
        (1, "-0.00001", 60, True),
    ],
)
def test_the_nearer_removal_is_the_smaller_a_loss_to_come_is_reason_to_leave(
    play: Play, negative_days: int, predicted: str, bps_under_spot: int, leaves: bool
) -> None:
    """R1 closes after five negative days, and closing (16 bps) is then due in any case.

    Holding is worth 45 bps of funding less 1.4 times the discount: at 44 bps under spot about 17 less than being
    out, which is not 1.5 closing costs but more than half of them; at 38 about 8, more than a quarter of one.
    """
    book = play(kit.config(("BTC",), limits=Limits(cash_rate=0))).scene().run()
    removal = removal_of(book.state.book, kit.VENUE, "BTC")
    removal.negative_days, removal.day = negative_days, kit.START_MS // DAY_MS
    removal.days[removal.day] = FundingDay(Decimal("-0.00005"))
    book.until(kit.START_MS + 4 * HOUR_MS).alive()
    index = kit.PRICES["BTC"]
    perp = index * (1 - Decimal(bps_under_spot).scaleb(-4))
    book.feed(Mark(kit.perp_id("BTC"), perp, index, Decimal(predicted), kit.START_MS + 8 * HOUR_MS))
    actions = book.feed(Tick())
    assert (book.hedge.state is HedgeState.CLOSING) == leaves, actions


def test_a_hedge_that_is_being_built_is_not_given_up_while_liquidity_is_unknown(play: Play) -> None:
    """After a restart the first decision comes before the first question about liquidity is answered."""
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    aimed = book.hedge.target_base
    book.state.market.liquidity.clear()
    book >> fills("spot") << silence()
    book >> fills("perp") << silence()
    assert 0 < book.hedge.size_base < aimed
    book.state.decide_due = True
    book.wait(1).alive() >> Tick() << said("risk.refused", rule="R8", observed="unknown") << silence()
    assert book.hedge.target_base == aimed
    for one in kit.liquidity("BTC"):
        book.feed(one)
    book.run()
    assert abs(book.hedge.size_base - aimed) < Decimal("0.001")

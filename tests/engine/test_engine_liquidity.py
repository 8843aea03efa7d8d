"""Size by liquidity, and what R1 is about to remove: two bounds that the strategy sets itself."""

from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play

from bot.domain.config import Limits
from bot.domain.events import Tick
from bot.domain.funding_days import FundingDay
from bot.domain.hedges import HedgeState
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


@pytest.mark.parametrize(
    ("negative_days", "predicted", "leaves"), [(3, "-0.00001", 0), (4, "-0.00001", 1), (4, "1e-4", 0)]
)
def test_on_what_may_be_the_last_day_a_small_loss_to_come_is_reason_to_leave(
    play: Play, negative_days: int, predicted: str, leaves: int
) -> None:
    """R1 closes after five negative days: after four, and with this one going to be negative, closing is due anyway.

    Holding is worth some 10 bps less than being out, which does not pay for closing (16 bps) but for a quarter of it.

    Holding is worth some 10 bps less than being out, which does not pay for closing (16 bps) but for a quarter of it.
    """
    book = play(kit.config(("BTC",), limits=Limits(cash_rate=0))).scene().run()
    removal = removal_of(book.state.book, kit.VENUE, "BTC")
    removal.negative_days, removal.day = negative_days, kit.START_MS // DAY_MS
    removal.days[removal.day] = FundingDay(Decimal("-0.00005"))
    book.until(kit.START_MS + 4 * HOUR_MS).alive()
    index = kit.PRICES["BTC"]
    mark = Mark(kit.perp_id("BTC"), index * Decimal("0.9941"), index, Decimal(predicted), kit.START_MS + 8 * HOUR_MS)
    book.feed(mark)
    actions = book.feed(Tick())
    assert (book.hedge.state is HedgeState.CLOSING) == bool(leaves), actions

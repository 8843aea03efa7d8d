"""How much can be held: coin caps, the leverage ceiling, and the margin that the liquidation distance asks for.

In a split account every dollar of notional uses one dollar of spot and f - 1 dollars of perp margin, where
f = (1 + distance)(1 + basis stress)(1 + maintenance rate): about 1.28 at a distance of 25 %, so that leverage
ends near 0.8.
"""

from bot.domain.book import Book
from bot.domain.instruments import Pair
from bot.domain.margin import ShortPosition, margin_needed_usd

LEVERAGE = 20
"""Binance's leverage setting of a symbol that nobody has changed, where the account's own is not told."""
BRACKET_ROOM = 0.9
ENTRY_DISTANCE_MARGIN = 0.01
"""Entries aim this much beyond R7's warning, so that the first tick against us does not raise it."""


def bracket_usd(book: Book, pair: Pair) -> float:
    """Largest position that the venue allows at the perpetual's leverage setting, with a tenth of room.

    No setting is above what the first bracket allows: a small coin's may be less than the usual one.
    """
    tiers = book.market.tiers.get(pair.perp.id, ())
    if not tiers:
        return float("inf")
    leverage = min(pair.perp.leverage or LEVERAGE, max(tier.leverage_max for tier in tiers))
    return float(max(tier.cap_usd for tier in tiers if tier.leverage_max >= leverage)) * BRACKET_ROOM


def liquid_usd(book: Book, pair: Pair) -> float:
    """Largest position by both legs' 24 h volume and the perpetual's open interest; where unknown R8 lets none in."""
    universe, market = book.config.universe, book.market
    bounds = [float("inf")]
    for instrument in (pair.spot, pair.perp):
        liquidity = market.liquidity.get(instrument.id)
        if liquidity is None:
            continue
        bounds.append(universe.volume_share_max * liquidity.volume_usd)
        if liquidity.open_interest_usd is not None:
            bounds.append(universe.open_interest_share_max * liquidity.open_interest_usd)
    return min(bounds)


def capital_factor(book: Book, pair: Pair, notional_usd: float) -> float:
    """Dollars of the account that one dollar of this pair's notional occupies (spot plus perp margin)."""
    liquidation = book.config.limits.liquidation
    tiers = book.market.tiers.get(pair.perp.id, ())
    short = ShortPosition(-max(notional_usd, 1.0), tiers)
    needed = margin_needed_usd([short], liquidation.warn + ENTRY_DISTANCE_MARGIN, liquidation.basis_stress)
    return 1 + needed / max(notional_usd, 1.0)

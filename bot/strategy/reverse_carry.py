"""S2: the coin borrowed and sold on margin against a long perpetual, paid while the funding rate is negative.

Carry = - funding - borrow interest - fees. Negative rates are spells and not a state to which funding returns, so
only the recent mean is counted, and for a shorter time: on recorded rates of 17 coins, where it was below -0.3 bps
an hour, the next 48 hours brought 0.77 of it in 2020-2022 and 0.90 in 2023-2024 (docs/estimator.md).
"""

from bot.domain.book import Book
from bot.domain.borrowing import interval_edge, lendable_base, terms_of
from bot.domain.instruments import Pair
from bot.domain.loans import collateral_share
from bot.domain.margin import ShortPosition, margin_needed_usd
from bot.domain.structures import REVERSE_CARRY
from bot.strategy.capacity import ENTRY_DISTANCE_MARGIN
from bot.strategy.carry import CarryEstimate, waterfall

STRUCTURE = REVERSE_CARRY


def estimate(book: Book, pair: Pair, notional_usd: float) -> CarryEstimate | None:
    """The carry of owing `notional_usd` of the coin; None while prices, history or the loan's terms are missing."""
    terms, horizon_h = terms_of(book.market, pair), book.config.reverse_carry.horizon_h
    if terms is None:
        return None
    return waterfall(book, pair, notional_usd, lambda fast, _: horizon_h * fast, float(terms.rate_per_h) * horizon_h)


def capital_factor(book: Book, pair: Pair, notional_usd: float) -> float:
    """Own collateral behind the loan and margin behind the long perpetual, a dollar of notional."""
    liquidation = book.config.limits.liquidation
    distance = liquidation.warn + ENTRY_DISTANCE_MARGIN
    long = ShortPosition(max(notional_usd, 1.0), book.market.tiers.get(pair.perp.id, ()))
    needed = margin_needed_usd([long], distance, liquidation.basis_stress) / max(notional_usd, 1.0)
    return collateral_share(distance, book.market.collateral_ratio(pair.venue)) + needed


def room_usd(book: Book, pair: Pair) -> float:
    """What may still be borrowed: availability counts, not only the rate."""
    terms, price = terms_of(book.market, pair), book.market.price(pair.spot.id)
    if terms is None or price is None:
        return 0.0
    return float(lendable_base(book, terms) * price)


def enters(book: Book, pair: Pair, found: CarryEstimate, cash: float) -> bool:
    """The whole round trip is paid for over the horizon, and each interval pays for its own part."""
    terms = terms_of(book.market, pair)
    if terms is None or found.instead <= cash:
        return False
    return interval_edge(book.market, pair, terms, found.fast_per_h, book.config.reverse_carry).pays

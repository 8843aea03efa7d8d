"""Making a hedge whole again: complete the lagging leg within a price guard, else unwind the leading one.

Completing adds gross notional, so it needs permission to open and happens only while the hedge is growing, the
time limit (R10) has not passed and tries are left. Unwinding is always allowed.
"""

from decimal import Decimal

from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Instrument, Pair
from bot.domain.market import Quote
from bot.domain.numbers import ONE, ceil_to, floor_to
from bot.domain.orders import Purpose, Side
from bot.execution.cash import spot_cash
from bot.execution.drafts import BPS, Draft, Plan, limit_price

SPOT, PERP = 0, 1


def repair(
    book: Book, hedge: Hedge, pair: Pair, spot_quote: Quote, perp_quote: Quote, *, may_open: bool
) -> Plan | None:
    """One order that closes the gap between the legs; None when what is missing is too small to trade (dust)."""
    gap = hedge.imbalance_base
    complete = may_open and _growing(hedge) and _in_time(book, hedge) and _within_guard(book, pair, gap)
    draft = _complete(book, pair, spot_quote, perp_quote, gap) if complete else None
    if draft is None or not _affordable(book, pair, draft):
        # Too small for the lagging leg's minimum may still be enough for the leading one's.
        draft = _unwind(book, pair, spot_quote, perp_quote, gap)
    return None if draft is None else Plan(HedgeState.UNBALANCED, (draft,))


def _complete(book: Book, pair: Pair, spot_quote: Quote, perp_quote: Quote, gap: Decimal) -> Draft | None:
    """Fill up the lagging leg."""
    if gap > 0:
        quantity = floor_to(gap, pair.perp.lot)
        return _draft(book, PERP, pair.perp, perp_quote, Side.SELL, quantity, Purpose.COMPLETE)
    fees = book.market.fees.get(pair.spot.id)
    keeps = ONE - fees.taker if fees is not None and pair.spot.fee_in_base else ONE
    return _draft(book, SPOT, pair.spot, spot_quote, Side.BUY, ceil_to(-gap / keeps, pair.spot.lot), Purpose.COMPLETE)


def _unwind(book: Book, pair: Pair, spot_quote: Quote, perp_quote: Quote, gap: Decimal) -> Draft | None:
    """Take the leading leg back."""
    if gap > 0:
        return _draft(book, SPOT, pair.spot, spot_quote, Side.SELL, floor_to(gap, pair.spot.lot), Purpose.UNWIND)
    return _draft(book, PERP, pair.perp, perp_quote, Side.BUY, floor_to(-gap, pair.perp.lot), Purpose.UNWIND)


def _affordable(book: Book, pair: Pair, draft: Draft) -> bool:
    """Whether the spot wallet can pay for the missing coins, whole lots and the coin's fee included, at the limit."""
    cost = draft.quantity_base * draft.limit_price
    return draft.leg == PERP or cost <= spot_cash(book, pair.venue, pair.spot.quote_asset)


def _growing(hedge: Hedge) -> bool:
    return hedge.target_base > min(abs(leg.quantity_base) for leg in hedge.legs)


def _in_time(book: Book, hedge: Hedge) -> bool:
    execution = book.config.execution
    if hedge.rehedges * 2 >= execution.rehedges_max:
        return False
    since = hedge.unbalanced_mono_ms
    return since is None or book.now.mono_ms - since <= execution.max_leg_s * 1000


def _within_guard(book: Book, pair: Pair, gap: Decimal) -> bool:
    """Whether the lagging leg can still be had near the leading leg's entry: else the basis has run away."""
    guard = book.config.execution.repair_guard_bps * BPS
    spot_quote, perp_quote = book.market.quotes[pair.spot.id], book.market.quotes[pair.perp.id]
    if gap > 0:
        return perp_quote.bid >= spot_quote.bid * (1 - guard)
    return spot_quote.ask <= perp_quote.ask * (1 + guard)


def _draft(
    book: Book, leg: int, instrument: Instrument, quote: Quote, side: Side, quantity: Decimal, purpose: Purpose
) -> Draft | None:
    reduce_only = leg == PERP and purpose is Purpose.UNWIND
    if quantity <= 0 or quantity < instrument.quantity_min:
        return None
    if not reduce_only and quantity * quote.bid < instrument.notional_min:
        return None
    price = limit_price(instrument, quote, side, book.config.execution.repair_guard_bps)
    return Draft(
        leg, instrument.id, side, min(quantity, instrument.quantity_max), price, reduce_only, purpose, quote.mid
    )

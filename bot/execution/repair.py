"""Making a hedge whole again: complete the lagging leg within a price guard, else unwind the leading one.

Completing adds gross notional, so it needs permission to open and happens only while the hedge is growing, the
time limit (R10) has not passed and tries are left. Unwinding is always allowed.
"""

from decimal import Decimal

from bot.domain.book import Book
from bot.domain.borrowing import awaited_interest
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Instrument, Pair
from bot.domain.market import Quote
from bot.domain.numbers import ZERO, ceil_to, floor_to
from bot.domain.orders import Purpose, Side
from bot.domain.structures import COIN, PERP
from bot.execution.cash import lendable, spot_cash
from bot.execution.drafts import BPS, CLOSED_NOTE, TOO_SMALL_NOTE, Draft, Plan, kept_share, limit_price


def repair(
    book: Book, hedge: Hedge, pair: Pair, spot_quote: Quote, perp_quote: Quote, *, may_open: bool
) -> Plan | None:
    """One order that closes the gap between the legs; None when what is missing is too small to trade (dust).

    A plan without an order: the gap is no dust, and nothing that closes it may be sent.
    """
    gap = hedge.structure.facing(hedge.imbalance_base)
    if pair.structure.owes:
        gap += awaited_interest(book.market, hedge.legs[COIN], hedge.opened_ms)
    surplus = _surplus(book, hedge, pair, spot_quote, gap)
    if surplus is not None:
        return Plan(HedgeState.UNBALANCED, (surplus,))
    near = _within_guard(book, pair, (spot_quote, perp_quote), gap)
    complete = may_open and _growing(hedge) and _in_time(book, hedge) and near
    draft = _complete(book, pair, spot_quote, perp_quote, gap) if complete else None
    if draft is None or not _affordable(book, pair, draft):
        # Too small for the lagging leg's minimum may still be enough for the leading one's.
        draft = _unwind(book, hedge, pair, spot_quote, perp_quote, gap)
    if draft is not None:
        return Plan(HedgeState.UNBALANCED, (draft,))
    # A perpetual below the venue's least quantity cannot be bought back, but its coins can still be had; and coins
    # whose market is closed can still be sold short.
    other = _complete(book, pair, spot_quote, perp_quote, gap) if gap < 0 or not pair.trades else None
    if other is None:
        return None
    possible = may_open and near and _affordable(book, pair, other)
    note = TOO_SMALL_NOTE if pair.trades else CLOSED_NOTE
    return Plan(HedgeState.UNBALANCED, (other,) if possible else (), note, only_way=True)


def _surplus(book: Book, hedge: Hedge, pair: Pair, quote: Quote, gap: Decimal) -> Draft | None:
    """Sell what was bought beyond the loan, as where the venue had bought it back already: nothing is borrowed.

    The perpetual goes first while it is the larger part of the gap. Rounded down: a lot more would be borrowed anew.
    """
    left = hedge.legs[COIN].quantity_base if pair.structure.owes else ZERO
    if left < abs(hedge.legs[PERP].quantity_base):
        return None
    quantity = floor_to(min(-gap, left), pair.spot.lot)
    return _draft(book, COIN, pair.spot, quote, Side.SELL, quantity, Purpose.UNWIND)


def _complete(book: Book, pair: Pair, spot_quote: Quote, perp_quote: Quote, gap: Decimal) -> Draft | None:
    """Fill up the lagging leg. A positive gap is coins without their perpetual, a negative one the reverse."""
    if gap > 0:
        side, quantity = pair.structure.way_in(PERP), floor_to(gap, pair.perp.lot)
        return _draft(book, PERP, pair.perp, perp_quote, side, quantity, Purpose.COMPLETE)
    side = pair.structure.way_in(COIN)
    quantity = ceil_to(-gap / _keeps(book, pair, side), pair.spot.lot)
    return _draft(book, COIN, pair.spot, spot_quote, side, quantity, Purpose.COMPLETE)


def _unwind(book: Book, hedge: Hedge, pair: Pair, spot_quote: Quote, perp_quote: Quote, gap: Decimal) -> Draft | None:
    """Take the leading leg back, never more than it holds: coins left of a loan that was repaid widen the gap."""
    if gap > 0:
        side = pair.structure.way_out(COIN)
        most = min(gap, abs(hedge.legs[COIN].quantity_base))
        quantity = floor_to(most / _keeps(book, pair, side), pair.spot.lot)
        return _draft(book, COIN, pair.spot, spot_quote, side, quantity, Purpose.UNWIND)
    side = pair.structure.way_out(PERP)
    quantity = floor_to(min(-gap, abs(hedge.legs[PERP].quantity_base)), pair.perp.lot)
    return _draft(book, PERP, pair.perp, perp_quote, side, quantity, Purpose.UNWIND)


def _keeps(book: Book, pair: Pair, side: Side) -> Decimal:
    fees = book.market.fees.get(pair.spot.id)
    return kept_share(pair.spot, side, fees.taker if fees is not None else None)


def _affordable(book: Book, pair: Pair, draft: Draft) -> bool:
    """Whether the spot wallet can pay for the missing coins, whole lots and the coin's fee included, at the limit,
    or the venue lends them."""
    if draft.leg == PERP:
        return True
    if pair.structure.owes:
        return draft.quantity_base <= lendable(book, pair, draft.decided_price)
    return draft.quantity_base * draft.limit_price <= spot_cash(book, pair.venue, pair.spot.quote_asset)


def _growing(hedge: Hedge) -> bool:
    return hedge.target_base > min(abs(leg.quantity_base) for leg in hedge.legs)


def _in_time(book: Book, hedge: Hedge) -> bool:
    execution = book.config.execution
    if hedge.rehedges * 2 >= execution.rehedges_max:
        return False
    since = hedge.unbalanced_mono_ms
    return since is None or book.now.mono_ms - since <= execution.max_leg_s * 1000


def _within_guard(book: Book, pair: Pair, quotes: tuple[Quote, Quote], gap: Decimal) -> bool:
    """Whether the lagging leg can still be had near the leading leg's entry: else the basis has run away."""
    guard = book.config.execution.repair_guard_bps * BPS
    lagging = PERP if gap > 0 else COIN
    wanted, entered = quotes[lagging], quotes[1 - lagging]
    if pair.structure.way_in(lagging) is Side.SELL:
        return wanted.bid >= entered.bid * (1 - guard)
    return wanted.ask <= entered.ask * (1 + guard)


def _draft(
    book: Book, leg: int, instrument: Instrument, quote: Quote, side: Side, quantity: Decimal, purpose: Purpose
) -> Draft | None:
    reduce_only = leg == PERP and purpose is Purpose.UNWIND
    if not instrument.trades:
        return None
    if quantity <= 0 or quantity < instrument.quantity_min:
        return None
    if not reduce_only and quantity * quote.bid < instrument.notional_min:
        return None
    price = limit_price(instrument, quote, side, book.config.execution.repair_guard_bps)
    return Draft(
        leg, instrument.id, side, min(quantity, instrument.quantity_max), price, reduce_only, purpose, quote.mid
    )

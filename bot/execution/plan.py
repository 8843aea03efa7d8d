"""The next step of a cash-and-carry hedge, derived from where its legs are and where they should be.

Nothing is remembered between steps but the hedge itself, so the same function opens, closes, repairs and goes on
after a crash. Leg 0 is the spot, leg 1 the perpetual.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Pair
from bot.domain.market import Quote
from bot.domain.numbers import ONE, ZERO, ceil_to, common_step, floor_to
from bot.domain.orders import Purpose, Side
from bot.execution.cash import spot_cash
from bot.execution.drafts import Draft, Plan, limit_price
from bot.execution.repair import repair

SPOT, PERP = 0, 1
SLICE_SHARE_MIN = Decimal("0.2")
"""A slice that cash cuts to less than this share of itself waits for the cash: crumbs only pay fees."""
LARGEST_SHARE = Decimal("0.99")
NO_QUOTE = "no quote"
BASIS_NOTE = "basis below the entry's guard"
FEE_GUESS = Decimal("0.001")
"""Taker fee of a spot whose rates are not known yet."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything one step looks at. `spot` and `short` are what is held now, base units, both positive."""

    pair: Pair
    spot_quote: Quote
    perp_quote: Quote
    spot: Decimal
    short: Decimal
    step: Decimal
    taker_fee: Decimal


def plan(book: Book, hedge: Hedge, *, may_open: bool, basis_min: Decimal | None = None) -> Plan:
    """The hedge's state and the orders to send now. Only for a hedge with no order in flight.

    `basis_min` guards entries: perp bid over spot ask less one must not be below it (fraction).
    """
    situation = _situation(book, hedge)
    if situation is None:
        return Plan(hedge.state, note=NO_QUOTE)
    pair = situation.pair
    tolerance = max(pair.spot.lot, pair.perp.lot)
    if abs(hedge.imbalance_base) > tolerance:
        fixed = repair(book, hedge, pair, situation.spot_quote, situation.perp_quote, may_open=may_open)
        if fixed is not None:
            return fixed
    if situation.short < hedge.target_base and may_open:
        if basis_min is not None and situation.perp_quote.bid / situation.spot_quote.ask - 1 < basis_min:
            return Plan(_resting(situation), note=BASIS_NOTE)
        return _grow(book, hedge, situation)
    if situation.short > hedge.target_base or (hedge.target_base == 0 and _sellable(situation)):
        return _shrink(book, hedge, situation)
    return Plan(HedgeState.CLOSED if hedge.target_base == 0 else HedgeState.HEDGED)


def _situation(book: Book, hedge: Hedge) -> Situation | None:
    pair = book.pair_of(hedge)
    if pair is None:
        return None
    spot_quote, perp_quote = book.market.quotes.get(pair.spot.id), book.market.quotes.get(pair.perp.id)
    if spot_quote is None or perp_quote is None or min(spot_quote.bid, perp_quote.bid) <= 0:
        return None
    fees = book.market.fees.get(pair.spot.id)
    return Situation(
        pair,
        spot_quote,
        perp_quote,
        hedge.legs[SPOT].quantity_base,
        -hedge.legs[PERP].quantity_base,
        common_step(pair.spot.lot, pair.perp.lot),
        fees.taker if fees is not None else FEE_GUESS,
    )


def _grow(book: Book, hedge: Hedge, now: Situation) -> Plan:
    remaining = hedge.target_base - now.short
    quantity = floor_to(min(remaining, _slice_base(book, now)), now.step)
    least = _least_base(now)
    if remaining - quantity < least and remaining <= _largest_base(now):
        quantity = floor_to(remaining, now.step)
    spot = _spot_to_buy(now, quantity)
    cash = spot_cash(book, now.pair.venue, now.pair.spot.quote_asset)
    price = limit_price(now.pair.spot, now.spot_quote, Side.BUY, book.config.execution.guard_bps)
    if spot * price > cash:
        coins = (cash / price - now.pair.spot.lot) * (ONE - now.taker_fee) + now.spot - now.short
        if coins < quantity * SLICE_SHARE_MIN:
            return Plan(_resting(now), note="short of cash")
        quantity = floor_to(coins, now.step)
        spot = _spot_to_buy(now, quantity)
    if (
        quantity < least
        or spot < now.pair.spot.quantity_min
        or spot * now.spot_quote.bid < now.pair.spot.notional_min
    ):
        return Plan(_resting(now), note="below a leg's minimum")
    buy = Draft(SPOT, now.pair.spot.id, Side.BUY, spot, price, False, Purpose.OPEN, now.spot_quote.mid)
    sell_at = limit_price(now.pair.perp, now.perp_quote, Side.SELL, book.config.execution.guard_bps)
    sell = Draft(PERP, now.pair.perp.id, Side.SELL, quantity, sell_at, False, Purpose.OPEN, now.perp_quote.mid)
    return Plan(HedgeState.OPENING, (buy, sell))


def _resting(now: Situation) -> HedgeState:
    return HedgeState.HEDGED if now.short > 0 else HedgeState.OPENING


def _spot_to_buy(now: Situation, quantity: Decimal) -> Decimal:
    """Gross spot quantity after which the coin held, net of a fee taken in the coin, covers the short."""
    need = now.short + quantity - now.spot
    keeps = ONE - now.taker_fee if now.pair.spot.fee_in_base else ONE
    return ceil_to(max(ZERO, need) / keeps, now.pair.spot.lot)


def _shrink(book: Book, hedge: Hedge, now: Situation) -> Plan:
    closing = hedge.target_base == 0
    state = HedgeState.CLOSING if closing else HedgeState.REDUCING
    purpose = Purpose.CLOSE if closing else Purpose.REDUCE
    excess = now.short - hedge.target_base
    quantity = floor_to(min(excess, _slice_base(book, now)), now.pair.perp.lot)
    if excess - quantity < _least_base(now) and excess <= _largest_base(now):
        quantity = floor_to(excess, now.pair.perp.lot)
    if not closing and quantity < _least_base(now):
        return Plan(HedgeState.HEDGED, note="excess below a leg's minimum")
    left = now.short - quantity
    drafts = []
    sold = floor_to(max(ZERO, now.spot - left), now.pair.spot.lot)
    guard = book.config.execution.guard_bps
    if _tradeable(now, sold):
        at = limit_price(now.pair.spot, now.spot_quote, Side.SELL, guard)
        drafts.append(Draft(SPOT, now.pair.spot.id, Side.SELL, sold, at, False, purpose, now.spot_quote.mid))
    if quantity > 0:
        at = limit_price(now.pair.perp, now.perp_quote, Side.BUY, guard)
        drafts.append(Draft(PERP, now.pair.perp.id, Side.BUY, quantity, at, True, purpose, now.perp_quote.mid))
    return Plan(state, tuple(drafts))


def _tradeable(now: Situation, quantity: Decimal) -> bool:
    spot = now.pair.spot
    return quantity >= spot.quantity_min and quantity > 0 and quantity * now.spot_quote.bid >= spot.notional_min


def _sellable(now: Situation) -> bool:
    """Whether the spot left over at the end is more than dust."""
    return _tradeable(now, floor_to(now.spot, now.pair.spot.lot))


def _least_base(now: Situation) -> Decimal:
    """Smallest quantity that both legs accept, with a tenth of room for the price to move."""
    pair, price = now.pair, min(now.spot_quote.bid, now.perp_quote.bid)
    by_value = max(pair.spot.notional_min, pair.perp.notional_min) * Decimal("1.1") / price
    return ceil_to(max(by_value, pair.spot.quantity_min, pair.perp.quantity_min), now.step)


def _slice_base(book: Book, now: Situation) -> Decimal:
    """A slice is bounded by the owner's size, both legs' depth and both venues' largest order."""
    execution = book.config.execution
    usd = execution.slice_usd
    for instrument in (now.pair.spot, now.pair.perp):
        liquidity = book.market.liquidity.get(instrument.id)
        if liquidity is not None:
            usd = min(usd, Decimal(repr(execution.depth_share * liquidity.depth_usd)))
    base = usd / now.spot_quote.ask
    return max(_least_base(now), min(base, _largest_base(now)))


def _largest_base(now: Situation) -> Decimal:
    """Largest quantity that one order of either leg may have, with room for a fee taken in the coin."""
    return min(now.pair.spot.quantity_max, now.pair.perp.quantity_max) * LARGEST_SHARE

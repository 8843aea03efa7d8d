"""The next step of a hedge, derived from where its legs are and where they should be.

Nothing is remembered between steps but the hedge itself, so the same function opens, closes, repairs and goes on
after a crash. Leg 0 is the coin (bought as spot, or borrowed and sold on margin), leg 1 the perpetual against it.
"""

from decimal import Decimal

from bot.domain.book import Book
from bot.domain.borrowing import unheard_interest
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.instruments import Pair
from bot.domain.market import Quote
from bot.domain.numbers import ONE, ZERO, ceil_to, floor_to
from bot.domain.orders import Purpose, Side
from bot.domain.struct import struct
from bot.domain.structures import COIN, PERP
from bot.domain.valuation import AWRY, price_of
from bot.execution.cash import lendable, spot_cash
from bot.execution.drafts import CLOSED_NOTE, TOO_SMALL_NOTE, Draft, Plan, kept_share, limit_price
from bot.execution.repair import repair

SLICE_SHARE_MIN = Decimal("0.2")
"""A slice that cash cuts to less than this share of itself waits for the cash: crumbs only pay fees."""
LARGEST_SHARE = Decimal("0.99")
NO_QUOTE = "no quote"
BASIS_NOTE = "basis below the entry's guard"
AWRY_NOTE = "a quote is far from the mark"
FEE_GUESS = Decimal("0.001")
"""Taker fee of a spot whose rates are not known yet."""


@struct(frozen=True, slots=True)
class Situation:
    """Everything one step looks at. `coin` and `perp` are what is held now in the hedge's direction, base units:
    coins bought against a short, or owed against a long; both positive."""

    pair: Pair
    coin_quote: Quote
    perp_quote: Quote
    coin: Decimal
    perp: Decimal
    step: Decimal
    taker_fee: Decimal
    unheard: Decimal
    """Interest on a loan that may have been charged and not been told yet."""

    @property
    def edge(self) -> Decimal:
        """The basis at which both legs could be entered now, as the hedge's direction sees it."""
        if self.pair.structure.owes:
            return 1 - self.perp_quote.ask / self.coin_quote.bid
        return self.perp_quote.bid / self.coin_quote.ask - 1

    def keeps(self, side: Side) -> Decimal:
        return kept_share(self.pair.spot, side, self.taker_fee)


def plan(book: Book, hedge: Hedge, *, may_open: bool, basis_min: Decimal | None = None) -> Plan:
    """The hedge's state and the orders to send now. Only for a hedge with no order in flight.

    `basis_min` guards entries: the basis at both touches, as the direction sees it, must not be below it (fraction).
    """
    listed = book.pair_of(hedge)
    if listed is not None and not (listed.spot.trades or listed.perp.trades):
        return _without_market(book, hedge, listed)
    situation = _situation(book, hedge)
    if situation is None:
        return _half_blind(book, hedge, listed) or Plan(hedge.state, note=NO_QUOTE)
    pair = situation.pair
    if abs(hedge.imbalance_base) > pair.tolerance:
        fixed = repair(book, hedge, pair, situation.coin_quote, situation.perp_quote, may_open=may_open)
        if fixed is not None:
            return fixed if fixed.drafts or fixed.note != TOO_SMALL_NOTE else _shrink_evenly(book, hedge, situation)
    grows = situation.perp < hedge.target_base and may_open
    shrinks = situation.perp > hedge.target_base or (
        hedge.target_base == 0 and _tradeable(situation, _rest(situation, ZERO))
    )
    if (grows or shrinks) and not pair.trades:  # one leg alone would be naked
        return Plan(_resting(situation), note=CLOSED_NOTE)
    if grows:
        if _awry(book, situation):
            return Plan(_resting(situation), note=AWRY_NOTE)
        if basis_min is not None and situation.edge < basis_min:
            return Plan(_resting(situation), note=BASIS_NOTE)
        return _grow(book, hedge, situation)
    if shrinks:
        return _shrink(book, hedge, situation, hedge.target_base)
    return Plan(HedgeState.CLOSED if hedge.target_base == 0 else HedgeState.HEDGED)


def _half_blind(book: Book, hedge: Hedge, pair: Pair | None) -> Plan | None:
    """One leg has no price: what the other one has too much goes by its own once R10's time is over; else None."""
    since, limit_ms = hedge.unbalanced_mono_ms, book.config.execution.max_leg_s * 1000
    if pair is None or since is None or book.now.mono_ms - since <= limit_ms:
        return None
    if abs(hedge.imbalance_base) <= pair.tolerance:
        return None
    leading = pair.spot if hedge.structure.facing(hedge.imbalance_base) > 0 else pair.perp
    quote = book.market.quotes.get(leading.id)
    if quote is None or quote.bid <= 0:
        return None
    fixed = repair(book, hedge, pair, quote, quote, may_open=False)
    return fixed if fixed is not None and fixed.drafts and fixed.drafts[0].instrument == leading.id else None


def _without_market(book: Book, hedge: Hedge, pair: Pair) -> Plan:
    """Neither leg can be traded. The venue settles the perpetual; what it leaves of the coin is dust, or the owner's
    to convert: until then the hedge stays, so that they are told of it."""
    coins, perp = (abs(leg.quantity_base) for leg in hedge.legs)
    worth = coins * price_of(book, hedge)
    if not perp and (coins <= pair.spot.lot or worth < pair.spot.notional_min):
        return Plan(hedge.state if hedge.target_base else HedgeState.CLOSED, note=CLOSED_NOTE)
    naked = abs(hedge.imbalance_base) > pair.tolerance
    return Plan(HedgeState.UNBALANCED if naked else hedge.state, note=CLOSED_NOTE)


def _situation(book: Book, hedge: Hedge) -> Situation | None:
    pair = book.pair_of(hedge)
    if pair is None:
        return None
    coin_quote, perp_quote = book.market.quotes.get(pair.spot.id), book.market.quotes.get(pair.perp.id)
    if not pair.spot.trades:  # a closed market says nothing any more
        coin_quote = perp_quote
    elif not pair.perp.trades or (
        perp_quote is None and not hedge.target_base and not hedge.legs[PERP].quantity_base
    ):
        perp_quote = coin_quote  # of what has ended nothing is told, also before its listing says so
    if coin_quote is None or perp_quote is None or min(coin_quote.bid, perp_quote.bid) <= 0:
        return None
    fees = book.market.fees.get(pair.spot.id)
    facing = hedge.structure.facing
    return Situation(
        pair,
        coin_quote,
        perp_quote,
        facing(hedge.legs[COIN].quantity_base),
        -facing(hedge.legs[PERP].quantity_base),
        pair.step,
        fees.taker if fees is not None else FEE_GUESS,
        unheard_interest(book.market, hedge.legs[COIN], book.now.market_ms, hedge.opened_ms),
    )


def _awry(book: Book, now: Situation) -> bool:
    """Whether one of the quotes cannot be the present price: what is sized by it would be worth something else."""
    mark = book.market.marks.get(now.pair.perp.id)
    if mark is None or min(mark.mark, mark.index) <= 0:
        return False
    asked = (now.coin_quote.mid, mark.index), (now.perp_quote.mid, mark.mark)
    return any(abs(quoted / told - 1) > AWRY for quoted, told in asked)


def _grow(book: Book, hedge: Hedge, now: Situation) -> Plan:
    remaining = hedge.target_base - now.perp
    quantity = floor_to(min(remaining, _slice_base(book, now)), now.step)
    least = _least_base(now)
    if remaining - quantity < least and remaining <= _largest_base(now):
        quantity = floor_to(remaining, now.step)
    structure, guard = now.pair.structure, book.config.execution.guard_bps
    price = limit_price(now.pair.spot, now.coin_quote, structure.way_in(COIN), guard)
    coins = _coins_in(now, quantity)
    reachable = _reachable(book, now, price, coins)
    if reachable is not None:
        if reachable < quantity * SLICE_SHARE_MIN:
            return Plan(
                _resting(now), note="nothing to borrow, or no collateral" if structure.owes else "short of cash"
            )
        quantity = floor_to(reachable, now.step)
        coins = _coins_in(now, quantity)
    if (
        quantity < least
        or coins < now.pair.spot.quantity_min
        or coins * now.coin_quote.bid < now.pair.spot.notional_min
    ):
        return Plan(_resting(now), note="below a leg's minimum")
    side, other = structure.way_in(COIN), structure.way_in(PERP)
    first = Draft(COIN, now.pair.spot.id, side, coins, price, False, Purpose.OPEN, now.coin_quote.mid)
    at = limit_price(now.pair.perp, now.perp_quote, other, guard)
    second = Draft(PERP, now.pair.perp.id, other, quantity, at, False, Purpose.OPEN, now.perp_quote.mid)
    return Plan(HedgeState.OPENING, (first, second))


def _reachable(book: Book, now: Situation, price: Decimal, coins: Decimal) -> Decimal | None:
    """How much the perpetual may grow with the coins that can be paid for or borrowed; None: all of the slice."""
    if now.pair.structure.owes:
        lent = lendable(book, now.pair, now.coin_quote.ask)
        return None if coins <= lent else floor_to(lent, now.pair.spot.lot) + now.coin - now.perp
    cash = spot_cash(book, now.pair.venue, now.pair.spot.quote_asset)
    if coins * price <= cash:
        return None
    return (cash / price - now.pair.spot.lot) * (ONE - now.taker_fee) + now.coin - now.perp


def _resting(now: Situation) -> HedgeState:
    return HedgeState.HEDGED if now.perp > 0 else HedgeState.OPENING


def _coins_in(now: Situation, quantity: Decimal) -> Decimal:
    """Gross quantity of coins after which what is held or owed, net of a fee taken in the coin, covers the perp."""
    need = now.perp + quantity - now.coin
    return ceil_to(max(ZERO, need) / now.keeps(now.pair.structure.way_in(COIN)), now.pair.spot.lot)


def _shrink_evenly(book: Book, hedge: Hedge, now: Situation) -> Plan:
    """What the legs differ by is too small to be traded alone: with a part of both of them it goes as well."""
    target = max(ZERO, min(hedge.target_base, now.perp - _least_base(now)))
    smaller = _shrink(book, hedge, now, target)
    return Plan(HedgeState.UNBALANCED, smaller.drafts, "" if smaller.drafts else TOO_SMALL_NOTE)


def _shrink(book: Book, hedge: Hedge, now: Situation, target_base: Decimal) -> Plan:
    closing = hedge.target_base == 0
    state = HedgeState.CLOSING if closing else HedgeState.REDUCING
    purpose = Purpose.CLOSE if closing else Purpose.REDUCE
    excess = now.perp - target_base
    quantity = floor_to(min(excess, _slice_base(book, now)), now.pair.perp.lot)
    if excess - quantity < _least_base(now) and excess <= _largest_base(now):
        quantity = floor_to(excess, now.pair.perp.lot)
    if closing and 0 < quantity < now.pair.perp.quantity_min:
        # The venue would refuse this leg: to sell the coins alone would leave it naked.
        return Plan(HedgeState.HEDGED, note=TOO_SMALL_NOTE)
    if not closing and quantity < _least_base(now):
        return Plan(HedgeState.HEDGED, note="excess below a leg's minimum")
    left = now.perp - quantity
    drafts = []
    given_up = _rest(now, left)
    guard, structure = book.config.execution.guard_bps, now.pair.structure
    side, other = structure.way_out(COIN), structure.way_out(PERP)
    if _tradeable(now, given_up):
        at = limit_price(now.pair.spot, now.coin_quote, side, guard)
        drafts.append(Draft(COIN, now.pair.spot.id, side, given_up, at, False, purpose, now.coin_quote.mid))
    if quantity > 0:
        at = limit_price(now.pair.perp, now.perp_quote, other, guard)
        drafts.append(Draft(PERP, now.pair.perp.id, other, quantity, at, True, purpose, now.perp_quote.mid))
    return Plan(state, tuple(drafts))


def _rest(now: Situation, left: Decimal) -> Decimal:
    """Coins beyond `left` in whole lots: sold rounded down; bought back rounded up, so that no crumb stays owed."""
    rest = max(ZERO, now.coin - left)
    if rest and not left:
        rest += now.unheard
    side = now.pair.structure.way_out(COIN)
    gross = rest / now.keeps(side)
    return ceil_to(gross, now.pair.spot.lot) if now.pair.structure.owes else floor_to(gross, now.pair.spot.lot)


def _tradeable(now: Situation, quantity: Decimal) -> bool:
    spot = now.pair.spot
    return quantity >= spot.quantity_min and quantity > 0 and quantity * now.coin_quote.bid >= spot.notional_min


def _least_base(now: Situation) -> Decimal:
    """Smallest quantity that both legs accept, with a tenth of room for the price to move."""
    pair, price = now.pair, min(now.coin_quote.bid, now.perp_quote.bid)
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
    base = usd / now.coin_quote.ask
    return max(_least_base(now), min(base, _largest_base(now)))


def _largest_base(now: Situation) -> Decimal:
    """Largest quantity that one order of either leg may have, with room for a fee taken in the coin."""
    return min(now.pair.spot.quantity_max, now.pair.perp.quantity_max) * LARGEST_SHARE

"""R7: the smallest joint move of all coins that would bring the perp wallet to maintenance, by the venue's tiers.

Where coins are borrowed the margin wallet is a second one: the smaller of both distances counts. Below the warning no
entries and margin is moved (the engine does that); below the minimum both legs are reduced.
"""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.instruments import Kind, Wallet
from bot.domain.loans import collateral_share
from bot.domain.margin import SEARCH_STEP, ShortPosition, liquidation_distance, margin_needed_usd, survives
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent
from bot.domain.valuation import leaving_usd, margin_wallet, mark_price, unrealized_usd
from bot.risk.verdicts import judge

RULE = "R7"
AIM_MARGIN = 0.01
"""Margin moves and reductions aim this far beyond the warning."""


def perp_margin_usd(book: Book, venue: str) -> Decimal:
    """Perp wallet balance, less what is leaving it, plus unrealised P&L: ours at the mark, and others'."""
    valued = book.valued
    if valued is not None and venue in valued.perp_margins:
        return valued.perp_margins[venue]
    wallet = book.balances.get((f"venue:{venue}:perp", "USDT"), ZERO) - leaving_usd(book, venue, Wallet.PERP)
    wallet += book.strangers.get(venue, (ZERO, ()))[0]
    for hedge in book.live_hedges():
        if hedge.venue == venue:
            for leg in hedge.legs:
                if leg.kind is Kind.PERP and leg.quantity_base:
                    wallet += unrealized_usd(book, leg)
    if valued is not None:
        valued.perp_margins[venue] = wallet
    return wallet


def positions(book: Book, venue: str, extra: Sequence[OrderIntent] = ()) -> list[ShortPosition]:
    """Perp positions with everything in flight and `extra` orders filled, and what is the owner's own."""
    signed: dict[str, Decimal] = {}
    for hedge in book.live_hedges():
        if hedge.venue != venue:
            continue
        for leg in hedge.legs:
            if leg.kind is Kind.PERP:
                signed[leg.instrument] = signed.get(leg.instrument, ZERO) + leg.quantity_base
        for order in book.orders_of(hedge) if hedge.order_ids else ():
            name = order.intent.instrument
            if name in signed and not order.intent.reduce_only:
                signed[name] += order.intent.side.sign * order.open_base
    for intent in extra:
        if intent.instrument in signed:
            signed[intent.instrument] += intent.side.sign * intent.quantity_base
    found = list(book.strangers.get(venue, (ZERO, ()))[1])
    for name, quantity in signed.items():
        price = mark_price(book, name)
        if quantity and price is not None:
            found.append(ShortPosition(float(quantity * price), book.market.tiers.get(name, ())))
    return found


def distance(book: Book, venue: str, extra: Sequence[OrderIntent] = ()) -> float:
    stress = book.config.limits.liquidation.basis_stress
    found = liquidation_distance(float(perp_margin_usd(book, venue)), positions(book, venue, extra), stress)
    return min(found, margin_wallet(book, venue, extra).distance) if book.market.reverse else found


def check(book: Book, venue: str, extra: Sequence[OrderIntent] = (), *, limit: float | None = None) -> Verdict:
    """The distance itself, found by bisection: for explanations and refusals."""
    asked = book.config.limits.liquidation.warn if limit is None else limit
    observed = distance(book, venue, extra)
    return judge(RULE, ok=observed >= asked, limit=asked, observed=observed, detail="liquidation distance")


def permit(book: Book, venue: str, extra: Sequence[OrderIntent], *, limit: float | None = None) -> Verdict:
    """The same judgement on the way to an order: the distance is only searched for when it is too short."""
    liquidation = book.config.limits.liquidation
    asked = liquidation.warn if limit is None else limit
    margin, held = float(perp_margin_usd(book, venue)), positions(book, venue, extra)
    lent_safe = not book.market.reverse or margin_wallet(book, venue, extra).distance >= asked
    if lent_safe and survives(margin, held, asked, liquidation.basis_stress):
        return judge(RULE, ok=True, limit=asked, observed=f"at least {asked}", detail="liquidation distance")
    return check(book, venue, extra, limit=limit)


def needed_usd(book: Book, venue: str) -> float:
    """Perp margin with which what is held is beyond the warning by the aim."""
    liquidation = book.config.limits.liquidation
    return margin_needed_usd(positions(book, venue), liquidation.warn + AIM_MARGIN, liquidation.basis_stress)


def excess_usd(book: Book, venue: str) -> Decimal:
    """Notional to give up so that the wallet, with the spot proceeds moved into it, is beyond the warning again.

    Giving up one dollar of both legs frees its own margin need and a dollar of spot that can follow, unless margin
    cannot be moved: then the perp wallet stands alone. It is the hedges of the `losing` direction that give up.
    """
    limits = book.config.limits.liquidation
    held = positions(book, venue)
    short = sum(abs(one.notional_usd) for one in held)
    if short <= 0:
        return ZERO
    margin = float(perp_margin_usd(book, venue))
    if survives(margin, held, limits.min + SEARCH_STEP, limits.basis_stress):
        return ZERO  # the search, which is exact to its step only, would find the same at ten times the work
    if liquidation_distance(margin, held, limits.basis_stress) >= limits.min:
        return ZERO
    stuck = venue in book.margin_stuck
    movable = ZERO if stuck else max(ZERO, book.balances.get((f"venue:{venue}:spot", "USDT"), ZERO))
    lacking = needed_usd(book, venue) - margin - float(movable)
    follows = not stuck and losing(book, venue) > 0
    per_dollar = needed_usd(book, venue) / short + (1 if follows else 0)
    return Decimal(repr(max(0.0, lacking / per_dollar)))


def losing(book: Book, venue: str) -> int:
    """The direction whose perpetuals bring the perp wallet down: that of the larger side."""
    return 1 if sum(one.notional_usd for one in positions(book, venue)) <= 0 else -1


def loan_excess_usd(book: Book, venue: str) -> Decimal:
    """Notional of borrowed coins to pay back so that the margin wallet is beyond the warning again.

    Paying back one dollar lets the collateral of that dollar stand for the rest.
    """
    limits = book.config.limits.liquidation
    if not book.market.reverse:
        return ZERO
    wallet = margin_wallet(book, venue)
    if wallet.distance >= limits.min:
        return ZERO
    stuck = venue in book.margin_stuck
    movable = ZERO if stuck else max(ZERO, book.balances.get((f"venue:{venue}:spot", "USDT"), ZERO))
    share = collateral_share(limits.warn + AIM_MARGIN, wallet.ratio)
    lacking = wallet.owed_usd * share - wallet.own_usd - float(movable)
    return Decimal(repr(max(0.0, lacking / share)))

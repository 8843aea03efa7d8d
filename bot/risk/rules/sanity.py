"""What a reducing order must be to be let through whatever else holds: smaller than what it reduces, in lots, and not
into a hole of the book.

In a crash the bids of a thin coin vanish for minutes while its index and its perpetual stand: a hedge loses nothing
by that, until its coins are sold there. So what makes both legs smaller waits while the touch is far from index or
mark, unless liquidation is nearer than R7's minimum; what takes back a naked leg does not wait.

What pays a loan back may exceed it by less than a lot, net of a fee taken in the coin: a loan is owed to the last
digit, and crumbs of a coin in the wallet are better than a loan that never ends.
"""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.borrowing import unheard_interest
from bot.domain.hedges import Hedge, Leg
from bot.domain.instruments import Kind
from bot.domain.numbers import ONE, ZERO, floor_to
from bot.domain.orders import OrderIntent, Purpose, Side
from bot.domain.valuation import AWRY, told_price
from bot.risk.rules import r07_liquidation
from bot.risk.verdicts import judge

RULE = "sanity"
SHRINKS = frozenset({Purpose.REDUCE, Purpose.CLOSE})
HOLE = "the book has a hole"


def check(book: Book, hedge: Hedge, intent: OrderIntent, *, any_price: bool = False) -> Verdict:
    """A reducing order may not flip its leg, nor exceed it together with what is already in flight against it."""
    leg = hedge.legs[intent.leg]
    instrument = book.market.instruments[intent.instrument]
    if intent.quantity_base <= 0 or floor_to(intent.quantity_base, instrument.lot) != intent.quantity_base:
        detail = "quantity is not a positive multiple of the lot"
        return judge(RULE, ok=False, limit=instrument.lot, observed=intent.quantity_base, detail=detail)
    flying = sum(
        (o.open_base for o in book.orders_of(hedge) if o.intent.leg == intent.leg and o.intent.side is intent.side),
        ZERO,
    )
    against = intent.side.sign * leg.quantity_base < 0
    asked = intent.quantity_base + flying
    ok = against and (
        asked <= abs(leg.quantity_base) or (leg.kind is Kind.MARGIN and _pays_back(book, hedge, leg, asked))
    )
    found = judge(RULE, ok=ok, limit=leg.quantity_base, observed=asked, detail="reducing order against its leg")
    waits = ok and not any_price and intent.purpose in SHRINKS
    return into_a_hole(book, intent) or found if waits else found


def is_hole(verdict: Verdict) -> bool:
    """Whether this refusal is of a book that will be there again, and not of an order that is wrong."""
    return verdict.rule == RULE and verdict.detail.startswith(HOLE)


def into_a_hole(book: Book, intent: OrderIntent) -> Verdict | None:
    """A refusal where the touch is so much worse than what the venue says of the price; None where it is not."""
    quote, told = book.market.quotes.get(intent.instrument), told_price(book, intent.instrument)
    if quote is None or told is None:
        return None
    touch = quote.bid if intent.side is Side.SELL else quote.ask
    if (told - touch) * intent.side.other.sign <= AWRY * told:
        return None
    if r07_liquidation.distance(book, intent.venue) < book.config.limits.liquidation.min:
        return None
    return judge(RULE, ok=False, limit=told, observed=touch, detail=f"{HOLE}: {intent.instrument}")


def _pays_back(book: Book, hedge: Hedge, leg: Leg, bought: Decimal) -> bool:
    """Whether a purchase is what is owed, fee and interest that is not told yet included, rounded up to the lot."""
    owed = abs(leg.quantity_base) + unheard_interest(book.market, leg, book.now.market_ms, hedge.opened_ms)
    instrument, fees = book.market.instruments[leg.instrument], book.market.fees.get(leg.instrument)
    fee = fees.taker if fees is not None and instrument.fee_in_base else ZERO
    return (bought - instrument.lot) * (ONE - fee) < owed

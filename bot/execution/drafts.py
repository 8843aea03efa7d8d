"""An order before it has an id: what execution wants sent. The engine numbers it and the risk manager judges it."""

from decimal import Decimal

from bot.domain.hedges import HedgeState
from bot.domain.instruments import Instrument
from bot.domain.market import Quote
from bot.domain.numbers import ONE, ceil_to, floor_to
from bot.domain.orders import Purpose, Side
from bot.domain.struct import struct

BPS = Decimal("0.0001")
CLOSED_NOTE = "a leg's market is closed"
TOO_SMALL_NOTE = "the perpetual is below the venue's least quantity"


@struct(frozen=True, slots=True)
class Draft:
    leg: int
    instrument: str
    side: Side
    quantity_base: Decimal
    limit_price: Decimal
    reduce_only: bool
    purpose: Purpose
    decided_price: Decimal


@struct(frozen=True, slots=True)
class Plan:
    """The next step of one hedge: the state it is in now and the linked orders to send together (may be none)."""

    state: HedgeState
    drafts: tuple[Draft, ...] = ()
    note: str = ""
    only_way: bool = False
    """Nothing less makes the hedge whole: what is too much is too small to be traded, or its market is closed."""


def limit_price(instrument: Instrument, quote: Quote, side: Side, guard_bps: Decimal) -> Decimal:
    """Touch plus the guard, on the tick grid, never short of the touch itself."""
    if side is Side.BUY:
        return max(quote.ask, floor_to(quote.ask * (1 + guard_bps * BPS), instrument.tick))
    return min(quote.bid, ceil_to(quote.bid * (1 - guard_bps * BPS), instrument.tick))


def kept_share(instrument: Instrument, side: Side, taker_fee: Decimal | None) -> Decimal:
    """Share of a trade of coins that is left after a fee taken in the coin itself."""
    return ONE if taker_fee is None or side is Side.SELL or not instrument.fee_in_base else ONE - taker_fee

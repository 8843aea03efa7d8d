"""How the venue writes numbers: fixed decimals as text, prices by tick, quantities by lot; JSON as bytes."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Any

import msgspec

from bot.simulator.model import Book, Listing, OrderType, TimeInForce

ZERO = Decimal(0)
WHOLE_ASSET_PLACES = 8
TEXTS_KEPT = 16_384
"""The same rates, sizes and balances are told again and again."""
# An own context: ccxt changes the ambient one.
_CONTEXT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_UNITS = {places: Decimal(1).scaleb(-places) for places in range(19)}

_encoder = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """JSON of plain values; money must already be text."""
    return _encoder.encode(value)


@lru_cache(maxsize=TEXTS_KEPT)
def fixed(value: Decimal, places: int = WHOLE_ASSET_PLACES) -> str:
    """`value` with exactly `places` decimals, never in exponent form."""
    text = format(value.quantize(_UNITS[places], context=_CONTEXT), "f")
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


@lru_cache(maxsize=TEXTS_KEPT)
def places_of(step: Decimal) -> int:
    """Decimals that a tick or lot needs: 0.10 -> 1, 0.001 -> 3, 1 -> 0."""
    exponent = step.normalize(_CONTEXT).as_tuple().exponent
    return max(0, -int(exponent))


def plain(value: Decimal) -> str:
    """The shortest text of `value` without exponent: 0.00100 -> 0.001, 1E+3 -> 1000."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def ratio(numerator: Decimal, denominator: Decimal) -> Decimal:
    """A quotient in an own context; 0 for a denominator of 0."""
    return _CONTEXT.divide(numerator, denominator) if denominator else ZERO


def price_text(listing: Listing, price: Decimal) -> str:
    """Spot prices carry 8 decimals at this venue, perp prices as many as the tick."""
    return fixed(price, WHOLE_ASSET_PLACES if listing.book is Book.SPOT else places_of(listing.tick))


def quantity_text(listing: Listing, quantity: Decimal) -> str:
    return fixed(quantity, WHOLE_ASSET_PLACES if listing.book is Book.SPOT else places_of(listing.lot))


def order_type_text(book: Book, kind: OrderType, time_in_force: TimeInForce) -> str:
    """The venue's type: spot post-only orders have a type of their own, perp ones a time in force."""
    if book is Book.SPOT and kind is OrderType.LIMIT and time_in_force is TimeInForce.POST_ONLY:
        return "LIMIT_MAKER"
    return kind.value


def time_in_force_text(book: Book, kind: OrderType, time_in_force: TimeInForce) -> str:
    if kind is OrderType.MARKET or (book is Book.SPOT and time_in_force is TimeInForce.POST_ONLY):
        return "GTC"
    return time_in_force.value

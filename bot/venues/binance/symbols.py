"""Between Binance's symbols and units and ours: `1000PEPEUSDT` contracts become single PEPE."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from bot.domain.instruments import Instrument, Kind
from bot.domain.numbers import ceil_to, floor_to, text
from bot.domain.orders import Side

_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_ONE = Decimal(1)


def to_base_quantity(instrument: Instrument, venue_quantity: Decimal) -> Decimal:
    """Venue units (contracts) as base units."""
    if instrument.multiplier == _ONE:
        return venue_quantity
    return _EXACT.multiply(venue_quantity, instrument.multiplier)


def to_base_price(instrument: Instrument, venue_price: Decimal) -> Decimal:
    """Quote per venue unit as quote per base unit."""
    if instrument.multiplier == _ONE:
        return venue_price
    return _EXACT.divide(venue_price, instrument.multiplier)


def quantity_text(instrument: Instrument, quantity_base: Decimal) -> str | None:
    """Base units as the venue's text; None when the quantity is not on the instrument's lot grid."""
    if quantity_base <= 0 or floor_to(quantity_base, instrument.lot) != quantity_base:
        return None
    return text(_EXACT.divide(quantity_base, instrument.multiplier))


def price_text(instrument: Instrument, price_base: Decimal, side: Side) -> str:
    """A limit in quote per base unit as the venue's text, moved to the tick that is not worse than the limit."""
    on_tick = (floor_to if side is Side.BUY else ceil_to)(price_base, instrument.tick)
    return text(_EXACT.multiply(on_tick, instrument.multiplier))


@dataclass(frozen=True, slots=True)
class SymbolBook:
    """The listed instruments by the venue's symbol and by our id."""

    spot: dict[str, Instrument]
    margin: dict[str, Instrument]
    perp: dict[str, Instrument]
    by_id: dict[str, Instrument]

    @classmethod
    def of(cls, instruments: Iterable[Instrument]) -> "SymbolBook":
        listed = list(instruments)
        return cls(
            spot={i.symbol: i for i in listed if i.kind is Kind.SPOT},
            margin={i.symbol: i for i in listed if i.kind is Kind.MARGIN},
            perp={i.symbol: i for i in listed if i.kind is Kind.PERP},
            by_id={i.id: i for i in listed},
        )

    def side(self, kind: Kind) -> dict[str, Instrument]:
        return {Kind.SPOT: self.spot, Kind.MARGIN: self.margin}.get(kind, self.perp)

"""The one place where amounts are rounded. All amounts have eight decimals, as at the venue.

- what changes hands in quote (price x quantity on spot) is truncated: a lock of price x quantity always
  covers it; with a venue's real ticks and lots the product has eight decimals at most and nothing is lost;
- commissions, realised P&L, funding and liquidation fees are rounded half to even.

Sums and products stay exact: prices and quantities have at most 12 digits each, balances at most 20, within
the 28 of any decimal context. Divisions and roundings name their own context, because the ambient one is not
ours (ccxt changes it).
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Context, Decimal

ZERO = Decimal(0)
EIGHT = Decimal("0.00000001")
_CONTEXT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_DOWN = Context(prec=50, rounding=ROUND_DOWN)
_UP = Context(prec=50, rounding=ROUND_UP)
_PRICE_DIGITS = Context(prec=18, rounding=ROUND_HALF_EVEN)


def half_even(amount: Decimal) -> Decimal:
    """To eight decimals, half to even."""
    return _CONTEXT.quantize(amount, EIGHT)


def truncated(amount: Decimal) -> Decimal:
    """To eight decimals, towards zero."""
    return _DOWN.quantize(amount, EIGHT)


def divide(numerator: Decimal, denominator: Decimal) -> Decimal:
    """To 50 digits, whatever the ambient context."""
    return _CONTEXT.divide(numerator, denominator)


def average_price(cost: Decimal, quantity: Decimal) -> Decimal:
    """cost / quantity to 18 significant digits without trailing zeros: for display, never for booking."""
    return plain(_PRICE_DIGITS.divide(cost, quantity))


def plain(value: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent above zero: 1E+2 becomes 100, 1.50 becomes 1.5."""
    exact = _CONTEXT.normalize(value)
    exponent = exact.as_tuple().exponent
    return _CONTEXT.quantize(exact, Decimal(1)) if isinstance(exponent, int) and exponent > 0 else exact


def to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value` (both >= 0)."""
    rest = _CONTEXT.remainder(value, step)
    return value - rest if rest else value


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return not _CONTEXT.remainder(value, step)


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    return _UP.multiply(_UP.divide(value, step).to_integral_value(ROUND_UP), step)


def decimals(value: Decimal) -> int:
    """How many digits after the point the value needs, trailing zeros not counted."""
    exponent = _CONTEXT.normalize(value).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def text(value: Decimal) -> str:
    """Plain notation, never an exponent; the number of decimals is kept."""
    return format(value, "f")

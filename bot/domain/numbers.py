"""Decimal arithmetic on venue grids. Rounding is always explicit: ccxt changes the ambient context."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import gcd

ZERO = Decimal(0)
ONE = Decimal(1)
_EXACT = Context(prec=60)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Largest multiple of `step` that is not above `value` (both in the same unit, step > 0)."""
    return _EXACT.multiply(_EXACT.divide(value, step).to_integral_value(rounding=ROUND_FLOOR), step)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Smallest multiple of `step` that is not below `value`."""
    return _EXACT.multiply(_EXACT.divide(value, step).to_integral_value(rounding=ROUND_CEILING), step)


def common_step(first: Decimal, second: Decimal) -> Decimal:
    """Smallest quantity that both lot sizes divide: the grid on which two legs can be equal."""
    scale = max(-_exponent(first), -_exponent(second), 0)
    unit = Decimal(1).scaleb(-scale)
    a, b = int(_EXACT.divide(first, unit)), int(_EXACT.divide(second, unit))
    return _EXACT.multiply(Decimal(a * b // gcd(a, b)), unit)


def _exponent(value: Decimal) -> int:
    exponent = value.normalize(_EXACT).as_tuple().exponent
    assert isinstance(exponent, int), f"not a finite number: {value}"
    return exponent


def text(value: Decimal) -> str:
    """Plain positional text without an exponent or trailing zeros, the form that every venue accepts."""
    if not value:
        return "0"
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown

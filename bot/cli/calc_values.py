"""Values on `carrybot calc`'s command line: rates with a sign of their unit, positive amounts, margin brackets."""

from decimal import Decimal, InvalidOperation
from typing import Any

import typer

RATE_MAX = Decimal("0.1")
UNITS = {"%": Decimal("0.01"), "bps": Decimal("0.0001")}


def _number(given: Any, example: str) -> Decimal:
    text = str(given).strip().replace(",", "").replace("_", "")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{given!s} is not a number; write it like {example}") from None
    if not value.is_finite():
        raise typer.BadParameter(f"{given!s} is not a finite number; write it like {example}")
    return value


def fraction(given: Any) -> Decimal:
    """33 %, 0.33 or 3300bps as a fraction."""
    text = str(given).strip()
    for unit, size in UNITS.items():
        if text.endswith(unit):
            return _number(text.removesuffix(unit), "33%, 0.33 or 50bps") * size
    return _number(text, "33%, 0.33 or 50bps")


def rate(given: Any) -> Decimal:
    """A rate for a settlement or a trade: 0.282%, 28.2bps or 0.00282. One of 10 % or more is a missing % sign."""
    value = fraction(given)
    if abs(value) >= RATE_MAX:
        raise typer.BadParameter(f"{given!s} is {100 * value:f} %; write 0.282% or 0.00282 for 0.282 per cent")
    return value


def cost(given: Any) -> Decimal:
    """A rate that is not negative."""
    value = rate(given)
    if value < 0:
        raise typer.BadParameter(f"{given!s} is negative; a cost is 0 or more")
    return value


def share(given: Any) -> Decimal:
    """A fraction from 0 to below 1."""
    value = fraction(given)
    if not 0 <= value < 1:
        raise typer.BadParameter(f"{given!s} is {100 * value:f} %; write one from 0 to below 100 %, such as 5%")
    return value


def maintenance(given: Any) -> Decimal:
    """A maintenance rate: above 0 and below 1."""
    value = share(given)
    if value == 0:
        raise typer.BadParameter("a maintenance rate of 0 is never reached; write one such as 2.5%")
    return value


def positive(given: Any) -> Decimal:
    """An amount or a leverage above 0."""
    value = _number(given, "1000 or 0.2")
    if value <= 0:
        raise typer.BadParameter(f"{given!s} is not above 0; write it like 1000 or 0.2")
    return value


def bracket(given: Any) -> tuple[Decimal, Decimal]:
    """`50000:0.4%`: up to this notional (USD), this maintenance rate."""
    if isinstance(given, tuple):
        return given
    cap, colon, asked = str(given).partition(":")
    if not colon:
        raise typer.BadParameter(f"{given!s} is not a bracket; write one like 50000:0.4% (USD up to, rate)")
    return positive(cap), maintenance(asked)

"""Column types: money as exact text, times as integer milliseconds. No column of the books is a float."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

from bot.domain.numbers import text

DIGITS_MAX = 200
"""Longest text of one money value: far beyond any venue's, and a bound on what a wrong exponent could write."""

Whole = BigInteger().with_variant(Integer(), "sqlite")
"""64-bit integer: counters, flags (0 or 1) and UTC or monotonic milliseconds. STRICT SQLite tables say INTEGER."""


def money_text(value: object) -> str | None:
    """Canonical plain text of a finite Decimal; TypeError for anything else, ValueError when it is absurd."""
    if value is None:
        return None
    if not isinstance(value, Decimal):
        raise TypeError(f"money must be a Decimal, not {type(value).__name__}")
    if not value.is_finite() or abs(value.adjusted()) > DIGITS_MAX:
        raise ValueError("money must be a finite number of sane size")
    shown = text(value)
    if len(shown) > DIGITS_MAX:
        raise ValueError(f"money of more than {DIGITS_MAX} digits")
    return shown


class Money(TypeDecorator[Decimal]):
    """Decimal stored as plain positional text without an exponent; equal values have equal text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return money_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)

"""How rules speak: verdicts on what is asked, and changes that they force."""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.numbers import text
from bot.domain.struct import struct


@struct(frozen=True, slots=True)
class Forced:
    """A change that a rule demands of a hedge: its new target (base units a side; zero closes it)."""

    rule: str
    hedge_id: str
    target_base: Decimal
    limit: str
    observed: str
    reason: str


def judge(rule: str, *, ok: bool, limit: object, observed: object, detail: str = "") -> Verdict:
    return Verdict(rule, ok, shown(limit), shown(observed), detail)


def shown(value: object) -> str:
    """A limit or an observation as text: six significant digits for numbers, the thing itself otherwise."""
    if isinstance(value, Decimal):
        return text(Decimal(f"{value:.6g}")) if value.is_finite() else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)

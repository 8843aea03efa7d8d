"""R3: the sum of all hedges' notionals over NAV, after the order; above it by drift: reduce, worst carry first."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderIntent
from bot.domain.valuation import worst_usd
from bot.risk.verdicts import judge

RULE = "R3"


def check(book: Book, nav: Decimal, extra: Sequence[OrderIntent] = ()) -> Verdict:
    ceiling = book.config.limits.leverage_ceiling
    worst = sum((worst_usd(book, hedge, extra) for hedge in book.live_hedges()), ZERO)
    observed = worst / nav if nav > 0 else Decimal("Infinity")
    return judge(RULE, ok=observed <= ceiling, limit=ceiling, observed=observed, detail="leverage after the order")


def excess_usd(book: Book, nav: Decimal, held: Decimal) -> Decimal:
    """Notional to give up when leverage (`held` over NAV) has drifted beyond the ceiling and its band, else zero."""
    limits = book.config.limits
    if held <= max(ZERO, nav) * limits.leverage_ceiling * (1 + limits.leverage_band):
        return ZERO
    return held - max(ZERO, nav) * limits.leverage_ceiling

"""Budgets against flapping: orders sent and fees paid within the last hour of market time.

They bind only what opens. Repairs of an imbalance and everything that reduces go on whatever was spent.
"""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.numbers import ZERO
from bot.risk.verdicts import judge

RULE = "budget"


def check(book: Book, nav: Decimal, more_orders: int = 0) -> list[Verdict]:
    """One verdict for orders, with `more_orders` on top, and one for fees."""
    budget = book.config.limits.budget
    orders, fees_usd = book.guards.spent.within_hour(book.now.market_ms)
    share = fees_usd / nav if nav > 0 else (Decimal("Infinity") if fees_usd > 0 else ZERO)
    asked = orders + more_orders
    return [
        judge(
            RULE,
            ok=asked <= budget.orders_per_hour,
            limit=budget.orders_per_hour,
            observed=asked,
            detail="orders within an hour of market time",
        ),
        judge(
            RULE,
            ok=share <= budget.fees_per_hour,
            limit=budget.fees_per_hour,
            observed=share,
            detail="share of NAV paid in fees within an hour of market time",
        ),
    ]

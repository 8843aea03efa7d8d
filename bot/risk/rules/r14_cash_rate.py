"""R14: capital that a hedge would use must earn more than the owner's cash does; else it stays idle.

Cash is compared over the expected holding time on all the capital that a dollar of notional occupies, spot and perp
margin. Notional beyond own cash is judged by the interest on the borrowed quote currency instead, which is a cost.
The strategy allocates by the same figures (`bot.domain.limits`); this is the rule's own word on one coin.
"""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.limits import cash_cost
from bot.risk.verdicts import judge

RULE = "R14"


def check(book: Book, worth: float, capital_factor: float) -> Verdict:
    """`worth` is what entering is worth after its costs, a fraction of notional over the holding time."""
    limit = cash_cost(book.config, capital_factor)
    detail = "what entering is worth, as a share of notional, against cash over the same time"
    return judge(RULE, ok=worth > limit or not limit, limit=limit, observed=worth, detail=detail)

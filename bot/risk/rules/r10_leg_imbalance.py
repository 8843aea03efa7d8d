"""R10: unhedged notional at most one slice and for at most `max_leg_s` of monotonic wall time.

Execution repairs an imbalance at once; this rule refuses to add to a hedge that is not whole, and says when the
time is over, from which moment on the filled leg is unwound instead of the other one completed.
"""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.risk.verdicts import judge

RULE = "R10"


def seconds_unbalanced(book: Book, hedge: Hedge) -> float:
    if hedge.unbalanced_mono_ms is None:
        return 0.0
    return (book.now.mono_ms - hedge.unbalanced_mono_ms) / 1000


def allows(hedge: Hedge | None) -> bool:
    return hedge is None or (hedge.unbalanced_mono_ms is None and hedge.state is not HedgeState.QUARANTINED)


def check(book: Book, hedge: Hedge | None) -> Verdict:
    limit = book.config.execution.max_leg_s
    if hedge is None:
        return judge(RULE, ok=True, limit=limit, observed=0.0, detail="nothing held")
    detail = f"seconds unbalanced, {hedge.state.value}"
    return judge(RULE, ok=allows(hedge), limit=limit, observed=seconds_unbalanced(book, hedge), detail=detail)


def overdue(book: Book, hedge: Hedge) -> bool:
    return seconds_unbalanced(book, hedge) > book.config.execution.max_leg_s

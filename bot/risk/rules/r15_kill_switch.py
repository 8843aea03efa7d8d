"""R15: the owner's switch, and the engine's own: nothing opens unless running and reconciled. Survives restarts."""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.hedges import Control
from bot.risk.verdicts import judge

RULE = "R15"


def check(book: Book, venue: str) -> Verdict:
    ready = book.ready.get(venue, False)
    observed = book.control.value if ready else "not reconciled"
    return judge(RULE, ok=ready and book.control is Control.RUNNING, limit=Control.RUNNING.value, observed=observed)

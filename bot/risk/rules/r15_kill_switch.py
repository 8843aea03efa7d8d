"""R15: the owner's switch, and the engine's own: nothing opens unless running and reconciled. Survives restarts."""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.hedges import Control
from bot.risk.verdicts import judge

RULE = "R15"


def allows(book: Book, venue: str) -> bool:
    trusted = venue not in book.unexplained and venue not in book.doubted
    return book.control is Control.RUNNING and book.ready.get(venue, False) and trusted


def check(book: Book, venue: str) -> Verdict:
    observed = book.control.value
    if not book.ready.get(venue, False):
        observed = "not reconciled"
    elif venue in book.unexplained:
        observed = "balances differ from the ledger"
    elif venue in book.doubted:
        observed = "an order was refused for want of money that the books say is there"
    return judge(RULE, ok=allows(book, venue), limit=Control.RUNNING.value, observed=observed)

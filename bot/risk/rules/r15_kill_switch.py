"""R15: the kill switch: nothing opens unless running, heard and reconciled. It survives restarts.

A venue that answers questions while a stream of its account is down tells of no fill and no liquidation.
"""

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.hedges import Control
from bot.risk.verdicts import judge

RULE = "R15"


def allows(book: Book, venue: str) -> bool:
    trusted = venue not in book.unexplained and venue not in book.doubted
    heard = not book.market.feed_out_ms or _lost_feed(book, venue) is None
    return book.control is Control.RUNNING and book.ready.get(venue, False) and trusted and heard


def check(book: Book, venue: str) -> Verdict:
    observed = book.control.value
    lost = _lost_feed(book, venue)
    if not book.ready.get(venue, False):
        observed = "not reconciled"
    elif lost is not None:
        observed = f"{lost} is lost"
    elif venue in book.unexplained:
        observed = "balances differ from the ledger"
    elif venue in book.doubted:
        observed = "an order was refused for want of money, or a start found a difference: balances must agree first"
    return judge(RULE, ok=allows(book, venue), limit=Control.RUNNING.value, observed=observed)


def _lost_feed(book: Book, venue: str) -> str | None:
    return next((feed for feed in book.market.feed_out_ms if feed.split(":")[0] == venue), None)

"""R12: a settlement that owed us something and brought no receipt within the grace.

The grace is the longer of `receipt_grace_s` of market time after the settlement and five seconds of wall time after
it was noticed: a venue that runs fast has not answered late when it had no time to answer. A rate that rounds to
nothing on what is held pays nothing.
"""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.risk.verdicts import judge

RULE = "R12"
GRACE_WALL_MS = 5_000
EDGE_MS = 15_000
"""Binance pays within this of the settlement: what was opened or closed so near to it may or may not be paid."""
SMALLEST_USD = Decimal("0.00000001")


def overdue(book: Book, settled_ms: int, noticed_mono_ms: int) -> bool:
    now = book.now
    late_market = now.market_ms - settled_ms > book.config.limits.receipt_grace_s * 1000
    return late_market and now.mono_ms - noticed_mono_ms > GRACE_WALL_MS


def owes_nothing(quantity_base: Decimal, price: Decimal, rate: Decimal) -> bool:
    """Whether the payment rounds to zero in the venue's smallest unit."""
    return abs(quantity_base * price * rate) < SMALLEST_USD


def verdict(book: Book, instrument: str, settled_ms: int) -> Verdict:
    late_s = (book.now.market_ms - settled_ms) / 1000
    detail = f"seconds since {instrument} settled without a receipt"
    return judge(RULE, ok=False, limit=book.config.limits.receipt_grace_s, observed=late_s, detail=detail)

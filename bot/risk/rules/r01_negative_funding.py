"""R1 and R1b: a direction of a coin is removed after days of negative carry and returns after positive ones.

Each direction has days of its own, whether held or not: the short perpetual's are negative where the long one's are
positive, so the opposite of what is removed stays open to judgement. The long one is counted where it could be held
at all, which is where the coin can be borrowed.

A funding day is a UTC day; a settlement belongs to the day in which its period ended, so the nominal 00:00 closes
the day before. Days without a settlement neither extend nor reset a run. Runs on market time, by nominal stamps.
"""

from decimal import Decimal

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.config import Limits
from bot.domain.hedges import Hedge, Removal
from bot.domain.market import SettledRate
from bot.domain.numbers import ZERO
from bot.domain.time import DAY_MS, funding_day
from bot.risk.verdicts import Forced, judge

RULE = "R1"
READMISSION = "R1b"
SHORT_PERP = 1
BY_HAND = "closed by the owner"
"""A removal whose reason starts with this ends only by the owner's hand."""


def count(removal: Removal, rate: SettledRate, limits: Limits) -> str | None:
    """Count one settlement into its day; returns "removed" or "readmitted" when that changes the coin's state."""
    if rate.settled_ms <= removal.counted_until_ms:
        return None
    removal.counted_until_ms = rate.settled_ms
    day = funding_day(rate.settled_ms)
    changed = None
    if removal.day is not None and removal.day != day:
        changed = close_day(removal, rate.settled_ms, limits)
    removal.day = day
    removal.day_carry += removal.direction * rate.rate
    if rate.settled_ms % DAY_MS == 0:
        changed = close_day(removal, rate.settled_ms, limits) or changed
    return changed


def close_day(removal: Removal, at_ms: int, limits: Limits) -> str | None:
    carry, removal.day, removal.day_carry = removal.day_carry, None, ZERO
    removal.negative_days = removal.negative_days + 1 if carry < 0 else 0
    removal.positive_days = removal.positive_days + 1 if carry > 0 else 0
    if not removal.removed and removal.negative_days >= limits.negative_funding_days:
        remove(removal, at_ms, f"{RULE}: {removal.negative_days} days of negative funding")
        return "removed"
    by_hand = removal.reason.startswith(BY_HAND)
    if removal.removed and not by_hand and removal.positive_days >= limits.readmit_days:
        removal.removed, removal.removed_ms, removal.reason = False, None, ""
        return "readmitted"
    return None


def remove(removal: Removal, at_ms: int, reason: str) -> None:
    """Take the coin out. The days that may bring it back are counted from here."""
    removal.positive_days = 0
    removal.removed, removal.removed_ms, removal.reason = True, at_ms, reason


def removal_of(book: Book, venue: str, coin: str, direction: int = SHORT_PERP) -> Removal:
    key = venue, coin, direction
    if key not in book.removals:
        book.removals[key] = Removal(venue, coin, direction)
    return book.removals[key]


def allows(book: Book, venue: str, coin: str, direction: int = SHORT_PERP) -> bool:
    removal = book.removals.get((venue, coin, direction))
    return removal is None or not removal.removed


def check(book: Book, venue: str, coin: str, direction: int = SHORT_PERP) -> Verdict:
    removal = book.removals.get((venue, coin, direction))
    days = 0 if removal is None else removal.negative_days
    detail = removal.reason if removal is not None else ""
    limit = book.config.limits.negative_funding_days
    ok = allows(book, venue, coin, direction)
    return judge(RULE, ok=ok, limit=f"{limit} negative days", observed=f"{days} negative days", detail=detail)


def forced(book: Book, hedge: Hedge) -> Forced | None:
    removal = book.removals.get((hedge.venue, hedge.coin, hedge.direction))
    if removal is None or not removal.removed:
        return None
    rule = removal.reason.split(":")[0] or RULE
    limit = f"{book.config.limits.negative_funding_days} negative days"
    return Forced(rule, hedge.id, Decimal(0), limit, f"{removal.negative_days} negative days", removal.reason)

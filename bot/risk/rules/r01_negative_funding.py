"""R1 and R1b: a direction of a coin is removed after days of negative carry and returns after positive ones.

Each direction has days of its own, whether held or not: the short perpetual's are negative where the long one's are
positive, so the opposite of what is removed stays open to judgement. The long one is counted where it could be held
at all, which is where the coin can be borrowed.

A funding day is a UTC day; a settlement belongs to the day in which its period ended, so the nominal 00:00 closes
the day before. Days without a settlement neither extend nor reset a run. Runs on market time, by nominal stamps:
in which order the settlements are delivered makes no difference.
"""

from decimal import Decimal
from itertools import pairwise

from bot.domain.actions import Verdict
from bot.domain.book import Book
from bot.domain.config import Limits
from bot.domain.funding_days import FundingDay, Runs
from bot.domain.hedges import Hedge, Removal
from bot.domain.market import SettledRate
from bot.domain.time import DAY_MS, funding_day
from bot.risk.verdicts import Forced, judge

RULE = "R1"
READMISSION = "R1b"
SHORT_PERP = 1
BY_HAND = "closed by the owner"
"""A removal whose reason starts with this ends only by the owner's hand."""
KEPT_DAYS = 35
"""A settlement may come as late as this; older days are judged for good. History is asked for that far at start."""
NOTHING_SETTLED = FundingDay()


def counts(removal: Removal, rate: SettledRate) -> bool:
    """Whether this settlement is to be counted: it was not before, and its day is not judged for good."""
    number = funding_day(rate.settled_ms)
    day = removal.days.get(number, NOTHING_SETTLED)
    return rate.settled_ms > removal.floor_ms and rate.settled_ms - number * DAY_MS not in day.settled_ms


def count(removal: Removal, rate: SettledRate, limits: Limits) -> str | None:
    """Count one settlement into its day; returns "removed" or "readmitted" when that changes the coin's state.

    One that is delivered late counts into its own day too. Was that day judged already, then it and all days since
    are judged anew by the limits of now, as if everything had come in order: a removal that was missed happens, and
    one that was wrong is taken back. A settlement that was counted before counts no more.
    """
    if not counts(removal, rate):
        return None
    number, was_removed = funding_day(rate.settled_ms), removal.removed
    day = removal.days.get(number, NOTHING_SETTLED)
    removal.days[number] = day.with_one(rate.settled_ms - number * DAY_MS, removal.direction * rate.rate)
    if rate.settled_ms > removal.counted_until_ms:
        removal.counted_until_ms = rate.settled_ms
        _count_in_order(removal, number, limits)
    elif number != removal.day or rate.settled_ms - number * DAY_MS == removal.days[number].settled_ms[0]:
        # The first of the running day says when the day before it could be judged.
        _judge_anew(removal, limits)
    if removal.removed == was_removed:
        return None
    return "removed" if removal.removed else "readmitted"


def _count_in_order(removal: Removal, number: int, limits: Limits) -> None:
    """The newest settlement closes the day before it, and its own one when it is the midnight."""
    if removal.day is not None and removal.day != number:
        removal.stand(
            judged(removal.runs, removal.days[removal.day], _ended_ms(removal, removal.day, number), limits)
        )
    if removal.day != number:
        _forget(removal, number - KEPT_DAYS, limits)
    removal.day = number
    if DAY_MS in removal.days[number].settled_ms:
        removal.stand(judged(removal.runs, removal.days[number], (number + 1) * DAY_MS, limits))
        removal.day = None


def _judge_anew(removal: Removal, limits: Limits) -> None:
    runs, numbers = removal.before, sorted(removal.days)
    for number, later in zip(numbers, (*numbers[1:], numbers[-1]), strict=True):
        if number != removal.day:
            runs = judged(runs, removal.days[number], _ended_ms(removal, number, later), limits)
    removal.stand(runs)


def _ended_ms(removal: Removal, number: int, later: int) -> int:
    """When a day could be judged: at its midnight's settlement, without one at the first of the next day with any."""
    if DAY_MS in removal.days[number].settled_ms:
        return (number + 1) * DAY_MS
    return later * DAY_MS + min(removal.days[later].settled_ms, default=0)


def _forget(removal: Removal, first: int, limits: Limits) -> None:
    """Days before the first to keep are judged for good."""
    numbers = sorted(removal.days)
    for number, later in pairwise(numbers):
        if number >= first:
            return
        removal.before = judged(removal.before, removal.days[number], _ended_ms(removal, number, later), limits)
        removal.floor_ms = (number + 1) * DAY_MS
        del removal.days[number]


def judged(runs: Runs, day: FundingDay, at_ms: int, limits: Limits) -> Runs:
    """The runs with one more day, judged at a market time."""
    negative_days = runs.negative_days + 1 if day.carry < 0 else 0
    positive_days = runs.positive_days + 1 if day.carry > 0 else 0
    if not runs.removed and negative_days >= limits.negative_funding_days:
        return Runs(negative_days, 0, True, at_ms, f"{RULE}: {negative_days} days of negative funding")
    by_hand = runs.reason.startswith(BY_HAND)
    if runs.removed and not by_hand and positive_days >= limits.readmit_days:
        return Runs(negative_days, positive_days)
    return Runs(negative_days, positive_days, runs.removed, runs.removed_ms, runs.reason)


def remove(removal: Removal, at_ms: int, reason: str) -> None:
    """Take the coin out. The days that may bring it back are counted from here."""
    _stand_for_good(removal, Runs(removal.negative_days, 0, True, at_ms, reason), at_ms)


def readmit(removal: Removal, at_ms: int) -> None:
    """Let the coin in again by hand; its run of negative days starts anew."""
    _stand_for_good(removal, Runs(0, removal.positive_days), at_ms)


def _stand_for_good(removal: Removal, runs: Runs, at_ms: int) -> None:
    """A word from outside the days: those that ended before it are not judged anew, the one that runs goes on.

    A day whose midnight is only told after the word has ended before it as well.
    """
    running = removal.day if removal.day is not None and removal.day >= funding_day(at_ms) else None
    first = max([funding_day(at_ms), *(day + 1 for day in removal.days)]) if running is None else running
    removal.day = running
    removal.days = {} if running is None else {running: removal.days[running]}
    removal.floor_ms = max(removal.floor_ms, first * DAY_MS)
    removal.before = runs
    removal.stand(runs)


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

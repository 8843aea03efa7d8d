"""Rules R1 and R1b worked out from the venue's settlements: which coins the books must keep out at the end of a run.

A funding day ends with the settlement at its midnight; five negative days in a row remove the short perpetual of a
coin, three positive ones bring it back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bot.simulator.model import Settlement

DAY_MS = 86_400_000
REMOVED_AFTER, BACK_AFTER = 5, 3
BY_RULE = "R1:"
"""The reasons of removals by this rule begin so; all others are words from outside the days."""


@dataclass(frozen=True, slots=True)
class Standing:
    removed: bool
    negative: int
    positive: int


def standing(settlements: Iterable[Settlement], direction: int) -> Standing:
    """Where a direction of a coin stands after these, oldest first. The day that still runs does not count."""
    days: dict[int, Decimal] = {}
    last_ms = 0
    for one in settlements:
        number = -(-one.at_ms // DAY_MS)
        days[number] = days.get(number, Decimal(0)) + direction * one.rate
        last_ms = one.at_ms
    if last_ms % DAY_MS:
        days.pop(-(-last_ms // DAY_MS), None)
    removed, negative, positive = False, 0, 0
    for number in sorted(days):
        negative = negative + 1 if days[number] < 0 else 0
        positive = positive + 1 if days[number] > 0 else 0
        if not removed and negative >= REMOVED_AFTER:
            removed, positive = True, 0
        elif removed and positive >= BACK_AFTER:
            removed = False
    return Standing(removed, negative, positive)

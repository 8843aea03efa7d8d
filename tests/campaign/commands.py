"""What the owner of one seed asks for, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.campaign.market import COINS

EDITS = frozenset({"limits", "ceiling", "limits_back"})
"""Verbs by which the owner has other limits."""
CEILING_SHARE = 0.35
"""Of the seeds, those whose owner lowers the ceiling of the whole book for a while."""

REPAYS_SHARE = 0.5
"""Of the seeds with loans, those whose owner closes one of them."""
ENDS_SHARE = 0.25
"""Of the seeds, those whose owner closes a coin for good."""
EXCLUDES_SHARE = 0.35
"""Of the seeds, those whose owner excludes a coin for some hours."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the owner does at an hour of market time."""

    hour: float
    verb: str
    coin: str = ""
    share: float = 0.0


def drawn_commands(dice: Random, count: int) -> list[Command]:
    """So many times money that comes or goes, and something that is taken back some hours later."""
    found = []
    for _ in range(count):
        hour, verb = dice.uniform(2, 60), dice.choice(("close", "flatten", "halt", "limits", "close", "limits"))
        coin = dice.choice(tuple(COINS))
        found.append(
            Command(dice.uniform(1, 60), dice.choice(("deposit", "withdraw")), "", dice.uniform(0.001, 0.005))
        )
        found.append(Command(hour, verb, coin, dice.uniform(0.3, 0.9)))
        back = {"close": "readmit", "flatten": "resume", "halt": "resume", "limits": "limits_back"}[verb]
        found.append(Command(hour + dice.uniform(0.5, 8), back, coin))
    return sorted(found, key=lambda one: one.hour)


def drawn_ceiling(dice: Random) -> list[Command]:
    """The whole book is to be smaller for some hours; nothing in most seeds."""
    if dice.random() >= CEILING_SHARE:
        return []
    hour = dice.uniform(4, 60)
    lower = Command(hour, "ceiling", "", dice.uniform(0.3, 0.8))
    return [lower, Command(hour + dice.uniform(1, 8), "limits_back")]


def drawn_universe(dice: Random) -> list[Command]:
    """A coin is excluded, and comes back some hours later; nothing in most seeds."""
    if dice.random() >= EXCLUDES_SHARE:
        return []
    hour, coin = dice.uniform(1, 50), dice.choice(tuple(COINS))
    return [Command(hour, "exclude", coin), Command(hour + dice.uniform(4, 20), "include", coin)]


def drawn_end(dice: Random) -> list[Command]:
    """A coin is closed on the first day and never let in again: three positive days are no word of its owner's."""
    if dice.random() >= ENDS_SHARE:
        return []
    return [Command(dice.uniform(1, 20), "close", dice.choice(tuple(COINS)))]


def drawn_repayment(owed: Sequence[str], dice: Random) -> list[Command]:
    """One of the coins that are borrowed is closed, and let in again half a day later."""
    if not owed or dice.random() >= REPAYS_SHARE:
        return []
    hour, coin = dice.uniform(4, 50), dice.choice(owed)
    return [Command(hour, "close", coin), Command(hour + dice.uniform(9, 14), "readmit", coin)]

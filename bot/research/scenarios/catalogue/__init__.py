"""The scenarios themselves, by what they are about."""

from bot.research.scenarios.catalogue import basis, borrowing, crashes, funding, limits_of_size, margin, operations
from bot.research.scenarios.language import Scenario

ALL: tuple[Scenario, ...] = (
    *crashes.ALL,
    *funding.ALL,
    *limits_of_size.ALL,
    *basis.ALL,
    *borrowing.ALL,
    *margin.ALL,
    *operations.ALL,
)

__all__ = ["ALL"]

"""S1: long spot, short perpetual. Its carry formula is in `bot.strategy.carry`, its capital in `capacity`."""

from bot.domain.book import Book
from bot.domain.instruments import Pair
from bot.domain.structures import CASH_AND_CARRY
from bot.strategy.capacity import capital_factor
from bot.strategy.carry import CarryEstimate, estimate

STRUCTURE = CASH_AND_CARRY

__all__ = ["STRUCTURE", "capital_factor", "enters", "estimate", "room_usd"]


def room_usd(_book: Book, _pair: Pair) -> float:
    """Spot can be bought without end; caps, budget and the venue's brackets bound it elsewhere."""
    return float("inf")


def enters(_book: Book, _pair: Pair, _found: CarryEstimate, _cash: float) -> bool:
    """The allocator's own comparison of worth and cost is the whole condition."""
    return True

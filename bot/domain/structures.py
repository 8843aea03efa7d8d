"""Which way round a hedge stands: what it buys and sells on the way in and out, and the sign of its funding.

Everything that opens, repairs, values and judges a hedge asks its structure instead of assuming long spot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from bot.domain.orders import Side

COIN, PERP = 0, 1
"""Positions of a hedge's two legs: the coin itself (spot, or sold on margin) and the perpetual."""

Signed = TypeVar("Signed", float, Decimal)


@dataclass(frozen=True, slots=True)
class Structure:
    """`direction` is +1 for coins held against a short perpetual (it receives +rate), -1 for coins owed against a
    long one (it receives -rate): the sign of its coin leg, and the direction that rule R1 counts.
    """

    name: str
    direction: int

    @property
    def owes(self) -> bool:
        """Whether its coin leg is a loan."""
        return self.direction < 0

    def way_in(self, leg: int) -> Side:
        """Side of an order by which this leg grows."""
        return Side.BUY if (leg == COIN) == (self.direction > 0) else Side.SELL

    def way_out(self, leg: int) -> Side:
        return self.way_in(leg).other

    def facing(self, value: Signed) -> Signed:
        """A rate or a basis as this structure sees it: positive is good for it while it is held."""
        return value if self.direction > 0 else -value


CASH_AND_CARRY = Structure("cash_and_carry", 1)
REVERSE_CARRY = Structure("reverse_carry", -1)
STRUCTURES: Mapping[int, Structure] = {one.direction: one for one in (CASH_AND_CARRY, REVERSE_CARRY)}
"""By direction."""

"""What differs from strategy to strategy: how its carry is estimated, what capital it ties up, what it may take.

One scorer, one allocator and one executor serve them all; a strategy is its builder.
"""

from collections.abc import Callable, Mapping

from bot.domain.book import Book
from bot.domain.instruments import Pair
from bot.domain.struct import struct
from bot.domain.structures import Structure
from bot.strategy import cash_and_carry, reverse_carry
from bot.strategy.carry import CarryEstimate


@struct(frozen=True, slots=True)
class Builder:
    """`estimate` and `capital_factor` take (book, pair, one-side notional in USD)."""

    structure: Structure
    estimate: Callable[[Book, Pair, float], CarryEstimate | None]
    capital_factor: Callable[[Book, Pair, float], float]
    room_usd: Callable[[Book, Pair], float]
    """The most that can be added to what is held."""
    enters: Callable[[Book, Pair, CarryEstimate, float], bool]
    """Whether the strategy's own entry condition holds; the last argument is what cash would earn (R14)."""


BUILDERS: Mapping[int, Builder] = {
    module.STRUCTURE.direction: Builder(
        module.STRUCTURE, module.estimate, module.capital_factor, module.room_usd, module.enters
    )
    for module in (cash_and_carry, reverse_carry)
}
"""By direction."""


def builder_of(pair: Pair) -> Builder:
    return BUILDERS[pair.structure.direction]


def estimate(book: Book, pair: Pair, notional_usd: float) -> CarryEstimate | None:
    """The carry of holding `notional_usd` of this pair, whichever way round; None while something is not known."""
    return builder_of(pair).estimate(book, pair, notional_usd)

"""Orders against the market's depth. The market does not feel us, except that what we took stays taken.

Within one second of market time the quantity that all accounts took from one side of a book is missing from
its best levels, so that repeated orders do not find it again; when the second is over it has been refilled.
Accounts do not trade with each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from bot.domain.struct import struct
from bot.simulator.exchange.money import ZERO, to_step
from bot.simulator.model import Book, Level, Prices, Side

REFILL_MS = 1_000
_DEPTH_STEPS = (0, 5, 50, 1_000)  # asked for in turn, as deep levels cost time and are seldom needed


@struct(frozen=True, slots=True)
class Fill:
    price: Decimal
    quantity: Decimal


@dataclass(slots=True)
class Consumption:
    """(book, symbol, side of the taker) -> (second, quantity taken in it)."""

    taken: dict[tuple[Book, str, Side], tuple[int, Decimal]] = field(default_factory=dict)

    def quantity(self, book: Book, symbol: str, side: Side, at_ms: int) -> Decimal:
        entry = self.taken.get((book, symbol, side))
        return entry[1] if entry is not None and entry[0] == at_ms // REFILL_MS else ZERO

    def add(self, book: Book, symbol: str, side: Side, at_ms: int, quantity: Decimal) -> None:
        before = self.quantity(book, symbol, side, at_ms)
        self.taken[(book, symbol, side)] = (at_ms // REFILL_MS, before + quantity)


@struct(frozen=True, slots=True)
class Taking:
    """What a taker wants: up to `quantity` at `limit` or better (None: any price), in multiples of `lot`."""

    book: Book
    symbol: str
    side: Side
    quantity: Decimal
    limit: Decimal | None
    lot: Decimal


def _acceptable(price: Decimal, side: Side, limit: Decimal | None) -> bool:
    return limit is None or (price <= limit if side is Side.BUY else price >= limit)


def walk(levels: Sequence[Level], taking: Taking, gone: Decimal) -> tuple[list[Fill], bool]:
    """(fills, conclusive): conclusive is False when deeper levels might still fill the rest.

    `gone` is the quantity that is missing from the best levels.
    """
    fills: list[Fill] = []
    wanted = taking.quantity
    for level in levels:
        if not _acceptable(level.price, taking.side, taking.limit):
            return fills, True
        size = level.size
        if gone:
            used = min(gone, size)
            gone -= used
            size -= used
        quantity = to_step(min(size, wanted), taking.lot)
        if quantity <= 0:
            continue
        fills.append(Fill(level.price, quantity))
        wanted -= quantity
        if wanted <= 0:
            return fills, True
    return fills, False


def take(market: Prices, consumption: Consumption, taking: Taking, at_ms: int) -> list[Fill]:
    """The fills of a taker at `at_ms`, best price first, one per level. Consumes nothing yet."""
    gone = consumption.quantity(taking.book, taking.symbol, taking.side, at_ms)
    fills: list[Fill] = []
    for previous, levels in pairwise(_DEPTH_STEPS):
        bids, asks = market.depth(taking.book, taking.symbol, at_ms, levels)
        opposite = asks if taking.side is Side.BUY else bids
        fills, conclusive = walk(opposite, taking, gone)
        if conclusive or len(opposite) < levels or len(opposite) <= previous:
            break
    return fills


def crossed(market: Prices, consumption: Consumption, taking: Taking, at_ms: int) -> Decimal:
    """How much of a resting order (limit set) the market's crossing takes at `at_ms`; 0 when uncrossed."""
    top = market.top(taking.book, taking.symbol, at_ms)
    best, size = (top.ask, top.ask_size) if taking.side is Side.BUY else (top.bid, top.bid_size)
    if size <= 0 or not _acceptable(best, taking.side, taking.limit):
        return ZERO
    return sum((fill.quantity for fill in take(market, consumption, taking, at_ms)), ZERO)

"""What the hourly budgets count survives a restart: whoever starts again and again has no budget anew each time."""

from decimal import Decimal

from bot.domain.books import Books
from bot.domain.guards import Guards, Remembered
from bot.domain.numbers import ZERO
from bot.domain.time import MINUTE_MS
from bot.engine.state import Actions, EngineState
from bot.risk.rules import budgets

MINUTES = 60
"""As many are remembered; the same minute of the next hour takes an older one's place."""


def spend(state: EngineState, out: Actions, *, orders: int = 0, fees_usd: Decimal = ZERO) -> None:
    """Orders that leave, or fees that were paid, at this moment of market time."""
    minute, sent, paid = state.book.guards.spent.add(state.book.now.market_ms, orders, fees_usd)
    if orders:
        out.persist(_remembered(minute, "orders", Decimal(sent)))
    if fees_usd:
        out.persist(_remembered(minute, "fees_usd", paid))


def restore(books: Books, guards: Guards) -> None:
    """What is older than an hour is forgotten by itself."""
    for one in sorted(books.remembered, key=lambda one: one.market_ms):
        match one.rule, one.name.partition(":")[0]:
            case budgets.RULE, "orders":
                guards.spent.add(one.market_ms, orders=int(one.value))
            case budgets.RULE, "fees_usd":
                guards.spent.add(one.market_ms, fees_usd=one.value)
            case _:
                pass


def _remembered(minute: int, name: str, value: Decimal) -> Remembered:
    return Remembered(budgets.RULE, "", f"{name}:{minute % MINUTES:02}", value, minute * MINUTE_MS)

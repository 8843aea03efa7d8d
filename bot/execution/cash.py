"""What can still be spent: wallet balances less everything in flight."""

from decimal import Decimal

from bot.domain.book import Book
from bot.domain.numbers import ZERO
from bot.domain.orders import Side

SPOT = 0
"""Position of the spot leg in a cash-and-carry."""


def spot_cash(book: Book, venue: str, asset: str) -> Decimal:
    """Quote currency in the spot wallet that no order in flight may still spend."""
    free = book.balances.get((f"venue:{venue}:spot", asset), ZERO)
    for transfer in book.transfers.values():
        if transfer.venue == venue and transfer.asset == asset and transfer.source == "spot":
            free -= transfer.amount
    for order in book.orders.values():
        intent = order.intent
        if intent.venue == venue and intent.leg == SPOT and intent.side is Side.BUY:
            free -= order.open_base * intent.limit_price
    return free

"""What can still be spent: wallet balances less everything in flight."""

from decimal import Decimal

from bot.domain.book import Book
from bot.domain.borrowing import lendable_base, terms_of
from bot.domain.instruments import Kind, Pair
from bot.domain.loans import INITIAL_LEVEL
from bot.domain.numbers import ZERO
from bot.domain.orders import Side
from bot.domain.structures import COIN
from bot.domain.valuation import margin_wallet

LEVEL = INITIAL_LEVEL + 0.01
"""Loans keep this level: the venue values the wallet at prices of its own, and a sale brings the bid less a fee."""


def spot_cash(book: Book, venue: str, asset: str) -> Decimal:
    """Quote currency in the spot wallet that no order in flight may still spend."""
    free = book.balances.get((f"venue:{venue}:spot", asset), ZERO)
    for transfer in book.transfers.values():
        if transfer.venue == venue and transfer.asset == asset and transfer.source == "spot":
            free -= transfer.amount
    for order in book.orders.values():
        intent = order.intent
        if intent.venue != venue or intent.leg != COIN or intent.side is not Side.BUY:
            continue
        instrument = book.market.instruments.get(intent.instrument)
        if instrument is None or instrument.kind is not Kind.MARGIN:
            free -= order.open_base * intent.limit_price
    return free


def lendable(book: Book, pair: Pair, price: Decimal) -> Decimal:
    """Coins that may still be borrowed and sold at `price` (above 0): what the venue has and the collateral bears.

    Selling q coins adds q * price to what is held and to what is owed: the level stays above `LEVEL` while
    ratio * (held + x) / (owed + x) does.
    """
    terms = terms_of(book.market, pair)
    if terms is None:
        return ZERO
    wallet = margin_wallet(book, pair.venue)
    bearable = max(0.0, (wallet.assets_usd * wallet.ratio - LEVEL * wallet.owed_usd) / (LEVEL - wallet.ratio))
    return min(lendable_base(book, terms), Decimal(repr(bearable)) / price)

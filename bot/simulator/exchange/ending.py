"""Markets that end at an announced time: what is still held there is settled, open orders are cancelled.

A perpetual's position is closed at the mark, with the taker commission. Coins stay in the wallet, where nobody buys
them any more; what is owed of them the venue buys back itself, as margin trading ends with the spot.
"""

from collections.abc import Iterator

from bot.simulator.exchange.accounts import MARGIN_ASSET, Account
from bot.simulator.exchange.booking import cover_bankruptcy, end_order
from bot.simulator.exchange.liquidation import buy_back, close_at_mark
from bot.simulator.exchange.state import State
from bot.simulator.model import Book, Listing, Status

SETTLEMENT = "settlement_autoclose-"
"""Client ids of the orders by which the venue closes what is held when a perpetual ends begin so."""


def first_end_ms(state: State) -> int | None:
    """When the first market ends, or has ended, in which somebody holds, owes or bids something."""
    concerned = (listing for account in state.accounts.values() for listing in _concerned(state, account))
    return min((listing.ends_ms for listing in concerned if listing.ends_ms), default=None)


def end_markets(state: State, at_ms: int) -> None:
    """Whatever is held, owed or bid where a market has ended."""
    for account in state.accounts.values():
        for listing in [one for one in _concerned(state, account) if one.ended_at(at_ms)]:
            _end(state, account, listing, at_ms)


def _concerned(state: State, account: Account) -> Iterator[Listing]:
    places = {(Book.PERP, symbol): None for symbol in account.holdings}
    places |= {(order.request.book, order.request.symbol): None for order in account.open.values()}
    places |= {(Book.SPOT, asset + MARGIN_ASSET): None for asset in sorted(account.margin.owed)}
    return (state.listings[place] for place in places)


def _end(state: State, account: Account, listing: Listing, at_ms: int) -> None:
    place = listing.book, listing.symbol
    for order in [o for o in account.open.values() if (o.request.book, o.request.symbol) == place]:
        end_order(state, account, order, Status.CANCELED, at_ms)
    if listing.book is Book.PERP and listing.symbol in account.holdings:
        close_at_mark(state, account, listing.symbol, at_ms, SETTLEMENT)
        cover_bankruptcy(state, account, at_ms)
    elif listing.book is Book.SPOT and account.margin.owed.get(listing.base_asset):
        buy_back(state, account, listing.base_asset, at_ms)
    state.tell_balances(account, "ORDER", at_ms)

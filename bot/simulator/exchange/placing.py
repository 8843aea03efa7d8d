"""A new order from request to trades: the venue's checks in the venue's order, then matching and booking."""

from dataclasses import replace
from decimal import Decimal

from bot.simulator.exchange import lending
from bot.simulator.exchange.accounts import Account
from bot.simulator.exchange.booking import book_fill, cover_bankruptcy, end_order, lock_rest
from bot.simulator.exchange.faults import FaultKind
from bot.simulator.exchange.filters import check_perp, check_spot, market_limit
from bot.simulator.exchange.margin import check_margin
from bot.simulator.exchange.matching import Fill, Taking, take
from bot.simulator.exchange.money import ZERO, to_step, truncated
from bot.simulator.exchange.state import State
from bot.simulator.model import (
    Book,
    Listing,
    Order,
    OrderRequest,
    OrderType,
    Side,
    Status,
    TimeInForce,
    Top,
    Trade,
    VenueError,
)

# The venue's assumption for the margin of a market buy: the best ask and 0.05 % on top.
_MARKET_BUY_MARKUP = Decimal("1.0005")
_MARKET = frozenset({OrderType.MARKET})
_NEVER_RESTS = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def place(state: State, account: Account, request: OrderRequest, at_ms: int) -> tuple[Order, list[Trade]]:
    """Raises VenueError, and then nothing has changed but the counters of faults."""
    listing = state.listing(request.book, request.symbol)
    if not listing.open_at(at_ms):
        raise _closed(request.book)
    share = _injected(state, account, request, at_ms)
    top = state.market.top(request.book, request.symbol, at_ms)
    mark = ZERO
    if request.book is Book.SPOT:
        check_spot(listing, request, top)
    else:
        mark = state.mark(request.symbol, at_ms)
        check_perp(listing, request, mark, top)
    _check_client_id(account, request)
    _check_post_only(request, top)
    cap = min(request.quantity if share is None else to_step(request.quantity * share, listing.lot), request.quantity)
    if request.book is Book.PERP:
        if request.reduce_only:
            cap = min(cap, _closable(account, request))
        else:
            check_margin(state, account, request, _margin_price(request, top), mark, at_ms)
    fills = _match(state, listing, request, cap, mark, at_ms)
    if request.margin:
        _check_loan(state, account, listing, request, fills, at_ms)
    elif request.book is Book.SPOT:
        _check_funds(account, listing, request, fills)
    return _execute(state, account, listing, request, fills, at_ms)


def _closed(book: Book) -> VenueError:
    if book is Book.SPOT:
        return VenueError(-1013, "Market is closed.")
    return VenueError(-4141, "Symbol is closed.")


def _injected(state: State, account: Account, request: OrderRequest, at_ms: int) -> Decimal | None:
    """Raises the VenueError of a `reject` fault; returns the share that a `partial_fill` leaves, or None."""
    share: Decimal | None = None
    for fault in state.faults.placing(account.api_key, request, at_ms):
        if fault.kind is FaultKind.REJECT:
            given = fault.parameters
            raise VenueError(given["code"], given["message"], given["http_status"])
        share = Decimal(str(fault.parameters["fraction"]))
    return share


def _check_client_id(account: Account, request: OrderRequest) -> None:
    """Client ids are unique among open orders only: the id of a filled order buys again, as at the venue.

    USD-M remembers ids for a short time longer than the order is open; the venue does not say how long, so
    here, to be the harder counterpart, it forgets them at once. Ids are checked across symbols of a book.
    """
    if request.client_id and (request.book, request.client_id) in account.open_clients:
        if request.book is Book.SPOT:
            raise VenueError(-2010, "Duplicate order sent.")
        raise VenueError(-4116, "ClientOrderId is duplicated.")


def _check_post_only(request: OrderRequest, top: Top) -> None:
    if request.type in _MARKET or request.time_in_force is not TimeInForce.POST_ONLY or request.price is None:
        return
    buying = request.side is Side.BUY
    takes = (0 < top.ask <= request.price) if buying else (request.price <= top.bid)
    if takes and request.book is Book.SPOT:
        raise VenueError(-2010, "Order would immediately match and take.")
    if takes:
        raise VenueError(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected. "
            "The order will not be recorded in the order history",
        )


def _closable(account: Account, request: OrderRequest) -> Decimal:
    """What a reduce-only order may fill: the position less what open reduce-only orders will close.

    A larger quantity is accepted and only this much of it can fill. Raises VenueError -2022 for nothing.
    """
    position = account.position_quantity(request.symbol)
    facing = position < 0 if request.side is Side.BUY else position > 0
    closable = abs(position) - account.reducing_open(request.symbol, request.side) if facing else ZERO
    if closable <= 0:
        raise VenueError(-2022, "ReduceOnly Order is rejected.")
    return closable


def _margin_price(request: OrderRequest, top: Top) -> Decimal:
    if request.type in _MARKET or request.price is None:
        return top.ask * _MARKET_BUY_MARKUP if request.side is Side.BUY else top.bid
    return request.price if request.side is Side.BUY else max(request.price, top.bid)


def _match(
    state: State, listing: Listing, request: OrderRequest, cap: Decimal, mark: Decimal, at_ms: int
) -> list[Fill]:
    """The fills of the taking part, best first. Raises VenueError -5021 for an unfillable USD-M FOK."""
    if request.type in _MARKET:
        limit = market_limit(listing, request.side, mark) if request.book is Book.PERP else None
    elif request.time_in_force is TimeInForce.POST_ONLY:
        return []
    else:
        limit = request.price
    fills: list[Fill] = []
    if cap > 0:
        taking = Taking(request.book, request.symbol, request.side, cap, limit, listing.lot)
        fills = take(state.market, state.consumption, taking, at_ms)
    if request.time_in_force is TimeInForce.FOK and request.type not in _MARKET:
        if sum((f.quantity for f in fills), ZERO) == request.quantity:
            return fills
        if request.book is Book.PERP:
            raise VenueError(
                -5021,
                "Due to the order could not be filled immediately, the FOK order has been rejected. "
                "The order will not be recorded in the order history",
            )
        return []
    return fills


def _check_funds(account: Account, listing: Listing, request: OrderRequest, fills: list[Fill]) -> None:
    if request.side is Side.SELL:
        asset, needed = listing.base_asset, request.quantity
    elif request.type in _MARKET or request.price is None:
        asset = listing.quote_asset
        needed = sum((truncated(f.price * f.quantity) for f in fills), ZERO)
    else:
        asset, needed = listing.quote_asset, request.price * request.quantity
    if needed > account.amounts(Book.SPOT, asset)[0]:
        raise VenueError(-2010, "Account has insufficient balance for requested action.")


def _check_loan(
    state: State, account: Account, listing: Listing, request: OrderRequest, fills: list[Fill], at_ms: int
) -> None:
    """Raises VenueError -1116 for an order that could rest (the margin wallet takes only), else as `lending` says."""
    if request.book is not Book.SPOT or not (request.type in _MARKET or request.time_in_force in _NEVER_RESTS):
        raise VenueError(-1116, "Invalid orderType.")
    if request.side is Side.SELL:
        lending.check_sale(state, account, listing, request.quantity, at_ms)
    else:
        lending.check_purchase(account, listing, sum((truncated(f.price * f.quantity) for f in fills), ZERO))


def _execute(
    state: State, account: Account, listing: Listing, request: OrderRequest, fills: list[Fill], at_ms: int
) -> tuple[Order, list[Trade]]:
    order_id = state.next_order_id()
    if not request.client_id:
        request = replace(request, client_id=f"venue-{order_id}")
    order = Order(order_id, request, Status.NEW, at_ms, at_ms)
    state.journal.orders[order.id] = (account.api_key, order)
    state.tell_order(account, order, at_ms)
    trades = []
    for fill in fills:
        trade = book_fill(state, account, order, fill, at_ms, maker=False, resting=False)
        state.tell_order(account, order, at_ms, trade)
        trades.append(trade)
    if trades:
        taken = sum((t.quantity for t in trades), ZERO)
        state.consumption.add(request.book, request.symbol, request.side, at_ms, taken)
    if order.status is not Status.FILLED:
        if request.type in _MARKET or request.time_in_force in _NEVER_RESTS:
            end_order(state, account, order, Status.EXPIRED, at_ms)
        elif request.book is Book.SPOT:
            lock_rest(account, listing, order)
    account.remember(order)
    cover_bankruptcy(state, account, at_ms)
    state.tell_balances(account, "ORDER", at_ms)
    return order, trades

"""Signed USD-M endpoints about orders and trades, /fapi."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Listing, Order, Side, Status, Trade, VenueError
from bot.simulator.wire.api import Call, Endpoint, Security, Table
from bot.simulator.wire.futures_rest import needed_listing
from bot.simulator.wire.history import WEEK_MS, pick_recent
from bot.simulator.wire.orders import average_price, order_reference, read_futures_order
from bot.simulator.wire.rehearsal import rehearse
from bot.simulator.wire.shapes import fixed, places_of, price_text, quantity_text, time_in_force_text
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

SELF_TRADE_MODE = "EXPIRE_MAKER"
_ZERO = Decimal(0)


def new_order(sim: Simulation, call: Call) -> Any:
    """ACK (the default) shows the order as it entered the book; RESULT shows what became of it."""
    request = read_futures_order(sim, call.params)
    order, _ = sim.place(call.api_key, request)
    listing = sim.listing(Book.PERP, request.symbol)
    acknowledged = call.params.text("newOrderRespType") != "RESULT"
    return _new_order_row(listing, order, as_new=acknowledged)


def check_order(sim: Simulation, call: Call) -> Any:
    request = read_futures_order(sim, call.params)
    rehearse(sim, call.api_key, request)
    listing = sim.listing(Book.PERP, request.symbol)
    order = Order(0, request, Status.NEW, sim.now_ms, sim.now_ms)
    return _new_order_row(listing, order, as_new=True)


def _new_order_row(listing: Listing, order: Order, *, as_new: bool) -> dict[str, Any]:
    row = order_row(listing, order, as_new=as_new)
    del row["time"]
    row["cumQty"] = row["executedQty"]
    return row


def order_row(listing: Listing, order: Order, *, as_new: bool = False) -> dict[str, Any]:
    request = order.request
    filled = _ZERO if as_new else order.filled
    quote = _ZERO if as_new else order.filled_quote
    return {
        "orderId": order.id,
        "symbol": request.symbol,
        "status": Status.NEW.value if as_new else order.status.value,
        "clientOrderId": request.client_id,
        "price": price_text(listing, request.price or _ZERO),
        "avgPrice": average_text(listing, quote, filled),
        "origQty": quantity_text(listing, request.quantity),
        "executedQty": quantity_text(listing, filled),
        "cumQuote": fixed(quote),
        "timeInForce": time_in_force_text(Book.PERP, request.type, request.time_in_force),
        "type": request.type.value,
        "reduceOnly": request.reduce_only,
        "closePosition": False,
        "side": request.side.value,
        "positionSide": "BOTH",
        "stopPrice": price_text(listing, _ZERO),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": request.type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": SELF_TRADE_MODE,
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def average_text(listing: Listing, filled_quote: Decimal, filled: Decimal) -> str:
    """The venue writes the average with more decimals than the tick once something is filled."""
    places = places_of(listing.tick)
    return fixed(average_price(filled_quote, filled), max(places, 2) + (3 if filled else 0))


def query_order(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    order_id, client_id = order_reference(call.params)
    return order_row(listing, sim.exchange.order(call.api_key, Book.PERP, listing.symbol, order_id, client_id))


def query_open_order(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    order_id, client_id = order_reference(call.params)
    order = sim.exchange.order(call.api_key, Book.PERP, listing.symbol, order_id, client_id)
    if order.status not in {Status.NEW, Status.PARTIALLY_FILLED}:
        raise VenueError(-2013, "Order does not exist.")
    return order_row(listing, order)


def cancel_order(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    order_id, client_id = order_reference(call.params)
    order = sim.cancel(call.api_key, Book.PERP, listing.symbol, order_id, client_id)
    row = order_row(listing, order)
    del row["time"]
    row["cumQty"] = row["executedQty"]
    return row


def cancel_all_open(sim: Simulation, call: Call) -> Any:
    sim.cancel_all(call.api_key, Book.PERP, needed_listing(sim, call.params).symbol)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def countdown_cancel_all(sim: Simulation, call: Call) -> Any:
    """Dead-man switch on wall time, per symbol; 0 disarms it."""
    listing = needed_listing(sim, call.params)
    countdown_ms = call.params.integer("countdownTime")
    if countdown_ms is None:
        call.params.need("countdownTime")
    sim.touch()
    if countdown_ms:
        sim.countdowns[call.api_key, listing.symbol] = sim.wall_ms() + countdown_ms
    else:
        sim.countdowns.pop((call.api_key, listing.symbol), None)
    return {"symbol": listing.symbol, "countdownTime": str(countdown_ms or 0)}


def open_orders(sim: Simulation, call: Call) -> Any:
    symbol = call.params.symbol_text()
    if symbol is not None:
        sim.listing(Book.PERP, symbol)
    found = sim.exchange.open_orders(call.api_key, Book.PERP, symbol)
    return [order_row(sim.listing(Book.PERP, o.request.symbol), o) for o in found]


def all_orders(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    rows: Sequence[Order] = sim.exchange.all_orders(call.api_key, Book.PERP, listing.symbol)
    first_id, limit = call.params.integer("orderId"), call.params.limit(500, 1_000)
    window = _week_window(sim, call)
    if first_id is not None:
        chosen: Sequence[Order] = [o for o in rows if o.id >= first_id][:limit]
    else:
        chosen = pick_recent(rows, lambda o: o.created_ms, window, limit, sim.now_ms)
    return [order_row(listing, order) for order in chosen]


def user_trades(sim: Simulation, call: Call) -> Any:
    listing = needed_listing(sim, call.params)
    rows: Sequence[Trade] = sim.exchange.trades(call.api_key, Book.PERP, listing.symbol)
    order_id, from_id = call.params.integer("orderId"), call.params.integer("fromId")
    limit, window = call.params.limit(500, 1_000), _week_window(sim, call)
    if order_id is not None:
        chosen: Sequence[Trade] = [t for t in rows if t.order_id == order_id][-limit:]
    elif from_id is not None:
        chosen = [t for t in rows if t.id >= from_id][:limit]
    else:
        chosen = pick_recent(rows, lambda t: t.at_ms, window, limit, sim.now_ms)
    return [_trade_row(listing, trade) for trade in chosen]


def _trade_row(listing: Listing, trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "side": trade.side.value,
        "price": price_text(listing, trade.price),
        "qty": quantity_text(listing, trade.quantity),
        "realizedPnl": fixed(trade.realized_pnl),
        "marginAsset": QUOTE_ASSET,
        "quoteQty": fixed(trade.quote_quantity),
        "commission": fixed(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "positionSide": "BOTH",
        "buyer": trade.side is Side.BUY,
        "maker": trade.maker,
    }


def _week_window(_sim: Simulation, call: Call) -> tuple[int | None, int | None]:
    start_ms, end_ms = call.params.window()
    if start_ms is not None and end_ms is not None and end_ms - start_ms > WEEK_MS:
        raise VenueError(-4165, "Invalid time interval: the time range must be at most 7 days.")
    return start_ms, end_ms


_SIGNED = Security.SIGNED

TABLE: Table = {
    ("POST", "/fapi/v1/order"): Endpoint(new_order, _SIGNED, 0, places_order=True),
    ("POST", "/fapi/v1/order/test"): Endpoint(check_order, _SIGNED),
    ("GET", "/fapi/v1/order"): Endpoint(query_order, _SIGNED),
    ("DELETE", "/fapi/v1/order"): Endpoint(cancel_order, _SIGNED),
    ("GET", "/fapi/v1/openOrder"): Endpoint(query_open_order, _SIGNED),
    ("GET", "/fapi/v1/openOrders"): Endpoint(open_orders, _SIGNED, lambda p: 1 if p.text("symbol") else 40),
    ("DELETE", "/fapi/v1/allOpenOrders"): Endpoint(cancel_all_open, _SIGNED),
    ("GET", "/fapi/v1/allOrders"): Endpoint(all_orders, _SIGNED, 5),
    ("GET", "/fapi/v1/userTrades"): Endpoint(user_trades, _SIGNED, 5),
    ("POST", "/fapi/v1/countdownCancelAll"): Endpoint(countdown_cancel_all, _SIGNED, 10),
}

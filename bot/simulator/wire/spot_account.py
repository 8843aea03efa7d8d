"""Signed spot endpoints, /api/v3: orders, trades, balances, and the listen keys of the private stream."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Listing, Order, Trade, VenueError
from bot.simulator.wire.api import Call, Endpoint, Security, Table, known
from bot.simulator.wire.history import pick
from bot.simulator.wire.orders import cancel_id, order_reference, read_spot_order
from bot.simulator.wire.params import Params
from bot.simulator.wire.rehearsal import rehearse
from bot.simulator.wire.shapes import fixed, order_type_text, price_text, quantity_text, time_in_force_text
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

DAY_MS = 86_400_000
SELF_TRADE_MODE = "EXPIRE_MAKER"
_ZERO = Decimal(0)


def new_order(sim: Simulation, call: Call) -> Any:
    request = read_spot_order(sim, call.params)
    order, trades = sim.place(call.api_key, request)
    listing = sim.listing(Book.SPOT, request.symbol)
    default = "FULL" if call.params.text("type") in {"LIMIT", "MARKET"} else "ACK"
    wanted = call.params.text("newOrderRespType") or default
    if wanted == "ACK":
        return _acknowledged(order)
    answer = full_answer(listing, order, trades)
    if wanted != "FULL":
        del answer["fills"]
    return answer


def _acknowledged(order: Order) -> dict[str, Any]:
    return {
        "symbol": order.request.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.request.client_id,
        "transactTime": order.created_ms,
    }


def full_answer(listing: Listing, order: Order, trades: Sequence[Trade]) -> dict[str, Any]:
    """A new order's answer of the type FULL."""
    return {
        **_acknowledged(order),
        **_amounts(listing, order),
        "workingTime": order.created_ms,
        "selfTradePreventionMode": SELF_TRADE_MODE,
        "fills": [_fill(listing, trade) for trade in trades],
    }


def _amounts(listing: Listing, order: Order) -> dict[str, Any]:
    request = order.request
    return {
        "price": price_text(listing, request.price or _ZERO),
        "origQty": quantity_text(listing, request.quantity),
        "executedQty": quantity_text(listing, order.filled),
        "origQuoteOrderQty": fixed(_ZERO),
        "cummulativeQuoteQty": fixed(order.filled_quote),
        "status": order.status.value,
        "timeInForce": time_in_force_text(Book.SPOT, request.type, request.time_in_force),
        "type": order_type_text(Book.SPOT, request.type, request.time_in_force),
        "side": request.side.value,
    }


def _fill(listing: Listing, trade: Trade) -> dict[str, Any]:
    return {
        "price": price_text(listing, trade.price),
        "qty": quantity_text(listing, trade.quantity),
        "commission": fixed(trade.fee),
        "commissionAsset": trade.fee_asset,
        "tradeId": trade.id,
    }


def check_order(sim: Simulation, call: Call) -> Any:
    """order/test: everything is checked against a copy of the exchange, nothing is kept."""
    request = read_spot_order(sim, call.params)
    rehearse(sim, call.api_key, request)
    if not call.params.boolean("computeCommissionRates"):
        return {}
    maker, taker = sim.exchange.fee_rates(call.api_key, Book.SPOT, request.symbol)
    return {
        "standardCommissionForOrder": {"maker": fixed(maker), "taker": fixed(taker)},
        "taxCommissionForOrder": {"maker": fixed(_ZERO), "taker": fixed(_ZERO)},
        "discount": _no_discount(),
    }


def query_order(sim: Simulation, call: Call) -> Any:
    listing = _needed_listing(sim, call.params)
    order_id, client_id = order_reference(call.params)
    order = sim.exchange.order(call.api_key, Book.SPOT, listing.symbol, order_id, client_id)
    if order.request.margin:
        raise VenueError(-2013, "Order does not exist.")
    return order_row(listing, order)


def order_row(listing: Listing, order: Order) -> dict[str, Any]:
    return {
        "symbol": order.request.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.request.client_id,
        **_amounts(listing, order),
        "stopPrice": fixed(_ZERO),
        "icebergQty": fixed(_ZERO),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
        "selfTradePreventionMode": SELF_TRADE_MODE,
    }


def cancel_order(sim: Simulation, call: Call) -> Any:
    listing = _needed_listing(sim, call.params)
    order_id, client_id = order_reference(call.params)
    order = sim.cancel(call.api_key, Book.SPOT, listing.symbol, order_id, client_id)
    return _cancel_row(listing, order, call.params.text("newClientOrderId"))


def cancel_open_orders(sim: Simulation, call: Call) -> Any:
    listing = _needed_listing(sim, call.params)
    orders = sim.cancel_all(call.api_key, Book.SPOT, listing.symbol)
    if not orders:
        raise VenueError(-2011, "Unknown order sent.")
    return [_cancel_row(listing, order, None) for order in orders]


def _cancel_row(listing: Listing, order: Order, wanted_id: str | None) -> dict[str, Any]:
    return {
        "symbol": order.request.symbol,
        "origClientOrderId": order.request.client_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": cancel_id(order.id, wanted_id),
        "transactTime": order.updated_ms,
        **_amounts(listing, order),
        "selfTradePreventionMode": SELF_TRADE_MODE,
    }


def open_orders(sim: Simulation, call: Call) -> Any:
    symbol = call.params.symbol_text()
    if symbol is not None:
        sim.listing(Book.SPOT, symbol)
    found = sim.exchange.open_orders(call.api_key, Book.SPOT, symbol)
    return [order_row(sim.listing(Book.SPOT, o.request.symbol), o) for o in found]


def all_orders(sim: Simulation, call: Call) -> Any:
    listing = _needed_listing(sim, call.params)
    every = sim.exchange.all_orders(call.api_key, Book.SPOT, listing.symbol)
    rows: Sequence[Order] = [order for order in every if not order.request.margin]
    start_ms, end_ms = _day_window(call.params)
    first_id, limit = call.params.integer("orderId"), call.params.limit(500, 1_000)
    if first_id is not None:
        chosen: Sequence[Order] = [o for o in rows if o.id >= first_id][:limit]
    else:
        chosen = pick(rows, lambda o: o.created_ms, start_ms, end_ms, limit)
    return [order_row(listing, order) for order in chosen]


def my_trades(sim: Simulation, call: Call) -> Any:
    listing = _needed_listing(sim, call.params)
    every = sim.exchange.trades(call.api_key, Book.SPOT, listing.symbol)
    rows: Sequence[Trade] = [trade for trade in every if not trade.margin]
    order_id, from_id = call.params.integer("orderId"), call.params.integer("fromId")
    start_ms, end_ms = _day_window(call.params)
    limit = call.params.limit(500, 1_000)
    if order_id is not None:
        rows = [t for t in rows if t.order_id == order_id]
    if from_id is not None:
        chosen: Sequence[Trade] = [t for t in rows if t.id >= from_id][:limit]
    else:
        chosen = pick(rows, lambda t: t.at_ms, start_ms, end_ms, limit)
    return [trade_row(listing, trade) for trade in chosen]


def trade_row(listing: Listing, trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": price_text(listing, trade.price),
        "qty": quantity_text(listing, trade.quantity),
        "quoteQty": fixed(trade.quote_quantity),
        "commission": fixed(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side.value == "BUY",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def account(sim: Simulation, call: Call) -> Any:
    listings = sim.listings(Book.SPOT)
    maker, taker = sim.exchange.fee_rates(call.api_key, Book.SPOT, listings[0].symbol)
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": fixed(maker),
            "taker": fixed(taker),
            "buyer": fixed(_ZERO),
            "seller": fixed(_ZERO),
        },
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": sim.now_ms,
        "accountType": "SPOT",
        "balances": _balances(sim, call, omit_zero=call.params.boolean("omitZeroBalances")),
        "permissions": ["SPOT"],
        "uid": 354937868,
    }


def _balances(sim: Simulation, call: Call, *, omit_zero: bool) -> list[dict[str, str]]:
    wallet = sim.exchange.wallet(call.api_key, Book.SPOT)
    rows = []
    for asset in dict.fromkeys([*spot_assets(sim), *sorted(wallet)]):
        free, locked = wallet.get(asset, (_ZERO, _ZERO))
        if free or locked or not omit_zero:
            rows.append({"asset": asset, "free": fixed(free), "locked": fixed(locked)})
    return rows


def spot_assets(sim: Simulation) -> list[str]:
    return [QUOTE_ASSET, *sorted({x.base_asset for x in sim.listings(Book.SPOT)} - {QUOTE_ASSET})]


def commission(sim: Simulation, call: Call) -> Any:
    listing = _needed_listing(sim, call.params)
    maker, taker = sim.exchange.fee_rates(call.api_key, Book.SPOT, listing.symbol)
    none = {"maker": fixed(_ZERO), "taker": fixed(_ZERO), "buyer": fixed(_ZERO), "seller": fixed(_ZERO)}
    return {
        "symbol": listing.symbol,
        "standardCommission": {**none, "maker": fixed(maker), "taker": fixed(taker)},
        "specialCommission": none,
        "taxCommission": none,
        "discount": _no_discount(),
    }


def _no_discount() -> dict[str, Any]:
    return {
        "enabledForAccount": False,
        "enabledForSymbol": True,
        "discountAsset": "BNB",
        "discount": "0.75000000",
    }


def order_limits(_sim: Simulation, _call: Call) -> Any:
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100, "count": 0},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000, "count": 0},
    ]


def open_stream(sim: Simulation, call: Call) -> Any:
    sim.touch()
    return {"listenKey": sim.listen_keys.create(call.api_key, Book.SPOT).text}


def keep_stream(sim: Simulation, call: Call) -> Any:
    sim.touch()
    sim.listen_keys.extend(call.api_key, Book.SPOT, call.params.need("listenKey"))
    return {}


def close_stream(sim: Simulation, call: Call) -> Any:
    sim.touch()
    sim.listen_keys.close(call.api_key, Book.SPOT, call.params.need("listenKey"))
    return {}


def _needed_listing(sim: Simulation, params: Params) -> Listing:
    return sim.listing(Book.SPOT, params.symbol_text() or params.need("symbol"))


def _day_window(params: Params) -> tuple[int | None, int | None]:
    start_ms, end_ms = params.window()
    if start_ms is not None and end_ms is not None and end_ms - start_ms > DAY_MS:
        raise VenueError(-1127, "More than 24 hours between startTime and endTime.")
    return start_ms, end_ms


_ORDER = known(
    "symbol", "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price", "newClientOrderId",
    "newOrderRespType", "selfTradePreventionMode", "strategyId", "strategyType",
)  # fmt: skip
_REFERENCE = known("symbol", "orderId", "origClientOrderId")
_PAGE = known("symbol", "orderId", "startTime", "endTime", "limit")
_SIGNED = Security.SIGNED

TABLE: Table = {
    ("POST", "/api/v3/order"): Endpoint(new_order, _SIGNED, 1, _ORDER, places_order=True),
    ("POST", "/api/v3/order/test"): Endpoint(check_order, _SIGNED, 1, _ORDER | known("computeCommissionRates")),
    ("GET", "/api/v3/order"): Endpoint(query_order, _SIGNED, 4, _REFERENCE),
    ("DELETE", "/api/v3/order"): Endpoint(
        cancel_order, _SIGNED, 1, _REFERENCE | known("newClientOrderId", "cancelRestrictions")
    ),
    ("GET", "/api/v3/openOrders"): Endpoint(
        open_orders, _SIGNED, lambda p: 6 if p.text("symbol") else 80, known("symbol")
    ),
    ("DELETE", "/api/v3/openOrders"): Endpoint(cancel_open_orders, _SIGNED, 1, known("symbol")),
    ("GET", "/api/v3/allOrders"): Endpoint(all_orders, _SIGNED, 20, _PAGE),
    ("GET", "/api/v3/myTrades"): Endpoint(my_trades, _SIGNED, 20, _PAGE | known("fromId")),
    ("GET", "/api/v3/account"): Endpoint(account, _SIGNED, 20, known("omitZeroBalances")),
    ("GET", "/api/v3/account/commission"): Endpoint(commission, _SIGNED, 20, known("symbol")),
    ("GET", "/api/v3/rateLimit/order"): Endpoint(order_limits, _SIGNED, 40, known()),
    ("POST", "/api/v3/userDataStream"): Endpoint(open_stream, Security.KEY, 2, known()),
    ("PUT", "/api/v3/userDataStream"): Endpoint(keep_stream, Security.KEY, 2, known("listenKey")),
    ("DELETE", "/api/v3/userDataStream"): Endpoint(close_stream, Security.KEY, 2, known("listenKey")),
}

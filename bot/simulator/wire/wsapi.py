"""The websocket API (ws-api.binance.com): user data subscriptions, and REST endpoints called over a socket.

A method such as `order.place` runs the handler of its REST endpoint, so both ways behave alike. Session logon
needs Ed25519 keys at the venue, which the simulator's accounts do not have; signatures per call work.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.simulator.model import Book, VenueError
from bot.simulator.wire.api import Call, Endpoint, Security
from bot.simulator.wire.auth import check_signed_call, identify
from bot.simulator.wire.connection import Connection
from bot.simulator.wire.limits import Limiter, LimitExceededError
from bot.simulator.wire.params import Params
from bot.simulator.wire.shapes import encode
from bot.simulator.wire.streams import Hub
from bot.simulator.wire.venue import Simulation

SPOT_METHODS: Mapping[str, tuple[str, str]] = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "klines": ("GET", "/api/v3/klines"),
    "avgPrice": ("GET", "/api/v3/avgPrice"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
    "userDataStream.start": ("POST", "/api/v3/userDataStream"),
    "userDataStream.ping": ("PUT", "/api/v3/userDataStream"),
    "userDataStream.stop": ("DELETE", "/api/v3/userDataStream"),
}
FUTURES_METHODS: Mapping[str, tuple[str, str]] = {
    "ping": ("GET", "/fapi/v1/ping"),
    "time": ("GET", "/fapi/v1/time"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "order.place": ("POST", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
}

Lookup = Callable[[str, str], Endpoint | None]


class WsApi:
    def __init__(self, sim: Simulation, hub: Hub, lookup: Lookup, limiters: Mapping[Book, Limiter]) -> None:
        self._sim = sim
        self._hub = hub
        self._lookup = lookup
        self._limiters = limiters
        self._next_subscription = 0

    async def on_text(self, connection: Connection, text: str) -> None:
        try:
            message = json.loads(text)
            number, method = message.get("id"), message["method"]
            values = {k: _text(v) for k, v in (message.get("params") or {}).items() if v is not None}
        except (ValueError, KeyError, AttributeError, TypeError):
            connection.push(_failure(None, 400, -1000, "Invalid request."))
            return
        try:
            result = self._run(connection, str(method), values)
        except VenueError as error:
            self._sim.settle()
            connection.push(_failure(number, error.http_status, error.code, error.message))
            return
        except LimitExceededError as error:
            connection.push(_failure(number, error.http_status, error.code, error.message))
            return
        self._sim.settle()
        connection.push(
            encode({"id": number, "status": 200, "result": result, "rateLimits": self._usage(connection)})
        )

    def _run(self, connection: Connection, method: str, values: dict[str, str]) -> Any:
        self._sim.step_if_due()
        limiter = self._limiters[connection.book]
        if method in {"userDataStream.subscribe.signature", "userDataStream.subscribe"}:
            limiter.charge(connection.address, 2)
            return self._subscribe(connection, values)
        if method == "userDataStream.unsubscribe":
            return self._unsubscribe(connection, values)
        if method == "session.subscriptions":
            return [{"subscriptionId": number} for number in sorted(connection.account_subscriptions)]
        if method == "session.status":
            return {
                "apiKey": None,
                "authorizedSince": None,
                "connectedSince": None,
                "serverTime": self._sim.wall_ms(),
            }
        methods = SPOT_METHODS if connection.book is Book.SPOT else FUTURES_METHODS
        endpoint = self._lookup(*methods[method]) if method in methods else None
        if endpoint is None:
            raise VenueError(-1020, f"This operation is not supported: {method}.")
        return self._call(connection, endpoint, values)

    def _call(self, connection: Connection, endpoint: Endpoint, values: dict[str, str]) -> Any:
        params, limiter = Params(values), self._limiters[connection.book]
        limiter.charge(connection.address, endpoint.weight_of(params))
        api_key = ""
        if endpoint.security is not Security.NONE:
            credential = identify(values.get("apiKey"))
            api_key = credential.api_key
            if endpoint.security is Security.SIGNED:
                check_signed_call(credential, values, self._sim.wall_ms())
        if endpoint.known is not None:
            params.refuse_unknown(endpoint.known)
        if endpoint.places_order:
            limiter.charge_order(api_key)
        return endpoint.handler(self._sim, Call(params, api_key))

    def _subscribe(self, connection: Connection, values: dict[str, str]) -> Any:
        credential = identify(values.get("apiKey"))
        check_signed_call(credential, values, self._sim.wall_ms())
        number = self._next_subscription
        self._next_subscription += 1
        connection.account_subscriptions[number] = credential.api_key
        self._hub.connections.add(connection)
        return {"subscriptionId": number}

    @staticmethod
    def _unsubscribe(connection: Connection, values: dict[str, str]) -> Any:
        number = values.get("subscriptionId")
        if number is None:
            connection.account_subscriptions.clear()
        elif not number.isdigit() or connection.account_subscriptions.pop(int(number), None) is None:
            raise VenueError(-1128, "Combination of optional parameters invalid.")
        return {}

    def _usage(self, connection: Connection) -> list[dict[str, Any]]:
        limiter = self._limiters[connection.book]
        return [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": limiter.plan.weight_limit,
                "count": limiter.used(connection.address),
            }
        ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _failure(number: Any, http_status: int, code: int, message: str) -> bytes:
    return encode({"id": number, "status": http_status, "error": {"code": code, "msg": message}})

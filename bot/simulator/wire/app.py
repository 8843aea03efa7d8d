"""The server: one handler for every request of every host; REST, sockets and the simulator's own paths."""

import asyncio
import logging
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from bot.simulator.exchange.faults import Fault, FaultKind
from bot.simulator.model import Book, VenueError
from bot.simulator.wire.api import Call, Endpoint, Security
from bot.simulator.wire.auth import check_signed_request, identify
from bot.simulator.wire.connection import Connection
from bot.simulator.wire.control import Control
from bot.simulator.wire.limits import (
    FUTURES_PLAN,
    SAPI_PLAN,
    SPOT_PLAN,
    Limiter,
    LimitExceededError,
)
from bot.simulator.wire.params import Params, parse_pairs
from bot.simulator.wire.routes import SOCKET_BOOKS, Area, area_of, control_path, endpoint_of
from bot.simulator.wire.shapes import encode
from bot.simulator.wire.streams import Hub
from bot.simulator.wire.user_streams import UserStreams
from bot.simulator.wire.venue import Simulation
from bot.simulator.wire.wsapi import WsApi

MARKET_TIME_HEADER = "X-Simulator-Market-Time"
BODY_BYTES_MAX = 1_000_000
log = logging.getLogger("carrybot.simulator")


class Server:
    """Holds the hub and the limiters; `clients` and `last_seen_ns` tell whether anybody is there."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.hub = Hub(sim)
        self.user_streams = UserStreams(sim, self.hub)
        self.stopping = asyncio.Event()
        self.last_seen_ns = sim.monotonic_ns()
        self.clients = 0
        self._limiters = {
            Area.SPOT: Limiter(SPOT_PLAN, sim.wall_ms),
            Area.SAPI: Limiter(SAPI_PLAN, sim.wall_ms),
            Area.FUTURES: Limiter(FUTURES_PLAN, sim.wall_ms),
        }
        self._control = Control(sim, lambda: self.clients, self.stopping.set)
        self._wsapi = WsApi(
            sim,
            self.hub,
            endpoint_of,
            {Book.SPOT: self._limiters[Area.SPOT], Book.PERP: self._limiters[Area.FUTURES]},
        )
        sim.on_reported = self.user_streams.report
        sim.on_stepped = self._on_step

    def application(self) -> web.Application:
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    async def disconnect_all(self) -> None:
        """Closes every websocket, so that the server can shut down at once."""
        for connection in list(self.hub.connections):
            await connection.close()

    def _on_step(self) -> None:
        self.user_streams.expire_keys()
        self.hub.on_step()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.last_seen_ns = self.sim.monotonic_ns()
        area = area_of(request.host, request.path)
        if area is Area.CONTROL:
            return await self._control.answer(request, control_path(request.path))
        if area in SOCKET_BOOKS:
            return await self._socket(request, area)
        if area is None:
            return _json(404, {"code": -5000, "msg": f"Path {request.path}, Method {request.method} is invalid"})
        return await self._rest(request, self._limiters[area])

    # -- REST ---------------------------------------------------------------------------------------------

    async def _rest(self, request: web.Request, limiter: Limiter) -> web.StreamResponse:
        body = (await request.read()).decode("utf-8", "replace")
        query = request.rel_url.raw_query_string
        api_key = request.headers.get("X-MBX-APIKEY", "")
        faults = self._faults_of(request, query, body, api_key)
        refusal = await self._before(request, faults)
        if refusal is not None:
            return refusal
        self.sim.step_if_due()
        response = self._apply(request, limiter, query, body, api_key)
        self.sim.settle()
        lost = await self._after(request, faults)
        return lost or response

    def _faults_of(self, request: web.Request, query: str, body: str, api_key: str) -> list[Fault]:
        if not self.sim.faults.plan.rules():
            return []
        try:
            symbol = parse_pairs(query, body).get("symbol")
        except VenueError:
            symbol = None
        book = Book.PERP if request.path.startswith("/fapi") else Book.SPOT
        return self.sim.faults.of_request(request.path, self.sim.now_ms, request.method, api_key, book, symbol)

    async def _before(self, request: web.Request, faults: list[Fault]) -> web.StreamResponse | None:
        """Faults that strike before the venue has done anything."""
        for fault in faults:
            given = fault.parameters
            if fault.kind is FaultKind.DELAY and given["when"] == "before":
                await asyncio.sleep(given["delay_ms"] / 1e3)
            elif fault.kind is FaultKind.RESET:
                return _reset(request)
            elif fault.kind is FaultKind.RATE_LIMIT_429:
                return self._reply(
                    given["http_status"],
                    {"code": -1003, "msg": "Too many requests; this refusal is an injected fault."},
                    {"Retry-After": str(given["retry_after_s"])},
                )
            elif fault.kind is FaultKind.MAINTENANCE:
                return web.Response(
                    status=given["http_status"],
                    text="<html><body><h1>Service Unavailable</h1></body></html>",
                    content_type="text/html",
                )
        return None

    async def _after(self, request: web.Request, faults: list[Fault]) -> web.StreamResponse | None:
        """Faults that strike when the request was applied and committed."""
        for fault in faults:
            given = fault.parameters
            if fault.kind is FaultKind.DELAY and given["when"] == "after":
                await asyncio.sleep(given["delay_ms"] / 1e3)
            elif fault.kind is FaultKind.REPLY_LOST:
                if given["how"] == "hang":
                    await asyncio.sleep(given["hang_s"])
                if given["how"] in {"hang", "reset"}:
                    return _reset(request)
                if given["how"] == "5xx":
                    return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
                message = (
                    "Unknown error, please check your request or try again later."
                    if request.path.startswith("/fapi")
                    else "Timeout waiting for response from backend server. Send status unknown; execution "
                    "status unknown."
                )
                code = -1000 if request.path.startswith("/fapi") else -1007
                return self._reply(503 if code == -1000 else 408, {"code": code, "msg": message}, {})
        return None

    def _apply(self, request: web.Request, limiter: Limiter, query: str, body: str, api_key: str) -> web.Response:
        address = request.remote or ""
        endpoint = endpoint_of(request.method, request.path)
        headers: dict[str, str] = {}
        try:
            if endpoint is None:
                limiter.charge(address, 1)
                raise VenueError(-5000, f"Path {request.path}, Method {request.method} is invalid", 404)
            params = Params(parse_pairs(query, body))
            used = limiter.charge(address, endpoint.weight_of(params))
            headers |= limiter.weight_headers(used)
            key = self._authenticate(endpoint, query, body, params, api_key)
            if endpoint.places_order:
                limiter.charge_order(key)
                headers |= limiter.order_headers(key)
            return self._reply(200, endpoint.handler(self.sim, Call(params, key)), headers)
        except VenueError as error:
            return self._reply(error.http_status, {"code": error.code, "msg": error.message}, headers)
        except LimitExceededError as error:
            headers |= {"Retry-After": str(error.retry_after_s)} | limiter.weight_headers(limiter.used(address))
            return self._reply(error.http_status, {"code": error.code, "msg": error.message}, headers)

    def _authenticate(self, endpoint: Endpoint, query: str, body: str, params: Params, api_key: str) -> str:
        if endpoint.security is Security.NONE:
            self._refuse_unknown(endpoint, params)
            return ""
        credential = identify(api_key)
        if endpoint.security is Security.SIGNED:
            check_signed_request(credential, query, body, params.raw(), self.sim.wall_ms())
        self._refuse_unknown(endpoint, params)
        return credential.api_key

    @staticmethod
    def _refuse_unknown(endpoint: Endpoint, params: Params) -> None:
        if endpoint.known is not None:
            params.refuse_unknown(endpoint.known)

    def _reply(self, status: int, document: Any, headers: dict[str, str]) -> web.Response:
        headers[MARKET_TIME_HEADER] = str(self.sim.now_ms)
        return _json(status, document, headers)

    # -- sockets ------------------------------------------------------------------------------------------

    async def _socket(self, request: web.Request, area: Area) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False, max_msg_size=1 << 20, compress=False)
        if not socket.can_prepare(request).ok:
            return _json(400, {"code": -1000, "msg": "This host speaks websocket only."})
        faults = self._faults_of(request, request.rel_url.raw_query_string, "", "")
        refusal = await self._before(request, faults)
        if refusal is not None:
            return refusal
        await socket.prepare(request)
        names, combined = _names_of(request)
        connection = Connection(socket, request, SOCKET_BOOKS[area], combined=combined, events=_events_of(request))
        calls = area in {Area.SPOT_WSAPI, Area.FUTURES_WSAPI}
        self.clients += 1
        try:
            self.hub.connections.add(connection)
            if not calls:
                self.hub.join(connection, names)
            on_text = self._wsapi.on_text if calls else self.hub.on_text
            await connection.run(on_text, self.sim.faults.pongs_are_silent)
        finally:
            self.clients -= 1
            self.last_seen_ns = self.sim.monotonic_ns()
            self.hub.drop(connection)
        return socket


def _names_of(request: web.Request) -> tuple[list[str], bool]:
    """Stream names of the URL and whether frames are wrapped: /ws/a/b, /stream?streams=a/b, ?listenKey=k."""
    path = unquote(request.path).strip("/")
    for category in ("market/", "public/", "private/"):
        path = path.removeprefix(category)
    combined = path.startswith("stream")
    names = [name for name in path.split("/")[1:] if name]
    names += [name for name in request.query.get("streams", "").split("/") if name]
    if request.query.get("listenKey"):
        names.append(request.query["listenKey"])
    return names, combined


def _events_of(request: web.Request) -> frozenset[str] | None:
    """What a connection by listen key asks to be told; None: all."""
    events = request.query.get("events")
    return None if events is None else frozenset(events.split("/"))


def _reset(request: web.Request) -> web.StreamResponse:
    """Tears the TCP connection down without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _json(status: int, document: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=encode(document), content_type="application/json", headers=headers or {})

"""The simulator's own host, `simulator.carrybot` (also `/_sim/…` on any host): truth, faults, clock, health.

GET  /health            market_time (UTC ms), speed, paused, connections
GET  /truth             ?key=demo-key; the exchange's own record of the account
GET  /faults            the rules in force and how often each kind fired
POST /faults            one rule, a list of rules, or {"rules": [...]}; answers their ids
DELETE /faults          ?id=N; all rules without an id
GET  /clock, POST /clock   {"speed": 14400, "paused": false}
POST /capital          {"asset": "USDT", "quantity": "5000"}: a deposit; negative: a withdrawal, with "fee"; with
                       "told": false no record says why
POST /grant            {"kind": "REFERRAL_KICKBACK", "quantity": "0.01"}: USDT given by the venue, into perp
POST /permissions      {"unpermitted": ["SOLUSDT"]}: spot symbols that no account may trade, until it ends
POST /transfer         {"quantity": "100", "source": "spot", "target": "perp"}: by the owner's own hand
POST /listen-keys/expire   ends every listen key now
POST /shutdown          saves and ends the process
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from bot.simulator.exchange.faults import FaultRuleError
from bot.simulator.model import Book, VenueError
from bot.simulator.wire.shapes import encode
from bot.simulator.wire.venue import Simulation

DEFAULT_KEY = "demo-key"


class Refusal(Exception):  # noqa: N818
    """A control request that cannot be done; the text says why."""


class Control:
    def __init__(self, sim: Simulation, connections: Callable[[], int], request_stop: Callable[[], None]) -> None:
        self._sim = sim
        self._connections = connections
        self._request_stop = request_stop

    async def answer(self, request: web.Request, path: str) -> web.Response:
        try:
            body = await request.read()
            document = msgspec.json.decode(body) if body else None
            result = self._run(request.method, path, dict(request.query), document)
        except (Refusal, VenueError, FaultRuleError, ArithmeticError, ValueError, TypeError) as error:
            return _reply(400, {"error": str(error)})
        if result is None:
            return _reply(404, {"error": f"nothing at {request.method} {path}"})
        self._sim.settle()
        return _reply(200, result)

    def _run(self, method: str, path: str, query: dict[str, str], document: Any) -> Any | None:
        match method, path:
            case "GET", "/health":
                return {"status": "ok", "connections": self._connections(), **self._clock()}
            case "GET", "/truth":
                return self._truth(query.get("key", DEFAULT_KEY))
            case "GET", "/faults":
                return self._sim.faults.describe()
            case "POST", "/faults":
                return self._add_faults(document)
            case "DELETE", "/faults":
                return self._clear_faults(query.get("id"))
            case "GET", "/clock":
                return self._clock()
            case "POST", "/clock":
                return self._set_clock(document)
            case "POST", "/capital":
                return self._move_capital(document)
            case "POST", "/permissions":
                return self._permit(document)
            case "POST", "/grant":
                return self._grant(document)
            case "POST", "/transfer":
                return self._transfer(document)
            case "POST", "/listen-keys/expire":
                self._sim.touch()
                return {"expired": self._sim.listen_keys.expire_all()}
            case "POST", "/shutdown":
                self._request_stop()
                return {"status": "stopping"}
            case _:
                return None

    def _clock(self) -> dict[str, Any]:
        sim = self._sim
        return {
            "market_time": sim.now_ms,
            "speed": sim.clock.speed,
            "paused": sim.clock.paused,
            "wall_time": sim.wall_ms(),
            "tick_ms": sim.tick_ms,
        }

    def _truth(self, api_key: str) -> dict[str, Any]:
        if api_key not in self._sim.exchange.api_keys:
            raise Refusal(f"no account with key {api_key!r}; known are {', '.join(self._sim.exchange.api_keys)}")
        self._sim.step_if_due()
        facts = self._sim.exchange.truth(api_key, self._sim.now_ms)
        symbols = sorted({symbol for _, symbol in self._sim.market.listings})
        return {**facts, **self._clock(), "history_symbols": symbols}

    def _add_faults(self, document: Any) -> dict[str, Any]:
        rules = document.get("rules", [document]) if isinstance(document, dict) else document
        if not isinstance(rules, list):
            raise Refusal('send one rule, a list of rules, or {"rules": [...]}')
        self._sim.touch()
        return {"ids": self._sim.faults.add(rules)}

    def _clear_faults(self, rule_id: str | None) -> dict[str, Any]:
        self._sim.touch()
        return {"removed": self._sim.faults.clear(None if rule_id is None else [int(rule_id)])}

    def _move_capital(self, document: Any) -> dict[str, Any]:
        given = _object(document, {"asset", "quantity"}, {"fee", "told", "key"})
        quantity, fee = Decimal(str(given["quantity"])), Decimal(str(given.get("fee", 0)))
        told = given.get("told", True)
        if not isinstance(told, bool):
            raise Refusal("told must be true or false")
        asset, key = str(given["asset"]), str(given.get("key", DEFAULT_KEY))
        return {"id": self._sim.move_capital(key, asset, quantity, fee, told=told)}

    def _grant(self, document: Any) -> dict[str, Any]:
        given = _object(document, {"kind", "quantity"}, {"key"})
        kind, key = str(given["kind"]), str(given.get("key", DEFAULT_KEY))
        return {"id": self._sim.grant(key, kind, Decimal(str(given["quantity"])))}

    def _permit(self, document: Any) -> dict[str, Any]:
        symbols = _object(document, {"unpermitted"}, set())["unpermitted"]
        self._sim.unpermitted = frozenset(self._sim.listing(Book.SPOT, str(symbol)).symbol for symbol in symbols)
        return {"unpermitted": sorted(self._sim.unpermitted)}

    def _transfer(self, document: Any) -> dict[str, Any]:
        given = _object(document, {"quantity", "source", "target"}, {"asset", "key"})
        source, target = Book(given["source"]), Book(given["target"])
        asset, key = str(given.get("asset", "USDT")), str(given.get("key", DEFAULT_KEY))
        return {"id": self._sim.transfer(key, asset, Decimal(str(given["quantity"])), source, target)}

    def _set_clock(self, document: Any) -> dict[str, Any]:
        if not isinstance(document, dict) or not set(document) <= {"speed", "paused"}:
            raise Refusal('send {"speed": number, "paused": true or false}, either or both')
        speed, paused = document.get("speed"), document.get("paused")
        if speed is not None and (isinstance(speed, bool) or not isinstance(speed, int | float)):
            raise Refusal("speed must be a number")
        if paused is not None and not isinstance(paused, bool):
            raise Refusal("paused must be true or false")
        self._sim.step()
        self._sim.clock.change(None if speed is None else float(speed), paused=paused)
        self._sim.touch()
        return self._clock()


def _object(document: Any, needed: set[str], allowed: set[str]) -> dict[str, Any]:
    if not isinstance(document, dict) or not needed <= set(document) <= needed | allowed:
        raise Refusal(f"send {', '.join(sorted(needed))}, and if you like {', '.join(sorted(allowed))}")
    return document


def _reply(status: int, document: Any) -> web.Response:
    return web.Response(status=status, body=encode(document), content_type="application/json")

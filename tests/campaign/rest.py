"""The daemon's REST client on the campaign's wire: the real `BinanceRest` with another thing in ccxt's place."""

import asyncio
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import ccxt.async_support as ccxt

from bot.simulator.wire.routes import endpoint_paths
from bot.venues.binance import rest as binance_rest
from bot.venues.binance.rest import BinanceRest
from tests.campaign.answers import CANARY, KEY, Answer, SpoiltError
from tests.campaign.wire import Wire

if TYPE_CHECKING:
    from tests.campaign.life import Life

_VERBS = re.compile(r"^(sapi|fapi|)(Public|Private|public|private|)(V2|V3|)(Get|Post|Delete|Put)(.+)$")
_VERSIONS = {"": "v3", "fapi": "v1", "sapi": "v1"}


_BY_NAME = {(method, re.sub(r"[/-]", "", path).lower()): path for method, path in endpoint_paths()}


@cache
def route(endpoint: str) -> tuple[str, str]:
    """Method and path of one of ccxt's implicit endpoints: fapiPrivateV3GetAccount -> GET /fapi/v3/account."""
    match = _VERBS.match(endpoint)
    assert match is not None, endpoint
    api, _, version, verb, rest = match.groups()
    name = f"{api or 'api'}{version or _VERSIONS[api]}{rest}".lower()
    return verb.upper(), _BY_NAME[verb.upper(), name]


_SPOILT: Mapping[str, tuple[int, Any, str]] = {
    "502": (502, None, "<html>Bad Gateway</html>"),
    "html": (200, None, "<html>Please wait</html>"),
    "garbage": (200, {"unexpected": True}, "{}"),
    "unknown": (503, {"code": -1007, "msg": "Send status unknown; execution status unknown."}, "{}"),
}


class _Caller:
    """What `BinanceRest` takes for a ccxt exchange: each implicit endpoint is a request on the wire."""

    def __init__(self, wire: Wire, life: "Life", budgets: Any, recv_window_ms: int) -> None:
        self.options: dict[str, Any] = {"timeDifference": 0, "recvWindow": recv_window_ms}
        self.apiKey = KEY
        self.budgets = budgets
        self._wire, self._life = wire, life

    def nonce(self) -> int:
        return int(self._wire.world.loop.wall_s() * 1000) - int(self.options["timeDifference"])

    @staticmethod
    def hmac(text: bytes, secret: bytes, algorithm: Any) -> str:
        return str(ccxt.Exchange.hmac(text, secret, algorithm))

    def __getattr__(self, endpoint: str) -> Any:
        async def call(params: Mapping[str, Any]) -> Any:
            return await self._request(endpoint, params)

        return call

    async def _request(self, endpoint: str, params: Mapping[str, Any]) -> Any:
        machine_s, venue_s = self._wire.world.loop.wall_s(), self._wire.wall_ms() / 1000
        stamp_error_s = machine_s - venue_s - self.options["timeDifference"] / 1000
        signed = "rivate" in endpoint or "sapi" in endpoint
        try:
            window_s = self.options["recvWindow"] / 1000
            if signed and not -window_s < stamp_error_s < 1:
                await asyncio.sleep(0.01)
                await self._life.alive()
                answer = Answer(400, {"code": -1021, "msg": "Timestamp is outside of the recvWindow."}, {})
            else:
                given = dict(params)
                if signed:
                    given["recvWindow"] = self.options["recvWindow"]
                answer = await self._wire.request(self._life, binance_rest.api_of(endpoint), *route(endpoint), given)
            body = json.dumps(answer.document) if answer.document is None else "{}"
        except SpoiltError as spoilt:
            status, document, body = _SPOILT[str(spoilt)]
            answer = Answer(status, document, {})
        if answer.status == 0:
            raise ccxt.NetworkError(f"https://api.binance.com/?signature={CANARY}")
        binance_rest._Exchange.handle_errors(
            self,
            answer.status,
            "",
            endpoint,
            "",
            answer.headers,
            body,
            answer.document,
            None,
            None,  # type: ignore[arg-type]
        )
        return answer.document


class RestOfCampaign(BinanceRest):
    """The daemon's REST client; `connect_to` says which venue it reaches."""

    _wire: Wire
    _life: "Life"

    def connect_to(self, wire: Wire, life: "Life") -> None:
        self._wire, self._life = wire, life

    async def open(self) -> None:
        if self._data is None:
            self._data = _Caller(self._wire, self._life, self.budgets, binance_rest.RECV_WINDOW_MS)
            self._orders = _Caller(self._wire, self._life, self.budgets, binance_rest.ORDER_RECV_WINDOW_MS)

    async def close(self) -> None:
        self._data = self._orders = None

"""Binance's REST API through ccxt's implicit endpoints: its signing, hosts and limiter, our errors and numbers.

Two ccxt instances share one HTTP session: `data` with ccxt's own limiter, and `orders` without one, behind a
priority queue (gate.py). Of ccxt's parsing nothing is used, so no markets
are ever loaded (2,100 of them block the loop for 0.4 s): numbers go out as text that we quantised and come
back as the text or exact decimal of the reply. No error leaves this module with a URL or a key in it.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from time import time_ns
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
from asyncio_throttle.throttler import Throttler

from bot.ports import VenueError, VenueRefusedError
from bot.steady import monotonic
from bot.venues.binance.gate import (
    WEIGHT_SHARE_ACCOUNT,
    WEIGHT_SHARE_HISTORY,
    WEIGHT_SHARE_OPENING,
    Api,
    OrderGate,
    Priority,
    WeightBudget,
    stops,
)
from bot.venues.binance.outcomes import AnsweredError, NoAnswerError, NotSentError, RequestError
from bot.venues.transport import Transport, open_session

DATA_SPACING_MS = 25
"""ccxt's limiter: one weight of the USD-M API (2,400 a minute) each 25 ms."""
RECV_WINDOW_MS = 5_000
ORDER_RECV_WINDOW_MS = 1_500
"""A request about an order that arrives later than this after its stamp is refused by the venue. Shorter than the
settle window (2 s), within which "not found" is not believed: what was delayed on its way cannot arrive after it."""
DATA_PATIENCE_S = 90.0
"""How long a data request waits for weight or a ban before it gives up."""
OPENING_WITHIN_S = 0.5
"""How long an order that opens or completes a hedge may wait to be let out. Later it would leave on old prices,
perhaps after a halt: it counts as not sent, and is decided anew."""
ACCOUNT_ENDPOINTS = frozenset(
    {
        "publicGetTime",
        "privateGetAccount",
        "privateGetOpenOrders",
        "sapiGetMarginAccount",
        "sapiGetMarginOpenOrders",
        "fapiPublicGetPremiumIndex",
        "fapiPublicGetFundingRate",
        "fapiPrivateV3GetAccount",
        "fapiPrivateV3GetPositionRisk",
        "fapiPrivateGetOpenOrders",
        "fapiPrivatePostListenKey",
        "fapiPrivatePutListenKey",
    }
)
"""What a reconciliation, the clock and the private streams need: it does not wait for weight as public data does."""
HISTORY_ENDPOINTS = frozenset(
    {
        "privateGetMyTrades",
        "sapiGetAssetTransfer",
        "sapiGetMarginInterestHistory",
        "sapiGetMarginMyTrades",
        "fapiPrivateGetUserTrades",
        "fapiPrivateGetIncome",
    }
)
"""What a reconciliation needs where the account differs from the books."""
FUNDING_ENDPOINTS = frozenset({"fapiPublicGetFundingRate", "fapiPublicGetFundingInfo"})
"""They share 500 requests in five minutes of one IP address, which no header counts. More are answered with 429,
after which no order goes to the USD-M API either."""
FUNDING_REQUESTS, FUNDING_REQUESTS_PUBLIC, FUNDING_WINDOW_S = 450, 360, 300.0
"""Nine tenths, and four fifths of that for the rates of all symbols: the rest is for those that receipts need."""
FUNDING_PATIENCE_S = 30.0
WEIGHT_LIMITS: Mapping[str, int] = {Api.SPOT: 6_000, Api.SAPI: 12_000, Api.PERP: 2_400}
SPOT_ORDER_LIMITS = ((90, 10.0),)
MARGIN_ORDER_LIMITS = ((90, 10.0),)
BORROWING_LIMITS = ((86, 60.0),)
"""Orders that borrow weigh 1,500 of the account's 180,000 a minute: 120 of them, of which four fifths of nine tenths
for what opens. Those that repay weigh 6."""
PERP_ORDER_LIMITS = ((270, 10.0), (1_080, 60.0))
"""Nine tenths of Binance's own: 100 in 10 s; 300 in 10 s and 1,200 a minute."""
TIMESTAMP_REFUSED = -1021


class _Exchange(ccxt.binance):  # type: ignore[misc]
    """ccxt's Binance with raw replies: exact numbers, and errors that keep status, code and Retry-After."""

    budgets: Mapping[str, WeightBudget]

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        """The request leaves now: while it stood in ccxt's own queue, another one's answer may have been a ban."""
        self.budgets[api_of(url)].heed_ban()
        return await super().fetch(url, method, headers, body)

    def on_json_response(self, response_body: str) -> Any:
        return json.loads(response_body, parse_float=Decimal)

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: str,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> None:
        del reason, method, request_headers, request_body
        lower = {name.lower(): value for name, value in headers.items()}
        budget = self.budgets[api_of(url)]
        venue_code, message = _error_in(response)
        budget.observe(lower, code, message, venue_code)
        if 200 <= code < 300 and venue_code is None:
            if response is None:
                raise NoAnswerError(f"HTTP {code} with a body that is not JSON ({len(body)} characters)")
            return
        if venue_code is None and response is None:
            message = body.strip()[:80] if code == 503 and len(body) < 80 else f"no JSON ({len(body)} characters)"
        waits = stops(code, venue_code)
        perp = api_of(url) == Api.PERP
        raise AnsweredError(code, venue_code, message, budget.wait_s(lower, message) if waits else None, perp=perp)


def _error_in(response: Any) -> tuple[int | None, str]:
    """Venue code and message of an error document; (None, "") when it is none."""
    if not isinstance(response, dict):
        return None, ""
    message = str(response.get("msg", ""))[:200]
    try:
        code = int(response["code"])
    except (KeyError, TypeError, ValueError):
        return (-1, message) if response.get("success") is False else (None, message)
    return (code, message) if code < 0 else (None, message)


def api_of(url_or_endpoint: str) -> str:
    """Which weight counter a URL, or the name of one of ccxt's implicit endpoints, belongs to."""
    name, _, _ = url_or_endpoint.partition("?")  # a signature in base 64 may spell anything
    if "fapi" in name:
        return Api.PERP
    return Api.SAPI if "sapi" in name else Api.SPOT


class BinanceRest:
    """Owns the HTTP session and both ccxt instances; `open` before use, `close` after."""

    def __init__(self, api_key: str, secret: str, transport: Transport | None, *, timeout_s: float = 10.0) -> None:
        self._credentials = {"apiKey": api_key, "secret": secret}
        self._transport = transport
        self.timeout_s = timeout_s
        self.budgets = {api: WeightBudget(limit) for api, limit in WEIGHT_LIMITS.items()}
        self._gates = {
            Api.SPOT: OrderGate(self.budgets[Api.SPOT], SPOT_ORDER_LIMITS),
            Api.PERP: OrderGate(self.budgets[Api.PERP], PERP_ORDER_LIMITS),
            Api.SAPI: OrderGate(self.budgets[Api.SAPI], MARGIN_ORDER_LIMITS, BORROWING_LIMITS),
        }
        self._funding: Any = Throttler(FUNDING_REQUESTS, FUNDING_WINDOW_S, 0.1)
        self._funding_public: Any = Throttler(FUNDING_REQUESTS_PUBLIC, FUNDING_WINDOW_S, 0.1)
        self._session: aiohttp.ClientSession | None = None
        self._data: Any = None
        self._orders: Any = None
        self.clock_offset_ms = 0
        """Venue's clock less ours."""
        self._clock_error_ms: int | None = None
        """How far that may be wrong: half of how long the answer took. None before it was measured."""
        self.permit: Callable[[], str | None] = lambda: None
        """Why nothing that changes the account may be signed now; asked right before it is."""
        self.clock_refused = asyncio.Event()
        """Set when the venue refused a time stamp: the offset must be measured again."""

    async def open(self) -> None:
        if self._session is not None:
            return
        _pin_ccxt_logging()
        self._session = open_session(self._transport)
        self._data = self._instance(limited=True)
        self._orders = self._instance(limited=False)

    async def close(self) -> None:
        for instance in (self._data, self._orders):
            if instance is not None:
                await instance.close()
        if self._session is not None:
            await self._session.close()
        self._session = self._data = self._orders = None

    async def data(self, endpoint: str, params: Mapping[str, Any] | None = None) -> Any:
        """A reading request. Raises VenueRefusedError (with the venue's code) or VenueError."""
        try:
            if endpoint in FUNDING_ENDPOINTS:
                await self._admit_funding(public="startTime" in (params or {}) and "symbol" not in (params or {}))
            await self.budgets[api_of(endpoint)].admit(share_of(endpoint), within_s=DATA_PATIENCE_S)
            return await self._call(self._data, endpoint, params)
        except (AnsweredError, NoAnswerError, NotSentError) as error:
            raise as_venue_error(endpoint, error) from None

    async def _admit_funding(self, *, public: bool) -> None:
        try:
            async with asyncio.timeout(FUNDING_PATIENCE_S):
                for throttler in (self._funding_public, self._funding) if public else (self._funding,):
                    await throttler.acquire()
        except TimeoutError:
            raise NotSentError("limit of questions about funding rates: not admitted in time") from None

    async def admit_socket(self) -> None:
        """Returns when the spot websocket API may be connected to: it counts in the spot API's minute, and is banned
        with it. Raises VenueError."""
        try:
            await self.budgets[Api.SPOT].admit(WEIGHT_SHARE_ACCOUNT, within_s=DATA_PATIENCE_S)
        except NotSentError as error:
            raise as_venue_error("websocket API", error) from None

    def socket_refused(self, status: int, error: Mapping[str, Any] | None) -> None:
        """An answer of the spot websocket API: a ban is told as two times instead of a header."""
        try:
            times = (error or {})["data"]
            headers = {"retry-after": str((int(times["retryAfter"]) - int(times["serverTime"])) / 1000)}
        except (KeyError, TypeError, ValueError):
            headers = {}
        self.budgets[Api.SPOT].observe(headers, status, str((error or {}).get("msg", "")))

    async def admit(self, endpoints: Sequence[str], *, priority: Priority, counted: bool) -> None:
        """Returns when requests about orders or transfers may be sent, all of them. Raises NotSentError."""
        opens = priority in (Priority.OPENING, Priority.COMPLETING)
        within_s = min(OPENING_WITHIN_S, self.timeout_s) if opens else self.timeout_s
        apis = [api_of(endpoint) for endpoint in endpoints]
        asked = (self._gates[api].enter(priority, within_s=within_s, counted=counted) for api in apis)
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
        for api in apis:
            self.budgets[api].heed_ban()  # it may have come while another one waited

    async def order(
        self,
        endpoint: str,
        params: Mapping[str, Any],
        *,
        priority: Priority,
        counted: bool = False,
        admitted: bool = False,
    ) -> Any:
        """A request about an order or a transfer. Raises AnsweredError, NoAnswerError or NotSentError.

        One that is `admitted` already leaves at once.
        """
        if not admitted:
            await self.admit([endpoint], priority=priority, counted=counted)
        refused = None if "Get" in endpoint else self.permit()
        if refused is not None:
            raise NotSentError(refused)
        return await self._call(self._orders, endpoint, params)

    async def measure_clock(self) -> int:
        """Venue's wall clock less ours, in milliseconds; signed requests use it from now on.

        A slow answer that allows what is known already changes nothing: it says less than the one before.
        """
        proven_wrong = self.clock_refused.is_set()
        sent_ms, sent_s = time_ns() // 1_000_000, monotonic()
        reply = await self.data("publicGetTime")
        error_ms = int((monotonic() - sent_s) * 500)
        try:
            told_ms = int(reply["serverTime"])
        except (KeyError, TypeError, ValueError):
            raise VenueError("publicGetTime: the reply has no serverTime") from None
        offset_ms = told_ms - (sent_ms + error_ms)
        for budget in self.budgets.values():
            budget.tell_clock(told_ms / 1000 - (sent_s + error_ms / 1000), error_ms / 1000)
        self.clock_refused.clear()
        vague = self._clock_error_ms is not None and error_ms > self._clock_error_ms
        if vague and not proven_wrong and abs(offset_ms - self.clock_offset_ms) <= error_ms:
            return self.clock_offset_ms
        self.clock_offset_ms, self._clock_error_ms = offset_ms, error_ms
        for instance in (self._data, self._orders):
            instance.options["timeDifference"] = -offset_ms
        return offset_ms

    def signed_call(self) -> dict[str, Any]:
        """Parameters of a signed websocket API call without own ones: sorted, joined, then signed as for REST."""
        exchange = self._data
        params = {
            "apiKey": exchange.apiKey,
            "recvWindow": RECV_WINDOW_MS,
            "timestamp": exchange.nonce(),
        }
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        return {**params, "signature": self._signature(text)}

    def _signature(self, text: str) -> str:
        exchange, secret = self._data, str(self._credentials["secret"])
        if "PRIVATE KEY" not in secret:
            return str(exchange.hmac(text.encode(), secret.encode(), hashlib.sha256))
        if len(secret) > 120:
            return str(exchange.rsa(text, secret, "sha256"))
        return str(exchange.eddsa(text.encode(), secret, "ed25519"))

    def _instance(self, *, limited: bool) -> Any:
        recv_window_ms = RECV_WINDOW_MS if limited else ORDER_RECV_WINDOW_MS
        instance = _Exchange(
            {
                **self._credentials,
                "session": self._session,
                "enableRateLimit": limited,
                "rateLimit": DATA_SPACING_MS,
                "timeout": int(self.timeout_s * 1_000),
                "options": {"recvWindow": recv_window_ms, "timeDifference": -self.clock_offset_ms},
            }
        )
        instance.budgets = self.budgets
        return instance

    async def _call(self, instance: Any, endpoint: str, params: Mapping[str, Any] | None) -> Any:
        if instance is None:
            raise NoAnswerError("not connected")
        try:
            return await getattr(instance, endpoint)(dict(params or {}))
        except AnsweredError as error:
            if error.code == TIMESTAMP_REFUSED:
                self.clock_refused.set()
            raise
        except NoAnswerError:
            raise
        except ccxt.ExchangeClosedByUser:
            raise NoAnswerError("connection closed by us") from None
        except (ccxt.BaseError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # ccxt puts the signed URL into the text: only the kind of error is kept
            raise NoAnswerError(type(error).__name__) from None


def share_of(endpoint: str) -> float:
    """How much of the weight may be used when this question goes out."""
    if endpoint in ACCOUNT_ENDPOINTS:
        return WEIGHT_SHARE_ACCOUNT
    return WEIGHT_SHARE_HISTORY if endpoint in HISTORY_ENDPOINTS else WEIGHT_SHARE_OPENING


def as_venue_error(what: str, error: RequestError) -> VenueError:
    """The error of a fetch: with the venue's own code when it gave one, and how long nothing may be asked."""
    if isinstance(error, AnsweredError) and error.code is not None:
        found: VenueError = VenueRefusedError(str(error.code), f"{what}: {error.message}")
    else:
        found = VenueError(f"{what}: {error}")
    if isinstance(error, AnsweredError):
        found.wait_s = error.retry_after_s or 0.0
    elif isinstance(error, NotSentError):
        found.wait_s = error.wait_s
    return found


def _pin_ccxt_logging() -> None:
    """ccxt logs headers with the key at DEBUG, whatever the root level is."""
    logging.getLogger("ccxt").setLevel(logging.CRITICAL)
    logging.getLogger("ccxt.base.exchange").setLevel(logging.CRITICAL)

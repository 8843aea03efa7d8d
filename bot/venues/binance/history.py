"""Binance's public histories, page by page as text: candles of both books and settled funding rates.

Oldest first, from a start, as the REST API pages them. Weights and bans are obeyed by `BinanceRest`; the history of
rates has a limit of its own (500 requests in five minutes for one IP address), of which nine tenths are used.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncio_throttle.throttler import Throttler

from bot.ports import VenueError, VenueRefusedError
from bot.venues.binance.rest import BinanceRest
from bot.venues.transport import Transport

CANDLES_MAX, RATES_MAX = 1_000, 1_000
RATE_REQUESTS, RATE_WINDOW_S = 450, 300.0
QUOTE = "USDT"
UNKNOWN_SYMBOL = "-1121"
_MULTIPLIED = re.compile(r"^(?:1000000|10000|1000|1M)?(?P<coin>[A-Z0-9]+)$")


@dataclass(frozen=True, slots=True)
class Row:
    """One candle (by its opening) or settlement: its time (UTC ms), and its fields as the venue wrote them."""

    at_ms: int
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A coin's perpetual and spot; None where the venue lists none."""

    perp: str | None
    spot: str | None


class BinanceHistory:
    """Public endpoints alone: no key is needed. `open` before use, `close` after. Methods raise VenueError."""

    def __init__(self, transport: Transport | None, *, timeout_s: float = 20.0) -> None:
        self._rest = BinanceRest("", "", transport, timeout_s=timeout_s)
        self._rates = Throttler(RATE_REQUESTS, RATE_WINDOW_S)

    async def open(self) -> None:
        await self._rest.open()

    async def close(self) -> None:
        await self._rest.close()

    async def listing(self) -> dict[str, Listed]:
        """What is listed now, by coin; `1000PEPEUSDT` is PEPE's perpetual."""
        perps = {
            coin: symbol
            for symbol in _symbols(await self._rest.data("fapiPublicGetExchangeInfo"), "PERPETUAL")
            if (coin := _coin(symbol)) is not None
        }
        spots = {
            symbol.removesuffix(QUOTE): symbol
            for symbol in _symbols(await self._rest.data("publicGetExchangeInfo", {"permissions": "SPOT"}), None)
        }
        return {coin: Listed(perps.get(coin), spots.get(coin)) for coin in sorted(perps.keys() | spots.keys())}

    async def market_ms(self, perp: str) -> int:
        """The venue's time, by which a candle is finished or not."""
        reply = await self._rest.data("fapiPublicGetPremiumIndex", {"symbol": perp})
        try:
            return int(reply["time"])
        except (KeyError, TypeError, ValueError):
            raise VenueError("premiumIndex: the reply has no time") from None

    async def candles(self, symbol: str, interval: str, start_ms: int, end_ms: int, *, perp: bool) -> Sequence[Row]:
        """Up to 1,000 candles that open in [start_ms, end_ms]: open, high, low, close, volume."""
        endpoint = "fapiPublicGetKlines" if perp else "publicGetKlines"
        asked = {"symbol": symbol, "interval": interval, "startTime": start_ms, "endTime": end_ms}
        return [
            Row(int(row[0]), tuple(str(field) for field in row[1:6]))
            for row in _list(endpoint, await self._rest.data(endpoint, {**asked, "limit": CANDLES_MAX}))
        ]

    async def rates(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Row]:
        """Up to 1,000 settlements in [start_ms, end_ms]: rate and mark price (empty where the venue has none)."""
        asked = {"symbol": symbol, "startTime": start_ms, "endTime": end_ms, "limit": RATES_MAX}
        async with self._rates:
            reply = await self._rest.data("fapiPublicGetFundingRate", asked)
        return [
            Row(int(row["fundingTime"]), (str(row["fundingRate"]), str(row.get("markPrice") or "")))
            for row in _list("fundingRate", reply)
        ]


def unknown_symbol(error: VenueError) -> bool:
    return isinstance(error, VenueRefusedError) and error.code == UNKNOWN_SYMBOL


def _symbols(reply: Any, contract: str | None) -> list[str]:
    rows = _list("exchangeInfo", reply.get("symbols") if isinstance(reply, dict) else None)
    return [
        str(row["symbol"])
        for row in rows
        if row.get("quoteAsset") == QUOTE and (contract is None or row.get("contractType") == contract)
    ]


def _coin(symbol: str) -> str | None:
    found = _MULTIPLIED.match(symbol.removesuffix(QUOTE))
    return None if found is None else found["coin"]


def _list(what: str, reply: Any) -> list[Any]:
    if not isinstance(reply, list):
        raise VenueError(f"{what}: the reply is no list")
    return reply

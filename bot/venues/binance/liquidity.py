"""Volume, depth near the mid and open interest of instruments, in USD."""

import asyncio
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from bot.domain.instruments import Instrument, Kind
from bot.domain.market import Liquidity
from bot.ports import OrderBook, VenueError
from bot.venues.binance.account import prices
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.listing import decimal
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.symbols import to_base_price, to_base_quantity

DEPTH_BAND = 0.001
"""10 basis points of the mid, on each side."""
DEPTH_LEVELS = 100


class LiquidityReader:
    """Reads both books' order books one by one; ccxt's limiter paces the requests."""

    def __init__(self, rest: BinanceRest) -> None:
        self._rest = rest

    async def fetch(self, instruments: Sequence[Instrument]) -> list[Liquidity]:
        """In the order of `instruments`. Raises VenueError."""
        if not instruments:
            return []
        try:
            volumes = {
                Kind.SPOT: prices(await self._rest.data("publicGetTicker24hr"), "quoteVolume"),
                Kind.PERP: prices(await self._rest.data("fapiPublicGetTicker24hr"), "quoteVolume"),
            }
            marks = prices(await self._rest.data("fapiPublicGetPremiumIndex"), "markPrice")
        except DecodeError as error:
            raise VenueError(f"liquidity: {error}") from None
        found: dict[str, Liquidity] = {}
        for some in _chunks(instruments, 10):
            answers = await asyncio.gather(
                *(self._one(i, volumes[i.kind], marks) for i in some), return_exceptions=True
            )
            for instrument, answer in zip(some, answers, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                found[instrument.id] = answer
        return [found[i.id] for i in instruments]

    async def order_book(self, instrument: Instrument) -> OrderBook:
        """The best `DEPTH_LEVELS` of both sides. Raises VenueError."""
        reply = await self._book(instrument)
        try:
            sides = [
                tuple(
                    (to_base_price(instrument, decimal(price)), to_base_quantity(instrument, decimal(size)))
                    for price, size in reply[side]
                )
                for side in ("bids", "asks")
            ]
        except (DecodeError, KeyError, TypeError, ValueError) as error:
            raise VenueError(f"depth of {instrument.symbol}: {error!r}") from None
        return OrderBook(*sides)

    async def _book(self, instrument: Instrument) -> Any:
        endpoint = "publicGetDepth" if instrument.kind is Kind.SPOT else "fapiPublicGetDepth"
        return await self._rest.data(endpoint, {"symbol": instrument.symbol, "limit": DEPTH_LEVELS})

    async def _one(self, instrument: Instrument, volumes: dict[str, Decimal], marks: dict[str, Decimal]) -> Liquidity:
        symbol = instrument.symbol
        book = await self._book(instrument)
        interest_usd = None
        try:
            if instrument.kind is Kind.PERP:
                reply = await self._rest.data("fapiPublicGetOpenInterest", {"symbol": symbol})
                interest_usd = float(decimal(reply["openInterest"])) * float(marks[symbol])
            return Liquidity(
                instrument=instrument.id,
                volume_usd=float(volumes[symbol]),
                depth_usd=depth_usd(book),
                open_interest_usd=interest_usd,
            )
        except (DecodeError, KeyError, TypeError) as error:
            raise VenueError(f"liquidity of {symbol}: {error!r}") from None


def depth_usd(book: Any) -> float:
    """Value of the thinner side within 10 bps of the mid; 0 for an empty side. Raises DecodeError.

    Where the levels of one request end before the band does, the figure is too small, never too large.
    """
    try:
        bids = [(float(price), float(size)) for price, size in book["bids"]]
        asks = [(float(price), float(size)) for price, size in book["asks"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"depth: {error!r}") from None
    if not bids or not asks:
        return 0.0
    mid = (bids[0][0] + asks[0][0]) / 2
    low, high = mid * (1 - DEPTH_BAND), mid * (1 + DEPTH_BAND)
    return min(
        sum(price * size for price, size in bids if price >= low),
        sum(price * size for price, size in asks if price <= high),
    )


def _chunks(instruments: Iterable[Instrument], size: int) -> Iterable[list[Instrument]]:
    listed = list(instruments)
    return (listed[i : i + size] for i in range(0, len(listed), size))

"""Settled funding rates of Binance USD-M: fetched completely, stamped at their nominal time, kept for joining."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from bot.domain.instruments import Instrument
from bot.domain.market import SettledRate
from bot.domain.time import DAY_MS, nominal_ms
from bot.ports import VenueError
from bot.venues.binance.decode import DecodeError, TimeMs, checked_amount
from bot.venues.binance.listing import DEFAULT_INTERVAL_S
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.rows import convert_list

PAGE = 1_000
PAGES_MAX = 500
KEPT_MS = 9 * DAY_MS
HOURS_ALLOWED = frozenset({1, 2, 4, 6, 8, 12, 24})
_HOUR_S = 3_600


class RateRow(msgspec.Struct):
    """A row of fundingRate; `mark` is empty for the oldest rows."""

    symbol: str
    time_ms: TimeMs = msgspec.field(name="fundingTime")
    rate: Decimal = msgspec.field(name="fundingRate")
    mark: str = msgspec.field(name="markPrice", default="")


@dataclass(frozen=True, slots=True)
class Settled:
    """Rate and mark price (quote per venue unit) of one settlement."""

    rate: Decimal
    mark: Decimal | None


class RateHistory:
    """Fetches settlements and remembers those of the last days, by symbol and nominal time."""

    def __init__(self, rest: BinanceRest) -> None:
        self._rest = rest
        self._kept: dict[str, dict[int, Settled]] = {}

    def find(self, symbol: str, settled_ms: int) -> Settled | None:
        return self._kept.get(symbol, {}).get(settled_ms)

    async def fetch(self, since_ms: int, instruments: Iterable[Instrument], *, each: bool) -> Sequence[SettledRate]:
        """Settlements from `since_ms` on, by symbol and time; `each` asks by symbol, else for all at once.

        Raises VenueError.
        """
        by_symbol = {i.symbol: i for i in instruments}
        wanted: list[str | None] = list(by_symbol) if each else [None]
        rows: dict[str, dict[int, Settled]] = {}
        for symbol in wanted:
            for row in await self._pages(since_ms, symbol):
                if row.symbol in by_symbol:
                    settled = Settled(row.rate, _mark(row.mark))
                    rows.setdefault(row.symbol, {})[nominal_ms(row.time_ms)] = settled
        rates: list[SettledRate] = []
        for symbol, found in sorted(rows.items()):
            rates += self._rates(by_symbol[symbol], found)
            self._keep(symbol, found)
        return rates

    def _rates(self, instrument: Instrument, found: dict[int, Settled]) -> list[SettledRate]:
        times = sorted(found)
        earlier = [t for t in self._kept.get(instrument.symbol, {}) if t < times[0]]
        previous_ms = max(earlier, default=None)
        default_s = instrument.funding_interval_s or DEFAULT_INTERVAL_S
        if previous_ms is None and len(times) > 1:
            default_s = _interval_s(times[0], times[1], default_s)
        rates = []
        for time_ms in times:
            interval_s = default_s if previous_ms is None else _interval_s(previous_ms, time_ms, default_s)
            rates.append(SettledRate(instrument.id, time_ms, found[time_ms].rate, interval_s))
            previous_ms, default_s = time_ms, interval_s
        return rates

    def _keep(self, symbol: str, found: dict[int, Settled]) -> None:
        kept = self._kept.setdefault(symbol, {})
        kept.update(found)
        oldest_ms = max(kept) - KEPT_MS
        for time_ms in [t for t in kept if t < oldest_ms]:
            del kept[time_ms]

    async def _pages(self, since_ms: int, symbol: str | None) -> list[RateRow]:
        """Oldest first; each page starts at the last stamp of the page before, repeats are dropped."""
        rows: dict[tuple[str, int], RateRow] = {}
        start_ms = since_ms
        for _ in range(PAGES_MAX):
            params: dict[str, Any] = {"startTime": start_ms, "limit": PAGE}
            if symbol is not None:
                params["symbol"] = symbol
            reply = await self._rest.data("fapiPublicGetFundingRate", params)
            try:
                page = convert_list(reply, RateRow)
            except DecodeError as error:
                raise VenueError(f"fundingRate: {error}") from None
            before = len(rows)
            rows.update({(row.symbol, row.time_ms): row for row in page})
            if len(page) < PAGE:
                return list(rows.values())
            if len(rows) == before:
                raise VenueError("fundingRate: more settlements at one time than a page holds")
            start_ms = max(row.time_ms for row in page)
        raise VenueError(f"fundingRate: more than {PAGES_MAX} pages")


def _interval_s(previous_ms: int, time_ms: int, default_s: int) -> int:
    """The spacing, if it is one that the venue uses; across a hole in the history the interval before it."""
    spacing_s = (time_ms - previous_ms) // 1_000
    if spacing_s % _HOUR_S == 0 and spacing_s // _HOUR_S in HOURS_ALLOWED:
        return spacing_s
    return default_s


def _mark(text: str) -> Decimal | None:
    try:
        mark = checked_amount(Decimal(text))
    except (ArithmeticError, DecodeError):
        return None
    return mark if mark > 0 else None

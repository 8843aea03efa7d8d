"""Downloads a venue's history into the layout that backtests read: what is there is kept, and the rest is asked for.

A file grows page by page and is rewritten whole every few pages, so that an interrupted download goes on where it
was. Holes between rows are asked for again each time: most are the venue's own and stay.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bot.domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from bot.observe.views import iso
from bot.ports import VenueError, VenueRefusedError
from bot.research.history.files import CANDLES, RATES, Gap, Lines, candle_gaps, rate_gaps, read_lines, write_lines
from bot.venues.binance.history import CANDLES_MAX, RATES_MAX, Listed, Row, unknown_symbol

INTERVALS_MS = {
    "1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "30m": 30 * MINUTE_MS, "1h": HOUR_MS,
    "2h": 2 * HOUR_MS, "4h": 4 * HOUR_MS, "8h": 8 * HOUR_MS,
}  # fmt: skip
CLOCK = "BTCUSDT"
"""The perpetual whose mark tells the venue's time."""
TRANSIENT = frozenset({"-1000", "-1001", "-1003", "-1007", "-1008"})
"""Codes of disconnection, overload and rate limits: the request may be sent again."""
FLUSH_PAGES = 20
PAGES_MAX = 10_000
TRIES = 5
PAUSE_S = 1.0
"""Before the second try; it doubles with each further one."""


class History(Protocol):
    """A venue's public histories; see `bot.venues.binance.history`. Methods raise VenueError."""

    async def listing(self) -> dict[str, Listed]: ...
    async def market_ms(self, perp: str) -> int: ...
    async def candles(
        self, symbol: str, interval: str, start_ms: int, end_ms: int, *, perp: bool
    ) -> Sequence[Row]: ...
    async def rates(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Row]: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: rows from `from_ms` to before `until_ms` (UTC) of these coins, into `out`."""

    coins: tuple[str, ...]
    from_ms: int
    until_ms: int
    interval: str
    out: Path


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file as it is now: its rows, how many of them are new, and the holes between them."""

    path: Path
    rows: int
    new: int
    first_ms: int | None
    last_ms: int | None
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    columns: Sequence[str]
    page: Callable[[int, int], Awaitable[Sequence[Row]]]
    page_max: int
    step_ms: int
    """Of candles; 0 for settlements, which come at the venue's own times."""

    def gaps(self, times_ms: Sequence[int]) -> list[Gap]:
        return candle_gaps(times_ms, self.step_ms) if self.step_ms else rate_gaps(times_ms)


@dataclass(slots=True)
class Progress:
    """`told` hears (the file's name, market days done, market days in all)."""

    told: Callable[[str, float, float], None] = lambda *_: None
    days: float = 0.0
    done: float = field(default=0.0)


async def download(venue: History, wish: Wish, progress: Progress) -> list[FileReport]:
    """Every coin's rates and both legs' candles. Raises VenueError, HistoryError and OSError; files stay whole."""
    listed = await _again(venue.listing)
    symbols = {coin: _symbols(coin, listed) for coin in wish.coins}
    now_ms = await _again(lambda: venue.market_ms(CLOCK))
    files = [one for perp, spot in symbols.values() for one in _files(venue, wish, perp, spot)]
    progress.days = len(files) * (wish.until_ms - wish.from_ms) / DAY_MS
    reports = []
    for number, one in enumerate(files):
        progress.done = number * (wish.until_ms - wish.from_ms) / DAY_MS
        reports.append(await _fill(one, wish, min(wish.until_ms, now_ms - one.step_ms + 1), progress))
    return reports


def _symbols(coin: str, listed: dict[str, Listed]) -> tuple[str, str]:
    """A coin that is listed no more is asked for by the usual names: the venue may still have its history."""
    found = listed.get(coin, Listed(None, None))
    return found.perp or f"{coin}USDT", found.spot or f"{coin}USDT"


def _files(venue: History, wish: Wish, perp: str, spot: str) -> list[_File]:
    step_ms = INTERVALS_MS[wish.interval]
    klines = wish.out / "klines" / "binance"

    def candles(symbol: str, *, is_perp: bool) -> Callable[[int, int], Awaitable[Sequence[Row]]]:
        return lambda start, end: venue.candles(symbol, wish.interval, start, end, perp=is_perp)

    return [
        _File(
            wish.out / "funding" / "binance-usdm" / f"{perp}.csv.gz",
            RATES,
            lambda start, end: venue.rates(perp, start, end),
            RATES_MAX,
            0,
        ),
        _File(
            klines / "um-perp" / f"{perp}-{wish.interval}.csv.gz",
            CANDLES,
            candles(perp, is_perp=True),
            CANDLES_MAX,
            step_ms,
        ),
        _File(
            klines / "spot" / f"{spot}-{wish.interval}.csv.gz",
            CANDLES,
            candles(spot, is_perp=False),
            CANDLES_MAX,
            step_ms,
        ),
    ]


async def _fill(one: _File, wish: Wish, until_ms: int, progress: Progress) -> FileReport:
    lines = read_lines(one.path, one.columns)
    before = len(lines)
    known = sorted(lines)
    wanted = [(wish.from_ms, until_ms)]
    if known:
        holes = ((gap.after_ms + 1, gap.before_ms) for gap in one.gaps(known))
        wanted = [(wish.from_ms, known[0]), *holes, (known[-1] + 1, until_ms)]
    for start_ms, end_ms in wanted:
        await _range(one, lines, max(start_ms, wish.from_ms), min(end_ms, until_ms), progress)
    if len(lines) != before:
        write_lines(one.path, one.columns, lines)
    times = sorted(lines)
    first_ms, last_ms = (times[0], times[-1]) if times else (None, None)
    return FileReport(one.path, len(lines), len(lines) - before, first_ms, last_ms, tuple(one.gaps(times)))


async def _range(one: _File, lines: Lines, start_ms: int, end_ms: int, progress: Progress) -> None:
    """Adds the rows of [start_ms, end_ms) to `lines`, and puts them on disk now and then."""
    base = progress.done
    cursor = start_ms
    for page in range(1, PAGES_MAX + 1):
        if cursor >= end_ms:
            return
        rows = await _again(lambda at=cursor: _asked(one, at, end_ms - 1))  # type: ignore[misc]
        lines.update((row.at_ms, row.fields) for row in rows if start_ms <= row.at_ms < end_ms)
        if page % FLUSH_PAGES == 0:
            write_lines(one.path, one.columns, lines)
        if not rows or len(rows) < one.page_max:
            return
        cursor = rows[-1].at_ms + 1
        progress.told(one.path.name, base + (cursor - start_ms) / DAY_MS, progress.days)


async def _asked(one: _File, start_ms: int, end_ms: int) -> Sequence[Row]:
    try:
        return await one.page(start_ms, end_ms)
    except VenueError as error:
        if unknown_symbol(error):
            return ()
        raise


async def _again(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Asks again after growing pauses when the venue does not answer; its refusals are final."""
    for number in range(TRIES - 1):
        try:
            return await ask()
        except VenueError as error:
            if isinstance(error, VenueRefusedError) and error.code not in TRANSIENT:
                raise
            await asyncio.sleep(PAUSE_S * 2**number)
    return await ask()


def report_view(one: FileReport, out: Path) -> dict[str, Any]:
    return {
        "file": one.path.relative_to(out).as_posix(),
        "rows": one.rows,
        "new": one.new,
        "first": iso(one.first_ms),
        "last": iso(one.last_ms),
        "missing": sum(gap.missing for gap in one.gaps),
        "gaps": [
            {"after": iso(gap.after_ms), "before": iso(gap.before_ms), "missing": gap.missing} for gap in one.gaps
        ],
    }

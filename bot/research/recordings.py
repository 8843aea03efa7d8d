"""Recorded history for a backtest: settled rates and closes of both legs, coin by coin, from a directory.

Layout (docs/history.md has the full text):

    DIR/funding/binance-usdm/<SYMBOL>.csv.gz                timestamp_ms,funding_rate[,...]
    DIR/klines/binance/um-perp/<SYMBOL>-<interval>.csv.gz   open_time_ms,close,volume[,...]
    DIR/klines/binance/spot/<COIN>USDT-<interval>.csv.gz    the same

Each of them may be .csv or .parquet instead. A coin is taken when it has all three. Unlike the simulator's table
nothing is filled, modelled or cut to a window: a coin begins and ends where its recording does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bot.domain.time import MINUTE_MS
from bot.research.history.tables import find_table, name_of, table_rows, tables_in
from bot.simulator.market.directory import INTERVALS_MS, split_symbol
from bot.simulator.market.table import HistoryError, integer, price, rate

QUOTE = "USDT"
INTERVALS = {**INTERVALS_MS, "8h": 28_800_000}
"""Candles that can be read; the finest one present is used."""


@dataclass(frozen=True, slots=True)
class Series:
    """Closes of one leg. Row i was last traded at `closes[i]` (quote per venue unit) at `ends_ms[i]` (UTC)."""

    interval_ms: int
    ends_ms: tuple[int, ...]
    closes: tuple[Decimal, ...]
    volumes_usd: tuple[float, ...]
    """Close x volume of each candle."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One coin. `rates` are (nominal settlement time, rate per interval), oldest first."""

    symbol: str
    coin: str
    multiplier: Decimal
    spot: Series
    perp: Series
    rates: tuple[tuple[int, Decimal], ...]

    @property
    def candle_ms(self) -> int:
        """At multiples of this both legs have a close."""
        return max(self.spot.interval_ms, self.perp.interval_ms)

    @property
    def first_ms(self) -> int:
        """From here on both legs have prices."""
        return max(self.spot.ends_ms[0], self.perp.ends_ms[0])

    @property
    def last_ms(self) -> int:
        """Until here both legs have prices."""
        return min(self.spot.ends_ms[-1], self.perp.ends_ms[-1])


def read_recordings(
    directory: Path, coins: tuple[str, ...] = (), progress: Callable[[int, int], None] | None = None
) -> list[Recording]:
    """All coins (or those named) with rates and both legs, in order of symbol. Raises HistoryError.

    `progress` is told (files read, files in all).
    """
    folders = [directory / part for part in ("funding/binance-usdm", "klines/binance/um-perp", "klines/binance/spot")]
    for folder in folders:
        if not folder.is_dir():
            raise HistoryError(f"{folder}: no such folder; docs/history.md describes the layout of a data directory")
    funding, perps, spots = folders
    found = list(_found(funding, perps, spots, coins))
    if not found:
        raise HistoryError(f"{directory}: no coin has funding rates, perpetual and spot prices; add what is missing")
    recordings = []
    for number, (symbol, perp, spot) in enumerate(found):
        coin, multiplier = split_symbol(symbol)
        rates = _rates(_table(funding, symbol))
        recordings.append(Recording(symbol, coin, multiplier, _series(spot), _series(perp), rates))
        if progress is not None:
            progress(number + 1, len(found))
    return [one for one in recordings if one.first_ms < one.last_ms and len(one.rates) > 1]


def _found(funding: Path, perps: Path, spots: Path, coins: tuple[str, ...]) -> Iterator[tuple[str, Path, Path]]:
    for path in tables_in(funding):
        symbol = name_of(path)
        coin, _ = split_symbol(symbol)
        perp, spot = _finest(perps, symbol), _finest(spots, coin + QUOTE)
        if perp is not None and spot is not None and (not coins or coin in coins):
            yield symbol, perp, spot


def _table(folder: Path, name: str) -> Path:
    path = find_table(folder, name)
    assert path is not None, "it was found a moment ago"
    return path


def _finest(folder: Path, symbol: str) -> Path | None:
    paths = (find_table(folder, f"{symbol}-{interval}") for interval in INTERVALS)
    return next((path for path in paths if path is not None), None)


def _series(path: Path) -> Series:
    interval_ms = INTERVALS[name_of(path).rpartition("-")[2]]
    ends: list[int] = []
    closes: list[Decimal] = []
    volumes: list[float] = []
    before_ms = 0
    for line, (open_text, close_text, volume_text) in table_rows(path, ("open_time_ms", "close", "volume")):
        open_ms = integer(path, line, "open_time_ms", open_text)
        if open_ms <= before_ms:
            raise HistoryError(f"{path} line {line}: {open_ms} does not follow {before_ms}; sort the rows")
        before_ms = open_ms
        close = price(path, line, "close", close_text)
        ends.append(open_ms + interval_ms)
        closes.append(Decimal(close_text))
        volumes.append(close * _volume(path, line, volume_text))
    if not ends:
        raise HistoryError(f"{path}: holds no candle; remove the file or fill it")
    return Series(interval_ms, tuple(ends), tuple(closes), tuple(volumes))


def _volume(path: Path, line: int, text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        raise HistoryError(f"{path} line {line}: volume is {text!r}, no quantity; correct the row") from None


def _rates(path: Path) -> tuple[tuple[int, Decimal], ...]:
    """Stamps floored to the minute: recorded ones are some milliseconds late."""
    found: list[tuple[int, Decimal]] = []
    for line, (at_text, rate_text) in table_rows(path, ("timestamp_ms", "funding_rate")):
        at_ms = integer(path, line, "timestamp_ms", at_text) // MINUTE_MS * MINUTE_MS
        if found and at_ms <= found[-1][0]:
            raise HistoryError(f"{path} line {line}: {at_ms} does not follow {found[-1][0]}; sort the rows")
        found.append((at_ms, rate(path, line, rate_text)))
    return tuple(found)

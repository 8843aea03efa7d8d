"""Recorded candles of both legs and settled rates, for a window: what a scenario's path goes through."""

from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from bot.domain.time import MINUTE_MS
from bot.research.recordings import INTERVALS, QUOTE
from bot.simulator.market.directory import split_symbol
from bot.simulator.market.table import HistoryError, integer, price, rate, rows_of

COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; prices are quote per single coin, `volume_usd` is close x volume."""

    open: float
    high: float
    low: float
    close: float
    volume_usd: float


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one leg by the time they open at (UTC ms). Where the leg did not trade there is none."""

    interval_ms: int
    by_open_ms: dict[int, Candle]


@dataclass(frozen=True, slots=True)
class CoinRecord:
    """One coin's recording: both legs, and rates as (nominal settlement time in UTC ms, rate per interval)."""

    symbol: str
    coin: str
    multiplier: Decimal
    spot: Candles
    perp: Candles
    rates: tuple[tuple[int, Decimal], ...]


@lru_cache(maxsize=256)
def read_coin(data: Path, symbol: str, from_ms: int, until_ms: int, rates_from_ms: int) -> CoinRecord:
    """The candles that open in [from_ms, until_ms) and the rates after `rates_from_ms`, to one past the end.

    Raises HistoryError where a file is absent, a row is not what it must be, or the window holds nothing.
    """
    coin, multiplier = split_symbol(symbol)
    klines = data / "klines" / "binance"
    spot = _candles(_finest(klines / "spot", coin + QUOTE), from_ms, until_ms, 1.0)
    perp = _candles(_finest(klines / "um-perp", symbol), from_ms, until_ms, float(multiplier))
    rates = _rates(data / "funding" / "binance-usdm" / f"{symbol}.csv.gz", rates_from_ms, until_ms)
    return CoinRecord(symbol, coin, multiplier, spot, perp, rates)


def _finest(folder: Path, symbol: str) -> Path:
    paths = [folder / f"{symbol}-{interval}.csv.gz" for interval in INTERVALS]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise HistoryError(f"{folder}: no candles of {symbol}; name a folder with recorded history by --data")
    return found


def _candles(path: Path, from_ms: int, until_ms: int, scale: float) -> Candles:
    interval_ms = INTERVALS[path.name.removesuffix(".csv.gz").rpartition("-")[2]]
    found: dict[int, Candle] = {}
    for line, texts in rows_of(path, COLUMNS):
        open_ms = integer(path, line, "open_time_ms", texts[0])
        if open_ms >= until_ms:
            break
        if open_ms + interval_ms <= from_ms:
            continue
        o, h, low, c = (price(path, line, COLUMNS[i], texts[i]) / scale for i in range(1, 5))
        volume_usd = c * scale * float(texts[5])
        if volume_usd > 0:
            found[open_ms] = Candle(o, max(o, h, c), min(o, low, c), c, volume_usd)
    if not found:
        raise HistoryError(f"{path}: no candle of the scenario's window; name a folder that covers it by --data")
    return Candles(interval_ms, found)


@lru_cache(maxsize=64)
def _all_rates(path: Path) -> tuple[tuple[int, Decimal], ...]:
    found: list[tuple[int, Decimal]] = []
    for line, (at_text, rate_text) in rows_of(path, ("timestamp_ms", "funding_rate")):
        at_ms = integer(path, line, "timestamp_ms", at_text) // MINUTE_MS * MINUTE_MS
        found.append((at_ms, rate(path, line, rate_text)))
    return tuple(found)


def _rates(path: Path, from_ms: int, until_ms: int) -> tuple[tuple[int, Decimal], ...]:
    rows = _all_rates(path)
    times = [at_ms for at_ms, _ in rows]
    chosen = rows[bisect_right(times, from_ms) : bisect_right(times, until_ms) + 1]
    if len(chosen) < 2:
        raise HistoryError(f"{path}: no rates of the scenario's window; name a folder that covers it by --data")
    return chosen

"""Reads a directory of recorded history into a table: what `--history DIR` replays.

Layout (docs/history-table.md has the full text):

    DIR/funding/binance-usdm/<SYMBOL>.csv.gz            timestamp_ms,funding_rate[,...]
    DIR/klines/binance/um-perp/<SYMBOL>-<interval>.csv.gz   open_time_ms,open,high,low,close,volume
    DIR/klines/binance/spot/<SPOT>-<interval>.csv.gz        the same; optional

A coin is taken when its perpetual has both rates and prices over the whole window. Intervals that divide four
hours are understood (1m 5m 15m 30m 1h 2h 4h); the finest one present is used.
"""

import itertools
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bot.simulator.market.basis import modelled_basis_bps
from bot.simulator.market.table import (
    DAY_MS,
    STEP_MS,
    CoinHistory,
    HistoryError,
    Source,
    Table,
    integer,
    price,
    rate,
    rows_of,
)

INTERVALS_MS = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": STEP_MS,
}
WINDOW_DAYS_DEFAULT = 107
WARM_UP_DAYS_DEFAULT = 46
RETURN_DAYS = 10
HOLE_ROWS_MAX = 6
SETTLEMENT_GAP_MS_MAX = 2 * DAY_MS
SPOT_VOLUME_SHARE = 0.29
"""Spot volume over perp volume where the spot was not recorded: the median of the recorded coins."""
_MULTIPLIER = re.compile(r"^(1000000|1000|1M)(?=[A-Z])")
_QUOTE = "USDT"


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the recording that becomes the table; times are UTC ms on the four-hour grid."""

    from_ms: int
    until_ms: int

    @property
    def knots_ms(self) -> range:
        return range(self.from_ms, self.until_ms + 1, STEP_MS)


def split_symbol(symbol: str) -> tuple[str, Decimal]:
    """(coin, multiplier) of a perpetual's symbol: 1000PEPEUSDT is a thousand PEPE."""
    base = symbol.removesuffix(_QUOTE)
    found = _MULTIPLIER.match(base)
    if found is None:
        return base, Decimal(1)
    units = Decimal(1_000_000) if found[1] == "1M" else Decimal(found[1])
    return base[found.end() :], units


def read_directory(
    directory: Path,
    from_ms: int | None = None,
    until_ms: int | None = None,
    *,
    symbols: tuple[str, ...] = (),
    trading_from_ms: int | None = None,
    demo_start_ms: int | None = None,
) -> Table:
    """The recording of [from_ms, until_ms] as a table; `symbols` limits it to these perpetuals.

    Defaults: until the latest price of any perpetual (floored to a UTC day), from 107 days earlier; trading
    starts 46 days after `from_ms`, or after half of a window that is shorter than twice that. Coins that do
    not cover the window are listed in `skipped` with the reason. Raises HistoryError.
    """
    funding = directory / "funding" / "binance-usdm"
    perps = directory / "klines" / "binance" / "um-perp"
    for folder in (funding, perps):
        if not folder.is_dir():
            raise HistoryError(f"{folder}: no such folder; a history directory has funding/binance-usdm and "
                               "klines/binance/um-perp, see docs/history-table.md")  # fmt: skip
    wanted = symbols or tuple(sorted(path.name.removesuffix(".csv.gz") for path in funding.glob("*.csv.gz")))
    if not wanted:
        raise HistoryError(f"{funding}: holds no <SYMBOL>.csv.gz; put the funding rates there")
    if until_ms is None:
        until_ms = _latest_ms(perps, wanted) // DAY_MS * DAY_MS
    if from_ms is None:
        from_ms = until_ms - WINDOW_DAYS_DEFAULT * DAY_MS
    if from_ms % STEP_MS or until_ms % STEP_MS or from_ms >= until_ms:
        raise HistoryError("the window must start before it ends, both at a multiple of four hours UTC")
    window = Window(from_ms, until_ms)
    coins: list[CoinHistory] = []
    skipped: dict[str, str] = {}
    for symbol in wanted:
        coin = _coin(directory, symbol, window)
        if isinstance(coin, str):
            skipped[symbol] = coin
        else:
            coins.append(coin)
    if not coins:
        reasons = "; ".join(f"{symbol}: {why}" for symbol, why in skipped.items())
        raise HistoryError(f"{directory}: no coin covers the window: {reasons}; choose another window")
    if trading_from_ms is None:
        half = (until_ms - from_ms) // 2 // STEP_MS * STEP_MS
        trading_from_ms = from_ms + min(half, WARM_UP_DAYS_DEFAULT * DAY_MS)
    start_ms = trading_from_ms if demo_start_ms is None else demo_start_ms
    return Table(from_ms, until_ms, trading_from_ms, start_ms, RETURN_DAYS, tuple(coins), skipped)


def _coin(directory: Path, symbol: str, window: Window) -> CoinHistory | str:
    """The coin's rows, or why it has none."""
    klines = directory / "klines" / "binance"
    perp_path = _finest(klines / "um-perp", symbol)
    if perp_path is None:
        return "no prices of the perpetual in an interval that divides 4h"
    settlements = _settlements(directory / "funding" / "binance-usdm" / f"{symbol}.csv.gz", window)
    hole = _settlement_hole(settlements, window)
    if hole is not None:
        return hole
    recorded, perp_volume_usd = _closes(perp_path, window)
    perp, interpolated = _filled(recorded, window)
    if perp is None:
        return "the perpetual's prices do not cover the window (holes of up to a day are filled)"
    coin, multiplier = split_symbol(symbol)
    spot_path = _finest(klines / "spot", coin + _QUOTE)
    spot, spot_volume_usd = ({}, 0.0) if spot_path is None else _closes(spot_path, window)
    prices: list[float] = []
    sources: list[Source] = []
    for index, at_ms in enumerate(window.knots_ms):
        if at_ms in spot:
            prices.append(spot[at_ms])
        else:
            prices.append(_modelled_spot(symbol, perp[index], float(multiplier), settlements, at_ms))
        modelled = Source.RECORDED if at_ms in spot else Source.SPOT_MODELLED
        sources.append(Source.INTERPOLATED if at_ms in interpolated else modelled)
    return CoinHistory(
        symbol=symbol,
        spot_symbol=coin + _QUOTE,
        coin=coin,
        multiplier=multiplier,
        perp=tuple(perp),
        spot=tuple(prices),
        sources=tuple(sources),
        settlements=tuple(settlements),
        perp_volume_usd=perp_volume_usd,
        spot_volume_usd=spot_volume_usd if spot else perp_volume_usd * SPOT_VOLUME_SHARE,
        spot_volume_recorded=bool(spot),
        recorded_as=symbol,
    )


def _finest(folder: Path, symbol: str) -> Path | None:
    paths = (folder / f"{symbol}-{interval}.csv.gz" for interval in INTERVALS_MS)
    return next((path for path in paths if path.is_file()), None)


def _latest_ms(perps: Path, symbols: tuple[str, ...]) -> int:
    """End of the last candle of any of the perpetuals."""
    latest = 0
    for symbol in symbols:
        path = _finest(perps, symbol)
        if path is None:
            continue
        length_ms = _interval_ms(path)
        for line, (text,) in rows_of(path, ("open_time_ms",)):
            latest = max(latest, integer(path, line, "open_time_ms", text) + length_ms)
    if not latest:
        raise HistoryError(f"{perps}: no <SYMBOL>-<interval>.csv.gz with prices for any funding file")
    return latest


def _interval_ms(path: Path) -> int:
    return INTERVALS_MS[path.name.removesuffix(".csv.gz").rpartition("-")[2]]


def _closes(path: Path, window: Window) -> tuple[dict[int, float], float]:
    """({grid time: close of the candle that ends then}, mean USD volume a day in the window)."""
    length_ms = _interval_ms(path)
    closes: dict[int, float] = {}
    volume_usd = 0.0
    previous_ms: int | None = None
    columns = ("open_time_ms", "close", "volume")
    for line, (open_text, close_text, volume_text) in rows_of(path, columns):
        open_ms = integer(path, line, "open_time_ms", open_text)
        if previous_ms is not None and open_ms <= previous_ms:
            raise HistoryError(
                f"{path} line {line}: {open_ms} does not follow {previous_ms}; sort the rows, one per time"
            )
        previous_ms = open_ms
        end_ms = open_ms + length_ms
        if not window.from_ms <= end_ms <= window.until_ms:
            continue
        close = price(path, line, "close", close_text)
        volume_usd += close * _volume(path, line, volume_text)
        if end_ms % STEP_MS == 0:
            closes[end_ms] = close
    return closes, volume_usd * DAY_MS / (window.until_ms - window.from_ms)


def _volume(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise HistoryError(f"{path} line {line}: volume is {text!r}, no quantity; correct or remove the row")
    return value


def _settlements(path: Path, window: Window) -> list[tuple[int, Decimal]]:
    """Settlements of the window, stamps floored to the minute (recorded ones jitter by milliseconds)."""
    found: list[tuple[int, Decimal]] = []
    previous_ms: int | None = None
    for line, (at_text, rate_text) in rows_of(path, ("timestamp_ms", "funding_rate")):
        at_ms = integer(path, line, "timestamp_ms", at_text) // 60_000 * 60_000
        if previous_ms is not None and at_ms <= previous_ms:
            raise HistoryError(
                f"{path} line {line}: {at_ms} does not follow {previous_ms}; sort the rows, one per time"
            )
        previous_ms = at_ms
        if window.from_ms <= at_ms <= window.until_ms:
            found.append((at_ms, rate(path, line, rate_text)))
    return found


def _settlement_hole(settlements: list[tuple[int, Decimal]], window: Window) -> str | None:
    """Why the settlements do not cover the window, or None."""
    times = [window.from_ms, *(at_ms for at_ms, _ in settlements), window.until_ms]
    widest = max(after - before for before, after in itertools.pairwise(times))
    if len(settlements) < 2 or widest > SETTLEMENT_GAP_MS_MAX:
        return f"its funding rates do not cover the window ({len(settlements)} settlements)"
    return None


def _filled(recorded: dict[int, float], window: Window) -> tuple[list[float] | None, set[int]]:
    """Prices on every grid time; holes of up to six rows by log-linear interpolation between neighbours."""
    known = sorted(recorded)
    if not known or known[0] != window.from_ms or known[-1] != window.until_ms:
        return None, set()
    prices = dict(recorded)
    filled: set[int] = set()
    for before, after in itertools.pairwise(known):
        rows = (after - before) // STEP_MS - 1
        if rows > HOLE_ROWS_MAX:
            return None, set()
        slope = math.log(recorded[after] / recorded[before]) / (after - before)
        for at_ms in range(before + STEP_MS, after, STEP_MS):
            prices[at_ms] = float(f"{recorded[before] * math.exp(slope * (at_ms - before)):.7g}")
            filled.add(at_ms)
    return [prices[at_ms] for at_ms in window.knots_ms], filled


def _modelled_spot(
    symbol: str, perp: float, multiplier: float, settlements: list[tuple[int, Decimal]], at_ms: int
) -> float:
    """Spot = perp / (1 + basis), the basis by the funding rate of the interval that `at_ms` lies in."""
    last = len(settlements) - 1
    index = next((place for place, (time_ms, _) in enumerate(settlements) if time_ms >= at_ms), last)
    first = max(index, 1)
    interval_s = (settlements[first][0] - settlements[first - 1][0]) // 1000
    basis = modelled_basis_bps(float(settlements[index][1]), interval_s, symbol, at_ms) / 1e4
    return float(f"{perp / multiplier / (1.0 + basis):.7g}")

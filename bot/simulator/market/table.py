"""The table of recorded history that the simulated market is made of, and its files.

A table holds, for each coin, the 4-hourly prices of its perpetual and its spot, and every funding settlement.
Three files carry it: `history-prices.csv.gz` (symbol, time_ms, perp, spot, source), `history-rates.csv.gz`
(symbol, time_ms, rate) and `history.json` (windows and each coin's own facts). docs/history-table.md states
how the embedded one was made.

Units: prices in USDT, the perpetual's per venue unit, the spot's per coin; rates per funding interval.
"""

import csv
import gzip
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

STEP_MS = 4 * 3_600_000
DAY_MS = 86_400_000
PRICES_FILE = "history-prices.csv.gz"
RATES_FILE = "history-rates.csv.gz"
FACTS_FILE = "history.json"


class HistoryError(ValueError):
    """History that cannot be used; the message names the file, the line if there is one, and the remedy."""


class Source(StrEnum):
    """Where one 4-hourly row of a coin comes from."""

    RECORDED = "R"
    SPOT_MODELLED = "M"
    INTERPOLATED = "I"


@dataclass(frozen=True, slots=True)
class CoinHistory:
    """One coin's rows. `perp`, `spot` and `sources` have one entry every STEP_MS from the table's `from_ms`
    to its `until_ms`, both included; `settlements` are (time in UTC ms floored to the minute, rate)."""

    symbol: str
    spot_symbol: str
    coin: str
    multiplier: Decimal
    perp: tuple[float, ...]
    spot: tuple[float, ...]
    sources: tuple[Source, ...]
    settlements: tuple[tuple[int, Decimal], ...]
    perp_volume_usd: float
    spot_volume_usd: float
    spot_volume_recorded: bool
    recorded_as: str
    redated_days: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Recorded history of [from_ms, until_ms]; trading_from_ms splits warm-up from what is repeated.

    After `until_ms` comes a synthetic return stretch of `return_days`, and then trading_from_ms again.
    """

    from_ms: int
    until_ms: int
    trading_from_ms: int
    demo_start_ms: int
    return_days: int
    coins: tuple[CoinHistory, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = (self.until_ms - self.from_ms) // STEP_MS + 1
        for at_ms in (self.from_ms, self.until_ms, self.trading_from_ms):
            if at_ms % STEP_MS:
                raise HistoryError(f"the window's ends must be multiples of four hours UTC; {at_ms} is not")
        if not self.from_ms <= self.trading_from_ms < self.until_ms:
            raise HistoryError("the trading window must lie inside the table: choose another window")
        if not self.coins:
            raise HistoryError("no coin has both rates and prices in the window: choose another window")
        for coin in self.coins:
            if not len(coin.perp) == len(coin.spot) == len(coin.sources) == rows:
                raise HistoryError(f"{coin.symbol}: {len(coin.perp)} price rows where the window has {rows}")
            if len(coin.settlements) < 2:
                raise HistoryError(f"{coin.symbol}: fewer than two settlements: leave the coin out")

    @property
    def period_ms(self) -> int:
        """Length of what is repeated: trading window and return stretch."""
        return self.until_ms - self.trading_from_ms + self.return_days * DAY_MS


def rows_of(path: Path, columns: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """(line number, the wanted columns' texts) of a CSV file with a header; of one named `.gz`, gzipped.

    Raises HistoryError where the file is absent, not gzip, not UTF-8 or lacks a column.
    """
    wanted = list(columns)
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as handle:
            reader = csv.reader(handle)
            header = next(reader, [])
            missing = [name for name in wanted if name not in header]
            if missing:
                raise HistoryError(
                    f"{path} line 1: no column {', '.join(missing)} in header {','.join(header)!r}; "
                    f"the header must name {','.join(wanted)}"
                )
            places = [header.index(name) for name in wanted]
            last = max(places)
            for line, row in enumerate(reader, start=2):
                if len(row) <= last:
                    raise HistoryError(
                        f"{path} line {line}: {len(row)} fields where the header has {len(header)}; "
                        "complete or remove the row"
                    )
                yield line, [row[place] for place in places]
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file; see docs/history-table.md for the layout") from None
    except (EOFError, OSError, UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(f"{path}: not a readable gzipped CSV file ({error}); write it again") from None


def integer(path: Path, line: int, name: str, text: str) -> int:
    """A time in milliseconds, or HistoryError with the place."""
    try:
        return int(text)
    except ValueError:
        raise HistoryError(
            f"{path} line {line}: {name} is {text!r}, not UTC milliseconds; correct or remove the row"
        ) from None


def price(path: Path, line: int, name: str, text: str) -> float:
    """A finite positive number, or HistoryError with the place."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise HistoryError(f"{path} line {line}: {name} is {text!r}, not a positive price; correct or remove the row")
    return value


def rate(path: Path, line: int, text: str) -> Decimal:
    """A funding rate as a fraction per interval, or HistoryError with the place."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) >= 1:
        raise HistoryError(
            f"{path} line {line}: funding rate {text!r} is not a fraction between -1 and 1; correct or remove the row"
        )
    return value


def read_table(folder: Path) -> Table:
    """The table in `folder` (three files). Raises HistoryError."""
    facts_path = folder / FACTS_FILE
    try:
        facts = json.loads(facts_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HistoryError(f"{facts_path}: not readable ({error}); build the table again") from None
    prices: dict[str, list[tuple[float, float, Source]]] = {}
    path = folder / PRICES_FILE
    for line, (symbol, _, perp, spot, source) in rows_of(path, ("symbol", "time_ms", "perp", "spot", "source")):
        if source not in set(Source):
            raise HistoryError(f"{path} line {line}: source {source!r} is not R, M or I; build the table again")
        row = (price(path, line, "perp", perp), price(path, line, "spot", spot), Source(source))
        prices.setdefault(symbol, []).append(row)
    rates: dict[str, list[tuple[int, Decimal]]] = {}
    path = folder / RATES_FILE
    for line, (symbol, at_text, rate_text) in rows_of(path, ("symbol", "time_ms", "rate")):
        at_ms = integer(path, line, "time_ms", at_text)
        rates.setdefault(symbol, []).append((at_ms, rate(path, line, rate_text)))
    coins = tuple(
        _coin(symbol, each, prices.get(symbol, []), rates.get(symbol, [])) for symbol, each in facts["coins"].items()
    )
    from_ms, until_ms, trading_ms, demo_ms, return_days = (int(facts[name]) for name in _WINDOW_KEYS)
    return Table(from_ms, until_ms, trading_ms, demo_ms, return_days, coins)


_WINDOW_KEYS = ("from_ms", "until_ms", "trading_from_ms", "demo_start_ms", "return_days")


def _coin(
    symbol: str,
    facts: Mapping[str, Any],
    prices: list[tuple[float, float, Source]],
    rates: list[tuple[int, Decimal]],
) -> CoinHistory:
    return CoinHistory(
        symbol=symbol,
        spot_symbol=str(facts["spot_symbol"]),
        coin=str(facts["coin"]),
        multiplier=Decimal(str(facts["multiplier"])),
        perp=tuple(row[0] for row in prices),
        spot=tuple(row[1] for row in prices),
        sources=tuple(row[2] for row in prices),
        settlements=tuple(rates),
        perp_volume_usd=float(facts["perp_volume_usd"]),
        spot_volume_usd=float(facts["spot_volume_usd"]),
        spot_volume_recorded=bool(facts["spot_volume_recorded"]),
        recorded_as=str(facts["recorded_as"]),
        redated_days=int(facts["redated_days"]),
    )


def write_table(table: Table, folder: Path) -> None:
    """Writes the three files; the same table gives the same bytes on one Python version."""
    folder.mkdir(parents=True, exist_ok=True)
    prices = io.StringIO()
    prices.write("symbol,time_ms,perp,spot,source\n")
    rates = io.StringIO()
    rates.write("symbol,time_ms,rate\n")
    coins: dict[str, dict[str, Any]] = {}
    for coin in table.coins:
        rows = zip(coin.perp, coin.spot, coin.sources, strict=True)
        for index, (perp, spot, source) in enumerate(rows):
            at_ms = table.from_ms + index * STEP_MS
            prices.write(f"{coin.symbol},{at_ms},{plain(perp)},{plain(spot)},{source}\n")
        for at_ms, each in coin.settlements:
            rates.write(f"{coin.symbol},{at_ms},{each.normalize():f}\n")
        coins[coin.symbol] = {
            "spot_symbol": coin.spot_symbol,
            "coin": coin.coin,
            "multiplier": str(coin.multiplier),
            "perp_volume_usd": round(coin.perp_volume_usd),
            "spot_volume_usd": round(coin.spot_volume_usd),
            "spot_volume_recorded": coin.spot_volume_recorded,
            "recorded_as": coin.recorded_as,
            "redated_days": coin.redated_days,
        }
    facts = {name: getattr(table, name) for name in _WINDOW_KEYS} | {"coins": coins}
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for name, text in ((PRICES_FILE, prices.getvalue()), (RATES_FILE, rates.getvalue())):
        (folder / name).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def plain(value: float) -> str:
    """Ten significant digits without an exponent: no recorded price has more."""
    return f"{Decimal(f'{value:.10g}').normalize():f}"

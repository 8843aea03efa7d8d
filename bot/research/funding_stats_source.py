"""Where settled rates come from: a data directory, the embedded table, or the daemon's books.

A data directory holds `funding/<venue>/<SYMBOL>.csv.gz` with the columns `timestamp_ms,funding_rate[,mark_price]`
(docs/funding.md). Times become nominal: the venue's jitter of some milliseconds is taken out.
"""

import csv
import datetime as dt
import gzip
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from bot.domain.time import nominal_ms
from bot.research.history.tables import columns_of, name_of, table_rows, tables_in
from bot.simulator import market
from bot.simulator.market.table import HistoryError, integer, price, rate, rows_of

DEFAULT_VENUE = "binance"
KINDS = ("usdm", "linear", "usdt", "swap")
"""Folders that a venue's bare name means first: binance is binance-usdm, bybit bybit-linear, okx okx-swap."""
QUOTES = ("USDT", "USD", "USDC", "BUSD", "")
"""Of several contracts on one coin the first of these is taken."""
MILLISECONDS_FROM = 100_000_000_000
"""Smaller stamps are seconds: this is March 1973."""
_SYMBOL = re.compile(
    r"^(?:1000000|100000|10000|1000|1M|k(?=[A-Z]))?(?P<base>[A-Z0-9]+?)(?:[-_]?(?P<quote>USDT|USDC|BUSD|USD)M?)?"
    r"(?:[-_](?:SWAP|PERPETUAL|PERP))?$"
)
_SAME_COIN = {"XBT": "BTC"}


class FundingError(ValueError):
    """Rates that cannot be found or used: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Settlement:
    """One settled rate: nominal UTC time, fraction per its interval, mark price (USD) where it was recorded."""

    at_ms: int
    rate: Decimal
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """One instrument's settlements, oldest first; `also` are other contracts on the coin at that venue.

    `closes` are the perpetual's prices at settlement times, where candles are recorded beside the rates.
    """

    coin: str
    symbol: str
    venue: str
    source: str
    settlements: tuple[Settlement, ...]
    also: tuple[str, ...] = ()
    closes: Mapping[int, float] = field(default_factory=dict)
    closes_source: str = ""


def parts_of(symbol: str) -> tuple[str, str]:
    """(coin, quote) of a venue's symbol: 1000PEPEUSDT, kPEPE, BTC-USDT-SWAP, XBTUSD, BTC_USDT, BTCUSD_PERP."""
    found = _SYMBOL.match(symbol)
    if found is None:
        return symbol, ""
    base = found["base"]
    return _SAME_COIN.get(base, base), found["quote"] or ""


def from_directory(directory: Path, wanted: str, venue: str | None) -> Rates:
    """The rates of a coin or symbol recorded in `directory`. Raises FundingError or HistoryError."""
    root = directory / "funding"
    if not root.is_dir():
        raise FundingError(
            f"{root}: no such folder", "--data names a folder that holds funding/<venue>/<SYMBOL>.csv.gz"
        )
    folders = sorted(each for each in root.iterdir() if each.is_dir())
    folder = _folder(folders, venue or DEFAULT_VENUE, root)
    files = {name_of(path): path for path in tables_in(folder)}
    symbol, also = pick(files, wanted)
    if symbol is None:
        raise _missing(wanted, folder, files, folders)
    path = files[symbol]
    return Rates(parts_of(symbol)[0], symbol, folder.name, str(path), read_file(path), also)


def _folder(folders: Sequence[Path], venue: str, root: Path) -> Path:
    """The venue's folder: by its name, else by its start, linear contracts first."""
    for each in folders:
        if each.name == venue.lower():
            return each
    ranked = [each for each in folders if each.name.startswith(venue.lower() + "-")]
    if ranked:
        return min(ranked, key=lambda each: (_rank(each.name.rpartition("-")[2], KINDS), each.name))
    known = ", ".join(each.name for each in folders) or "none"
    raise FundingError(f"{root}: no folder for venue {venue}", f"give --venue one of: {known}")


def _rank(word: str, words: Sequence[str]) -> int:
    return words.index(word) if word in words else len(words)


def pick(symbols: Iterable[str], wanted: str) -> tuple[str | None, tuple[str, ...]]:
    """The symbol that is `wanted` or is quoted on it, and the others on the same coin."""
    known = sorted(symbols)
    exact = next((each for each in known if each.upper() == wanted.upper()), None)
    coin = parts_of(exact)[0] if exact else _SAME_COIN.get(wanted.upper(), wanted.upper())
    same = sorted(
        (each for each in known if parts_of(each)[0] == coin),
        key=lambda each: (_rank(parts_of(each)[1], QUOTES), each),
    )
    chosen = exact or next(iter(same), None)
    return chosen, tuple(each for each in same if each != chosen)


def _missing(wanted: str, folder: Path, files: Iterable[str], folders: Sequence[Path]) -> FundingError:
    elsewhere = [each.name for each in folders if pick(map(name_of, tables_in(each)), wanted)[0]]
    if elsewhere:
        return FundingError(f"{folder}: no rates of {wanted}", f"give --venue one of: {', '.join(elsewhere)}")
    coins = sorted({parts_of(each)[0] for each in files})
    return FundingError(f"{folder}: no rates of {wanted}", f"it has {', '.join(coins) or 'no file'}")


def read_file(path: Path) -> tuple[Settlement, ...]:
    """All settlements of one file. Raises HistoryError with file, line and remedy."""
    has_marks = "mark_price" in _header(path)
    columns = ("timestamp_ms", "funding_rate", *(("mark_price",) if has_marks else ()))
    found: list[Settlement] = []
    for line, texts in table_rows(path, columns):
        recorded_ms = integer(path, line, "timestamp_ms", texts[0])
        if recorded_ms < MILLISECONDS_FROM:
            raise HistoryError(
                f"{path} line {line}: timestamp_ms {recorded_ms} is not milliseconds; multiply by 1000"
            )
        at_ms = nominal_ms(recorded_ms)
        if found and at_ms <= found[-1].at_ms:
            raise HistoryError(
                f"{path} line {line}: the settlement is not after the one before it; "
                "sort the rows and remove repeated ones"
            )
        mark = price(path, line, "mark_price", texts[2]) if has_marks and texts[2] else None
        found.append(Settlement(at_ms, rate(path, line, texts[1]), mark))
    return tuple(found)


def _header(path: Path) -> list[str]:
    """The columns; what cannot be read is left for `table_rows` to say."""
    if path.suffix == ".parquet":
        return columns_of(path)
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as handle:
            return next(csv.reader(handle), [])
    except (EOFError, OSError, UnicodeDecodeError, csv.Error):
        return []


def embedded(wanted: str, venue: str | None) -> Rates:
    """The rates of the table that comes with the program (docs/history-table.md). Raises FundingError."""
    if venue is not None and venue.lower() not in (DEFAULT_VENUE, "binance-usdm"):
        raise FundingError(
            f"the embedded table has no venue {venue}", "it has binance alone; name a data directory with --data"
        )
    folder = Path(market.__file__).parent
    path = folder / "history-rates.csv.gz"
    rows: dict[str, list[Settlement]] = {}
    for line, (symbol, at_text, rate_text) in rows_of(path, ("symbol", "time_ms", "rate")):
        at_ms = integer(path, line, "time_ms", at_text)
        rows.setdefault(symbol, []).append(Settlement(at_ms, rate(path, line, rate_text)))
    chosen, also = pick(rows, wanted)
    if chosen is None:
        coins = ", ".join(sorted(parts_of(each)[0] for each in rows))
        raise FundingError(
            f"the embedded table has no rates of {wanted}",
            f"it has {coins}; others need a data directory: --data DIR",
        )
    return Rates(parts_of(chosen)[0], chosen, "binance-usdm", "the embedded table", tuple(rows[chosen]), also)


def between(rates: Rates, from_ms: int | None, until_ms: int | None) -> tuple[Settlement, ...]:
    """Settlements with from_ms <= nominal time < until_ms (None: no bound). FundingError for fewer than two."""
    kept = tuple(
        each
        for each in rates.settlements
        if (from_ms is None or each.at_ms >= from_ms) and (until_ms is None or each.at_ms < until_ms)
    )
    if len(kept) >= 2:
        return kept
    if len(rates.settlements) < 2:
        raise FundingError(f"{rates.source}: holds fewer than two settlements", "record more, or choose another coin")
    first, last = day_text(rates.settlements[0].at_ms), day_text(rates.settlements[-1].at_ms)
    raise FundingError(
        f"{rates.symbol} has fewer than two settlements in that window", f"the recording runs from {first} to {last}"
    )


def day_text(at_ms: int) -> str:
    """The UTC date of a time."""
    return time_text(at_ms)[:10]


def time_text(at_ms: int) -> str:
    """ISO 8601 to the minute, UTC."""
    return f"{dt.datetime.fromtimestamp(at_ms // 1000, dt.UTC):%Y-%m-%dT%H:%MZ}"

"""The market of recorded history: prices, depth, marks and funding as a pure function of market time."""

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from types import MappingProxyType

from bot.simulator.market.activity import (
    TRADE_USD_MEAN,
    candle_volume_usd,
    day_volume_usd,
    open_interest_usd,
)
from bot.simulator.market.book import BookModel, shape_for
from bot.simulator.market.directory import read_directory
from bot.simulator.market.filters import perp_listing, spot_listing
from bot.simulator.market.funding import FundingSchedule
from bot.simulator.market.path import CoinPath
from bot.simulator.market.table import DAY_MS, STEP_MS, CoinHistory, Table, read_table
from bot.simulator.model import Book, Candle, DayStats, Level, Listing, Mark, Settlement, Top

SEED_DEFAULT = 20_241_212
MARK_DECIMALS = 8
CANDLES_MAX = 1_500
SETTLEMENTS_KEPT = 50_000
SIGMA_ROWS = 10


class _Coin:
    """One coin's path, books and schedule."""

    __slots__ = ("at_ms", "books", "found", "history", "key", "multiplier", "path", "schedule", "usual_sigma")

    def __init__(self, history: CoinHistory, table: Table, seed: int, listings: Sequence[Listing]) -> None:
        digest = hashlib.blake2b(f"{seed}|{history.symbol}".encode(), digest_size=8).digest()
        self.key = int.from_bytes(digest, "big")
        self.at_ms, self.found = -1, (0.0, 0.0)
        self.history = history
        self.multiplier = float(history.multiplier)
        price, basis = _points(history, table)
        sigma = _sigmas(price, len(history.perp))
        self.usual_sigma = median(sigma[: len(history.perp) - 1])
        loop_to = (table.trading_from_ms - table.from_ms) // STEP_MS
        basis_sigma = (0.8 if history.coin in {"BTC", "ETH"} else 1.5) / 1e4
        self.path = CoinPath(self.key, table.from_ms, price, basis, sigma, basis_sigma, loop_to)
        self.schedule = FundingSchedule(
            history.settlements, table.trading_from_ms, table.trading_from_ms + table.period_ms
        )
        self.books: dict[Book, BookModel] = {}
        for salt, listing in enumerate(listings):
            perp = listing.book is Book.PERP
            typical = median(history.perp) if perp else median(history.spot)
            volume_usd = history.perp_volume_usd if perp else history.spot_volume_usd
            shape = shape_for(listing, typical, volume_usd)
            self.books[listing.book] = BookModel(listing, shape, self.key + salt + 1)

    def index(self, at_ms: int) -> float:
        """Price of the spot, per venue unit of the perpetual."""
        return self.multiplier * math.exp(self.at(at_ms)[0])

    def at(self, at_ms: int) -> tuple[float, float]:
        """Log price and log basis; the moment asked for last is asked for again by both books, marks and depths."""
        if at_ms != self.at_ms:
            self.at_ms, self.found = at_ms, self.path.at(at_ms)
        return self.found

    def middle(self, book: Book, at_ms: int) -> float:
        price, basis = self.at(at_ms)
        return math.exp(price) if book is Book.SPOT else self.multiplier * math.exp(price + basis)

    def volume_usd(self, book: Book) -> float:
        return self.history.spot_volume_usd if book is Book.SPOT else self.history.perp_volume_usd


def _points(history: CoinHistory, table: Table) -> tuple[list[float], list[float]]:
    """Logs of the spot and of perp over spot at every four hours: recorded, then the return stretch.

    The return stretch leads both in a straight line to their values at the start of the trading window.
    """
    multiplier = float(history.multiplier)
    price = [math.log(spot) for spot in history.spot]
    basis = [math.log(perp / multiplier / spot) for perp, spot in zip(history.perp, history.spot, strict=True)]
    target = (table.trading_from_ms - table.from_ms) // STEP_MS
    rows = table.return_days * DAY_MS // STEP_MS
    for points in (price, basis):
        start, end = points[-1], points[target]
        points += [start + (end - start) * row / rows for row in range(1, rows)]
        points.append(end)
    return price, basis


def _rounded(price: float) -> Decimal:
    return Decimal(f"{price:.{MARK_DECIMALS}f}")


def _sigmas(price: Sequence[float], recorded: int) -> list[float]:
    """Standard deviation of the log price over each segment: root mean square of the returns of the ten
    segments before and after it; the recorded median throughout the return stretch."""
    squares = [(after - before) ** 2 for before, after in itertools.pairwise(price)]
    sigma: list[float] = []
    for index in range(recorded - 1):
        near = squares[max(0, index - SIGMA_ROWS) : min(recorded - 1, index + SIGMA_ROWS + 1)]
        sigma.append(math.sqrt(sum(near) / len(near)))
    return sigma + [median(sigma)] * (len(squares) - len(sigma))


class HistoryMarket:
    """A `Market` made of a history table; see docs/history-table.md for every modelling choice.

    Pure and deterministic: the same table, seed and time give the same answer in any order of calls (what it
    keeps are caches). Times before the table give its first prices and no settlements; after it, the return
    stretch and then the trading window repeat without end. Unknown symbols raise KeyError.
    """

    def __init__(self, table: Table, seed: int = SEED_DEFAULT, start_ms: int | None = None) -> None:
        self.table = table
        self.seed = seed
        self._start_ms = table.demo_start_ms if start_ms is None else start_ms
        self._coins: dict[tuple[Book, str], _Coin] = {}
        listings: dict[tuple[Book, str], Listing] = {}
        for history in table.coins:
            perp = perp_listing(
                history.symbol,
                history.coin,
                history.multiplier,
                median(history.perp),
                history.perp_volume_usd,
                history.redated_days,
                table.from_ms,
            )
            spot = spot_listing(history.spot_symbol, history.coin, median(history.spot), perp.listed_ms)
            coin = _Coin(history, table, seed, (spot, perp))
            for listing in (spot, perp):
                listings[listing.book, listing.symbol] = listing
                self._coins[listing.book, listing.symbol] = coin
        self._listings = MappingProxyType(listings)
        self._perps = tuple(sorted(symbol for book, symbol in listings if book is Book.PERP))
        self._settled: dict[tuple[str, int], Settlement] = {}

    @classmethod
    def embedded(cls, seed: int = SEED_DEFAULT, start_ms: int | None = None) -> "HistoryMarket":
        """The market of the table that comes with the package."""
        return cls(read_table(Path(__file__).parent), seed, start_ms)

    @classmethod
    def from_directory(
        cls,
        directory: Path,
        from_ms: int | None = None,
        until_ms: int | None = None,
        *,
        seed: int = SEED_DEFAULT,
        start_ms: int | None = None,
    ) -> "HistoryMarket":
        """The market of another recording (`--history DIR`). Raises HistoryError with the file and remedy."""
        return cls(read_directory(directory, from_ms, until_ms), seed, start_ms)

    @property
    def start_ms(self) -> int:
        """Market time at which a run starts unless told otherwise."""
        return self._start_ms

    @property
    def history_from_ms(self) -> int:
        """The earliest time with prices and rates."""
        return self.table.from_ms

    @property
    def listings(self) -> Mapping[tuple[Book, str], Listing]:
        return self._listings

    def is_synthetic(self, at_ms: int) -> bool:
        """Whether the time lies in a return stretch, whose prices and rates nobody recorded."""
        if at_ms <= self.table.until_ms:
            return False
        turn_ms = (at_ms - self.table.trading_from_ms) % self.table.period_ms
        return turn_ms > self.table.until_ms - self.table.trading_from_ms or turn_ms == 0

    def top(self, book: Book, symbol: str, at_ms: int) -> Top:
        coin = self._coins[book, symbol]
        stress = coin.path.stress(at_ms, coin.usual_sigma)
        return coin.books[book].top(coin.middle(book, at_ms), stress, at_ms)

    def depth(self, book: Book, symbol: str, at_ms: int, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        coin = self._coins[book, symbol]
        stress = coin.path.stress(at_ms, coin.usual_sigma)
        return coin.books[book].depth(coin.middle(book, at_ms), stress, at_ms, levels)

    def last_price(self, book: Book, symbol: str, at_ms: int) -> Decimal:
        """The middle price rounded to the tick."""
        coin = self._coins[book, symbol]
        return coin.books[book].last(coin.middle(book, at_ms))

    def mark(self, symbol: str, at_ms: int) -> Mark:
        """Index = spot middle (times the multiplier); mark = index plus the basis smoothed over minutes."""
        coin = self._coins[Book.PERP, symbol]
        predicted, next_ms, interval_ms = coin.schedule.predicted(at_ms)
        index = coin.index(at_ms)
        mark = index * math.exp(coin.path.smooth_basis(at_ms))
        return Mark(_rounded(mark), _rounded(index), predicted, next_ms, interval_ms // 1000)

    def mark_price(self, symbol: str, at_ms: int) -> Decimal:
        coin = self._coins[Book.PERP, symbol]
        return _rounded(coin.index(at_ms) * math.exp(coin.path.smooth_basis(at_ms)))

    def settlements(self, after_ms: int, until_ms: int) -> Sequence[Settlement]:
        found: list[Settlement] = []
        for symbol in self._perps:
            found += self.settlements_of(symbol, after_ms, until_ms)
        found.sort(key=lambda one: (one.at_ms, one.symbol))
        return found

    def settlements_of(self, symbol: str, after_ms: int, until_ms: int) -> list[Settlement]:
        """One perpetual's settlements with after_ms < at_ms <= until_ms, in order of time."""
        schedule = self._coins[Book.PERP, symbol].schedule
        numbers = range(schedule.count(after_ms), schedule.count(until_ms))
        return [self._settlement(symbol, number) for number in numbers]

    def _settlement(self, symbol: str, number: int) -> Settlement:
        found = self._settled.get((symbol, number))
        if found is None:
            coin = self._coins[Book.PERP, symbol]
            at_ms, rate = coin.schedule.row(number)
            interval_s = coin.schedule.interval_ms(number) // 1000
            found = Settlement(symbol, at_ms, rate, self.mark_price(symbol, at_ms), interval_s)
            if len(self._settled) >= SETTLEMENTS_KEPT:
                self._settled.clear()
            self._settled[symbol, number] = found
        return found

    def day_stats(self, book: Book, symbol: str, at_ms: int) -> DayStats:
        coin = self._coins[book, symbol]
        candle = self._candle(coin, book, at_ms - DAY_MS, at_ms)
        volume_usd = day_volume_usd(self._salted(coin, book), coin.volume_usd(book), at_ms)
        base = self._quantity(book, symbol, volume_usd, candle.close)
        return DayStats(
            open=candle.open,
            high=candle.high,
            low=candle.low,
            last=candle.close,
            volume_base=base,
            volume_quote=Decimal(f"{volume_usd:.2f}"),
            trades=max(1, int(volume_usd / TRADE_USD_MEAN)),
        )

    def candles(self, book: Book, symbol: str, interval_s: int, from_ms: int, until_ms: int) -> Sequence[Candle]:
        """Candles that open in [from_ms, until_ms), at multiples of the interval, at most 1,500.

        The one in which `until_ms` lies is cut there: pass the present to keep the future out of it.
        """
        coin = self._coins[book, symbol]
        length_ms = interval_s * 1000
        first_ms = -(-max(from_ms, self.table.from_ms) // length_ms) * length_ms
        last_ms = min(until_ms, first_ms + CANDLES_MAX * length_ms)
        found: list[Candle] = []
        for open_ms in range(first_ms, last_ms, length_ms):
            close_ms = min(open_ms + length_ms, until_ms)
            candle = self._candle(coin, book, open_ms, close_ms)
            volume_usd = candle_volume_usd(
                self._salted(coin, book), coin.volume_usd(book), open_ms, close_ms - open_ms
            )
            base = self._quantity(book, symbol, volume_usd, candle.close)
            found.append(Candle(open_ms, candle.open, candle.high, candle.low, candle.close, base))
        return found

    def _candle(self, coin: _Coin, book: Book, open_ms: int, close_ms: int) -> Candle:
        perp = book is Book.PERP
        model = coin.books[book]
        low, high = coin.path.extremes(open_ms, close_ms, perp=perp)
        scale = coin.multiplier if perp else 1.0
        opened, closed = (model.last(coin.middle(book, time_ms)) for time_ms in (open_ms, close_ms))
        return Candle(
            open_ms,
            opened,
            max(opened, closed, model.last(scale * math.exp(high))),
            min(opened, closed, model.last(scale * math.exp(low))),
            closed,
            Decimal(0),
        )

    def open_interest(self, symbol: str, at_ms: int) -> Decimal:
        coin = self._coins[Book.PERP, symbol]
        usd = open_interest_usd(coin.key, coin.history.perp_volume_usd, at_ms)
        return self._quantity(Book.PERP, symbol, usd, self.last_price(Book.PERP, symbol, at_ms))

    @staticmethod
    def _salted(coin: _Coin, book: Book) -> int:
        return coin.key + (1 if book is Book.SPOT else 0)

    def _quantity(self, book: Book, symbol: str, usd: float, price: Decimal) -> Decimal:
        """Whole lots worth about `usd`."""
        lot = self._listings[book, symbol].lot
        return lot * max(1, int(usd / float(price) / float(lot)))

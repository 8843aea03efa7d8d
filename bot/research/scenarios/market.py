"""A `Market` of tracks, with stretches that are not as usual: wide spreads, thin books, a spot that stands still."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from bot.domain.time import DAY_MS, MINUTE_MS
from bot.research.bars import DEPTH_SHARE, DEPTH_USD_MIN, OPEN_INTEREST_DAYS, refined
from bot.research.scenarios.track import Track
from bot.simulator.market.filters import perp_listing, spot_listing
from bot.simulator.market.funding import FundingSchedule
from bot.simulator.market.tiers import LARGE_VOLUME_USD
from bot.simulator.model import Book, Candle, DayStats, Level, Listing, Mark, Settlement, Top

HALF_SPREAD_BPS = 1.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `from_ms` to before `until_ms` a coin's books are different; coin "" is every coin."""

    from_ms: int
    until_ms: int
    coin: str = ""
    half_spread_bps: float = HALF_SPREAD_BPS
    depth_usd: float | None = None
    """USD at the touch of either side; None leaves the model's."""
    spot_halted: bool = False
    """The spot book stands still at its last price, empty; the index goes on."""


@dataclass(frozen=True, slots=True)
class CoinMarket:
    """One coin: where its prices go, what it settled, and under which listings it trades."""

    coin: str
    symbol: str
    multiplier: Decimal
    track: Track
    schedule: FundingSchedule
    listed_ms: int


class StagedMarket:
    """Every coin's track behind the simulated exchange's own `Market` protocol; times are UTC ms."""

    def __init__(self, coins: Iterable[CoinMarket], start_ms: int, stretches: Sequence[Stretch] = ()) -> None:
        self._start_ms = start_ms
        self._coins = {one.symbol: one for one in coins}
        self._stretches = stretches
        self.listings: Mapping[tuple[Book, str], Listing] = {
            (listing.book, listing.symbol): listing
            for one in self._coins.values()
            for listing in _listings(one, start_ms)
        }
        self._by_spot = {f"{one.coin}USDT": one for one in self._coins.values()}

    @property
    def start_ms(self) -> int:
        return self._start_ms

    @property
    def coins(self) -> Iterable[CoinMarket]:
        return self._coins.values()

    def coin(self, book: Book, symbol: str) -> CoinMarket:
        return self._by_spot[symbol] if book is Book.SPOT else self._coins[symbol]

    def stretch(self, coin: str, at_ms: int) -> Stretch | None:
        """The stretch that a coin is in; the coin's own goes before everyone's."""
        found = [s for s in self._stretches if s.coin in ("", coin) and s.from_ms <= at_ms < s.until_ms]
        return max(found, key=lambda s: s.coin == coin, default=None)

    def spot_halted(self, coin: str, at_ms: int) -> bool:
        found = self.stretch(coin, at_ms)
        return found is not None and found.spot_halted

    def price(self, book: Book, symbol: str, at_ms: int) -> float:
        """What the leg trades at, quote per venue unit; a halted spot's last price."""
        one = self.coin(book, symbol)
        if book is Book.SPOT:
            found = self.stretch(one.coin, at_ms)
            if found is not None and found.spot_halted:
                at_ms = found.from_ms - 1
            return one.track.at(at_ms)[0]
        spot, basis = one.track.at(at_ms)
        return spot * (1 + basis) * float(one.multiplier)

    def top(self, book: Book, symbol: str, at_ms: int) -> Top:
        one, tick = self.coin(book, symbol), self.listings[book, symbol].tick
        found = self.stretch(one.coin, at_ms)
        half = HALF_SPREAD_BPS if found is None else found.half_spread_bps
        price = self.price(book, symbol, at_ms)
        bid, ask = (_on_grid(price * (1 + sign * half * 1e-4), tick) for sign in (-1, 1))
        halted = found is not None and found.spot_halted and book is Book.SPOT
        size = Decimal(0) if halted else Decimal(f"{self._depth_usd(one, book, at_ms) / price:.8f}")
        return Top(bid, ask, size, size)

    def _depth_usd(self, one: CoinMarket, book: Book, at_ms: int) -> float:
        found = self.stretch(one.coin, at_ms)
        if found is not None and found.depth_usd is not None:
            return found.depth_usd
        spot, perp = one.track.volumes_usd(at_ms)
        return max(DEPTH_USD_MIN, (spot if book is Book.SPOT else perp) * DEPTH_SHARE)

    def depth(self, book: Book, symbol: str, at_ms: int, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        """One level a side: what stands within 10 bps, at the touch."""
        if not levels:
            return (), ()
        top = self.top(book, symbol, at_ms)
        return (Level(top.bid, top.bid_size),), (Level(top.ask, top.ask_size),)

    def mark(self, symbol: str, at_ms: int) -> Mark:
        """The perpetual's own price; the index is the coin's price also while the spot book stands still."""
        one = self._coins[symbol]
        spot, basis = one.track.at(at_ms)
        scale = float(one.multiplier)
        tick = self.listings[Book.PERP, symbol].tick
        rate, next_ms, interval_ms = one.schedule.predicted(at_ms)
        return Mark(
            _on_grid(spot * (1 + basis) * scale, tick),
            _on_grid(spot * scale, tick),
            rate,
            next_ms,
            interval_ms // 1000,
        )

    def mark_price(self, symbol: str, at_ms: int) -> Decimal:
        """What the perpetual is marked at: its own price."""
        return _on_grid(self.price(Book.PERP, symbol, at_ms), self.listings[Book.PERP, symbol].tick)

    def settlements(self, after_ms: int, until_ms: int) -> Sequence[Settlement]:
        found = []
        for one in self._coins.values():
            schedule = one.schedule
            for number in range(schedule.count(after_ms), schedule.count(until_ms)):
                at_ms, rate = schedule.row(number)
                mark = self.mark_price(one.symbol, at_ms)
                found.append(Settlement(one.symbol, at_ms, rate, mark, schedule.interval_ms(number) // 1000))
        return sorted(found, key=lambda row: (row.at_ms, row.symbol))

    def day_stats(self, book: Book, symbol: str, at_ms: int) -> DayStats:
        """Open, high, low and last of the trailing day by the hour; the volume is the track's."""
        one = self.coin(book, symbol)
        prices = [
            Decimal(f"{self.price(book, symbol, t):.8f}") for t in range(at_ms - DAY_MS, at_ms + 1, DAY_MS // 24)
        ]
        usd = Decimal(f"{one.track.volumes_usd(at_ms)[book is Book.PERP]:.2f}")
        return DayStats(prices[0], max(prices), min(prices), prices[-1], usd / prices[-1], usd, 0)

    def candles(self, book: Book, symbol: str, interval_s: int, from_ms: int, until_ms: int) -> Sequence[Candle]:
        """Candles that open in [from_ms, until_ms), from the path by the minute."""
        found = []
        length = interval_s * 1000
        for open_ms in range(-(-from_ms // length) * length, until_ms, length):
            times = range(open_ms, open_ms + length + 1, min(length, MINUTE_MS))
            prices = [Decimal(f"{self.price(book, symbol, at_ms):.8f}") for at_ms in times]
            found.append(Candle(open_ms, prices[0], max(prices), min(prices), prices[-1], Decimal(0)))
        return found

    def open_interest(self, symbol: str, at_ms: int) -> Decimal:
        """Half a day's volume in base units: no recording has it."""
        one = self._coins[symbol]
        usd = one.track.volumes_usd(at_ms)[1] * OPEN_INTEREST_DAYS
        return Decimal(f"{usd / self.price(Book.PERP, symbol, at_ms):.8f}")


def _on_grid(price: float, tick: Decimal) -> Decimal:
    return Decimal(f"{price:.12g}").quantize(tick, ROUND_HALF_EVEN)


def _listings(one: CoinMarket, start_ms: int) -> tuple[Listing, ...]:
    """Lots and least notionals of the simulator's tables, no price bands: limits of our own are what is on trial."""
    spot_price = one.track.at(start_ms)[0]
    perp_price = spot_price * float(one.multiplier)
    perp = perp_listing(one.symbol, one.coin, one.multiplier, perp_price, LARGE_VOLUME_USD, 0, one.listed_ms)
    spot = spot_listing(f"{one.coin}USDT", one.coin, spot_price, one.listed_ms)
    return tuple(
        refined(listing, Decimal(repr(price)), one.listed_ms)
        for listing, price in ((spot, spot_price), (perp, perp_price))
    )

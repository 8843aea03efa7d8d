"""A market of ten coins for one seed: prices, depth and funding as a pure function of market time.

Prices walk on a grid of fifteen minutes, funding rates settle each one to eight hours. The plan's market faults
(jumps, turned or swinging rates, changed intervals) are part of the function, so the past never changes.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from bot.simulator.market.filters import perp_listing, spot_listing
from bot.simulator.model import Book, Candle, DayStats, Level, Listing, Mark, Settlement, Top

START_MS = 1_793_664_000_000  # 2026-11-03 00:00 UTC
GRID_MS = 900_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HISTORY_DAYS = 6
LEVELS_MAX = 30
SPOT_TICK_MIN = Decimal("0.00000001")
NO_MARK = Mark(Decimal(0), Decimal(0), Decimal(0), 0, 0)
COINS: Mapping[str, tuple[float, int]] = {
    "BTC": (100_000.0, 1),
    "ETH": (4_000.0, 1),
    "SOL": (200.0, 1),
    "XRP": (2.0, 1),
    "DOGE": (0.4, 1),
    "LINK": (25.0, 1),
    "AVAX": (40.0, 1),
    "SUI": (4.0, 1),
    "PEPE": (0.00002, 1000),
    "SHIB": (0.00003, 1000),
}
"""Coin -> (price of one coin in USDT, coins in a perpetual's unit)."""
CORE = ("BTC", "ETH")
"""Their moves are those of the market: rule R6 looks at them."""


@dataclass(slots=True)
class Shape:
    """What the plan makes of a coin's market. Times are hours after the start."""

    jumps: list[tuple[float, float]] = field(default_factory=list)
    """(hour, factor on the price from then on)"""
    rate: float = 0.0003
    """Funding a day third, before noise."""
    turns: list[tuple[float, float]] = field(default_factory=list)
    """(hour, rate from then on)"""
    basis: list[tuple[float, float, float]] = field(default_factory=list)
    """(hour, hour, what the perpetual costs above the spot in between, a fraction)"""
    swing: float = 0.0
    """Rates alternate by this much from one settlement to the next."""
    intervals: list[tuple[float, int]] = field(default_factory=lambda: [(-1e9, 8)])
    """(hour, hours between settlements from then on)"""
    lean: float = 1.0
    """How much more is asked than bid for at each level."""
    caps: list[tuple[float, float, float]] = field(default_factory=list)
    """(hour, hour, what no rate that settles after the first and by the second is beyond)"""

    def capped(self, rate: float, hour: float) -> float:
        cap = min((cap for since, until, cap in self.caps if since < hour <= until), default=math.inf)
        return max(-cap, min(cap, rate))


class _Coin:
    def __init__(self, name: str, dice: Random, shape: Shape, days: float, *, frozen: bool) -> None:
        price, multiplier = COINS[name]
        prefix = "" if multiplier == 1 else str(multiplier)
        self.name = name
        self.multiplier = multiplier
        self.perp = perp_listing(
            f"{prefix}{name}USDT", name, Decimal(multiplier), price * multiplier, 5e8, 0, START_MS - 400 * DAY_MS
        )
        self.spot = spot_listing(f"{name}USDT", name, price, self.perp.listed_ms)
        if self.spot.tick < SPOT_TICK_MIN:  # the venue writes eight decimals
            self.spot = replace(self.spot, tick=SPOT_TICK_MIN)
        if frozen:
            self.perp = replace(self.perp, lot=_coarse_lot(price * multiplier), quantity_min=Decimal(0))
        self.volume_usd = 2e8 if name not in ("BTC", "ETH") else 5e9
        self.level_usd = 1e7 if frozen else dice.uniform(2_500, 12_000) * (1 if multiplier == 1 else 6)
        steps = int(days * DAY_MS) // GRID_MS + 2
        self.lean = shape.lean
        self.path = _path(dice, price, steps, shape, frozen=frozen)
        self.basis = [0.0 if frozen else dice.gauss(0.0002, 0.0003) for _ in range(steps)]
        for since_h, until_h, size in shape.basis:
            for step in range(_step_of(since_h), min(_step_of(until_h), steps)):
                self.basis[step] += size
        self.settlements = _settlements(self, dice, shape, days, frozen=frozen)
        self.times = [one.at_ms for one in self.settlements]
        self.cache: dict[tuple[str, int], Top] = {}
        self.marked: tuple[tuple[int, int], Mark] = ((-1, -1), NO_MARK)

    def step(self, at_ms: int) -> int:
        return min(max(0, (at_ms - START_MS) // GRID_MS), len(self.path) - 1)

    def price(self, at_ms: int) -> float:
        return self.path[self.step(at_ms)]

    def perp_price(self, at_ms: int) -> float:
        step = self.step(at_ms)
        return self.path[step] * self.multiplier * (1 + self.basis[step])


def _coarse_lot(price: float) -> Decimal:
    """About 400 USD, so that a target is the same whatever fees were paid a minute earlier or later."""
    exponent = math.floor(math.log10(400 / price))
    digit = next(d for d in (5, 2, 1) if d * 10.0**exponent <= 400 / price)
    return Decimal(f"{Decimal(digit).scaleb(exponent):f}")


def _path(dice: Random, price: float, steps: int, shape: Shape, *, frozen: bool) -> list[float]:
    sigma = 0.0 if frozen else dice.uniform(0.001, 0.004)
    found, jumps = [], sorted(shape.jumps)
    price *= math.exp(dice.gauss(0, 0.3)) if not frozen else 1.0
    for step in range(steps):
        while jumps and jumps[0][0] * HOUR_MS <= step * GRID_MS:
            price *= jumps.pop(0)[1]
        found.append(price)
        price *= math.exp(dice.gauss(0, sigma))
    return found


def _step_of(hour: float) -> int:
    """The first moment of the grid that is not before an hour."""
    return math.ceil(hour * HOUR_MS / GRID_MS)


def _settlements(coin: _Coin, dice: Random, shape: Shape, days: float, *, frozen: bool) -> list[Settlement]:
    found: list[Settlement] = []
    at_ms, end_ms = START_MS - HISTORY_DAYS * DAY_MS, START_MS + int(days * DAY_MS)
    sign, drift = 1, 0.0
    while at_ms <= end_ms:
        hour = (at_ms - START_MS) / HOUR_MS
        interval_h = next(h for since, h in reversed(shape.intervals) if since <= hour)
        base = next((rate for since, rate in reversed(shape.turns) if since <= hour), shape.rate)
        sign, drift = -sign, 0.0 if frozen else 0.8 * drift + dice.gauss(0, 0.00004)
        rate = shape.capped((base + drift + sign * shape.swing) * interval_h / 8, hour)
        mark = Decimal(f"{coin.perp_price(at_ms):.8f}")
        found.append(Settlement(coin.perp.symbol, at_ms, Decimal(f"{rate:.8f}"), mark, interval_h * 3600))
        at_ms += interval_h * HOUR_MS
        at_ms -= at_ms % (interval_h * HOUR_MS)
    return found


class CampaignMarket:
    """Implements `bot.simulator.model.Market`."""

    def __init__(self, dice: Random, shapes: Mapping[str, Shape], days: float, *, frozen: bool = False) -> None:
        self.coins = {name: _Coin(name, dice, shapes[name], days, frozen=frozen) for name in COINS}
        self.by_symbol = {
            (book, listing.symbol): coin
            for coin in self.coins.values()
            for book, listing in ((Book.SPOT, coin.spot), (Book.PERP, coin.perp))
        }
        self._listings: dict[tuple[Book, str], Listing] = {
            (listing.book, listing.symbol): listing
            for coin in self.coins.values()
            for listing in (coin.spot, coin.perp)
        }
        self._settlements = sorted(
            (one for coin in self.coins.values() for one in coin.settlements), key=lambda s: (s.at_ms, s.symbol)
        )
        self._settled_ms = [one.at_ms for one in self._settlements]
        self._relisted = 0

    def moment(self, at_ms: int) -> tuple[int, int]:
        """Within one of these neither a price nor a rate changes: settlements lie on the grid of prices."""
        return (at_ms - START_MS) // GRID_MS, self._relisted

    @property
    def start_ms(self) -> int:
        return START_MS

    @property
    def listings(self) -> Mapping[tuple[Book, str], Listing]:
        return self._listings

    def relist(self, listing: Listing) -> None:
        """The venue changes an instrument's filters or status."""
        self._relisted += 1
        self._listings[listing.book, listing.symbol] = listing
        coin = self.by_symbol[listing.book, listing.symbol]
        if listing.book is Book.SPOT:
            coin.spot = listing
        else:
            coin.perp = listing
        coin.cache.clear()

    def top(self, book: Book, symbol: str, at_ms: int) -> Top:
        coin = self.by_symbol[book, symbol]
        step = coin.step(at_ms)
        found = coin.cache.get((book, step))
        if found is None:
            listing = coin.spot if book is Book.SPOT else coin.perp
            middle = coin.path[step] if book is Book.SPOT else coin.perp_price(at_ms)
            tick = float(listing.tick)
            spread = max(1, round(middle * 1e-4 / tick))
            bid = max(1, int(middle / tick) - spread // 2)
            size = _lots(coin.level_usd / middle, listing)
            asked = size if coin.lean == 1 else _lots(coin.level_usd * coin.lean / middle, listing)
            found = Top(listing.tick * bid, listing.tick * (bid + spread), size, asked)
            coin.cache[book, step] = found
        return found

    def depth(self, book: Book, symbol: str, at_ms: int, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        coin, top = self.by_symbol[book, symbol], self.top(book, symbol, at_ms)
        listing = coin.spot if book is Book.SPOT else coin.perp
        away = listing.tick * max(1, round(float(top.bid) * 0.7e-4 / float(listing.tick)))
        bids, asks = [], []
        for level in range(min(levels, LEVELS_MAX)):
            deeper = 1 + 0.3 * level
            bids.append(Level(top.bid - away * level, _lots(float(top.bid_size) * deeper, listing)))
            asks.append(Level(top.ask + away * level, _lots(float(top.ask_size) * deeper, listing)))
        return [level for level in bids if level.price > 0], asks

    def mark(self, symbol: str, at_ms: int) -> Mark:
        coin = self.by_symbol[Book.PERP, symbol]
        upcoming = bisect_right(coin.times, at_ms)
        key = coin.step(at_ms), upcoming
        if coin.marked[0] != key:
            coin.marked = key, self._mark(coin, at_ms, upcoming)
        return coin.marked[1]

    def mark_price(self, symbol: str, at_ms: int) -> Decimal:
        return self.mark(symbol, at_ms).mark

    def _mark(self, coin: _Coin, at_ms: int, upcoming: int) -> Mark:
        following = coin.settlements[min(upcoming, len(coin.settlements) - 1)]
        mark = Decimal(f"{coin.perp_price(at_ms):.8f}")
        index = Decimal(f"{coin.price(at_ms) * coin.multiplier:.8f}")
        return Mark(mark, index, following.rate, following.at_ms, following.interval_s)

    def settlements(self, after_ms: int, until_ms: int) -> Sequence[Settlement]:
        first, last = bisect_right(self._settled_ms, after_ms), bisect_right(self._settled_ms, until_ms)
        return self._settlements[first:last]

    def day_stats(self, book: Book, symbol: str, at_ms: int) -> DayStats:
        coin, top = self.by_symbol[book, symbol], self.top(book, symbol, at_ms)
        quote = Decimal(int(coin.volume_usd))
        return DayStats(top.bid, top.ask, top.bid, top.bid, quote / top.bid, quote, 1_000)

    def candles(self, book: Book, symbol: str, interval_s: int, from_ms: int, until_ms: int) -> Sequence[Candle]:
        raise NotImplementedError("nobody in the campaign asks for candles")

    def open_interest(self, symbol: str, at_ms: int) -> Decimal:
        coin = self.by_symbol[Book.PERP, symbol]
        return Decimal(int(coin.volume_usd / coin.perp_price(at_ms)) + 1)


def _lots(quantity: float, listing: Listing) -> Decimal:
    return listing.lot * max(1, int(quantity / float(listing.lot)))

"""A small market for the exchange's tests: prices by script or by a seeded walk, exact and deterministic.

Three coins: AAA (about 100 USDT), BBB (about 5) and CCC, whose perp is quoted per 1000 (1000CCCUSDT).
Each book has 30 levels a side of equal size, one tick apart, the best at half a spread from the middle.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from hashlib import blake2b

from bot.simulator.exchange.core import Exchange
from bot.simulator.model import (
    Book,
    Candle,
    DayStats,
    Level,
    Listing,
    MarginTier,
    Mark,
    OrderRequest,
    OrderType,
    Settlement,
    Side,
    TimeInForce,
    Top,
)

D = Decimal
START_MS = 1_731_628_800_000  # 2024-11-15 00:00 UTC
HOUR_MS = 3_600_000
LEVELS = 30
KEY = "key"

TIERS = (
    MarginTier(D(0), D(50_000), 50, D("0.01"), D(0)),
    MarginTier(D(50_000), D(500_000), 20, D("0.02"), D(500)),
    MarginTier(D(500_000), D(5_000_000), 5, D("0.05"), D(15_500)),
)


@dataclass(frozen=True)
class Coin:
    name: str
    price: D
    tick: D
    lot: D
    multiplier: D
    size: D
    interval_s: int
    rate: D


COINS = (
    Coin("AAA", D(100), D("0.10"), D("0.01"), D(1), D("2.00"), 8 * 3600, D("0.0001")),
    Coin("BBB", D(5), D("0.001"), D("0.1"), D(1), D("40.0"), 4 * 3600, D("-0.0003")),
    Coin("CCC", D("0.02"), D("0.0000001"), D(1), D(1000), D(9000), 3600, D("0.00002")),
)


def perp_symbol(coin: Coin) -> str:
    return f"{coin.multiplier}{coin.name}USDT" if coin.multiplier != 1 else f"{coin.name}USDT"


def _listing(coin: Coin, book: Book) -> Listing:
    perp = book is Book.PERP
    scale = coin.multiplier if perp else D(1)
    return Listing(
        book=book,
        symbol=perp_symbol(coin) if perp else f"{coin.name}USDT",
        base_asset=f"{scale}{coin.name}" if scale != 1 else coin.name,
        quote_asset="USDT",
        coin=coin.name,
        multiplier=scale,
        tick=coin.tick * scale,
        lot=coin.lot,
        quantity_min=coin.lot,
        quantity_max=D(100_000),
        notional_min=D(5),
        band_up=D("1.1"),
        band_down=D("0.9"),
        listed_ms=0,
        tiers=TIERS if perp else (),
    )


def walk_price(coin: Coin, at_ms: int) -> D:
    """A seeded walk within 8 % of the coin's price that changes each minute."""
    minute = at_ms // 60_000
    draw = blake2b(f"{coin.name}:{minute}".encode(), digest_size=4).digest()
    share = D(int.from_bytes(draw, "big") % 1601 - 800) / D(10_000)
    return coin.price * (1 + share)


@dataclass
class ScriptedMarket:
    """`script[coin](at_ms)` is the middle of its spot book; the perp is `premium` above it."""

    script: Mapping[str, Callable[[int], D]] = field(default_factory=dict)
    premium: D = field(default_factory=D)
    start_ms: int = START_MS
    calls: int = 0

    def __post_init__(self) -> None:
        self.listings: dict[tuple[Book, str], Listing] = {}
        self._coins: dict[tuple[Book, str], Coin] = {}
        for coin in COINS:
            for book in Book:
                listing = _listing(coin, book)
                self.listings[(book, listing.symbol)] = listing
                self._coins[(book, listing.symbol)] = coin

    def middle(self, book: Book, symbol: str, at_ms: int) -> D:
        coin = self._coins[(book, symbol)]
        price = self.script[coin.name](at_ms) if coin.name in self.script else coin.price
        listing = self.listings[(book, symbol)]
        price = price * listing.multiplier * (1 + (self.premium if book is Book.PERP else D(0)))
        return (price / listing.tick).to_integral_value(ROUND_DOWN) * listing.tick

    def top(self, book: Book, symbol: str, at_ms: int) -> Top:
        middle = self.middle(book, symbol, at_ms)
        tick = self.listings[(book, symbol)].tick
        size = self._coins[(book, symbol)].size
        return Top(middle - tick, middle + tick, size, size)

    def depth(self, book: Book, symbol: str, at_ms: int, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        self.calls += 1
        top = self.top(book, symbol, at_ms)
        tick = self.listings[(book, symbol)].tick
        count = range(min(levels, LEVELS))
        bids = [Level(top.bid - tick * i, top.bid_size) for i in count]
        return bids, [Level(top.ask + tick * i, top.ask_size) for i in count]

    def mark(self, symbol: str, at_ms: int) -> Mark:
        coin = self._coins[(Book.PERP, symbol)]
        period_ms = coin.interval_s * 1000
        middle = self.middle(Book.PERP, symbol, at_ms)
        return Mark(middle, middle, coin.rate, (at_ms // period_ms + 1) * period_ms, coin.interval_s)

    def mark_price(self, symbol: str, at_ms: int) -> D:
        return self.mark(symbol, at_ms).mark

    def settlements(self, after_ms: int, until_ms: int) -> Sequence[Settlement]:
        found = []
        for (book, symbol), coin in self._coins.items():
            period_ms = coin.interval_s * 1000
            if book is Book.PERP:
                found += [
                    Settlement(symbol, t, coin.rate, self.middle(book, symbol, t), coin.interval_s)
                    for t in range((after_ms // period_ms + 1) * period_ms, until_ms + 1, period_ms)
                ]
        return sorted(found, key=lambda s: (s.at_ms, s.symbol))

    def day_stats(self, book: Book, symbol: str, at_ms: int) -> DayStats:
        price = self.middle(book, symbol, at_ms)
        return DayStats(price, price, price, price, D(0), D(0), 0)

    def candles(self, book: Book, symbol: str, interval_s: int, from_ms: int, until_ms: int) -> Sequence[Candle]:
        return ()

    def open_interest(self, symbol: str, at_ms: int) -> D:
        return D(0)


def walking_market() -> ScriptedMarket:
    return ScriptedMarket({c.name: lambda t, c=c: walk_price(c, t) for c in COINS})


def steps(*points: tuple[int, str]) -> Callable[[int], D]:
    """A price that jumps: (milliseconds after START_MS, price), the first at 0."""

    def price(at_ms: int) -> D:
        current = points[0][1]
        for after_ms, value in points:
            if at_ms >= START_MS + after_ms:
                current = value
        return D(current)

    return price


def exchange(
    market: ScriptedMarket | None = None,
    spot: Mapping[str, str] | None = None,
    perp: str = "10000",
    seed: int = 7,
) -> Exchange:
    balances = {k: D(v) for k, v in (spot if spot is not None else {"USDT": "10000"}).items()}
    accounts = {KEY: {Book.SPOT: balances, Book.PERP: {"USDT": D(perp)}}}
    return Exchange(market or ScriptedMarket(), accounts, START_MS, seed)


def request(book: Book, symbol: str, side: str, quantity: str, price: str | None = None, **more) -> OrderRequest:
    """LIMIT where a price is given, else MARKET; `tif`, `reduce_only` and `client_id` by keyword."""
    return OrderRequest(
        book=book,
        symbol=symbol,
        side=Side(side),
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        time_in_force=more.get("tif", TimeInForce.GTC),
        quantity=D(quantity),
        price=None if price is None else D(price),
        reduce_only=more.get("reduce_only", False),
        client_id=more.get("client_id", ""),
    )


def spot(side: str, quantity: str, price: str | None = None, symbol: str = "AAAUSDT", **more) -> OrderRequest:
    return request(Book.SPOT, symbol, side, quantity, price, **more)


def perp(side: str, quantity: str, price: str | None = None, symbol: str = "AAAUSDT", **more) -> OrderRequest:
    return request(Book.PERP, symbol, side, quantity, price, **more)

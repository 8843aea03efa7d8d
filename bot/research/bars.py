"""A market made of recorded closes: what the simulated exchange trades on in a backtest.

At a grid time T the price of a leg is the close of its candle that ends at T, and it holds until the next grid time.
Nothing between the closes is invented. Bid and ask stand `half_spread_bps` away from the close: all of slippage, as
the book behind the touch is as deep as asked. What is modelled and what is not: docs/backtest.md.

A bar in which one leg has no candle, or in which the spot exchange was halted (its last price is stale, and a basis
against it is fiction), freezes the pair: prices stay, nothing can be traded, and no mark arrives.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property

from bot.domain.time import DAY_MS, HOUR_MS
from bot.research.foretold import RateCaps, announced
from bot.research.latency import late_leg
from bot.research.recordings import Recording, Series
from bot.simulator.market.filters import PERP_FACTS, perp_listing, spot_listing
from bot.simulator.market.tiers import LARGE_VOLUME_USD
from bot.simulator.model import Book, Candle, DayStats, Level, Listing, Mark, Settlement, Top

GRID_MS = 4 * HOUR_MS
EIGHT_HOURS_MS = 8 * HOUR_MS
PAID_DIGITS = 8
TICK_SHARE = 6
"""Ticks are the power of ten this many digits below the first price: closes and spreads come out as stated."""
SIZE = Decimal(10) ** 9
DEPTH_SHARE = 0.0015
DEPTH_USD_MIN = 60_000.0
OPEN_INTEREST_DAYS = 0.5


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs: taker fees as fractions, half the spread in bps on each leg. 0.17 % a side by default."""

    spot_fee: Decimal = Decimal("0.001")
    perp_fee: Decimal = Decimal("0.0005")
    half_spread_bps: Decimal = Decimal(1)
    leg_latency_s: float = 0.0
    """By how much the perpetual's leg fills later than the spot's (bot/research/latency.py); not part of `side`."""

    @property
    def side(self) -> float:
        """Both legs, one way, as a fraction of one-side notional."""
        return float(self.spot_fee + self.perp_fee + 2 * self.half_spread_bps / 10_000)


class Bars:
    """One coin on the grid. Prices are quote per venue unit; index 0 is the market's start."""

    __slots__ = (
        "basis", "candle_ms", "coin", "first", "fresh", "last", "perp", "perp_listing", "perp_usd", "rate_caps",
        "rate_times", "rates", "scale", "spot", "spot_listing", "spot_usd", "symbol",
    )  # fmt: skip

    def __init__(self, recording: Recording, times_ms: range, halted: frozenset[int]) -> None:
        self.symbol, self.coin = recording.symbol, recording.coin
        self.candle_ms = recording.candle_ms
        self.rates = recording.rates
        self.rate_times = [at_ms for at_ms, _ in recording.rates]
        self.rate_caps = RateCaps(recording.symbol, recording.rates)
        self.spot_listing, self.perp_listing = _listings(recording)
        spot, perp = (_on_grid(leg, times_ms, halted) for leg in (recording.spot, recording.perp))
        self.spot: list[Decimal] = []
        self.perp: list[Decimal] = []
        self.fresh: list[bool] = []
        self.first = self.last = -1
        begins_ms = recording.rates[0][0]
        grids = payable_grid(self.spot_listing.lot), payable_grid(self.perp_listing.lot)
        last = _snapped(recording.spot.closes[0], grids[0]), _snapped(recording.perp.closes[0], grids[1])
        for index, at_ms in enumerate(times_ms):
            one, other = spot[index], perp[index]
            fresh = one is not None and other is not None and at_ms not in halted and at_ms >= begins_ms
            if fresh and one is not None and other is not None:
                last = _snapped(one, grids[0]), _snapped(other, grids[1])
                self.first = index if self.first < 0 else self.first
                self.last = index
            self.spot.append(last[0])
            self.perp.append(last[1])
            self.fresh.append(fresh)
        self.spot_usd = _trailing_day(recording.spot, times_ms)
        self.perp_usd = _trailing_day(recording.perp, times_ms)
        self.scale = float(recording.multiplier)
        self.basis = [
            float(one) / (float(other) * self.scale) - 1 for one, other in zip(self.perp, self.spot, strict=True)
        ]


def _on_grid(series: Series, times_ms: range, halted: frozenset[int]) -> list[Decimal | None]:
    """The close of the candle that ends at each grid time; None where there is none, or the exchange stood still.

    Where bars are shorter than a coin's candles there is no price in between: the last one could not be traded at.
    """
    closes = {end: close for end, close in zip(series.ends_ms, series.closes, strict=True) if end not in halted}
    return [closes.get(at_ms) for at_ms in times_ms]


def payable_grid(lot: Decimal) -> Decimal:
    """The finest price step at which a lot's worth can be paid: the exchange counts quote to eight decimals.

    A close recorded with more digits (a float's noise) would leave the exchange and the ledger 1e-8 apart.
    """
    return Decimal(1).scaleb(max(0, -int(lot.normalize().as_tuple().exponent)) - PAID_DIGITS)


def _snapped(close: Decimal, grid: Decimal) -> Decimal:
    exponent = close.as_tuple().exponent
    noisy = isinstance(exponent, int) and exponent < grid.adjusted()
    return close.quantize(grid, ROUND_HALF_EVEN) if noisy else close


def _trailing_day(series: Series, times_ms: range) -> list[float]:
    """USD traded in the 24 hours up to each grid time."""
    found: list[float] = []
    total, first, last = 0.0, 0, 0
    ends, volumes = series.ends_ms, series.volumes_usd
    for at_ms in times_ms:
        while last < len(ends) and ends[last] <= at_ms:
            total += volumes[last]
            last += 1
        while first < last and ends[first] <= at_ms - DAY_MS:
            total -= volumes[first]
            first += 1
        found.append(total)
    return found


def _listings(recording: Recording) -> tuple[Listing, Listing]:
    """Lots, notionals and bands of the simulator's tables; ticks fine enough for the recorded prices.

    Brackets: BTC's and ETH's own, the ladder of large coins for the rest (no public recording has them). Nothing
    here looks past the first price.
    """
    spot_price, perp_price = recording.spot.closes[0], recording.perp.closes[0]
    known = PERP_FACTS.get(recording.symbol)
    since = known.listed_ms if known is not None and known.listed_ms is not None else recording.first_ms
    perp = perp_listing(
        recording.symbol, recording.coin, recording.multiplier, float(perp_price), LARGE_VOLUME_USD, 0, since
    )
    spot = spot_listing(f"{recording.coin}USDT", recording.coin, float(spot_price), since)
    return refined(spot, spot_price, since), refined(perp, perp_price, since)


def refined(listing: Listing, first_price: Decimal, since: int) -> Listing:
    digits = max(0, TICK_SHARE - first_price.adjusted())
    tick = max(Decimal(1).scaleb(-digits), payable_grid(listing.lot))
    return replace(
        listing, tick=tick, listed_ms=min(since, listing.listed_ms), band_up=Decimal(0), band_down=Decimal(0)
    )


def halted_times(recordings: Sequence[Recording]) -> frozenset[int]:
    """Full hours before or after which no spot recorded by the hour traded: the spot exchange stood still.

    Both, because a halt that begins within an hour leaves a stale last price at its end. Where a halt begins at the
    full hour itself a moment is masked that could still be traded; a live feed would tell a little later.
    """
    silent: set[int] | None = None
    for one in recordings:
        series = one.spot
        if series.interval_ms != HOUR_MS:
            continue
        traded = {end for end, usd in zip(series.ends_ms, series.volumes_usd, strict=True) if usd > 0}
        quiet = {end for end in range(series.ends_ms[0], series.ends_ms[-1], HOUR_MS) if end not in traded}
        outside = set() if silent is None else {end for end in silent if not _covers(series, end)}
        silent = quiet if silent is None else (silent & quiet) | outside
    ends = silent or set()
    return frozenset(ends | {end - HOUR_MS for end in ends})


def _covers(series: Series, end_ms: int) -> bool:
    return series.ends_ms[0] <= end_ms <= series.ends_ms[-1]


class BarMarket:
    """A `Market` of recorded closes from `from_ms` to before `until_ms` (both on the grid). Pure in market time."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        from_ms: int,
        until_ms: int,
        grid_ms: int = GRID_MS,
        costs: Costs = Costs(),
    ) -> None:
        self.times_ms = range(from_ms, until_ms, grid_ms)
        self.grid_ms, self.costs = grid_ms, costs
        halted = halted_times(recordings)
        every = (Bars(one, self.times_ms, halted) for one in recordings)
        self.coins = {bars.symbol: bars for bars in every if bars.first >= 0}
        self._spots = {bars.spot_listing.symbol: bars for bars in self.coins.values()}
        self._half = costs.half_spread_bps / 10_000
        self._late = {
            one.symbol: late_leg(one.perp, self.coins[one.symbol].perp, self.times_ms, costs.leg_latency_s)
            for one in recordings
            if costs.leg_latency_s and one.symbol in self.coins
        }
        self._due = sorted(
            (at_ms, symbol, number)
            for symbol, bars in self.coins.items()
            for number, at_ms in enumerate(bars.rate_times)
        )

    @property
    def start_ms(self) -> int:
        return self.times_ms.start

    @cached_property
    def listings(self) -> Mapping[tuple[Book, str], Listing]:
        found: dict[tuple[Book, str], Listing] = {}
        for bars in self.coins.values():
            found[Book.SPOT, bars.spot_listing.symbol] = bars.spot_listing
            found[Book.PERP, bars.symbol] = bars.perp_listing
        return found

    def index(self, at_ms: int) -> int:
        """The newest bar at this time; the first one before it."""
        return min(max(0, (at_ms - self.times_ms.start) // self.grid_ms), len(self.times_ms) - 1)

    def bars(self, book: Book, symbol: str) -> Bars:
        return self._spots[symbol] if book is Book.SPOT else self.coins[symbol]

    def close(self, book: Book, symbol: str, at_ms: int) -> Decimal:
        bars = self.bars(book, symbol)
        return (bars.spot if book is Book.SPOT else bars.perp)[self.index(at_ms)]

    def touch(self, close: Decimal, tick: Decimal) -> tuple[Decimal, Decimal]:
        """(bid, ask) around a close, on the tick grid."""
        half = (close * self._half).quantize(tick, ROUND_HALF_EVEN)
        return close - half, close + half

    def top(self, book: Book, symbol: str, at_ms: int) -> Top:
        """What an order meets; of a perpetual with a latency, the market as it is by then."""
        if book is Book.PERP and symbol in self._late:
            return self._late_top(symbol, at_ms)
        bid, ask = self.touch(self.close(book, symbol, at_ms), self.listings[book, symbol].tick)
        size = SIZE if self.bars(book, symbol).fresh[self.index(at_ms)] else Decimal(0)
        return Top(bid, ask, size, size)

    def _late_top(self, symbol: str, at_ms: int) -> Top:
        index, late, tick = self.index(at_ms), self._late[symbol], self.listings[Book.PERP, symbol].tick
        bid, ask = self.touch(late.prices[index], tick)
        charged = (late.prices[index] * late.charged[index]).quantize(tick, ROUND_HALF_EVEN)
        size = SIZE if self.coins[symbol].fresh[index] else Decimal(0)
        return Top(bid - charged, ask + charged, size, size)

    def depth(self, book: Book, symbol: str, at_ms: int, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        """One level a side, as deep as asked; none in a frozen bar."""
        top = self.top(book, symbol, at_ms)
        if not top.bid_size or not levels:
            return (), ()
        return (Level(top.bid, top.bid_size),), (Level(top.ask, top.ask_size),)

    def mark(self, symbol: str, at_ms: int) -> Mark:
        """The perpetual's close; the index is the spot's. The prediction is the venue's formula on closes so far."""
        bars, index = self.coins[symbol], self.index(at_ms)
        spot = bars.spot[index] * bars.perp_listing.multiplier
        predicted, next_ms, interval_ms = self.coming(bars, index, at_ms)
        return Mark(bars.perp[index], spot, predicted, next_ms, interval_ms // 1000)

    def coming(self, bars: Bars, index: int, at_ms: int) -> tuple[Decimal, int, int]:
        """(prediction of the rate, when it settles, length of its interval), as the venue announces them at a bar."""
        next_ms, interval_ms = self.schedule(bars, at_ms)
        premiums = self.premiums(bars, index, next_ms - interval_ms)
        return announced(premiums, interval_ms, bars.rate_caps.at(at_ms)), next_ms, interval_ms

    def mark_price(self, symbol: str, at_ms: int) -> Decimal:
        return self.coins[symbol].perp[self.index(at_ms)]

    def schedule(self, bars: Bars, at_ms: int) -> tuple[int, int]:
        """(time of the next settlement, its interval in ms), as the venue announces them."""
        number = bisect_right(bars.rate_times, at_ms)
        if 0 < number < len(bars.rate_times):
            next_ms = bars.rate_times[number]
            return next_ms, min(next_ms - bars.rate_times[number - 1], EIGHT_HOURS_MS)
        if number == 0:
            return bars.rate_times[0], EIGHT_HOURS_MS
        interval_ms = min(bars.rate_times[-1] - bars.rate_times[-2], EIGHT_HOURS_MS)
        return bars.rate_times[-1] + interval_ms, interval_ms

    def premiums(self, bars: Bars, index: int, began_ms: int) -> list[float]:
        """The basis at each close since the interval began, oldest first; at its first moment the basis of now."""
        first = max(0, (began_ms - self.times_ms.start) // self.grid_ms + 1)
        return [bars.basis[i] for i in range(first, index + 1) if bars.fresh[i]] or [bars.basis[index]]

    def settlements(self, after_ms: int, until_ms: int) -> Sequence[Settlement]:
        first = bisect_right(self._due, (after_ms, "\uffff", 0))
        last = bisect_right(self._due, (until_ms, "\uffff", 0))
        return [self._settlement(*self._due[place]) for place in range(first, last)]

    def _settlement(self, at_ms: int, symbol: str, number: int) -> Settlement:
        bars = self.coins[symbol]
        return Settlement(
            symbol, at_ms, bars.rates[number][1], bars.perp[self.index(at_ms)], interval_s(bars.rate_times, number)
        )

    def day_stats(self, book: Book, symbol: str, at_ms: int) -> DayStats:
        bars, index = self.bars(book, symbol), self.index(at_ms)
        closes = bars.spot if book is Book.SPOT else bars.perp
        day = closes[max(0, index - DAY_MS // self.grid_ms) : index + 1]
        usd = (bars.spot_usd if book is Book.SPOT else bars.perp_usd)[index]
        quote = Decimal(f"{usd:.2f}")
        return DayStats(day[0], max(day), min(day), day[-1], quote / day[-1], quote, 0)

    def candles(self, book: Book, symbol: str, interval_s: int, from_ms: int, until_ms: int) -> Sequence[Candle]:
        """Candles of whole grid steps that open in [from_ms, until_ms), made of closes alone."""
        step = max(1, interval_s * 1000 // self.grid_ms)
        bars = self.bars(book, symbol)
        closes = bars.spot if book is Book.SPOT else bars.perp
        found = []
        for index in range(0, len(closes) - step, step):
            if from_ms <= self.times_ms[index] < until_ms:
                part = closes[index : index + step + 1]
                found.append(Candle(self.times_ms[index], part[0], max(part), min(part), part[-1], Decimal(0)))
        return found

    def open_interest(self, symbol: str, at_ms: int) -> Decimal:
        """Half a day's volume, in base units: no recording has it."""
        bars, index = self.coins[symbol], self.index(at_ms)
        return Decimal(f"{bars.perp_usd[index] * OPEN_INTEREST_DAYS:.2f}") / bars.perp[index]


def interval_s(times_ms: Sequence[int], number: int) -> int:
    """Length of the interval that a settlement closes; a hole in the recording counts as eight hours."""
    if number == 0:
        return EIGHT_HOURS_MS // 1000
    return min(times_ms[number] - times_ms[number - 1], EIGHT_HOURS_MS) // 1000


def depth_usd(volume_usd: float) -> float:
    """USD within 10 bps of the touch, as the simulated exchange models it."""
    return max(DEPTH_USD_MIN, volume_usd * DEPTH_SHARE)

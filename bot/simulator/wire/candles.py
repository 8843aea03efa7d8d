"""Klines and trailing-day tickers, which spot and perp write almost alike."""

from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Candle, DayStats, Listing, VenueError
from bot.simulator.wire.params import Params
from bot.simulator.wire.shapes import fixed, places_of, price_text, quantity_text, ratio
from bot.simulator.wire.venue import Simulation

DAY_MS = 86_400_000
INTERVALS_S = {
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
}


def klines(sim: Simulation, listing: Listing, params: Params, default: int, largest: int) -> list[list[Any]]:
    """Rows of [open time, o, h, l, c, volume, close time, quote volume, trades, taker base, taker quote, "0"]."""
    interval_s = INTERVALS_S.get(params.need("interval"))
    if interval_s is None:
        raise VenueError(-1120, "Invalid interval.")
    step_ms = interval_s * 1_000
    limit = params.limit(default, largest)
    start_ms, end_ms = params.window()
    last_ms = min(sim.now_ms, sim.now_ms if end_ms is None else end_ms)
    if start_ms is None:
        start_ms = last_ms - last_ms % step_ms - (limit - 1) * step_ms
    first_ms = -(-max(0, start_ms) // step_ms) * step_ms
    last_ms = min(last_ms, first_ms + limit * step_ms - 1)
    found = sim.market.candles(listing.book, listing.symbol, interval_s, first_ms, last_ms + 1)
    rows = [_row(listing, candle, step_ms) for candle in found if first_ms <= candle.open_ms <= last_ms]
    return rows[:limit]


def mark_klines(sim: Simulation, listing: Listing, params: Params) -> list[list[Any]]:
    """As `klines` of the perp's own prices, with eight decimals and no volume."""
    rows = klines(sim, listing, params, 500, 1_500)
    return [
        [row[0], *(fixed(Decimal(price)) for price in row[1:5]), "0", row[6], "0", row[8], "0", "0", "0"]
        for row in rows
    ]


def day_ticker(sim: Simulation, listing: Listing) -> dict[str, Any]:
    """The fields that the 24-hour tickers of both books share; spot adds its own."""
    stats = sim.day_stats(listing.book, listing.symbol)
    change = stats.last - stats.open
    return {
        "symbol": listing.symbol,
        "priceChange": price_text(listing, change),
        "priceChangePercent": fixed(percent(stats), 3),
        "weightedAvgPrice": weighted_average(listing, stats),
        "lastPrice": price_text(listing, stats.last),
        "lastQty": quantity_text(listing, last_quantity(sim, listing)),
        "openPrice": price_text(listing, stats.open),
        "highPrice": price_text(listing, stats.high),
        "lowPrice": price_text(listing, stats.low),
        "volume": quantity_text(listing, stats.volume_base),
        "quoteVolume": fixed(stats.volume_quote, 2 if listing.book is Book.PERP else 8),
        "openTime": sim.now_ms - DAY_MS,
        "closeTime": sim.now_ms,
        "firstId": 1,
        "lastId": max(1, stats.trades),
        "count": stats.trades,
    }


def percent(stats: DayStats) -> Decimal:
    return ratio((stats.last - stats.open) * 100, stats.open)


def weighted_average(listing: Listing, stats: DayStats) -> str:
    average = ratio(stats.volume_quote, stats.volume_base) if stats.volume_base else stats.last
    return fixed(average, 8 if listing.book is Book.SPOT else places_of(listing.tick) + 1)


def last_quantity(sim: Simulation, listing: Listing) -> Decimal:
    """The market records no single trades; the touch's size stands in for the last trade's."""
    return sim.top(listing.book, listing.symbol).bid_size


def _row(listing: Listing, candle: Candle, step_ms: int) -> list[Any]:
    quote = candle.volume_base * candle.close
    return [
        candle.open_ms,
        price_text(listing, candle.open),
        price_text(listing, candle.high),
        price_text(listing, candle.low),
        price_text(listing, candle.close),
        quantity_text(listing, candle.volume_base),
        candle.open_ms + step_ms - 1,
        fixed(quote, 8 if listing.book is Book.SPOT else 2),
        int(candle.volume_base / listing.lot // 100) if listing.lot else 0,
        quantity_text(listing, candle.volume_base / 2),
        fixed(quote / 2, 8 if listing.book is Book.SPOT else 2),
        "0",
    ]


def depth_side(listing: Listing, levels: Any) -> list[list[str]]:
    return [[price_text(listing, level.price), quantity_text(listing, level.size)] for level in levels]


def one_or_all(sim: Simulation, book: Book, params: Params) -> tuple[list[Listing], bool]:
    """The listings that `symbol` or `symbols` name, all without; and whether the answer is a single object."""
    symbol, symbols = params.symbol_text(), params.text("symbols")
    if symbol and symbols:
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    if symbol:
        return [sim.listing(book, symbol)], True
    if symbols:
        return [sim.listing(book, name) for name in _symbol_list(symbols)], False
    return sim.listings(book), False


def _symbol_list(text: str) -> list[str]:
    names = [part.strip().strip('"') for part in text.strip().removeprefix("[").removesuffix("]").split(",")]
    if not all(names):
        raise VenueError(
            -1100,
            "Illegal characters found in parameter 'symbols'; legal range is '^\\[(\"[A-Z0-9-_.]{1,20}\".*)\\]$'.",
        )
    return names

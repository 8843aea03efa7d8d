"""Market stream frames: which streams there are, and what each says about the market as of one step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.simulator.model import Book, Candle, Level, Listing, Trade, VenueError
from bot.simulator.wire.candles import (
    DAY_MS,
    INTERVALS_S,
    depth_side,
    last_quantity,
    percent,
    weighted_average,
)
from bot.simulator.wire.shapes import fixed, price_text, quantity_text
from bot.simulator.wire.venue import Simulation

DIFF_LEVELS = 1_000
_PARTIAL = re.compile(r"depth(5|10|20)(@\d+ms)?")
_DIFF = re.compile(r"depth(@\d+ms)?")


@dataclass(frozen=True, slots=True)
class Stream:
    """`symbol` None: all symbols. `detail` is the number of levels or the kline interval's seconds."""

    name: str
    book: Book
    kind: str
    symbol: str | None
    detail: int = 0
    interval: str = ""


def parse_stream(sim: Simulation, book: Book, name: str) -> Stream | None:
    """None for names that this venue does not stream: it accepts them and sends nothing."""
    every = {
        "!bookTicker": "bookTicker",
        "!ticker@arr": "ticker_all",
        "!miniTicker@arr": "miniTicker_all",
        "!markPrice@arr": "markPrice_all",
        "!markPrice@arr@1s": "markPrice_all",
    }.get(name)
    if every is not None:
        perp_only = every == "markPrice_all"
        return None if perp_only and book is Book.SPOT else Stream(name, book, every, None)
    symbol, _, topic = name.partition("@")
    try:
        listing = sim.listing(book, symbol.upper())
    except VenueError:
        return None
    if symbol != symbol.lower():
        return None
    return _of_topic(name, book, listing.symbol, topic)


def _of_topic(name: str, book: Book, symbol: str, topic: str) -> Stream | None:
    if topic in {"bookTicker", "ticker", "miniTicker", "trade", "aggTrade"}:
        return Stream(name, book, topic, symbol)
    if topic in {"markPrice", "markPrice@1s"}:
        return Stream(name, book, "markPrice", symbol) if book is Book.PERP else None
    partial = _PARTIAL.fullmatch(topic)
    if partial is not None:
        return Stream(name, book, "partial", symbol, int(partial.group(1)))
    if _DIFF.fullmatch(topic) is not None:
        return Stream(name, book, "diff", symbol)
    interval = topic.removeprefix("kline_")
    if interval != topic and interval in INTERVALS_S:
        return Stream(name, book, "kline", symbol, INTERVALS_S[interval], interval)
    return None


def book_ticker(sim: Simulation, book: Book, symbol: str) -> dict[str, Any]:
    listing, top = sim.listing(book, symbol), sim.top(book, symbol)
    levels = {
        "s": symbol,
        "b": price_text(listing, top.bid),
        "B": quantity_text(listing, top.bid_size),
        "a": price_text(listing, top.ask),
        "A": quantity_text(listing, top.ask_size),
    }
    if book is Book.SPOT:
        return {"u": sim.update_id, **levels}
    return {"e": "bookTicker", "u": sim.update_id, **levels, "T": sim.now_ms, "E": sim.now_ms}


def mark_price(sim: Simulation, symbol: str) -> dict[str, Any]:
    mark = sim.mark(symbol)
    return {
        "e": "markPriceUpdate",
        "E": sim.now_ms,
        "s": symbol,
        "p": fixed(mark.mark),
        "i": fixed(mark.index),
        "P": fixed(mark.index),
        "r": fixed(mark.predicted_rate),
        "T": mark.next_funding_ms,
    }


def ticker(sim: Simulation, book: Book, symbol: str) -> dict[str, Any]:
    listing, stats = sim.listing(book, symbol), sim.day_stats(book, symbol)
    row: dict[str, Any] = {
        "e": "24hrTicker",
        "E": sim.now_ms,
        "s": symbol,
        "p": price_text(listing, stats.last - stats.open),
        "P": fixed(percent(stats), 3),
        "w": weighted_average(listing, stats),
        "c": price_text(listing, stats.last),
        "Q": quantity_text(listing, last_quantity(sim, listing)),
        "o": price_text(listing, stats.open),
        "h": price_text(listing, stats.high),
        "l": price_text(listing, stats.low),
        "v": quantity_text(listing, stats.volume_base),
        "q": fixed(stats.volume_quote, 8 if book is Book.SPOT else 2),
        "O": sim.now_ms - DAY_MS,
        "C": sim.now_ms,
        "F": 1,
        "L": max(1, stats.trades),
        "n": stats.trades,
    }
    if book is Book.SPOT:
        touch = book_ticker(sim, book, symbol)
        row |= {key: touch[key] for key in ("b", "B", "a", "A")} | {"x": row["o"]}
    return row


def mini_ticker(sim: Simulation, book: Book, symbol: str) -> dict[str, Any]:
    full = ticker(sim, book, symbol)
    return {"e": "24hrMiniTicker", **{key: full[key] for key in ("E", "s", "c", "o", "h", "l", "v", "q")}}


def partial_depth(sim: Simulation, book: Book, symbol: str, levels: int, before_id: int) -> dict[str, Any]:
    listing = sim.listing(book, symbol)
    bids, asks = sim.market.depth(book, symbol, sim.now_ms, levels)
    if book is Book.SPOT:
        return {
            "lastUpdateId": sim.update_id,
            "bids": depth_side(listing, bids),
            "asks": depth_side(listing, asks),
        }
    return {
        **_depth_head(sim, book, symbol, before_id),
        "b": depth_side(listing, bids),
        "a": depth_side(listing, asks),
    }


def depth_change(sim: Simulation, book: Book, symbol: str, before_ms: int, before_id: int) -> dict[str, Any] | None:
    """The levels that differ from the book at the last step; a level that is gone has quantity 0."""
    listing = sim.listing(book, symbol)
    old = sim.market.depth(book, symbol, before_ms, DIFF_LEVELS)
    new = sim.market.depth(book, symbol, sim.now_ms, DIFF_LEVELS)
    bids, asks = (_changed(listing, a, b) for a, b in zip(old, new, strict=True))
    if not bids and not asks:
        return None
    return {**_depth_head(sim, book, symbol, before_id), "b": bids, "a": asks}


def _depth_head(sim: Simulation, book: Book, symbol: str, before_id: int) -> dict[str, Any]:
    head: dict[str, Any] = {"e": "depthUpdate", "E": sim.now_ms}
    if book is Book.PERP:
        head["T"] = sim.now_ms
    head |= {"s": symbol, "U": before_id + 1, "u": sim.update_id}
    if book is Book.PERP:
        head["pu"] = before_id
    return head


def _changed(listing: Listing, old: Sequence[Level], new: Sequence[Level]) -> list[list[str]]:
    before = {level.price: level.size for level in old}
    after = {level.price: level.size for level in new}
    gone = [Level(price, Decimal(0)) for price in before if price not in after]
    moved = [level for level in new if before.get(level.price) != level.size]
    return depth_side(listing, [*moved, *gone])


def klines(sim: Simulation, stream: Stream, before_ms: int) -> list[dict[str, Any]]:
    """The running candle, and before it the one that closed since the last step."""
    assert stream.symbol is not None
    step_ms = stream.detail * 1_000
    opened_ms = sim.now_ms - sim.now_ms % step_ms
    first_ms = opened_ms if before_ms >= opened_ms else opened_ms - step_ms
    found = sim.market.candles(stream.book, stream.symbol, stream.detail, first_ms, sim.now_ms + 1)
    return [_kline(sim, stream, candle) for candle in found if candle.open_ms >= first_ms]


def _kline(sim: Simulation, stream: Stream, candle: Candle) -> dict[str, Any]:
    assert stream.symbol is not None
    listing = sim.listing(stream.book, stream.symbol)
    close_ms = candle.open_ms + stream.detail * 1_000 - 1
    places = 8 if stream.book is Book.SPOT else 2
    quote = candle.volume_base * candle.close
    body = {
        "t": candle.open_ms,
        "T": close_ms,
        "s": stream.symbol,
        "i": stream.interval,
        "f": 1,
        "L": 1,
        "o": price_text(listing, candle.open),
        "c": price_text(listing, candle.close),
        "h": price_text(listing, candle.high),
        "l": price_text(listing, candle.low),
        "v": quantity_text(listing, candle.volume_base),
        "n": 1,
        "x": close_ms < sim.now_ms,
        "q": fixed(quote, places),
        "V": quantity_text(listing, candle.volume_base / 2),
        "Q": fixed(quote / 2, places),
        "B": "0",
    }
    return {"e": "kline", "E": sim.now_ms, "s": stream.symbol, "k": body}


def public_trade(sim: Simulation, trade: Trade) -> dict[str, Any]:
    """Trades of the accounts themselves: the market's other trades are not recorded."""
    listing = sim.listing(trade.book, trade.symbol)
    row: dict[str, Any] = {
        "e": "trade",
        "E": sim.now_ms,
        "T": trade.at_ms,
        "s": trade.symbol,
        "t": trade.id,
        "p": price_text(listing, trade.price),
        "q": quantity_text(listing, trade.quantity),
        "m": trade.maker == (trade.side.value == "BUY"),
    }
    return row | ({"M": True} if trade.book is Book.SPOT else {"X": "MARKET"})


def public_aggregate(sim: Simulation, trade: Trade) -> dict[str, Any]:
    row = public_trade(sim, trade)
    number = row.pop("t")
    row.pop("X", None)
    return {**row, "e": "aggTrade", "a": number, "f": number, "l": number}

"""The public streams: which connections there are, and what their frames deliver."""

from collections.abc import Callable, Iterable, Mapping

from bot.domain.instruments import Instrument, Wallet
from bot.ports import Deliver
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.decode import QuoteDecoder, decode_mark
from bot.venues.binance.streams import Line
from bot.venues.binance.symbols import SymbolBook

SPOT_STREAMS = "wss://stream.binance.com:9443/stream?streams="
PERP_PUBLIC_STREAMS = "wss://fstream.binance.com/public/stream?streams="
"""Book tickers: Binance split the USD-M streams by traffic; the old paths ended on 2026-04-23."""
PERP_MARKET_STREAMS = "wss://fstream.binance.com/market/stream?streams="
"""Mark prices."""
STREAMS_EACH = 100
"""Streams in one connection's URL (Binance allows 1,024 and 200; a URL of 100 names stays short)."""
QUOTES_SILENCE_S = 30.0
QUIET_SILENCE_S = 180.0
"""For connections with so few streams that their silence may be the market's."""
FEW_STREAMS = 10
MARKS_SILENCE_S = 10.0
"""Mark prices come each second, so their silence is a fault."""


def market_lines(venue: str, book: SymbolBook, deliver: Deliver, clock: MarketClock) -> list[Line]:
    """Connections for all listed instruments, in chunks."""
    lines = []
    for number, chunk in enumerate(_chunks(book.spot)):
        name = f"spot-quotes-{number}"
        on_frame = _quotes(chunk, deliver, clock)
        uri = SPOT_STREAMS + _names(chunk, "bookTicker")
        lines.append(_line(name, f"{venue}:{Wallet.SPOT.value}", uri, on_frame, _silence_s(chunk)))
    for number, chunk in enumerate(_chunks(book.perp)):
        feed = f"{venue}:{Wallet.PERP.value}"
        uri = PERP_PUBLIC_STREAMS + _names(chunk, "bookTicker")
        on_frame = _quotes(chunk, deliver, clock)
        lines.append(_line(f"perp-quotes-{number}", feed, uri, on_frame, _silence_s(chunk)))
        uri = PERP_MARKET_STREAMS + _names(chunk, "markPrice@1s")
        on_frame = _marks(chunk, deliver, clock)
        lines.append(_line(f"perp-marks-{number}", feed, uri, on_frame, MARKS_SILENCE_S))
    return lines


def _line(name: str, feed: str, uri: str, on_frame: Callable[[bytes], None], silence_s: float) -> Line:
    async def fixed() -> str:
        return uri

    return Line(name=name, feed=feed, uri=fixed, on_frame=on_frame, silence_s=silence_s)


def _quotes(chunk: Mapping[str, Instrument], deliver: Deliver, clock: MarketClock) -> Callable[[bytes], None]:
    decoder = QuoteDecoder(chunk)

    def on_frame(frame: bytes) -> None:
        quote = decoder.quote(frame)
        clock.observe(decoder.event_ms)
        if quote is not None:
            deliver(quote)

    return on_frame


def _marks(chunk: Mapping[str, Instrument], deliver: Deliver, clock: MarketClock) -> Callable[[bytes], None]:
    def on_frame(frame: bytes) -> None:
        mark = decode_mark(frame, chunk)
        if mark is not None:
            clock.observe(mark.venue_ms)
            deliver(mark)

    return on_frame


def _silence_s(chunk: Mapping[str, Instrument]) -> float:
    return QUOTES_SILENCE_S if len(chunk) >= FEW_STREAMS else QUIET_SILENCE_S


def _names(chunk: Iterable[str], stream: str) -> str:
    return "/".join(f"{symbol.lower()}@{stream}" for symbol in chunk)


def _chunks(instruments: Mapping[str, Instrument]) -> Iterable[dict[str, Instrument]]:
    items = sorted(instruments.items())
    return (dict(items[i : i + STREAMS_EACH]) for i in range(0, len(items), STREAMS_EACH))

"""The public streams: which connections there are, and what their frames deliver."""

from collections.abc import Callable, Iterable, Mapping

from websockets.asyncio.client import ClientConnection

from bot.domain.instruments import Instrument, Wallet
from bot.ports import Deliver
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.decode import DecodeError, QuoteDecoder, decode_mark
from bot.venues.binance.sequence import Newest
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


def market_lines(venue: str, book: Callable[[], SymbolBook], deliver: Deliver, clock: MarketClock) -> list[Line]:
    """Connections for all instruments that are listed now, in chunks. `book` tells later which of them trade."""
    lines = []
    for number, chunk in enumerate(_chunks(book().spot)):
        name = f"spot-quotes-{number}"
        uri = SPOT_STREAMS + _names(chunk, "bookTicker")
        quotes = _Quotes(chunk, deliver, clock)
        feed, trades = f"{venue}:{Wallet.SPOT.value}", _trading(chunk, book, clock)
        lines.append(_line(name, feed, uri, quotes.on_frame, _silence_s(chunk), trades, quotes))
    for number, chunk in enumerate(_chunks(book().perp)):
        feed, trades = f"{venue}:{Wallet.PERP.value}", _trading(chunk, book, clock)
        uri = PERP_PUBLIC_STREAMS + _names(chunk, "bookTicker")
        quotes = _Quotes(chunk, deliver, clock)
        lines.append(_line(f"perp-quotes-{number}", feed, uri, quotes.on_frame, _silence_s(chunk), trades, quotes))
        uri = PERP_MARKET_STREAMS + _names(chunk, "markPrice@1s")
        on_frame = _marks(chunk, deliver, clock)
        lines.append(_line(f"perp-marks-{number}", feed, uri, on_frame, MARKS_SILENCE_S, trades))
    return lines


class _Quotes:
    """What the frames of one connection's book tickers deliver."""

    def __init__(self, chunk: Mapping[str, Instrument], deliver: Deliver, clock: MarketClock) -> None:
        self._decoder, self._deliver, self._clock = QuoteDecoder(chunk), deliver, clock

    async def opened(self, socket: ClientConnection) -> None:
        del socket
        self._decoder.connected()

    def on_frame(self, frame: bytes) -> None:
        quote = self._decoder.quote(frame)
        _observe(self._clock, self._decoder.event_ms)
        if quote is not None:
            self._deliver(quote)


def _line(
    name: str,
    feed: str,
    uri: str,
    on_frame: Callable[[bytes], None],
    silence_s: float,
    expects: Callable[[], bool],
    quotes: _Quotes | None = None,
) -> Line:
    async def fixed() -> str:
        return uri

    opened = None if quotes is None else quotes.opened
    return Line(name, feed, fixed, on_frame, silence_s=silence_s, expects=expects, opened=opened)


def _trading(
    chunk: Mapping[str, Instrument], book: Callable[[], SymbolBook], clock: MarketClock
) -> Callable[[], bool]:
    """Whether a market of these is open. What may be held stays listed after its end, and is silent for good."""
    ids = [one.id for one in chunk.values()]

    def any_open() -> bool:
        listed, now_ms = book().by_id, clock.now_ms()
        known = (one for name in ids if (one := listed.get(name)) is not None)
        return any(one.trades and not 0 < one.ends_ms <= now_ms for one in known)

    return any_open


def _marks(chunk: Mapping[str, Instrument], deliver: Deliver, clock: MarketClock) -> Callable[[bytes], None]:
    newest = Newest()

    def on_frame(frame: bytes) -> None:
        mark = decode_mark(frame, chunk)
        if mark is None:
            return
        _observe(clock, mark.venue_ms)
        if newest.admits(mark.instrument, mark.venue_ms):
            deliver(mark)

    return on_frame


def _observe(clock: MarketClock, event_ms: int) -> None:
    """Raises DecodeError for a stamp that is not believed."""
    if not clock.observe(event_ms):
        raise DecodeError(f"event time {event_ms} is more than 30 days after the one before it")


def _silence_s(chunk: Mapping[str, Instrument]) -> float:
    return QUOTES_SILENCE_S if len(chunk) >= FEW_STREAMS else QUIET_SILENCE_S


def _names(chunk: Iterable[str], stream: str) -> str:
    return "/".join(f"{symbol.lower()}@{stream}" for symbol in chunk)


def _chunks(instruments: Mapping[str, Instrument]) -> Iterable[dict[str, Instrument]]:
    items = sorted(instruments.items())
    return (dict(items[i : i + STREAMS_EACH]) for i in range(0, len(items), STREAMS_EACH))

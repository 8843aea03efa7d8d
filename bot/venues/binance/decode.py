"""Websocket frames of Binance as domain values: pure, one function for each shape of frame.

Public frames are combined-stream frames `{"stream": ..., "data": {...}}`; each connection carries one kind of
stream, so each has a typed decoder of its own. Private frames come bare (USD-M listen keys) or wrapped as
`{"subscriptionId": n, "event": {...}}` (spot websocket API). Malformed frames raise DecodeError.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

import msgspec

from bot.domain.instruments import Instrument
from bot.domain.market import Mark, Quote
from bot.venues.binance.sequence import Newest
from bot.venues.binance.symbols import to_base_price, to_base_quantity

S = TypeVar("S", bound=msgspec.Struct)


class DecodeError(Exception):
    """A frame that is not of the shape that its stream promises."""


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, text that is no UTF-8, and documents nested without end."""
TIME_MS_END = 10**14
"""UTC milliseconds of the year 5138: a stamp beyond is none, and would carry our clock away with it."""
DIGITS_MAX = 40
"""Amounts have at most so many digits before or after the point: the rest of the program need not expect others."""

TimeMs = Annotated[int, msgspec.Meta(ge=0, lt=TIME_MS_END)]
Number = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]
"""A venue's id; -1 where there is none."""


class _Book(msgspec.Struct, gc=False):
    update_id: Number = msgspec.field(name="u")
    symbol: str = msgspec.field(name="s")
    bid: str = msgspec.field(name="b")
    bid_size: str = msgspec.field(name="B")
    ask: str = msgspec.field(name="a")
    ask_size: str = msgspec.field(name="A")
    event_ms: TimeMs = msgspec.field(name="E", default=0)
    """Spot book tickers carry no time."""


class _BookFrame(msgspec.Struct, gc=False):
    data: _Book


class _MarkPrice(msgspec.Struct, gc=False):
    symbol: str = msgspec.field(name="s")
    mark: str = msgspec.field(name="p")
    index: str = msgspec.field(name="i")
    rate: str = msgspec.field(name="r")
    next_funding_ms: TimeMs = msgspec.field(name="T")
    event_ms: TimeMs = msgspec.field(name="E")


class _MarkFrame(msgspec.Struct, gc=False):
    data: _MarkPrice


_book_decoder = msgspec.json.Decoder(_BookFrame)
_mark_decoder = msgspec.json.Decoder(_MarkFrame)


class QuoteDecoder:
    """Book-ticker frames as quotes; one that repeats the last best prices and sizes, or is older, gives None.

    A side of the book that is empty has the price 0. The market time of the last frame is in `event_ms` (0 for spot,
    which sends none).
    """

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._last: dict[str, tuple[str, str, str, str]] = {}
        self._newest = Newest()
        self.event_ms = 0

    def connected(self) -> None:
        """What a new connection tells first is news, although it may be what the last one told."""
        self._last.clear()

    def quote(self, frame: bytes | str) -> Quote | None:
        """Raises DecodeError."""
        try:
            book = _book_decoder.decode(frame).data
        except UNREADABLE as error:
            raise DecodeError(str(error)) from None
        self.event_ms = book.event_ms
        instrument = self._instruments.get(book.symbol)
        if instrument is None:
            return None
        texts = (book.bid, book.bid_size, book.ask, book.ask_size)
        if self._last.get(book.symbol) == texts:
            self._newest.admits(book.symbol, book.update_id)
            return None
        bid, bid_size, ask, ask_size = (_number(t) for t in texts)
        if min(bid, ask, bid_size, ask_size) < 0 or (bid > ask > 0):
            raise DecodeError(f"{book.symbol}: prices {book.bid} and {book.ask}")
        if not self._newest.admits(book.symbol, book.update_id):
            return None
        self._last[book.symbol] = texts
        return Quote(
            instrument=instrument.id,
            bid=to_base_price(instrument, bid),
            ask=to_base_price(instrument, ask),
            bid_size=to_base_quantity(instrument, bid_size),
            ask_size=to_base_quantity(instrument, ask_size),
            venue_ms=book.event_ms,
        )


def decode_mark(frame: bytes | str, instruments: Mapping[str, Instrument]) -> Mark | None:
    """A mark-price frame; None for a symbol that is not listed. Raises DecodeError."""
    try:
        data = _mark_decoder.decode(frame).data
    except UNREADABLE as error:
        raise DecodeError(str(error)) from None
    instrument = instruments.get(data.symbol)
    if instrument is None:
        return None
    mark = _number(data.mark)
    if mark <= 0:
        raise DecodeError(f"{data.symbol}: mark price {data.mark}")
    return Mark(
        instrument=instrument.id,
        mark=to_base_price(instrument, mark),
        index=to_base_price(instrument, _number(data.index)),
        predicted_rate=_number(data.rate),
        next_funding_ms=data.next_funding_ms,
        venue_ms=data.event_ms,
    )


def _number(value: str) -> Decimal:
    """A finite decimal. Raises DecodeError."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise DecodeError(f"not a number: {value!r}") from None
    return checked_amount(number)


def checked_amount(number: Decimal) -> Decimal:
    """The same amount. Raises DecodeError when it is not finite or of a size that no amount has."""
    if not number.is_finite():
        raise DecodeError(f"not a finite number: {number}")
    if number and not -DIGITS_MAX <= number.adjusted() <= DIGITS_MAX:
        raise DecodeError(f"not the size of an amount: 1E{number.adjusted()}")
    return number


def checked(found: S) -> S:
    """A decoded document whose amounts, nested ones too, are checked. Raises DecodeError."""
    for name in found.__struct_fields__:
        value = getattr(found, name)
        if isinstance(value, Decimal):
            checked_amount(value)
        elif isinstance(value, msgspec.Struct):
            checked(value)
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, msgspec.Struct):
                    checked(each)
    return found


class SpotExecution(msgspec.Struct, gc=False):
    """`executionReport`: every change of a spot order. `original_id` is our id where a cancel replaced it."""

    event_ms: TimeMs = msgspec.field(name="E")
    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    execution: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    reason: str = msgspec.field(name="r")
    order_id: Number = msgspec.field(name="i")
    last_quantity: Decimal = msgspec.field(name="l")
    filled: Decimal = msgspec.field(name="z")
    last_price: Decimal = msgspec.field(name="L")
    fee: Decimal = msgspec.field(name="n")
    fee_asset: str | None = msgspec.field(name="N")
    at_ms: TimeMs = msgspec.field(name="T")
    trade_id: Number = msgspec.field(name="t")
    maker: bool = msgspec.field(name="m")
    original_id: str = msgspec.field(name="C", default="")


class PerpExecution(msgspec.Struct, gc=False):
    """The `o` part of ORDER_TRADE_UPDATE: every change of a USD-M order."""

    symbol: str = msgspec.field(name="s")
    client_id: str = msgspec.field(name="c")
    side: str = msgspec.field(name="S")
    execution: str = msgspec.field(name="x")
    status: str = msgspec.field(name="X")
    order_id: Number = msgspec.field(name="i")
    last_quantity: Decimal = msgspec.field(name="l")
    filled: Decimal = msgspec.field(name="z")
    last_price: Decimal = msgspec.field(name="L")
    at_ms: TimeMs = msgspec.field(name="T")
    trade_id: Number = msgspec.field(name="t")
    maker: bool = msgspec.field(name="m")
    realized: Decimal = msgspec.field(name="rp", default=Decimal(0))
    fee: Decimal = msgspec.field(name="n", default=Decimal(0))
    """Absent where nothing was charged."""
    fee_asset: str | None = msgspec.field(name="N", default=None)


class PerpOrderUpdate(msgspec.Struct, gc=False):
    event_ms: TimeMs = msgspec.field(name="E")
    order: PerpExecution = msgspec.field(name="o")


class OtherEvent(msgspec.Struct, gc=False):
    """A private event of no interest here, a subscription's answer, or a sign that the stream ends.

    The time of `listenKeyExpired` is text.
    """

    kind: str = msgspec.field(name="e", default="")
    event_ms: TimeMs = msgspec.field(name="E", default=0)


class _Envelope(msgspec.Struct, gc=False):
    event: msgspec.Raw = msgspec.Raw(b"")
    kind: str = msgspec.field(name="e", default="")


PrivateEvent = SpotExecution | PerpOrderUpdate | OtherEvent

STREAM_ENDS = frozenset({"listenKeyExpired", "eventStreamTerminated", "serverShutdown"})
"""Events after which a private stream tells nothing more."""

_envelope_decoder = msgspec.json.Decoder(_Envelope)
_KINDS: Mapping[str, Any] = {
    "executionReport": msgspec.json.Decoder(SpotExecution),
    "ORDER_TRADE_UPDATE": msgspec.json.Decoder(PerpOrderUpdate),
}
_other_decoder = msgspec.json.Decoder(OtherEvent, strict=False)


def decode_private(frame: bytes | str) -> PrivateEvent:
    """A frame of a private stream, wrapped or bare. Raises DecodeError."""
    raw: Any = frame
    try:
        envelope = _envelope_decoder.decode(raw)
        if wrapped := bytes(envelope.event):
            raw = wrapped
            envelope = _envelope_decoder.decode(raw)
        event: PrivateEvent = _KINDS.get(envelope.kind, _other_decoder).decode(raw)
    except UNREADABLE as error:
        raise DecodeError(str(error)) from None
    return checked(event)


class SubscriptionReply(msgspec.Struct, gc=False):
    """The websocket API's answer to a request: `status` 200, or an error document."""

    status: int
    error: dict[str, Any] | None = None


_reply_decoder = msgspec.json.Decoder(SubscriptionReply)


def decode_reply(frame: bytes | str) -> SubscriptionReply:
    """Raises DecodeError."""
    try:
        return _reply_decoder.decode(frame)
    except UNREADABLE as error:
        raise DecodeError(str(error)) from None

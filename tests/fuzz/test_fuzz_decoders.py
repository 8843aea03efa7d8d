"""Whatever a venue sends: a value of the domain with finite amounts and sane times, or a DecodeError."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import documents, frames, fuzzed
from sane import PERP, SPOT, sane

from bot.domain.actions import Severity
from bot.domain.events import Event
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.decode import DecodeError, QuoteDecoder, decode_mark, decode_private, decode_reply
from bot.venues.binance.rows import (
    OrderRow,
    TradeRow,
    convert,
    convert_list,
    fill_of_trade,
    fills_of_reply,
    report_of,
)
from bot.venues.binance.streams import ConnectionLostError
from bot.venues.binance.symbols import SymbolBook
from bot.venues.binance.trades import OrderNames
from bot.venues.binance.user_lines import UserLines

BOOK = {"u": 1, "s": "BTCUSDT", "b": "1", "B": "3", "a": "2", "A": "4"}
BOOK_FRAME = {"stream": "btcusdt@bookTicker", "data": BOOK}
MARK = {"e": "markPriceUpdate", "E": 1, "s": "BTCUSDT", "p": "1.5", "i": "1.4", "r": "0.0001", "T": 5}
MARK_FRAME = {"stream": "btcusdt@markPrice@1s", "data": MARK}
SPOT_EVENT = {
    "e": "executionReport",
    "E": 1,
    "s": "BTCUSDT",
    "c": "cb1-1-1",
    "S": "BUY",
    "x": "TRADE",
    "X": "FILLED",
    "r": "NONE",
    "i": 7,
    "l": "0.1",
    "z": "0.1",
    "L": "40000",
    "n": "0.0001",
    "N": "BTC",
    "T": 1,
    "t": 9,
    "m": False,
    "C": "",
}
PERP_ORDER = {
    "s": "BTCUSDT",
    "c": "cb1-1-2",
    "S": "SELL",
    "x": "TRADE",
    "X": "FILLED",
    "i": 8,
    "l": "0.1",
    "z": "0.1",
    "L": "40000",
    "T": 1,
    "t": 10,
    "m": False,
    "rp": "0",
    "n": "0.02",
    "N": "USDT",
}
PERP_EVENT = {"e": "ORDER_TRADE_UPDATE", "E": 1, "o": PERP_ORDER}
WRAPPED = {"subscriptionId": 0, "event": SPOT_EVENT}
ORDER = {
    "symbol": "BTCUSDT",
    "orderId": 1,
    "clientOrderId": "cb1-1-1",
    "status": "FILLED",
    "executedQty": "0.1",
    "side": "BUY",
    "transactTime": 5,
    "fills": [{"price": "4", "qty": "0.1", "commission": "0", "commissionAsset": "BTC", "tradeId": 3}],
}
TRADE = {
    "symbol": "BTCUSDT",
    "id": 3,
    "orderId": 1,
    "price": "4",
    "qty": "0.1",
    "commission": "0",
    "time": 5,
    "commissionAsset": "BTC",
    "isBuyer": True,
    "isMaker": False,
    "side": "BUY",
    "maker": False,
    "realizedPnl": "0",
}


def answers(work: Callable[[], Any]) -> Any:
    """The value, checked; None when it was refused cleanly."""
    try:
        found = work()
    except DecodeError:
        return None
    sane(found)
    return found


@fuzzed
@given(frames(BOOK_FRAME))
def test_book_tickers(frame: bytes) -> None:
    decoder = QuoteDecoder({"BTCUSDT": SPOT})
    quote = answers(lambda: decoder.quote(frame))
    if quote is not None:
        assert quote.bid > 0
        assert quote.ask > 0


@fuzzed
@given(frames(MARK_FRAME))
def test_mark_prices(frame: bytes) -> None:
    answers(lambda: decode_mark(frame, {"BTCUSDT": PERP}))


@fuzzed
@given(st.one_of(*(frames(whole) for whole in (SPOT_EVENT, PERP_EVENT, WRAPPED))))
def test_private_events_through_the_line_that_takes_them(frame: bytes) -> None:
    events: list[Event] = []
    lines = UserLines(
        "binance",
        None,  # type: ignore[arg-type] - only asked when a line is opened
        lambda: SymbolBook.of((SPOT, PERP)),
        OrderNames(),
        MarketClock(),
        lambda severity, name, values: sane(list(values.values())) if severity is not Severity.DEBUG else None,
    )
    try:
        lines._on_frame(frame, events.append)
    except (DecodeError, ConnectionLostError):
        return
    sane(events)


@fuzzed
@given(st.one_of(frames({"status": 200, "error": {"code": -1}}), frames(WRAPPED)))
def test_replies_and_private_frames(frame: bytes) -> None:
    for decode in (decode_reply, decode_private):
        try:
            decode(frame)
        except DecodeError:
            continue


@fuzzed
@given(documents(ORDER))
def test_order_rows(row: Any) -> None:
    for each in (SPOT, PERP):
        answers(lambda each=each: report_of(convert(row, OrderRow), each))
        answers(lambda each=each: fills_of_reply(convert(row, OrderRow), each))


@fuzzed
@given(documents([TRADE]))
def test_trade_rows(rows: Any) -> None:
    for each in (SPOT, PERP):
        answers(lambda each=each: [fill_of_trade(row, each, "cb1-1-1") for row in convert_list(rows, TradeRow)])


@pytest.mark.parametrize("depth", [10, 1_000, 200_000])
def test_deep_nesting_is_no_shape_of_a_frame(depth: int) -> None:
    frame = b'{"data": ' + b"[" * depth + b"]" * depth + b"}"
    assert answers(lambda: QuoteDecoder({"BTCUSDT": SPOT}).quote(frame)) is None
    with pytest.raises(DecodeError):
        decode_private(b'{"event": ' + b"[" * depth)

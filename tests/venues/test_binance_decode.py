"""Frames as Binance sends them: recorded ones, documented ones, and broken ones."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.events import OrderFilled, OrderReported
from bot.domain.instruments import Instrument, Kind, Payoff, Wallet
from bot.domain.market import Mark, Quote
from bot.domain.orders import Fill, OrderState, Side
from bot.venues.binance.decode import (
    STREAM_ENDS,
    DecodeError,
    OtherEvent,
    PerpOrderUpdate,
    QuoteDecoder,
    SpotExecution,
    decode_mark,
    decode_private,
    decode_reply,
)
from bot.venues.binance.rows import events_of_execution


def instrument(symbol: str, kind: Kind, multiplier: str = "1") -> Instrument:
    factor = Decimal(multiplier)
    return Instrument(
        id=f"binance:{symbol}:{kind.value}",
        venue="binance",
        symbol=symbol,
        coin=symbol.removesuffix("USDT").removeprefix("1000"),
        kind=kind,
        payoff=Payoff.LINEAR,
        wallet=Wallet.SPOT if kind is Kind.SPOT else Wallet.PERP,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        settle_asset="USDT",
        tick=Decimal("0.0000001") / factor,
        lot=factor,
        quantity_min=factor,
        quantity_max=Decimal("1e9"),
        notional_min=Decimal(5),
        multiplier=factor,
    )


BTC_SPOT, BTC_PERP = instrument("BTCUSDT", Kind.SPOT), instrument("BTCUSDT", Kind.PERP)
PEPE = instrument("1000PEPEUSDT", Kind.PERP, "1000")


def book_frame(symbol: str = "BTCUSDT", bid: str = "1", ask: str = "2", **more: object) -> bytes:
    data = {"u": 1, "s": symbol, "b": bid, "B": "3", "a": ask, "A": "4", **more}
    return json.dumps({"stream": f"{symbol.lower()}@bookTicker", "data": data}).encode()


def test_a_spot_book_ticker_has_no_time() -> None:
    frame = (
        b'{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000",'
        b'"B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}'
    )
    assert QuoteDecoder({"BTCUSDT": BTC_SPOT}).quote(frame) == Quote(
        "binance:BTCUSDT:spot",
        Decimal("61837.63000000"),
        Decimal("61837.64000000"),
        Decimal("3.78826000"),
        Decimal("1.54698000"),
        0,
    )


def test_a_multiplied_perpetual_is_told_in_single_coins() -> None:
    decoder = QuoteDecoder({"1000PEPEUSDT": PEPE})
    quote = decoder.quote(book_frame("1000PEPEUSDT", "0.0123450", "0.0123460", E=1723161256313))
    assert quote is not None
    assert quote.bid == Decimal("0.000012345")
    assert quote.ask == Decimal("0.000012346")
    assert (quote.bid_size, quote.ask_size) == (Decimal(3000), Decimal(4000))
    assert quote.venue_ms == decoder.event_ms == 1723161256313


def test_only_changed_quotes_come_out() -> None:
    decoder = QuoteDecoder({"BTCUSDT": BTC_PERP})
    assert decoder.quote(book_frame(E=1)) is not None
    assert decoder.quote(book_frame(E=2)) is None
    assert decoder.event_ms == 2
    assert decoder.quote(book_frame(bid="1.5", E=3)) is not None
    assert decoder.quote(book_frame("ETHUSDT")) is None


def test_an_older_quote_does_not_come_out() -> None:
    decoder = QuoteDecoder({"BTCUSDT": BTC_SPOT})
    assert decoder.quote(book_frame(u=5)) is not None
    assert decoder.quote(book_frame(u=7)) is None
    assert decoder.quote(book_frame(u=6, bid="1.5")) is None, "it is older than the one that repeated the first"
    assert decoder.quote(book_frame(u=8, bid="1.6")) is not None


def test_a_new_connection_tells_the_same_quote_again() -> None:
    decoder = QuoteDecoder({"BTCUSDT": BTC_SPOT})
    assert decoder.quote(book_frame(u=5)) is not None
    decoder.connected()
    assert decoder.quote(book_frame(u=5)) is not None
    assert decoder.quote(book_frame(u=4, bid="1.5")) is None, "order holds over connections"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}",
        b"not json",
        b'{"result":null,"id":1}',
        book_frame(bid="nan"),
        book_frame(ask="Infinity"),
        book_frame(bid="-1"),
        book_frame(bid="2.1"),
        book_frame(u="1"),
        book_frame(u=2**63),
        book_frame(bid="1,5"),
        book_frame()[:-5],
    ],
)
def test_a_broken_book_ticker_is_an_error(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        QuoteDecoder({"BTCUSDT": BTC_PERP}).quote(frame)


def test_an_empty_side_of_the_book_is_told() -> None:
    """It was taken for a broken frame, so that the last whole quote stayed fresh."""
    decoder = QuoteDecoder({"BTCUSDT": BTC_PERP})
    quote = decoder.quote(book_frame(bid="0.00000000", B="0.00000000"))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.two_sided) == (0, 2, False)
    quote = decoder.quote(book_frame(u=2, ask="0.0", A="0"))
    assert quote is not None
    assert (quote.bid, quote.ask, quote.two_sided) == (1, 0, False)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_noise_is_a_decode_error_and_nothing_else(noise: bytes) -> None:
    for decode in (
        QuoteDecoder({"BTCUSDT": BTC_PERP}).quote,
        lambda f: decode_mark(f, {"BTCUSDT": BTC_PERP}),
        decode_private,
        decode_reply,
    ):
        try:
            decode(noise)
        except DecodeError:
            continue


@pytest.mark.parametrize(("market", "listed"), [("spot", BTC_SPOT), ("usdm", BTC_PERP)])
def test_all_recorded_book_tickers_decode_to_their_text(recorded: Path, market: str, listed: Instrument) -> None:
    decoder = QuoteDecoder({"BTCUSDT": listed})
    frames = changed = 0
    last: tuple[str, ...] = ()
    with gzip.open(recorded / "ticks" / "binance" / market / "btcusdt_20240808.gz", "rb") as lines:
        for line in lines:
            frame = line.split(b" ", 1)[1]
            if b"@bookTicker" not in frame[:40]:
                continue
            frames += 1
            data = json.loads(frame)["data"]
            texts = tuple(data[k] for k in "bBaA")
            quote = decoder.quote(frame)
            assert (quote is None) == (texts == last)
            last = texts
            if quote is not None:
                changed += 1
                assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == tuple(map(Decimal, texts))
                assert quote.venue_ms == data.get("E", 0)
    assert frames > 10_000
    assert changed > 0


def test_documented_mark_price(recorded: Path) -> None:
    text = (recorded / "payloads/binance/nautilus/futures__market_data_json__mark_price_stream.json").read_text()
    frame = json.dumps({"stream": "btcusdt@markPrice@1s", "data": json.loads(text)}).encode()
    assert decode_mark(frame, {"BTCUSDT": BTC_PERP}) == Mark(
        "binance:BTCUSDT:perp",
        Decimal("11794.15000000"),
        Decimal("11784.62659091"),
        Decimal("0.00038167"),
        1562306400000,
        1562305380000,
    )
    assert decode_mark(frame, {}) is None
    with pytest.raises(DecodeError):
        decode_mark(frame.replace(b"0.00038167", b""), {"BTCUSDT": BTC_PERP})


def test_documented_spot_trade(recorded: Path) -> None:
    frame = (recorded / "payloads/binance/nautilus/spot__user_data_json__execution_report_trade.json").read_bytes()
    event = decode_private(frame)
    assert isinstance(event, SpotExecution)
    eth = instrument("ETHUSDT", Kind.SPOT)
    assert events_of_execution(event, eth) == [
        OrderFilled(
            Fill(
                venue="binance",
                instrument="binance:ETHUSDT:spot",
                trade_id="98765432",
                client_id="x-TD67BGP9-T0000000000000",
                venue_order_id="12345678",
                side=Side.BUY,
                price=Decimal(2500),
                quantity_base=Decimal(1),
                fee=Decimal("0.001"),
                fee_asset="ETH",
                realized_pnl=Decimal(0),
                maker=True,
                traded_ms=1709654401000,
            )
        ),
        OrderReported("x-TD67BGP9-T0000000000000", OrderState.FILLED, Decimal(1), "12345678"),
    ]


def test_documented_perp_partial_fill_has_realized_profit(recorded: Path) -> None:
    frame = (recorded / "payloads/binance/nautilus/futures__user_data_json__order_update_trade.json").read_bytes()
    event = decode_private(frame)
    assert isinstance(event, PerpOrderUpdate)
    filled, report = events_of_execution(event.order, BTC_PERP)
    assert isinstance(filled, OrderFilled)
    assert filled.fill.realized_pnl == Decimal("12.34")
    assert filled.fill.fee == Decimal("0.01")
    assert isinstance(report, OrderReported)
    assert report.state is OrderState.LIVE


@pytest.mark.parametrize(
    ("name", "state"),
    [("new", OrderState.LIVE), ("canceled", OrderState.CANCELLED), ("expired", OrderState.CANCELLED)],
)
def test_documented_spot_states(recorded: Path, name: str, state: OrderState) -> None:
    path = recorded / f"payloads/binance/nautilus/spot__user_data_json__execution_report_{name}.json"
    event = decode_private(path.read_bytes())
    assert isinstance(event, SpotExecution)
    (report,) = events_of_execution(event, BTC_SPOT)
    assert isinstance(report, OrderReported)
    assert (report.state, report.filled_base) == (state, 0)


def test_a_liquidation_is_a_trade(recorded: Path) -> None:
    for name in ("adl", "calculated"):
        path = recorded / f"payloads/binance/nautilus/futures__user_data_json__order_update_{name}.json"
        event = decode_private(path.read_bytes())
        assert isinstance(event, PerpOrderUpdate)
        assert isinstance(events_of_execution(event.order, BTC_PERP)[0], OrderFilled)


def test_wrapped_events_decode_as_bare_ones(recorded: Path) -> None:
    folder = recorded / "payloads/binance/nautilus"
    wrapped = decode_private((folder / "spot__user_data_json__execution_report_wrapped.json").read_bytes())
    assert isinstance(wrapped, SpotExecution)
    assert (wrapped.symbol, wrapped.order_id) == ("ETHBTC", 4293153)
    for name in ("account_position_wrapped", "balance_update_wrapped", "list_status_wrapped"):
        other = decode_private((folder / f"spot__user_data_json__{name}.json").read_bytes())
        assert isinstance(other, OtherEvent)
    funding = recorded / "payloads/binance/misc/account_update_funding_fee_20230430.json"
    assert decode_private(funding.read_bytes()) == OtherEvent("ACCOUNT_UPDATE", 1682812802637)


def test_every_recorded_private_event_decodes(recorded: Path) -> None:
    """Malformed ones aside, whatever Binance's users have met must not stop the stream."""
    folder = recorded / "payloads/binance"
    paths = [*folder.glob("**/*execution_report*.json"), *folder.glob("**/*order_update*.json")]
    assert len(paths) > 30
    decoded = 0
    for path in paths:
        try:
            event = decode_private(path.read_bytes())
            if isinstance(event, SpotExecution):
                events_of_execution(event, BTC_SPOT)
            elif isinstance(event, PerpOrderUpdate):
                events_of_execution(event.order, BTC_PERP)
            decoded += 1
        except DecodeError:
            continue
    assert decoded >= len(paths) * 0.9


def test_a_cancel_report_names_the_cancelled_order() -> None:
    frame = {
        "e": "executionReport", "E": 1, "s": "BTCUSDT", "c": "web_1", "C": "cb-1", "S": "BUY", "x": "CANCELED",
        "X": "CANCELED", "r": "NONE", "i": 7, "l": "0", "z": "0.5", "L": "0", "n": "0", "N": None, "T": 1, "t": -1,
        "m": False,
    }  # fmt: skip
    event = decode_private(json.dumps(frame).encode())
    assert isinstance(event, SpotExecution)
    assert events_of_execution(event, BTC_SPOT) == [
        OrderReported("cb-1", OrderState.CANCELLED, Decimal("0.5"), "7", "canceled")
    ]


def test_an_unknown_status_is_an_error_not_an_end() -> None:
    frame = b'{"e":"ORDER_TRADE_UPDATE","E":1,"o":{"s":"BTCUSDT","c":"cb","S":"BUY","x":"NEW","X":"WONDERFUL","i":1,'
    frame += b'"l":"0","z":"0","L":"0","T":1,"t":0,"m":false}}'
    event = decode_private(frame)
    assert isinstance(event, PerpOrderUpdate)
    with pytest.raises(DecodeError):
        events_of_execution(event.order, BTC_PERP)


def test_a_refused_subscription() -> None:
    frame = b'{"id":"subscribe","status":401,"error":{"code":-2015,"msg":"Invalid API-key"}}'
    assert decode_reply(frame).status == 401


def test_a_key_that_expired_is_told_with_its_time_as_text() -> None:
    """As the venue documents it; all other events have a number."""
    told = decode_private(b'{"e": "listenKeyExpired", "E": "1736996475556", "listenKey": "k"}')
    assert isinstance(told, OtherEvent)
    assert told.kind in STREAM_ENDS
    assert told.event_ms == 1_736_996_475_556

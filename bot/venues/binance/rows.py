"""REST rows and private events of Binance as domain values: pure, one function for each shape.

Rows come from ccxt's raw endpoints as dictionaries (numbers as text or exact decimals); they are checked by
`msgspec.convert`, and anything that does not fit raises DecodeError.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from bot.domain.events import OrderFilled, OrderReported
from bot.domain.instruments import Instrument
from bot.domain.orders import Fill, OrderState, Side
from bot.venues.binance.decode import (
    UNREADABLE,
    DecodeError,
    Number,
    PerpExecution,
    S,
    SpotExecution,
    TimeMs,
    checked,
)
from bot.venues.binance.symbols import to_base_price, to_base_quantity

ZERO = Decimal(0)

_STATES: Mapping[str, OrderState] = {
    "NEW": OrderState.LIVE,
    "PENDING_NEW": OrderState.LIVE,
    "PARTIALLY_FILLED": OrderState.LIVE,
    "PENDING_CANCEL": OrderState.LIVE,
    "NEW_INSURANCE": OrderState.LIVE,
    "NEW_ADL": OrderState.LIVE,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.CANCELLED,
    "EXPIRED_IN_MATCH": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
}
_SIDES: Mapping[str, Side] = {"BUY": Side.BUY, "SELL": Side.SELL}
_TRADE_EXECUTIONS = frozenset({"TRADE", "CALCULATED"})
"""CALCULATED is a liquidation's or ADL's own trade."""


class OrderRow(msgspec.Struct):
    """An order as both APIs answer to new, get, open and all; spot orders have no `reduceOnly`."""

    symbol: str
    order_id: Number = msgspec.field(name="orderId")
    client_id: str = msgspec.field(name="clientOrderId")
    status: str
    filled: Decimal = msgspec.field(name="executedQty")
    side: str
    original_id: str = msgspec.field(name="origClientOrderId", default="")
    """In the answer to a spot cancel `clientOrderId` names the cancel."""
    transact_ms: TimeMs = msgspec.field(name="transactTime", default=0)
    fills: list["SpotFillRow"] = []


class SpotFillRow(msgspec.Struct):
    """One of the `fills` in the full answer to a new spot order."""

    price: Decimal
    quantity: Decimal = msgspec.field(name="qty")
    fee: Decimal = msgspec.field(name="commission")
    fee_asset: str = msgspec.field(name="commissionAsset")
    trade_id: Number = msgspec.field(name="tradeId")


class TradeRow(msgspec.Struct):
    """A row of myTrades (`isBuyer`, `isMaker`) or userTrades (`side`, `maker`, `realizedPnl`)."""

    symbol: str
    id: Number
    order_id: Number = msgspec.field(name="orderId")
    price: Decimal
    quantity: Decimal = msgspec.field(name="qty")
    fee: Decimal = msgspec.field(name="commission")
    fee_asset: str = msgspec.field(name="commissionAsset")
    at_ms: TimeMs = msgspec.field(name="time")
    is_buyer: bool | None = msgspec.field(name="isBuyer", default=None)
    is_maker: bool = msgspec.field(name="isMaker", default=False)
    side: str = ""
    maker: bool = False
    realized: Decimal = msgspec.field(name="realizedPnl", default=ZERO)


def convert(row: Any, kind: type[S]) -> S:
    """A dictionary as a typed row. Raises DecodeError."""
    try:
        return checked(msgspec.convert(row, kind, strict=False))
    except (*UNREADABLE, InvalidOperation) as error:
        raise DecodeError(f"{kind.__name__}: {error}") from None


def convert_list(rows: Any, kind: type[S]) -> list[S]:
    """Raises DecodeError also when `rows` is no list."""
    if not isinstance(rows, list):
        raise DecodeError(f"a list of {kind.__name__} was expected, not {type(rows).__name__}")
    return [convert(row, kind) for row in rows]


def order_state(status: str) -> OrderState:
    """Raises DecodeError for a status that we do not know: it must not be taken for an end."""
    state = _STATES.get(status)
    if state is None:
        raise DecodeError(f"unknown order status {status!r}")
    return state


def side_of(text: str) -> Side:
    side = _SIDES.get(text)
    if side is None:
        raise DecodeError(f"unknown side {text!r}")
    return side


def report_of(row: OrderRow, instrument: Instrument) -> OrderReported:
    """An order row as a report; `reason` tells why an order ended without a fill."""
    state = order_state(row.status)
    return OrderReported(
        client_id=row.original_id or row.client_id,
        state=state,
        filled_base=to_base_quantity(instrument, row.filled),
        venue_order_id=str(row.order_id),
        reason=row.status.lower() if state in {OrderState.CANCELLED, OrderState.REJECTED} else None,
    )


def fills_of_reply(row: OrderRow, instrument: Instrument) -> list[OrderFilled]:
    """The trades that the answer to a new spot order carries."""
    return [
        OrderFilled(
            Fill(
                venue=instrument.venue,
                instrument=instrument.id,
                trade_id=str(fill.trade_id),
                client_id=row.client_id,
                venue_order_id=str(row.order_id),
                side=side_of(row.side),
                price=to_base_price(instrument, fill.price),
                quantity_base=to_base_quantity(instrument, fill.quantity),
                fee=fill.fee,
                fee_asset=fill.fee_asset,
                realized_pnl=ZERO,
                maker=False,
                traded_ms=row.transact_ms,
            )
        )
        for fill in row.fills
    ]


def fill_of_trade(row: TradeRow, instrument: Instrument, client_id: str) -> Fill:
    """A row of the account's trade history; it names the order by number only, so the client id is given."""
    if instrument.kind.is_coin:
        if row.is_buyer is None:
            raise DecodeError("spot trade without isBuyer")
        side, maker = (Side.BUY if row.is_buyer else Side.SELL), row.is_maker
    else:
        side, maker = side_of(row.side), row.maker
    return Fill(
        venue=instrument.venue,
        instrument=instrument.id,
        trade_id=str(row.id),
        client_id=client_id,
        venue_order_id=str(row.order_id),
        side=side,
        price=to_base_price(instrument, row.price),
        quantity_base=to_base_quantity(instrument, row.quantity),
        fee=row.fee,
        fee_asset=row.fee_asset,
        realized_pnl=row.realized,
        maker=maker,
        traded_ms=row.at_ms,
    )


def events_of_execution(
    execution: SpotExecution | PerpExecution, instrument: Instrument
) -> list[OrderFilled | OrderReported]:
    """A change of an order from a private stream: the trade first, then the order's state."""
    spot = isinstance(execution, SpotExecution)
    client_id = execution.client_id
    if isinstance(execution, SpotExecution) and execution.execution == "CANCELED" and execution.original_id:
        client_id = execution.original_id
    events: list[OrderFilled | OrderReported] = []
    if execution.execution in _TRADE_EXECUTIONS and execution.last_quantity > 0:
        events.append(
            OrderFilled(
                Fill(
                    venue=instrument.venue,
                    instrument=instrument.id,
                    trade_id=str(execution.trade_id),
                    client_id=client_id,
                    venue_order_id=str(execution.order_id),
                    side=side_of(execution.side),
                    price=to_base_price(instrument, execution.last_price),
                    quantity_base=to_base_quantity(instrument, execution.last_quantity),
                    fee=execution.fee,
                    fee_asset=execution.fee_asset or instrument.quote_asset,
                    realized_pnl=ZERO if spot else execution.realized,  # type: ignore[union-attr]
                    maker=execution.maker,
                    traded_ms=execution.at_ms,
                )
            )
        )
    state = order_state(execution.status)
    ended_badly = state in {OrderState.CANCELLED, OrderState.REJECTED}
    events.append(
        OrderReported(
            client_id=client_id,
            state=state,
            filled_base=to_base_quantity(instrument, execution.filled),
            venue_order_id=str(execution.order_id),
            reason=execution.status.lower() if ended_badly else None,
        )
    )
    return events

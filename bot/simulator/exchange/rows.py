"""Records to JSON-ready rows and back: Decimals as text, ids and times as whole numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bot.simulator.exchange.interface import CapitalMove, Transfer
from bot.simulator.exchange.money import text
from bot.simulator.model import (
    Book,
    Income,
    LoanEntry,
    Order,
    OrderRequest,
    OrderType,
    Side,
    Status,
    TimeInForce,
    Trade,
)


def maybe_text(value: Decimal | None) -> str | None:
    return None if value is None else text(value)


def maybe_decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _mark(record: OrderRequest | Trade) -> dict[str, bool]:
    """Only margin orders and trades are marked, so that records of a plain account stay as they were."""
    return {"margin": True} if record.margin else {}


def order_row(order: Order) -> dict[str, Any]:
    request = order.request
    return {
        "id": order.id,
        "book": request.book.value,
        "symbol": request.symbol,
        "side": request.side.value,
        "type": request.type.value,
        "time_in_force": request.time_in_force.value,
        "quantity": text(request.quantity),
        "price": maybe_text(request.price),
        "reduce_only": request.reduce_only,
        "client_id": request.client_id,
        "status": order.status.value,
        "created_ms": order.created_ms,
        "updated_ms": order.updated_ms,
        "filled": text(order.filled),
        "filled_quote": text(order.filled_quote),
        "trade_ids": list(order.trade_ids),
        **_mark(request),
    }


def order_of(row: Mapping[str, Any]) -> Order:
    request = OrderRequest(
        book=Book(row["book"]),
        symbol=row["symbol"],
        side=Side(row["side"]),
        type=OrderType(row["type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        quantity=Decimal(row["quantity"]),
        price=maybe_decimal(row["price"]),
        reduce_only=row["reduce_only"],
        client_id=row["client_id"],
        margin=row.get("margin", False),
    )
    return Order(
        id=row["id"],
        request=request,
        status=Status(row["status"]),
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        filled=Decimal(row["filled"]),
        filled_quote=Decimal(row["filled_quote"]),
        trade_ids=list(row["trade_ids"]),
    )


def trade_row(trade: Trade) -> dict[str, Any]:
    return {
        "id": trade.id,
        "order_id": trade.order_id,
        "client_id": trade.client_id,
        "book": trade.book.value,
        "symbol": trade.symbol,
        "side": trade.side.value,
        "price": text(trade.price),
        "quantity": text(trade.quantity),
        "quote_quantity": text(trade.quote_quantity),
        "fee": text(trade.fee),
        "fee_asset": trade.fee_asset,
        "realized_pnl": text(trade.realized_pnl),
        "maker": trade.maker,
        "at_ms": trade.at_ms,
        "number": trade.number,
        **_mark(trade),
    }


def trade_of(row: Mapping[str, Any]) -> Trade:
    return Trade(
        id=row["id"],
        order_id=row["order_id"],
        client_id=row["client_id"],
        book=Book(row["book"]),
        symbol=row["symbol"],
        side=Side(row["side"]),
        price=Decimal(row["price"]),
        quantity=Decimal(row["quantity"]),
        fee=Decimal(row["fee"]),
        fee_asset=row["fee_asset"],
        realized_pnl=Decimal(row["realized_pnl"]),
        maker=row["maker"],
        at_ms=row["at_ms"],
        quote_quantity=Decimal(row["quote_quantity"]),
        margin=row.get("margin", False),
        number=row.get("number", row["id"]),
    )


def income_row(income: Income) -> dict[str, Any]:
    return {
        "id": income.id,
        "kind": income.kind,
        "symbol": income.symbol,
        "asset": income.asset,
        "amount": text(income.amount),
        "at_ms": income.at_ms,
        "trade_id": income.trade_id,
        "rate": maybe_text(income.rate),
        "mark": maybe_text(income.mark),
        "quantity": maybe_text(income.quantity),
    }


def income_of(row: Mapping[str, Any]) -> Income:
    return Income(
        id=row["id"],
        kind=row["kind"],
        symbol=row["symbol"],
        asset=row["asset"],
        amount=Decimal(row["amount"]),
        at_ms=row["at_ms"],
        trade_id=row["trade_id"],
        rate=maybe_decimal(row["rate"]),
        mark=maybe_decimal(row["mark"]),
        quantity=maybe_decimal(row["quantity"]),
    )


def loan_row(entry: LoanEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "asset": entry.asset,
        "amount": text(entry.amount),
        "at_ms": entry.at_ms,
        "rate": maybe_text(entry.rate),
    }


def loan_of(row: Mapping[str, Any]) -> LoanEntry:
    return LoanEntry(
        row["id"], row["kind"], row["asset"], Decimal(row["amount"]), row["at_ms"], maybe_decimal(row["rate"])
    )


def transfer_row(transfer: Transfer) -> dict[str, Any]:
    return {
        "id": transfer.id,
        "asset": transfer.asset,
        "quantity": text(transfer.quantity),
        "source": transfer.source.value,
        "target": transfer.target.value,
        "at_ms": transfer.at_ms,
    }


def transfer_of(row: Mapping[str, Any]) -> Transfer:
    return Transfer(
        id=row["id"],
        asset=row["asset"],
        quantity=Decimal(row["quantity"]),
        source=Book(row["source"]),
        target=Book(row["target"]),
        at_ms=row["at_ms"],
    )


def capital_row(move: CapitalMove) -> dict[str, Any]:
    return {
        "id": move.id,
        "asset": move.asset,
        "quantity": text(move.quantity),
        "fee": text(move.fee),
        "at_ms": move.at_ms,
    }


def capital_of(row: Mapping[str, Any]) -> CapitalMove:
    return CapitalMove(row["id"], row["asset"], Decimal(row["quantity"]), Decimal(row["fee"]), row["at_ms"])

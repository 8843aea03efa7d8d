"""What the exchange knows of an account, for judging a client's books: JSON-ready, outside the venue's paths.

Amounts, prices, rates and ids are text; times are whole UTC milliseconds of market time.
"""

from typing import Any

from bot.simulator.exchange.accounts import MARGIN_ASSET, Account
from bot.simulator.exchange.interface import Transfer
from bot.simulator.exchange.margin import position_risk
from bot.simulator.exchange.money import text
from bot.simulator.exchange.rows import capital_row, loan_row, maybe_text, order_row, trade_row
from bot.simulator.exchange.state import State
from bot.simulator.model import Income, Order, Trade


def truth(state: State, account: Account, at_ms: int) -> dict[str, Any]:
    trades = sorted((t for listed in account.trades.values() for t in listed), key=lambda t: t.number)
    return {
        "market_time": at_ms,
        "balances": {
            "spot": {
                asset: {"free": text(b.free), "locked": text(b.locked)} for asset, b in sorted(account.spot.items())
            },
            "perp": {MARGIN_ASSET: {"free": text(account.perp_wallet), "locked": "0"}},
        },
        "positions": _positions(state, account, at_ms),
        "orders": [_order(order) for order in account.orders.values()],
        "trades": [_trade(trade) for trade in trades],
        "receipts": [_receipt(income) for income in account.incomes if income.kind == "FUNDING_FEE"],
        "incomes": [_income(income) for income in account.incomes],
        "transfers": [_transfer(transfer) for transfer in account.transfers],
        "capital": [{**capital_row(move), "id": str(move.id)} for move in account.capital],
        **_margin(account),
    }


def _margin(account: Account) -> dict[str, Any]:
    """The margin wallet, net of what is owed, with its history; nothing where there never was one."""
    if not account.margin.entries:
        return {}
    return {
        "margin": {
            "net": {asset: text(amount) for asset, amount in account.margin.net().items()},
            "owed": {asset: text(amount) for asset, amount in sorted(account.margin.owed.items())},
            "loans": [{**loan_row(entry), "id": str(entry.id)} for entry in account.margin.entries],
        }
    }


def _positions(state: State, account: Account, at_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "symbol": risk.symbol,
            "quantity": text(risk.quantity),
            "entry_price": text(risk.entry_price),
            "mark_price": text(risk.mark_price),
            "unrealized": text(risk.unrealized_usd),
            "leverage": str(risk.leverage),
        }
        for risk in position_risk(state, account, at_ms)
    ]


def _order(order: Order) -> dict[str, Any]:
    row = order_row(order)
    return {**row, "id": str(order.id), "trade_ids": [str(i) for i in order.trade_ids]}


def _trade(trade: Trade) -> dict[str, Any]:
    return {**trade_row(trade), "id": str(trade.id), "order_id": str(trade.order_id)}


def _receipt(income: Income) -> dict[str, Any]:
    return {
        "venue_id": str(income.id),
        "symbol": income.symbol,
        "settled_at": income.at_ms,
        "rate": maybe_text(income.rate),
        "quantity": maybe_text(income.quantity),
        "mark_price": maybe_text(income.mark),
        "payment": text(income.amount),
        "asset": income.asset,
    }


def _income(income: Income) -> dict[str, Any]:
    return {
        "venue_id": str(income.id),
        "kind": income.kind,
        "symbol": income.symbol,
        "asset": income.asset,
        "amount": text(income.amount),
        "at_ms": income.at_ms,
        "trade_id": None if income.trade_id is None else str(income.trade_id),
    }


def _transfer(transfer: Transfer) -> dict[str, Any]:
    return {
        "venue_id": str(transfer.id),
        "asset": transfer.asset,
        "quantity": text(transfer.quantity),
        "source": transfer.source.value,
        "target": transfer.target.value,
        "at_ms": transfer.at_ms,
    }

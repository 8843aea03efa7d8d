"""What the commands print, as JSON-ready values: the same from a running daemon and from the books alone.

Numbers that are looked at (NAV, leverage, notionals, quantities of legs) are JSON numbers. Amounts of the books
(`receipts`, `ledger`, `orders`) are text in exact decimal form, because a JSON number would round them. Times are
ISO 8601 in UTC (market time) with a `_ms` twin in milliseconds.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.domain.actions import Alert, NavPoint
from bot.domain.hedges import Hedge, Leg, Receipt
from bot.domain.numbers import ZERO, text
from bot.domain.orders import OrderRecord

View = dict[str, Any]


def iso(market_ms: int | None) -> str | None:
    """`2024-11-05T08:00:00.000Z`; None for an unknown time."""
    if not market_ms:
        return None
    moment = datetime.fromtimestamp(market_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{market_ms % 1000:03d}Z"


def number(value: Decimal | float | None) -> float | None:
    """A JSON number; None where there is none, or where it is not finite."""
    if value is None:
        return None
    shown = float(value)
    return shown if shown - shown == 0 else None


def exact(value: Decimal | None) -> str | None:
    return None if value is None else text(value)


def venue_view(name: str, *, connected: bool, data_age_s: float | None) -> View:
    """`data_age_s`: wall seconds since the last sign of life; of the books when the daemon is down."""
    return {"name": name, "connected": connected, "data_age_s": data_age_s}


def status_view(
    state: str,
    market_ms: int,
    nav: NavPoint | None,
    hedges: int,
    receipts_usd: Decimal,
    venues: list[View],
    more: Mapping[str, Any],
) -> View:
    """`state` is starting, running, halted, flattening, stopping or stopped."""
    return {
        "state": state,
        "market_time": iso(market_ms),
        "market_time_ms": market_ms,
        "nav_usd": number(nav.nav_usd) if nav else None,
        "leverage": number(nav.leverage) if nav else None,
        "hedges": hedges,
        "deployed_usd": number(nav.deployed_usd) if nav else None,
        "unhedged_usd": number(nav.unhedged_usd) if nav else None,
        "receipts_usd": number(receipts_usd),
        "venues": venues,
        **more,
    }


def leg_view(leg: Leg, mark: Decimal | None) -> View:
    return {
        "instrument": leg.instrument,
        "kind": leg.kind.value,
        "quantity_base": number(leg.quantity_base),
        "entry_price": number(leg.entry_price),
        "mark_price": number(mark),
    }


def hedge_view(
    hedge: Hedge,
    notional_usd: Decimal,
    carry_apr: Decimal | float | None,
    basis_pnl_usd: Decimal,
    marks: Mapping[str, Decimal | None],
) -> View:
    """One hedge. `basis_pnl_usd` is the price P&L of all legs, realised and open, at the prices decided on."""
    return {
        "id": hedge.id,
        "strategy": hedge.strategy,
        "coin": hedge.coin,
        "venue": hedge.venue,
        "state": hedge.state.value,
        "notional_usd": number(notional_usd),
        "imbalance_base": number(hedge.imbalance_base),
        "carry_apr": number(carry_apr),
        "funding_usd": number(hedge.funding_usd),
        "fees_usd": number(hedge.fees_usd),
        "slippage_usd": number(hedge.slippage_usd),
        "borrow_usd": number(hedge.borrow_usd),
        "basis_pnl_usd": number(basis_pnl_usd),
        "reason": hedge.reason,
        "opened_at": iso(hedge.opened_ms),
        "closed_at": iso(hedge.closed_ms),
        "legs": [leg_view(leg, marks.get(leg.instrument)) for leg in hedge.legs],
    }


def valued_by_prices(hedge: Hedge, prices: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
    """(notional_usd, basis_pnl_usd) of a hedge at given prices by instrument; an entry price where none is known."""
    sides, pnl = [ZERO], hedge.slippage_usd
    for leg in hedge.legs:
        price = prices.get(leg.instrument) or leg.entry_price or ZERO
        sides.append(abs(leg.quantity_base) * price)
        pnl += leg.realized_quote + leg.quantity_base * price - leg.cost_quote
    return max(sides), pnl


def stored_hedge_view(hedge: Hedge, prices: Mapping[str, Decimal]) -> View:
    """A hedge out of the books alone: closed, or while the daemon is down. There is no carry estimate then."""
    notional, pnl = valued_by_prices(hedge, prices)
    return hedge_view(hedge, notional, None, pnl, prices)


def order_view(order: OrderRecord) -> View:
    intent = order.intent
    return {
        "client_id": intent.client_id,
        "venue_order_id": order.venue_order_id,
        "hedge": intent.hedge_id,
        "venue": intent.venue,
        "instrument": intent.instrument,
        "side": intent.side.value,
        "purpose": intent.purpose.value,
        "state": order.state.value,
        "quantity_base": exact(intent.quantity_base),
        "filled_base": exact(order.filled_base),
        "limit_price": exact(intent.limit_price),
        "decided_price": exact(intent.decided_price),
        "time_in_force": intent.time_in_force.value,
        "reduce_only": intent.reduce_only,
        "created_at": iso(intent.created_ms),
        "created_ms": intent.created_ms,
        "settled": order.settled,
        "reason": order.reason,
    }


def receipt_view(receipt: Receipt) -> View:
    return {
        "venue": receipt.venue,
        "account": receipt.account,
        "instrument": receipt.instrument,
        "coin": receipt.coin,
        "settled_at": iso(receipt.settled_ms),
        "settled_ms": receipt.settled_ms,
        "rate": exact(receipt.rate),
        "quantity_base": exact(receipt.quantity_base),
        "mark_price": exact(receipt.mark_price),
        "payment": exact(receipt.payment),
        "asset": receipt.asset,
        "venue_id": receipt.venue_id,
    }


def alert_view(alert: Alert) -> View:
    return {
        "at": iso(alert.market_ms),
        "at_ms": alert.market_ms,
        "severity": alert.severity.value,
        "name": alert.name,
        "text": alert.text,
    }


def ledger_view(balances: Mapping[tuple[str, str], Decimal], transactions: int) -> View:
    """Balances by account and asset; accounts whose balance is zero are left out."""
    rows = [
        {"account": account, "asset": asset, "balance": exact(balance)}
        for (account, asset), balance in sorted(balances.items())
        if balance
    ]
    return {"transactions": transactions, "accounts": rows}


PNL_COLUMNS = (
    "hedge",
    "strategy",
    "venue",
    "coin",
    "state",
    "opened_at",
    "closed_at",
    "funding_usd",
    "basis_usd",
    "fees_usd",
    "slippage_usd",
    "borrow_usd",
    "total_usd",
)


def pnl_view(hedges: Iterable[tuple[Hedge, Decimal]]) -> View:
    """P&L of (hedge, basis_pnl_usd) pairs, split; costs are negative and the parts sum to the total."""
    rows, totals = [], dict.fromkeys(("funding", "basis", "fees", "slippage", "borrow", "total"), ZERO)
    for hedge, basis in hedges:
        parts = {
            "funding": hedge.funding_usd,
            "basis": basis,
            "fees": -hedge.fees_usd,
            "slippage": -hedge.slippage_usd,
            "borrow": -hedge.borrow_usd,
        }
        parts["total"] = sum(parts.values(), ZERO)
        for name, value in parts.items():
            totals[name] += value
        rows.append(
            {
                "hedge": hedge.id,
                "strategy": hedge.strategy,
                "venue": hedge.venue,
                "coin": hedge.coin,
                "state": hedge.state.value,
                "opened_at": iso(hedge.opened_ms),
                "closed_at": iso(hedge.closed_ms),
                **{f"{name}_usd": number(value) for name, value in parts.items()},
            }
        )
    return {**{f"{name}_usd": number(value) for name, value in totals.items()}, "hedges": rows}

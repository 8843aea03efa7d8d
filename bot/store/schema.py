"""The tables. `migrations/` makes them in a database; a test compares the two.

Money is text (`Money`), times are UTC milliseconds, flags are 0 or 1. In SQLite all tables are STRICT, so that no
value of another type can get in. Tables whose rows are facts (`APPEND_ONLY`) are guarded by triggers there.
`ledger_balances` and `receipt_totals` are sums that each commit keeps beside the rows they are made of.
"""

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bot.store.types import Money, Whole

VERSION = "0004"
"""The newest revision in `migrations/versions`: what an opened database must have."""

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _table(name: str, *parts: Any) -> Table:
    """Rows in the order of insertion."""
    return Table(name, METADATA, *parts, sqlite_strict=True)


def _keyed(name: str, *parts: Any) -> Table:
    """Rows in the order of their key: one tree to write to, where SQLite would keep two."""
    return Table(name, METADATA, *parts, sqlite_strict=True, sqlite_with_rowid=False)


def _seq() -> Column[int]:
    """Row number in the order of insertion."""
    return Column("seq", Whole, primary_key=True, autoincrement=True)


def _text(name: str, **more: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **more)


def _maybe_text(name: str) -> Column[str]:
    return Column(name, Text)


def _whole(name: str) -> Column[int]:
    return Column(name, Whole, nullable=False)


def _maybe_whole(name: str) -> Column[int]:
    return Column(name, Whole)


def _money(name: str) -> Column[Any]:
    return Column(name, Money, nullable=False)


def _maybe_money(name: str) -> Column[Any]:
    return Column(name, Money)


def _of(target: str) -> ForeignKey:
    """Checked when the transaction commits: the order of the records in one step does not matter."""
    return ForeignKey(target, deferrable=True, initially="DEFERRED")


ORDER_INTENTS = _table(
    "order_intents",
    _seq(),
    _text("client_id"),
    _text("hedge_id"),
    _whole("leg"),
    _text("venue"),
    _text("instrument"),
    _text("side"),
    _money("quantity_base"),
    _money("limit_price"),
    _text("time_in_force"),
    _whole("reduce_only"),
    _text("purpose"),
    _whole("created_ms"),
    _money("decided_price"),
    UniqueConstraint("client_id"),
    Index(None, "hedge_id"),
)

ORDERS = _keyed(
    "orders",
    Column("client_id", Text, _of("order_intents.client_id"), primary_key=True),
    _text("state"),
    _maybe_text("venue_order_id"),
    _money("filled_base"),
    _money("fills_base"),
    _maybe_text("reason"),
    _whole("sent_mono_ms"),
    _whole("asked_mono_ms"),
    _whole("asked_count"),
    _whole("settled"),
)
Index("ix_orders_open", ORDERS.c.client_id, sqlite_where=text("settled = 0"), postgresql_where=text("settled = 0"))

FILLS = _table(
    "fills",
    _seq(),
    _text("venue"),
    _text("instrument"),
    _text("trade_id"),
    _text("client_id"),
    _text("venue_order_id"),
    _text("side"),
    _money("price"),
    _money("quantity_base"),
    _money("fee"),
    _text("fee_asset"),
    _money("realized_pnl"),
    _whole("maker"),
    _whole("traded_ms"),
    UniqueConstraint("venue", "instrument", "trade_id"),
    Index(None, "client_id"),
    Index(None, "traded_ms"),
)

HEDGES = _keyed(
    "hedges",
    Column("id", Text, primary_key=True),
    _whole("number"),
    _text("strategy"),
    _text("coin"),
    _text("venue"),
    _text("state"),
    _money("target_base"),
    _whole("opened_ms"),
    _maybe_whole("closed_ms"),
    _whole("orders_made"),
    _money("funding_usd"),
    _money("fees_usd"),
    _money("slippage_usd"),
    _text("reason"),
    _whole("last_funding_ms"),
    _maybe_whole("unbalanced_mono_ms"),
    _whole("rehedges"),
    _whole("wait_until_mono_ms"),
    Column("borrow_usd", Money, nullable=False, server_default="0"),
    UniqueConstraint("number"),
    Index(None, "state", "number"),
    Index(None, "coin"),
)

LEGS = _keyed(
    "legs",
    Column("hedge_id", Text, _of("hedges.id"), nullable=False),
    _whole("leg"),
    _text("instrument"),
    _text("kind"),
    _whole("direction"),
    _money("quantity_base"),
    _money("cost_quote"),
    _money("realized_quote"),
    PrimaryKeyConstraint("hedge_id", "leg"),
)

RECEIPTS = _table(
    "receipts",
    _seq(),
    _text("venue"),
    _text("account"),
    _text("instrument"),
    _text("coin"),
    _whole("settled_ms"),
    _maybe_money("rate"),
    _maybe_money("quantity_base"),
    _maybe_money("mark_price"),
    _money("payment"),
    _text("asset"),
    _text("venue_id"),
    UniqueConstraint("venue", "account", "instrument", "venue_id"),
    Index(None, "settled_ms"),
    Index(None, "coin", "settled_ms"),
)

RECEIPT_TOTALS = _keyed(
    "receipt_totals",
    _text("venue"),
    _text("coin"),
    _text("asset"),
    _whole("receipts"),
    _money("payment"),
    PrimaryKeyConstraint("venue", "coin", "asset"),
)

TRANSFERS = _table(
    "transfers",
    _seq(),
    _text("id"),
    _text("venue"),
    _text("asset"),
    _money("amount"),
    _text("source"),
    _text("target"),
    _whole("created_ms"),
    UniqueConstraint("id"),
    Index(None, "created_ms"),
)

TRANSFER_OUTCOMES = _keyed(
    "transfer_outcomes",
    Column("transfer_id", Text, _of("transfers.id"), primary_key=True),
    _whole("settled"),
    _maybe_text("venue_id"),
    _text("reason"),
)

LEDGER_TRANSACTIONS = _table(
    "ledger_transactions",
    Column("number", Whole, primary_key=True, autoincrement=False),
    _text("id"),
    _whole("at_ms"),
    _text("kind"),
    _maybe_text("hedge_id"),
    _text("chain"),
    UniqueConstraint("id"),
    Index(None, "at_ms"),
    Index(None, "hedge_id"),
)

LEDGER_ENTRIES = _keyed(
    "ledger_entries",
    Column("number", Whole, _of("ledger_transactions.number"), nullable=False),
    _whole("line"),
    _text("account"),
    _text("asset"),
    _money("amount"),
    PrimaryKeyConstraint("number", "line"),
    Index(None, "account", "number"),
)

LEDGER_BALANCES = _keyed(
    "ledger_balances",
    _text("account"),
    _text("asset"),
    _money("balance"),
    PrimaryKeyConstraint("account", "asset"),
)

RATES = _keyed(
    "rates",
    _text("instrument"),
    _whole("settled_ms"),
    _money("rate"),
    _whole("interval_s"),
    PrimaryKeyConstraint("instrument", "settled_ms"),
)

COIN_STATES = _keyed(
    "coin_states",
    _text("venue"),
    _text("coin"),
    _whole("direction"),
    _whole("counted_until_ms"),
    _maybe_whole("day"),
    _whole("negative_days"),
    _whole("positive_days"),
    _whole("removed"),
    _maybe_whole("removed_ms"),
    _text("reason"),
    _text("days", server_default="{}"),
    PrimaryKeyConstraint("venue", "coin", "direction"),
)

NAV_HISTORY = _table(
    "nav_history",
    Column("market_ms", Whole, primary_key=True, autoincrement=False),
    _money("nav_usd"),
    _maybe_money("leverage"),
    _money("deployed_usd"),
    _money("unhedged_usd"),
)

LAST_PRICES = _keyed(
    "last_prices",
    Column("instrument", Text, primary_key=True),
    _money("price"),
    _whole("market_ms"),
)

ALERTS = _table(
    "alerts",
    _seq(),
    _whole("market_ms"),
    _text("severity"),
    _text("name"),
    _text("text"),
    Index(None, "market_ms"),
)

VERDICTS = _table(
    "verdicts",
    _seq(),
    _whole("market_ms"),
    _maybe_text("hedge_id"),
    _text("coin"),
    _text("rule"),
    _whole("approved"),
    _text("limit_text"),
    _text("observed"),
    _text("detail"),
    Index(None, "rule", "approved", "coin", "market_ms"),
    Index(None, "coin", "market_ms"),
)

RULE_MEMORY = _keyed(
    "rule_memory",
    _text("rule"),
    _text("subject"),
    _text("name"),
    _money("value"),
    _whole("market_ms"),
    PrimaryKeyConstraint("rule", "subject", "name"),
)

CONTROL = _table(
    "control",
    _seq(),
    _text("control"),
    _text("reason"),
    _whole("market_ms"),
)

EPOCHS = _table(
    "epochs",
    Column("epoch", Whole, primary_key=True, autoincrement=True),
    _whole("started_ms"),
)

CONFIG_VERSIONS = _table(
    "config_versions",
    _seq(),
    _whole("epoch"),
    _whole("saved_ms"),
    _text("digest"),
    _text("content"),
)

APPEND_ONLY = (
    ORDER_INTENTS,
    FILLS,
    RECEIPTS,
    TRANSFERS,
    LEDGER_TRANSACTIONS,
    LEDGER_ENTRIES,
)
"""Rows that are never changed or deleted; the migration puts triggers on them in SQLite."""

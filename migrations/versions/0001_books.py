"""The books: orders, fills, hedges, receipts, transfers, the ledger and what surrounds them.

Rows that are facts can be added and never changed: triggers refuse it, in SQLite and PostgreSQL.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("order_intents", "fills", "receipts", "transfers", "ledger_transactions", "ledger_entries")


def upgrade() -> None:
    _make_orders()
    _make_hedges()
    _make_money()
    _make_ledger()
    _make_market()
    _make_log()
    _guard()


def downgrade() -> None:
    raise RuntimeError("books are not taken back to an older version; restore the backup made before the upgrade")


def _whole(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=nullable, **more)


def _seq(name: str) -> sa.Column[Any]:
    return _whole(name, autoincrement=True)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _money(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    """Exact decimal text."""
    return sa.Column(name, sa.Text(), nullable=nullable)


def _of(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [target], name=f"fk_{table}_{column}", deferrable=True, initially="DEFERRED"
    )


def _table(name: str, *parts: Any) -> None:
    op.create_table(name, *parts, sqlite_strict=True)


def _keyed(name: str, *parts: Any) -> None:
    op.create_table(name, *parts, sqlite_strict=True, sqlite_with_rowid=False)


def _make_orders() -> None:
    _table(
        "order_intents",
        _seq("seq"),
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
        sa.PrimaryKeyConstraint("seq", name="pk_order_intents"),
        sa.UniqueConstraint("client_id", name="uq_order_intents_client_id"),
    )
    op.create_index("ix_order_intents_hedge_id", "order_intents", ["hedge_id"])
    _keyed(
        "orders",
        _text("client_id"),
        _text("state"),
        _text("venue_order_id", nullable=True),
        _money("filled_base"),
        _money("fills_base"),
        _text("reason", nullable=True),
        _whole("sent_mono_ms"),
        _whole("asked_mono_ms"),
        _whole("asked_count"),
        _whole("settled"),
        sa.PrimaryKeyConstraint("client_id", name="pk_orders"),
        _of("orders", "client_id", "order_intents.client_id"),
    )
    unsettled = sa.text("settled = 0")
    op.create_index("ix_orders_open", "orders", ["client_id"], sqlite_where=unsettled, postgresql_where=unsettled)
    _table(
        "fills",
        _seq("seq"),
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
        sa.PrimaryKeyConstraint("seq", name="pk_fills"),
        sa.UniqueConstraint("venue", "instrument", "trade_id", name="uq_fills_venue"),
    )
    op.create_index("ix_fills_client_id", "fills", ["client_id"])
    op.create_index("ix_fills_traded_ms", "fills", ["traded_ms"])


def _make_hedges() -> None:
    _keyed(
        "hedges",
        _text("id"),
        _whole("number"),
        _text("strategy"),
        _text("coin"),
        _text("venue"),
        _text("state"),
        _money("target_base"),
        _whole("opened_ms"),
        _whole("closed_ms", nullable=True),
        _whole("orders_made"),
        _money("funding_usd"),
        _money("fees_usd"),
        _money("slippage_usd"),
        _text("reason"),
        _whole("last_funding_ms"),
        _whole("unbalanced_mono_ms", nullable=True),
        _whole("rehedges"),
        _whole("wait_until_mono_ms"),
        sa.PrimaryKeyConstraint("id", name="pk_hedges"),
        sa.UniqueConstraint("number", name="uq_hedges_number"),
    )
    op.create_index("ix_hedges_coin", "hedges", ["coin"])
    op.create_index("ix_hedges_state_number", "hedges", ["state", "number"])
    _keyed(
        "legs",
        _text("hedge_id"),
        _whole("leg"),
        _text("instrument"),
        _text("kind"),
        _whole("direction"),
        _money("quantity_base"),
        _money("cost_quote"),
        _money("realized_quote"),
        sa.PrimaryKeyConstraint("hedge_id", "leg", name="pk_legs"),
        _of("legs", "hedge_id", "hedges.id"),
    )
    _keyed(
        "coin_states",
        _text("venue"),
        _text("coin"),
        _whole("direction"),
        _whole("counted_until_ms"),
        _whole("day", nullable=True),
        _money("day_carry"),
        _whole("negative_days"),
        _whole("positive_days"),
        _whole("removed"),
        _whole("removed_ms", nullable=True),
        _text("reason"),
        sa.PrimaryKeyConstraint("venue", "coin", "direction", name="pk_coin_states"),
    )


def _make_money() -> None:
    _table(
        "receipts",
        _seq("seq"),
        _text("venue"),
        _text("account"),
        _text("instrument"),
        _text("coin"),
        _whole("settled_ms"),
        _money("rate", nullable=True),
        _money("quantity_base", nullable=True),
        _money("mark_price", nullable=True),
        _money("payment"),
        _text("asset"),
        _text("venue_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_receipts"),
        sa.UniqueConstraint("venue", "account", "instrument", "venue_id", name="uq_receipts_venue"),
    )
    op.create_index("ix_receipts_coin_settled_ms", "receipts", ["coin", "settled_ms"])
    op.create_index("ix_receipts_settled_ms", "receipts", ["settled_ms"])
    _keyed(
        "receipt_totals",
        _text("venue"),
        _text("coin"),
        _text("asset"),
        _whole("receipts"),
        _money("payment"),
        sa.PrimaryKeyConstraint("venue", "coin", "asset", name="pk_receipt_totals"),
    )
    _table(
        "transfers",
        _seq("seq"),
        _text("id"),
        _text("venue"),
        _text("asset"),
        _money("amount"),
        _text("source"),
        _text("target"),
        _whole("created_ms"),
        sa.PrimaryKeyConstraint("seq", name="pk_transfers"),
        sa.UniqueConstraint("id", name="uq_transfers_id"),
    )
    op.create_index("ix_transfers_created_ms", "transfers", ["created_ms"])
    _keyed(
        "transfer_outcomes",
        _text("transfer_id"),
        _whole("settled"),
        _text("venue_id", nullable=True),
        _text("reason"),
        sa.PrimaryKeyConstraint("transfer_id", name="pk_transfer_outcomes"),
        _of("transfer_outcomes", "transfer_id", "transfers.id"),
    )


def _make_ledger() -> None:
    _table(
        "ledger_transactions",
        _whole("number", autoincrement=False),
        _text("id"),
        _whole("at_ms"),
        _text("kind"),
        _text("hedge_id", nullable=True),
        _text("chain"),
        sa.PrimaryKeyConstraint("number", name="pk_ledger_transactions"),
        sa.UniqueConstraint("id", name="uq_ledger_transactions_id"),
    )
    op.create_index("ix_ledger_transactions_at_ms", "ledger_transactions", ["at_ms"])
    op.create_index("ix_ledger_transactions_hedge_id", "ledger_transactions", ["hedge_id"])
    _keyed(
        "ledger_entries",
        _whole("number"),
        _whole("line"),
        _text("account"),
        _text("asset"),
        _money("amount"),
        sa.PrimaryKeyConstraint("number", "line", name="pk_ledger_entries"),
        _of("ledger_entries", "number", "ledger_transactions.number"),
    )
    op.create_index("ix_ledger_entries_account_number", "ledger_entries", ["account", "number"])
    _keyed(
        "ledger_balances",
        _text("account"),
        _text("asset"),
        _money("balance"),
        sa.PrimaryKeyConstraint("account", "asset", name="pk_ledger_balances"),
    )


def _make_market() -> None:
    _keyed(
        "rates",
        _text("instrument"),
        _whole("settled_ms"),
        _money("rate"),
        _whole("interval_s"),
        sa.PrimaryKeyConstraint("instrument", "settled_ms", name="pk_rates"),
    )
    _table(
        "nav_history",
        _whole("market_ms", autoincrement=False),
        _money("nav_usd"),
        _money("leverage", nullable=True),
        _money("deployed_usd"),
        _money("unhedged_usd"),
        sa.PrimaryKeyConstraint("market_ms", name="pk_nav_history"),
    )
    _keyed(
        "last_prices",
        _text("instrument"),
        _money("price"),
        _whole("market_ms"),
        sa.PrimaryKeyConstraint("instrument", name="pk_last_prices"),
    )


def _make_log() -> None:
    _table(
        "alerts",
        _seq("seq"),
        _whole("market_ms"),
        _text("severity"),
        _text("name"),
        _text("text"),
        sa.PrimaryKeyConstraint("seq", name="pk_alerts"),
    )
    op.create_index("ix_alerts_market_ms", "alerts", ["market_ms"])
    _table(
        "verdicts",
        _seq("seq"),
        _whole("market_ms"),
        _text("hedge_id", nullable=True),
        _text("coin"),
        _text("rule"),
        _whole("approved"),
        _text("limit_text"),
        _text("observed"),
        _text("detail"),
        sa.PrimaryKeyConstraint("seq", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_coin_market_ms", "verdicts", ["coin", "market_ms"])
    op.create_index("ix_verdicts_rule_approved_coin_market_ms", "verdicts", ["rule", "approved", "coin", "market_ms"])
    _table(
        "control",
        _seq("seq"),
        _text("control"),
        _text("reason"),
        _whole("market_ms"),
        sa.PrimaryKeyConstraint("seq", name="pk_control"),
    )
    _table(
        "epochs",
        _seq("epoch"),
        _whole("started_ms"),
        sa.PrimaryKeyConstraint("epoch", name="pk_epochs"),
    )
    _table(
        "config_versions",
        _seq("seq"),
        _whole("epoch"),
        _whole("saved_ms"),
        _text("digest"),
        _text("content"),
        sa.PrimaryKeyConstraint("seq", name="pk_config_versions"),
    )


def _guard() -> None:
    dialect = op.get_context().dialect.name
    if dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$"
        )
    for table in APPEND_ONLY:
        if dialect == "sqlite":
            for change in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        elif dialect == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )

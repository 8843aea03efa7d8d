"""`status`, `hedges`, `orders`, `receipts`, `ledger`, `pnl`, `alerts`: from the daemon, else from the books."""

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import context
from bot.cli.failure import FAILED, Failure
from bot.cli.output import Column, show_facts, show_json, show_table, shown

if TYPE_CHECKING:
    from bot.observe.reports import Books
    from bot.settings import Settings

ROWS_SHOWN = 40
"""Rows of a table on a terminal unless --limit says otherwise; JSON holds all."""


async def books_of(settings: "Settings") -> "Books":
    """The books of these settings, opened for each question."""
    from bot.observe.reports import Books

    return Books(settings.database.url, tuple(settings.venues))


def status(config: Path | None, as_json: bool) -> None:
    async def offline(settings: "Settings") -> Any:
        return await (await books_of(settings)).status()

    view = context.question(config, "status", offline)
    if as_json:
        show_json(view)
        return
    facts = [
        ("state", str(view["state"]) + (f" ({view['reason']})" if view.get("reason") else "")),
        ("market time", shown(view["market_time"], "time")),
        ("NAV", shown(view["nav_usd"], "usd") + " USD"),
        ("leverage", shown(view["leverage"], "number") if view["leverage"] is None else f"{view['leverage']:.3f}"),
        ("hedges", str(view["hedges"])),
        ("deployed", shown(view["deployed_usd"], "usd") + " USD"),
        ("unhedged", shown(view["unhedged_usd"], "usd") + " USD"),
        ("funding received", shown(view["receipts_usd"], "usd") + " USD"),
        ("coins removed", ", ".join(view.get("removed", [])) or "none"),
    ]
    for venue in view["venues"]:
        age = "no data yet" if venue["data_age_s"] is None else f"data {venue['data_age_s']:.1f} s old"
        facts.append((venue["name"], ("connected, " if venue["connected"] else "not connected, ") + age))
    facts += [("problem", problem) for problem in view.get("problems", [])]
    show_facts(facts)


HEDGES = (
    Column("id", "hedge"),
    Column("coin", "coin"),
    Column("strategy", "strategy"),
    Column("state", "state"),
    Column("notional_usd", "notional USD", "usd"),
    Column("imbalance_base", "imbalance", "number"),
    Column("carry_apr", "carry a year", "percent"),
    Column("funding_usd", "funding", "usd"),
    Column("fees_usd", "fees", "usd"),
    Column("basis_pnl_usd", "basis", "usd"),
    Column("opened_at", "opened", "time"),
    Column("reason", "reason"),
)


def hedges(config: Path | None, every: bool, as_json: bool) -> None:
    async def offline(settings: "Settings") -> Any:
        return await (await books_of(settings)).hedges(every=every)

    view = context.question(config, "hedges", offline, all="1" if every else None)
    if as_json:
        show_json(view)
    else:
        show_table("Hedges", HEDGES, view, "no hedges" if every else "no hedge is open")


ORDERS = (
    Column("created_at", "created", "time"),
    Column("client_id", "order"),
    Column("instrument", "instrument"),
    Column("side", "side"),
    Column("purpose", "purpose"),
    Column("state", "state"),
    Column("quantity_base", "quantity"),
    Column("filled_base", "filled"),
    Column("limit_price", "limit"),
    Column("reason", "reason"),
)


def orders(config: Path | None, limit: int | None, as_json: bool) -> None:
    kept = rows_kept(limit, as_json)

    async def offline(settings: "Settings") -> Any:
        return await (await books_of(settings)).orders(kept)

    view = context.listing(config, "orders", offline, kept)
    _show("Orders, newest last", ORDERS, view, "no orders", as_json)


RECEIPTS = (
    Column("settled_at", "settled", "time"),
    Column("coin", "coin"),
    Column("instrument", "instrument"),
    Column("rate", "rate", "percent"),
    Column("quantity_base", "quantity"),
    Column("mark_price", "mark"),
    Column("payment", "payment"),
    Column("asset", "asset"),
)


def receipts(config: Path | None, coin: str | None, limit: int | None, as_json: bool) -> None:
    kept = rows_kept(limit, as_json)

    async def offline(settings: "Settings") -> Any:
        return await (await books_of(settings)).receipts(coin, kept)

    view = context.listing(config, "receipts", offline, kept, coin=coin)
    _show("Funding receipts, newest last", RECEIPTS, view, "no funding received yet", as_json)


ACCOUNTS = (Column("account", "account"), Column("asset", "asset"), Column("balance", "balance"))


def ledger(config: Path | None, as_json: bool) -> None:
    async def offline(settings: "Settings") -> Any:
        return await (await books_of(settings)).ledger()

    view = context.question(config, "ledger", offline)
    if as_json:
        show_json(view)
        return
    title = f"Ledger: {view['transactions']} transactions"
    show_table(title, ACCOUNTS, view["accounts"], "the ledger is empty")


PNL = (
    Column("hedge", "hedge"),
    Column("coin", "coin"),
    Column("state", "state"),
    Column("opened_at", "opened", "time"),
    Column("funding_usd", "funding", "usd"),
    Column("basis_usd", "basis", "usd"),
    Column("fees_usd", "fees", "usd"),
    Column("slippage_usd", "slippage", "usd"),
    Column("borrow_usd", "borrow", "usd"),
    Column("total_usd", "total", "usd"),
)


def pnl(config: Path | None, as_csv: bool, as_json: bool) -> None:
    async def offline(settings: "Settings") -> Any:
        return await (await books_of(settings)).pnl()

    view = context.question(config, "pnl", offline)
    if as_json:
        show_json(view)
    elif as_csv:
        from bot.observe.views import PNL_COLUMNS

        writer = csv.DictWriter(sys.stdout, PNL_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(view["hedges"])
    else:
        total = {"hedge": "all", "coin": "", "state": "", "opened_at": "", **view}
        show_table("Profit and loss, USD", PNL, [*view["hedges"], total], "no hedges yet")


ALERTS = (
    Column("at", "market time", "time"),
    Column("severity", "severity"),
    Column("name", "what"),
    Column("text", "text"),
)


def alerts(config: Path | None, limit: int | None, as_json: bool) -> None:
    kept = rows_kept(limit, as_json)

    async def offline(settings: "Settings") -> Any:
        return await (await books_of(settings)).alerts(kept)

    view = context.listing(config, "alerts", offline, kept)
    _show("Alerts, newest last", ALERTS, view, "no alerts", as_json)


def _show(title: str, columns: tuple[Column, ...], view: Any, empty: str, as_json: bool) -> None:
    if as_json:
        show_json(view)
    else:
        show_table(title, columns, view, empty)


def rows_kept(given: int | None, as_json: bool) -> int | None:
    """How many rows to ask for; None: all. Failure for none at all."""
    if given is not None and given < 1:
        raise Failure(FAILED, "--limit must be at least 1")
    return given if given is not None or as_json else ROWS_SHOWN

"""State to JSON-ready values and back. History is rows (rows.py); the live state is everything else."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from bot.simulator.exchange.accounts import OPEN_STATUSES, Account, Balance, Holding
from bot.simulator.exchange.faults import FaultPlan
from bot.simulator.exchange.interface import JournalRecord
from bot.simulator.exchange.journal import CAPITAL, INCOMES, LOANS, ORDERS, TRADES, TRANSFERS
from bot.simulator.exchange.money import text
from bot.simulator.exchange.rows import (
    capital_of,
    capital_row,
    income_of,
    income_row,
    loan_of,
    loan_row,
    maybe_decimal,
    maybe_text,
    order_of,
    order_row,
    trade_of,
    trade_row,
    transfer_of,
    transfer_row,
)
from bot.simulator.exchange.state import Counters, Lending, State
from bot.simulator.model import Book, Happening, Prices, Side

VERSION = 1


def live_state(state: State) -> dict[str, Any]:
    """Everything but the history; what is open is in it, so it stays small."""
    counters = state.counters
    return {
        "version": VERSION,
        "now_ms": state.now_ms,
        "counters": {
            "order": counters.order,
            "trade": counters.trade,
            "transaction": counters.transaction,
        },
        "accounts": {key: _account_row(account) for key, account in state.accounts.items()},
        "consumption": [
            [book.value, symbol, side.value, second, text(quantity)]
            for (book, symbol, side), (second, quantity) in state.consumption.taken.items()
        ],
        "waiting": [[key, _happening_row(happening)] for key, happening in state.waiting],
        "faults": state.faults.state(),
        "lending": _lending_row(state.lending),
    }


def history(state: State) -> list[JournalRecord]:
    """All records of all time, by account, then table, then id."""
    records: list[JournalRecord] = []
    for key, account in state.accounts.items():
        records += [JournalRecord(ORDERS, key, o.id, o.updated_ms, order_row(o)) for o in account.orders.values()]
        trades = sorted((t for listed in account.trades.values() for t in listed), key=lambda t: t.number)
        records += [JournalRecord(TRADES, key, t.number, t.at_ms, trade_row(t)) for t in trades]
        records += [JournalRecord(INCOMES, key, i.id, i.at_ms, income_row(i)) for i in account.incomes]
        records += [JournalRecord(TRANSFERS, key, t.id, t.at_ms, transfer_row(t)) for t in account.transfers]
        records += [JournalRecord(LOANS, key, e.id, e.at_ms, loan_row(e)) for e in account.margin.entries]
        records += [JournalRecord(CAPITAL, key, c.id, c.at_ms, capital_row(c)) for c in account.capital]
    return records


def record_document(record: JournalRecord) -> dict[str, Any]:
    return {
        "table": record.table,
        "api_key": record.api_key,
        "id": record.id,
        "at_ms": record.at_ms,
        "row": record.row,
    }


def record_of(document: Mapping[str, Any]) -> JournalRecord:
    return JournalRecord(document["table"], document["api_key"], document["id"], document["at_ms"], document["row"])


def restored(market: Prices, live: Mapping[str, Any], records: Iterable[JournalRecord]) -> State:
    """Raises ValueError where the state is of another version or its records are missing."""
    if live.get("version") != VERSION:
        raise ValueError(f"exchange state of version {live.get('version')!r}; this program reads {VERSION}")
    counters = live["counters"]
    state = State(
        market=market,
        listings=market.listings,
        accounts={key: _account_of(key, row) for key, row in live["accounts"].items()},
        now_ms=live["now_ms"],
        faults=FaultPlan.restored(live["faults"]),
        counters=Counters(counters["order"], counters["trade"], counters["transaction"]),
        lending=_lending_of(live["lending"]) if "lending" in live else Lending(),
    )
    for book, symbol, side, second, quantity in live["consumption"]:
        state.consumption.taken[(Book(book), symbol, Side(side))] = (second, Decimal(quantity))
    state.waiting = [(key, _happening_of(row)) for key, row in live["waiting"]]
    _load_history(state, records)
    for key, row in live["accounts"].items():
        if sorted(state.accounts[key].open) != sorted(row["open"]):
            raise ValueError(f"open orders of {key!r} differ between the state and the records")
    return state


def _load_history(state: State, records: Iterable[JournalRecord]) -> None:
    for record in sorted(records, key=lambda r: (r.table, r.id)):
        account = state.accounts.get(record.api_key)
        if account is None:
            raise ValueError(f"a record of the unknown account {record.api_key!r}")
        if record.table == ORDERS:
            account.remember(order_of(record.row))
        elif record.table == TRADES:
            trade = trade_of(record.row)
            place = trade.book, trade.symbol
            account.trades.setdefault(place, []).append(trade)
            state.trade_ids[place] = max(state.trade_ids.get(place, 0), trade.id)
        elif record.table == INCOMES:
            account.incomes.append(income_of(record.row))
        elif record.table == TRANSFERS:
            account.transfers.append(transfer_of(record.row))
        elif record.table == LOANS:
            account.margin.entries.append(loan_of(record.row))
        elif record.table == CAPITAL:
            account.capital.append(capital_of(record.row))
        else:
            raise ValueError(f"a record of the unknown table {record.table!r}")


def _account_row(account: Account) -> dict[str, Any]:
    assert all(order.status in OPEN_STATUSES for order in account.open.values()), "a closed order among the open"
    return {
        "spot": {asset: [text(b.free), text(b.locked)] for asset, b in account.spot.items()},
        "perp_wallet": text(account.perp_wallet),
        "margin": {
            "free": {asset: text(q) for asset, q in account.margin.free.items()},
            "owed": {asset: text(q) for asset, q in account.margin.owed.items()},
            "recalls": dict(account.margin.recalls),
        },
        "holdings": [[h.symbol, text(h.quantity), text(h.cost), h.updated_ms] for h in account.holdings.values()],
        "leverages": dict(account.leverages),
        "fees": {book.value: [text(maker), text(taker)] for book, (maker, taker) in account.fees.items()},
        "check_at_ms": account.check_at_ms,
        "open": list(account.open),
    }


def _account_of(api_key: str, row: Mapping[str, Any]) -> Account:
    account = Account(api_key)
    account.spot = {asset: Balance(Decimal(f), Decimal(k)) for asset, (f, k) in row["spot"].items()}
    account.perp_wallet = Decimal(row["perp_wallet"])
    margin = row.get("margin", {})
    account.margin.free = {asset: Decimal(q) for asset, q in margin.get("free", {}).items()}
    account.margin.owed = {asset: Decimal(q) for asset, q in margin.get("owed", {}).items()}
    account.margin.recalls = dict(margin.get("recalls", {}))
    for symbol, quantity, cost, updated_ms in row["holdings"]:
        account.holdings[symbol] = Holding(symbol, Decimal(quantity), Decimal(cost), updated_ms)
    account.leverages = dict(row["leverages"])
    account.fees = {Book(book): (Decimal(m), Decimal(t)) for book, (m, t) in row["fees"].items()}
    account.check_at_ms = row["check_at_ms"]
    return account


def _lending_row(lending: Lending) -> dict[str, Any]:
    return {
        "rate_per_h": text(lending.rate_per_h),
        "pool": text(lending.pool),
        "assets": {asset: [text(rate), text(pool)] for asset, (rate, pool) in lending.assets.items()},
    }


def _lending_of(row: Mapping[str, Any]) -> Lending:
    assets = {asset: (Decimal(rate), Decimal(pool)) for asset, (rate, pool) in row["assets"].items()}
    return Lending(Decimal(row["rate_per_h"]), Decimal(row["pool"]), assets)


def _happening_row(happening: Happening) -> dict[str, Any]:
    return {
        "kind": happening.kind,
        "at_ms": happening.at_ms,
        "book": happening.book.value,
        "order": None if happening.order is None else order_row(happening.order),
        "trade": None if happening.trade is None else trade_row(happening.trade),
        "income": None if happening.income is None else income_row(happening.income),
        "asset": happening.asset,
        "delta": maybe_text(happening.delta),
        "free": maybe_text(happening.free),
        "locked": maybe_text(happening.locked),
        "reason": happening.reason,
        "loan": None if happening.loan is None else loan_row(happening.loan),
    }


def _happening_of(row: Mapping[str, Any]) -> Happening:
    return Happening(
        kind=row["kind"],
        at_ms=row["at_ms"],
        book=Book(row["book"]),
        order=None if row["order"] is None else order_of(row["order"]),
        trade=None if row["trade"] is None else trade_of(row["trade"]),
        income=None if row["income"] is None else income_of(row["income"]),
        asset=row["asset"],
        delta=maybe_decimal(row["delta"]),
        free=maybe_decimal(row["free"]),
        locked=maybe_decimal(row["locked"]),
        reason=row["reason"],
        loan=None if row.get("loan") is None else loan_of(row["loan"]),
    )

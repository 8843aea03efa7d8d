"""The ledger as the commands see it: lines, balances, profit by coin, and the proof that nothing was altered."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ledger import Entry, Transaction
from bot.domain.numbers import ZERO
from bot.ledger.chain import link
from bot.store import fetch, rows
from bot.store.queries import LIMIT
from bot.store.schema import HEDGES, LAST_PRICES, LEDGER_ENTRIES, LEDGER_TRANSACTIONS, LEGS
from bot.store.statements import EXACT

_AT_ONCE = 5_000
"""Transactions in memory at a time while the chain is verified."""


@dataclass(frozen=True, slots=True)
class CoinPnl:
    """What a coin's hedges have earned and cost (USD), closed ones included.

    `price_usd` is the price P&L of all legs at the prices that were paid, open ones at the last stored price.
    `unpriced` counts open legs without a stored price: they count as worth what they cost.
    """

    coin: str
    hedges: int
    funding_usd: Decimal
    price_usd: Decimal
    fees_usd: Decimal
    slippage_usd: Decimal
    unpriced: int
    borrow_usd: Decimal = ZERO

    @property
    def basis_usd(self) -> Decimal:
        """Price P&L at the prices that were decided on: slippage is shown by itself."""
        return EXACT.add(self.price_usd, self.slippage_usd)

    @property
    def total_usd(self) -> Decimal:
        """funding + basis - slippage - fees - borrow."""
        return EXACT.subtract(EXACT.add(self.funding_usd, self.price_usd), EXACT.add(self.fees_usd, self.borrow_usd))


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """Outcome of `verify_chain`. `broken` names the first thing wrong with each kind of proof; empty is good."""

    transactions: int
    chain: str
    """The newest transaction's link."""
    broken: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.broken


async def balances(connection: AsyncConnection) -> dict[tuple[str, str], Decimal]:
    """Exact ledger balance by (account, asset)."""
    return await fetch.balances(connection)


async def transactions(
    connection: AsyncConnection,
    *,
    account: str | None = None,
    hedge_id: str | None = None,
    since_ms: int | None = None,
    limit: int = LIMIT,
) -> list[Transaction]:
    """Transactions with all their entries, newest first: those that touch an account, of a hedge, or all.

    With an account and a time: of the account's `limit` newest, those since.
    """
    table, entries = LEDGER_TRANSACTIONS, LEDGER_ENTRIES
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if account is not None and hedge_id is None:
        touching = select(entries.c.number).where(entries.c.account == account).distinct()
        newest = touching.order_by(entries.c.number.desc()).limit(limit).subquery()
        query = query.where(table.c.number.in_(select(newest.c.number)))
    if hedge_id is not None:
        query = query.where(table.c.hedge_id == hedge_id)
        if account is not None:
            query = query.where(exists().where(entries.c.number == table.c.number, entries.c.account == account))
    if since_ms is not None:
        query = query.where(table.c.at_ms >= since_ms)
    found = (await connection.execute(query)).all()
    return await _with_entries(connection, found)


async def pnl(connection: AsyncConnection) -> list[CoinPnl]:
    """Profit and loss by coin, split into its sources."""
    prices = {row.instrument: row.price for row in await connection.execute(select(LAST_PRICES))}
    sums: dict[str, _Sums] = defaultdict(_Sums)
    table = HEDGES.c
    columns = (table.coin, table.funding_usd, table.fees_usd, table.slippage_usd, table.borrow_usd)
    for row in await connection.execute(select(*columns)):
        coin = sums[row.coin]
        coin.hedges += 1
        coin.funding_usd = EXACT.add(coin.funding_usd, row.funding_usd)
        coin.fees_usd = EXACT.add(coin.fees_usd, row.fees_usd)
        coin.slippage_usd = EXACT.add(coin.slippage_usd, row.slippage_usd)
        coin.borrow_usd = EXACT.add(coin.borrow_usd, row.borrow_usd)
    legs = select(HEDGES.c.coin, LEGS).join_from(LEGS, HEDGES, LEGS.c.hedge_id == HEDGES.c.id)
    for row in await connection.execute(legs):
        sums[row.coin].add_leg(row, prices.get(row.instrument))
    return [
        CoinPnl(
            coin,
            hedges=found.hedges,
            funding_usd=found.funding_usd,
            price_usd=found.price_usd,
            fees_usd=found.fees_usd,
            slippage_usd=found.slippage_usd,
            borrow_usd=found.borrow_usd,
            unpriced=found.unpriced,
        )
        for coin, found in sorted(sums.items())
    ]


async def verify_chain(connection: AsyncConnection, *, newest: int | None = None) -> LedgerCheck:
    """Recompute the ledger's proofs from its entries: links, balance of every transaction, kept balances.

    `newest` verifies only that many of the newest transactions, starting from the link before them; the kept
    balances are then taken as they are. Ten thousand transactions take about half a second.
    """
    audit = _Audit()
    first = await _first_number(connection, audit, newest)
    table = LEDGER_TRANSACTIONS
    after = first - 1
    while True:
        query = select(table).where(table.c.number > after).order_by(table.c.number).limit(_AT_ONCE)
        found = (await connection.execute(query)).all()
        if not found:
            break
        for booked in await _with_entries(connection, found):
            audit.add(booked)
        after = found[-1].number
    if audit.whole:
        audit.compare(await fetch.balances(connection))
    return LedgerCheck(audit.count, audit.chain, tuple(audit.broken.values()))


@dataclass(slots=True)
class _Sums:
    hedges: int = 0
    funding_usd: Decimal = ZERO
    price_usd: Decimal = ZERO
    fees_usd: Decimal = ZERO
    slippage_usd: Decimal = ZERO
    borrow_usd: Decimal = ZERO
    unpriced: int = 0

    def add_leg(self, row: Any, price: Decimal | None) -> None:
        self.price_usd = EXACT.add(self.price_usd, row.realized_quote)
        if not row.quantity_base:
            return
        if price is None:
            self.unpriced += 1
            return
        value = EXACT.multiply(row.quantity_base, price)
        self.price_usd = EXACT.add(self.price_usd, EXACT.subtract(value, row.cost_quote))


@dataclass(slots=True)
class _Audit:
    whole: bool = True
    count: int = 0
    chain: str = ""
    number: int | None = None
    sums: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def add(self, booked: Transaction) -> None:
        if self.number is not None and booked.number != self.number + 1:
            self._blame("gap", f"transaction {self.number + 1} is missing")
        expected = link(
            self.chain, booked.number, booked.id, booked.at_ms, booked.kind, booked.hedge_id, booked.entries
        )
        if expected != booked.chain:
            self._blame("chain", f"transaction {booked.number} or the one before it was altered")
        assets: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for entry in booked.entries:
            assets[entry.asset] = EXACT.add(assets[entry.asset], entry.amount)
            key = entry.account, entry.asset
            self.sums[key] = EXACT.add(self.sums.get(key, ZERO), entry.amount)
        if any(assets.values()):
            self._blame("balance", f"transaction {booked.number} does not sum to zero")
        self.count += 1
        self.number = booked.number
        self.chain = booked.chain

    def compare(self, kept: dict[tuple[str, str], Decimal]) -> None:
        for key in sorted(kept.keys() | self.sums.keys()):
            if kept.get(key, ZERO) != self.sums.get(key, ZERO):
                self._blame("kept", f"the kept balance of {key[0]} in {key[1]} is not the sum of its entries")

    def _blame(self, kind: str, what: str) -> None:
        self.broken.setdefault(kind, what)


async def _first_number(connection: AsyncConnection, audit: _Audit, newest: int | None) -> int:
    """Number of the first transaction to verify; with `newest`, puts the link before it into `audit`."""
    table = LEDGER_TRANSACTIONS
    if newest is None:
        lowest = (await connection.execute(select(table.c.number).order_by(table.c.number).limit(1))).scalar()
        return lowest or 0
    query = select(table.c.number, table.c.chain).order_by(table.c.number.desc()).offset(newest).limit(1)
    before = (await connection.execute(query)).first()
    if before is None:
        return await _first_number(connection, audit, None)
    audit.whole = False
    audit.chain, audit.number = before.chain, before.number
    return int(before.number) + 1


async def _with_entries(connection: AsyncConnection, found: Sequence[Any]) -> list[Transaction]:
    if not found:
        return []
    numbers = [row.number for row in found]
    entries: dict[int, list[Entry]] = defaultdict(list)
    table = LEDGER_ENTRIES
    for query in _entry_queries(numbers):
        for row in await connection.execute(query.order_by(table.c.number, table.c.line)):
            entries[row.number].append(rows.entry(row))
    return [
        Transaction(row.number, row.id, row.at_ms, row.kind, row.hedge_id, tuple(entries[row.number]), row.chain)
        for row in found
    ]


def _entry_queries(numbers: Sequence[int]) -> list[Any]:
    """One range when the numbers follow each other, else lists of them."""
    table = LEDGER_ENTRIES
    lowest, highest = min(numbers), max(numbers)
    if highest - lowest + 1 == len(numbers):
        return [select(table).where(table.c.number.between(lowest, highest))]
    return [
        select(table).where(table.c.number.in_(numbers[start : start + 500])) for start in range(0, len(numbers), 500)
    ]

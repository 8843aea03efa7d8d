"""Recovery's input: the books as they stand, read in one transaction."""

from typing import Any

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.books import Books
from bot.domain.numbers import ZERO
from bot.domain.time import DAY_MS
from bot.store import fetch, rows
from bot.store.schema import (
    COIN_STATES,
    CONTROL,
    HEDGES,
    LAST_PRICES,
    LEDGER_TRANSACTIONS,
    ORDER_INTENTS,
    RECEIPTS,
    RULE_MEMORY,
    TRANSFER_OUTCOMES,
    TRANSFERS,
)

RECENT_MS = 35 * DAY_MS
"""How far back from the newest market time receipts and transaction ids are handed to the engine."""


async def load_books(connection: AsyncConnection, epoch: int) -> Books:
    """Everything that `Books` documents, for a new epoch."""
    last_market_ms = await _last_market_ms(connection)
    books = Books(
        epoch=epoch,
        hedges=await fetch.open_hedges(connection),
        closed=await fetch.last_closed(connection),
        hedge_count=await _numbered(connection, HEDGES),
        orders=await fetch.open_orders(connection),
        transfer_count=await _scalar(connection, func.count(), TRANSFERS) or 0,
        balances=await fetch.balances(connection),
        transaction_count=await _numbered(connection, LEDGER_TRANSACTIONS),
        last_market_ms=last_market_ms,
    )
    await _add_ledger(connection, books, last_market_ms - RECENT_MS)
    await _add_transfers(connection, books)
    await _add_states(connection, books)
    return books


async def _add_ledger(connection: AsyncConnection, books: Books, since_ms: int) -> None:
    table = LEDGER_TRANSACTIONS
    newest = select(table.c.chain).order_by(table.c.number.desc()).limit(1)
    books.chain = (await connection.execute(newest)).scalar() or ""
    # By the range of their ids, which has an index; the kind has none.
    opened = select(table.c.id, table.c.at_ms).where(table.c.id >= "opening:", table.c.id < "opening;")
    books.openings = {row.id: row.at_ms for row in await connection.execute(opened)}
    recent = select(table.c.id).where(table.c.at_ms >= since_ms)
    books.transaction_ids = set((await connection.execute(recent)).scalars())
    receipts = (
        select(RECEIPTS).where(RECEIPTS.c.settled_ms >= since_ms).order_by(RECEIPTS.c.settled_ms, RECEIPTS.c.seq)
    )
    books.recent_receipts = [rows.receipt(row) for row in await connection.execute(receipts)]


async def _add_transfers(connection: AsyncConnection, books: Books) -> None:
    ended = select(TRANSFER_OUTCOMES.c.transfer_id)
    query = select(TRANSFERS).where(TRANSFERS.c.id.not_in(ended)).order_by(TRANSFERS.c.seq)
    books.transfers = [rows.transfer(row) for row in await connection.execute(query)]


async def _add_states(connection: AsyncConnection, books: Books) -> None:
    states = select(COIN_STATES).order_by(COIN_STATES.c.venue, COIN_STATES.c.coin, COIN_STATES.c.direction)
    books.removals = [rows.removal(row) for row in await connection.execute(states)]
    prices = select(LAST_PRICES).order_by(LAST_PRICES.c.instrument)
    books.prices = [rows.last_price(row) for row in await connection.execute(prices)]
    memory = select(RULE_MEMORY).order_by(RULE_MEMORY.c.rule, RULE_MEMORY.c.subject, RULE_MEMORY.c.name)
    kept = (rows.remembered(row) for row in await connection.execute(memory.where(RULE_MEMORY.c.value != ZERO)))
    books.remembered = list(kept)
    control = (await connection.execute(select(CONTROL).order_by(CONTROL.c.seq.desc()).limit(1))).first()
    books.control = None if control is None else rows.control(control)


async def _last_market_ms(connection: AsyncConnection) -> int:
    newest_intent = select(ORDER_INTENTS.c.created_ms).order_by(ORDER_INTENTS.c.seq.desc()).limit(1)
    times = (
        (await connection.execute(newest_intent)).scalar(),
        await _scalar(connection, func.max(LEDGER_TRANSACTIONS.c.at_ms), LEDGER_TRANSACTIONS),
        await _scalar(connection, func.max(TRANSFERS.c.created_ms), TRANSFERS),
    )
    return max(time or 0 for time in times)


async def _numbered(connection: AsyncConnection, table: Table) -> int:
    """How many there are; the highest number should one be missing, so that no number is given out twice."""
    count = await _scalar(connection, func.count(), table) or 0
    highest = await _scalar(connection, func.max(table.c.number), table) or 0
    return max(count, highest)


async def _scalar(connection: AsyncConnection, value: ColumnElement[Any], source: Any) -> int | None:
    found: int | None = (await connection.execute(select(value).select_from(source))).scalar()
    return found

"""Selects that recovery and the commands share. All take a connection inside a transaction, read-only or not."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.hedges import Hedge, Leg
from bot.domain.orders import OrderRecord
from bot.store import rows
from bot.store.schema import FILLS, HEDGES, LEDGER_BALANCES, LEGS, ORDER_INTENTS, ORDERS

_IDS_AT_ONCE = 500
_CLOSED_EACH = 8
"""Ids in one IN list: below every database's limit of parameters."""

ORDERS_JOINED: Select[Any] = select(
    ORDER_INTENTS, *(column for column in ORDERS.columns if column.name != "client_id")
).join_from(ORDER_INTENTS, ORDERS, ORDER_INTENTS.c.client_id == ORDERS.c.client_id)
"""Orders with their intents; add conditions, order and limit."""


async def hedges(connection: AsyncConnection, query: Select[Any]) -> list[Hedge]:
    """The hedges that `query` (of `HEDGES`) selects, with legs and the ids of their orders that are not settled."""
    found = (await connection.execute(query)).all()
    legs: dict[str, list[Leg]] = defaultdict(list)
    for ids in _chunks([row.id for row in found]):
        of_ids = select(LEGS).where(LEGS.c.hedge_id.in_(ids)).order_by(LEGS.c.hedge_id, LEGS.c.leg)
        for row in await connection.execute(of_ids):
            legs[row.hedge_id].append(rows.leg(row))
    open_ids = await _open_order_ids(connection) if found else {}
    return [rows.hedge(row, legs[row.id], open_ids.get(row.id, ())) for row in found]


async def orders(connection: AsyncConnection, query: Select[Any]) -> list[OrderRecord]:
    """The orders that `query` (made of `ORDERS_JOINED`) selects, with the keys of their booked fills."""
    found = (await connection.execute(query)).all()
    keys: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for ids in _chunks([row.client_id for row in found]):
        of_ids = select(FILLS.c.client_id, FILLS.c.venue, FILLS.c.instrument, FILLS.c.trade_id).where(
            FILLS.c.client_id.in_(ids)
        )
        for row in await connection.execute(of_ids):
            keys[row.client_id].add((row.venue, row.instrument, row.trade_id))
    return [rows.order(row, keys[row.client_id]) for row in found]


async def open_orders(connection: AsyncConnection) -> list[OrderRecord]:
    """All orders that are not settled, oldest first."""
    return await orders(connection, ORDERS_JOINED.where(ORDERS.c.settled == 0).order_by(ORDER_INTENTS.c.seq))


async def open_hedges(connection: AsyncConnection) -> list[Hedge]:
    """All hedges that are not closed, oldest first."""
    return await hedges(connection, select(HEDGES).where(HEDGES.c.state != "closed").order_by(HEDGES.c.number))


async def last_closed(connection: AsyncConnection) -> list[Hedge]:
    """Of each strategy, venue and coin the eight closed hedges with the highest numbers, oldest first."""
    table = HEDGES.c
    back = func.row_number().over(
        partition_by=(table.strategy, table.venue, table.coin), order_by=table.number.desc()
    )
    ranked = select(table.number, back.label("back")).where(table.state == "closed").subquery()
    newest = select(ranked.c.number).where(ranked.c.back <= _CLOSED_EACH)
    return await hedges(connection, select(HEDGES).where(table.number.in_(newest)).order_by(table.number))


async def balances(connection: AsyncConnection) -> dict[tuple[str, str], Decimal]:
    """Ledger balance by (account, asset)."""
    table = LEDGER_BALANCES
    found = await connection.execute(select(table).order_by(table.c.account, table.c.asset))
    return {(row.account, row.asset): row.balance for row in found}


async def _open_order_ids(connection: AsyncConnection) -> dict[str, list[str]]:
    query = (
        select(ORDER_INTENTS.c.hedge_id, ORDER_INTENTS.c.client_id)
        .join_from(ORDER_INTENTS, ORDERS, ORDER_INTENTS.c.client_id == ORDERS.c.client_id)
        .where(ORDERS.c.settled == 0)
        .order_by(ORDER_INTENTS.c.seq)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for row in await connection.execute(query):
        found[row.hedge_id].append(row.client_id)
    return found


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]

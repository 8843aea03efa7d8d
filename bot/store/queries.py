"""What the commands ask of the books. Each takes the connection of `SqlReader.snapshot` and changes nothing.

Lists come newest first, `limit` rows at most; times are UTC milliseconds, `since_ms` is inclusive. Every query
goes along an index or over a kept sum, so that books of a million receipts answer at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.actions import Alert, ControlSet, LastPrice, NavPoint, VerdictGiven
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, Receipt, Removal, TransferIntent
from bot.domain.market import SettledRate
from bot.domain.orders import Fill, OrderRecord
from bot.store import fetch, rows
from bot.store.schema import (
    ALERTS,
    COIN_STATES,
    CONFIG_VERSIONS,
    CONTROL,
    EPOCHS,
    FILLS,
    HEDGES,
    LAST_PRICES,
    NAV_HISTORY,
    ORDER_INTENTS,
    RATES,
    RECEIPT_TOTALS,
    RECEIPTS,
    RULE_MEMORY,
    TRANSFER_OUTCOMES,
    TRANSFERS,
    VERDICTS,
)

LIMIT = 1_000
"""Rows of a list unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class ReceiptTotal:
    """All receipts of one coin at one venue: how many and their exact sum in `asset`."""

    venue: str
    coin: str
    asset: str
    receipts: int
    payment: Decimal


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How often a rule said this of a coin, and when last (market time)."""

    rule: str
    approved: bool
    coin: str
    times: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class TransferState:
    """A transfer and its outcome; `settled` is None while it has none."""

    intent: TransferIntent
    settled: bool | None
    venue_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """One start of the daemon (machine time)."""

    epoch: int
    started_ms: int


async def hedges(connection: AsyncConnection, *, closed: bool = False, limit: int = LIMIT) -> list[Hedge]:
    """Hedges with their legs; those that are closed only if asked for."""
    if not closed:
        return (await fetch.open_hedges(connection))[::-1][:limit]
    return await fetch.hedges(connection, select(HEDGES).order_by(HEDGES.c.number.desc()).limit(limit))


async def rule_memory(connection: AsyncConnection) -> list[Remembered]:
    """What the rules must not forget, by rule and subject."""
    query = select(RULE_MEMORY).order_by(RULE_MEMORY.c.rule, RULE_MEMORY.c.subject, RULE_MEMORY.c.name)
    return [rows.remembered(row) for row in await connection.execute(query)]


async def orders(
    connection: AsyncConnection, *, hedge_id: str | None = None, coin: str | None = None, limit: int = LIMIT
) -> list[OrderRecord]:
    """Orders with the keys of their fills, of one hedge, of one coin's hedges, or all."""
    query = fetch.ORDERS_JOINED.order_by(ORDER_INTENTS.c.seq.desc()).limit(limit)
    if hedge_id is not None:
        query = query.where(ORDER_INTENTS.c.hedge_id == hedge_id)
    if coin is not None:
        of_coin = select(HEDGES.c.id).where(HEDGES.c.coin == coin)
        query = query.where(ORDER_INTENTS.c.hedge_id.in_(of_coin))
    return await fetch.orders(connection, query)


async def fills(
    connection: AsyncConnection, *, client_id: str | None = None, since_ms: int | None = None, limit: int = LIMIT
) -> list[Fill]:
    """Booked fills, of one order or all."""
    query = select(FILLS).order_by(FILLS.c.traded_ms.desc(), FILLS.c.seq.desc()).limit(limit)
    if client_id is not None:
        query = query.where(FILLS.c.client_id == client_id)
    return [rows.fill(row) for row in await connection.execute(_since(query, FILLS.c.traded_ms, since_ms))]


async def receipts(
    connection: AsyncConnection,
    *,
    since_ms: int | None = None,
    coin: str | None = None,
    limit: int | None = LIMIT,
) -> list[Receipt]:
    """Funding receipts; `limit=None` for an export of all."""
    query = select(RECEIPTS).order_by(RECEIPTS.c.settled_ms.desc(), RECEIPTS.c.seq.desc()).limit(limit)
    if coin is not None:
        query = query.where(RECEIPTS.c.coin == coin)
    return [rows.receipt(row) for row in await connection.execute(_since(query, RECEIPTS.c.settled_ms, since_ms))]


async def receipt_totals(connection: AsyncConnection) -> list[ReceiptTotal]:
    """Sums of all receipts by venue, coin and asset."""
    table = RECEIPT_TOTALS
    found = await connection.execute(select(table).order_by(table.c.venue, table.c.coin, table.c.asset))
    return [ReceiptTotal(row.venue, row.coin, row.asset, row.receipts, row.payment) for row in found]


async def nav(connection: AsyncConnection, *, since_ms: int | None = None, limit: int = LIMIT) -> list[NavPoint]:
    """NAV history."""
    query = select(NAV_HISTORY).order_by(NAV_HISTORY.c.market_ms.desc()).limit(limit)
    return [rows.nav(row) for row in await connection.execute(_since(query, NAV_HISTORY.c.market_ms, since_ms))]


async def last_prices(connection: AsyncConnection) -> list[LastPrice]:
    """Latest stored price of every instrument that was ever held."""
    found = await connection.execute(select(LAST_PRICES).order_by(LAST_PRICES.c.instrument))
    return [rows.last_price(row) for row in found]


async def rates(
    connection: AsyncConnection, instrument: str, *, since_ms: int | None = None, limit: int = LIMIT
) -> list[SettledRate]:
    """Stored settlements of one instrument."""
    query = select(RATES).where(RATES.c.instrument == instrument)
    query = _since(query.order_by(RATES.c.settled_ms.desc()).limit(limit), RATES.c.settled_ms, since_ms)
    return [rows.rate(row) for row in await connection.execute(query)]


async def transfers(connection: AsyncConnection, *, limit: int = LIMIT) -> list[TransferState]:
    """Transfers between wallets with their outcomes."""
    columns = [column for column in TRANSFER_OUTCOMES.columns if column.name != "transfer_id"]
    query = (
        select(TRANSFERS, *columns)
        .join_from(TRANSFERS, TRANSFER_OUTCOMES, TRANSFERS.c.id == TRANSFER_OUTCOMES.c.transfer_id, isouter=True)
        .order_by(TRANSFERS.c.seq.desc())
        .limit(limit)
    )
    return [
        TransferState(
            intent=rows.transfer(row),
            settled=None if row.settled is None else bool(row.settled),
            venue_id=row.venue_id,
            reason=row.reason or "",
        )
        for row in await connection.execute(query)
    ]


async def alerts(connection: AsyncConnection, *, since_ms: int | None = None, limit: int = LIMIT) -> list[Alert]:
    """Alerts to the owner, as they were written: of some the venue's time is not known."""
    query = select(ALERTS).order_by(ALERTS.c.seq.desc()).limit(limit)
    return [rows.alert(row) for row in await connection.execute(_since(query, ALERTS.c.market_ms, since_ms))]


async def verdicts(
    connection: AsyncConnection,
    *,
    coin: str | None = None,
    rule: str | None = None,
    since_ms: int | None = None,
    limit: int | None = LIMIT,
) -> list[VerdictGiven]:
    """Refusals and forced actions."""
    query = _of(select(VERDICTS), coin, rule, since_ms)
    if coin is None:
        query = query.order_by(VERDICTS.c.seq.desc())
    else:
        query = query.order_by(VERDICTS.c.market_ms.desc(), VERDICTS.c.seq.desc())
    return [rows.verdict(row) for row in await connection.execute(query.limit(limit))]


async def verdict_counts(
    connection: AsyncConnection, *, coin: str | None = None, rule: str | None = None, since_ms: int | None = None
) -> list[VerdictCount]:
    """How often each rule said what of which coin, most frequent first."""
    keys = (VERDICTS.c.rule, VERDICTS.c.approved, VERDICTS.c.coin)
    times = func.count().label("times")
    query = select(*keys, times, func.max(VERDICTS.c.market_ms).label("last_ms")).group_by(*keys)
    query = _of(query, coin, rule, since_ms)
    found = await connection.execute(query.order_by(times.desc(), *keys))
    return [VerdictCount(row.rule, bool(row.approved), row.coin, row.times, row.last_ms) for row in found]


def _of(query: Select[Any], coin: str | None, rule: str | None, since_ms: int | None) -> Select[Any]:
    """Those of a coin, of a rule, since a market time."""
    if coin is not None:
        query = query.where(VERDICTS.c.coin == coin)
    if rule is not None:
        query = query.where(VERDICTS.c.rule == rule)
    return _since(query, VERDICTS.c.market_ms, since_ms)


async def control(connection: AsyncConnection) -> ControlSet | None:
    """What the owner allowed last; None when nothing was ever said."""
    found = (await connection.execute(select(CONTROL).order_by(CONTROL.c.seq.desc()).limit(1))).first()
    return None if found is None else rows.control(found)


async def config(connection: AsyncConnection) -> str | None:
    """The settings that came into force last, as they were kept; None before the first."""
    newest = select(CONFIG_VERSIONS.c.content).order_by(CONFIG_VERSIONS.c.seq.desc()).limit(1)
    found: str | None = (await connection.execute(newest)).scalar()
    return found


async def coin_states(connection: AsyncConnection) -> list[Removal]:
    """State of rule R1 by venue, coin and direction."""
    keys = (COIN_STATES.c.venue, COIN_STATES.c.coin, COIN_STATES.c.direction)
    return [rows.removal(row) for row in await connection.execute(select(COIN_STATES).order_by(*keys))]


async def epochs(connection: AsyncConnection, *, limit: int = LIMIT) -> list[Epoch]:
    """Starts of the daemon."""
    found = await connection.execute(select(EPOCHS).order_by(EPOCHS.c.epoch.desc()).limit(limit))
    return [Epoch(row.epoch, row.started_ms) for row in found]


async def counts(connection: AsyncConnection, tables: Sequence[Table]) -> dict[str, int]:
    """Number of rows by table name."""
    return {
        table.name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
        for table in tables
    }


def _since(query: Select[Any], column: ColumnElement[int], since_ms: int | None) -> Select[Any]:
    return query if since_ms is None else query.where(column >= since_ms)

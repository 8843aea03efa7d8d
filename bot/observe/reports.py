"""The views that come out of the database: all of them while the daemon is down, the long lists always.

Reads are short snapshots on a read-only connection. A daemon that runs keeps one open (`Books.opened`), a
command opens one for its own question.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.actions import NavPoint
from bot.domain.instruments import Kind, Wallet
from bot.domain.numbers import ZERO
from bot.domain.time import DAY_MS
from bot.domain.valuation import USD_ASSETS
from bot.ledger import postings
from bot.observe import views
from bot.observe.explaining import given_view
from bot.observe.verify import OVERLAP_MS, LedgerState
from bot.observe.views import View
from bot.store import audit, fetch, queries
from bot.store.errors import file_of
from bot.store.reader import SqlReader
from bot.store.schema import LEDGER_TRANSACTIONS, ORDER_INTENTS

ALL = 1_000_000_000
"""A limit that limits nothing."""
VERDICTS_MAX = 20
TOLD_LATE_MS = DAY_MS
"""How long after a hedge has ended a payment or a trade of it may still be told."""


class Books:
    """Questions to the database of one data folder. Raises StoreError."""

    def __init__(self, url: str, venues: tuple[str, ...]) -> None:
        self._url = url
        self._venues = venues
        self._reader: SqlReader | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep one connection for all questions inside."""
        async with SqlReader(self._url) as reader:
            self._reader = reader
            try:
                yield
            finally:
                self._reader = None

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[AsyncConnection]:
        if self._reader is not None:
            async with self._reader.snapshot() as connection:
                yield connection
            return
        async with SqlReader(self._url) as reader, reader.snapshot() as connection:
            yield connection

    async def status(self) -> View:
        """As of the last commit: `state` is stopped, `data_age_s` the age of that commit."""
        async with self._snapshot() as connection:
            newest = await queries.nav(connection, limit=1)
            held = await queries.hedges(connection)
            totals = await queries.receipt_totals(connection)
            states = await queries.coin_states(connection)
            control = await queries.control(connection)
        nav: NavPoint | None = newest[0] if newest else None
        age_s = self._age_s()
        return views.status_view(
            "stopped",
            nav.market_ms if nav else 0,
            nav,
            len(held),
            sum((total.payment for total in totals if total.asset in USD_ASSETS), ZERO),
            [views.venue_view(name, connected=False, data_age_s=age_s) for name in self._venues],
            {
                "data_age_s": age_s,
                "control": control.control.value if control else "running",
                "reason": f"no daemon runs; control is {control.control.value}" if control else "no daemon runs",
                "removed": sorted({removal.coin for removal in states if removal.removed}),
                "problems": [],
            },
        )

    async def hedges(self, *, every: bool) -> list[View]:
        """Open hedges, or all of them, oldest first, valued at the last stored prices."""
        async with self._snapshot() as connection:
            found = await queries.hedges(connection, closed=every, limit=ALL)
            prices = await self._prices(connection)
        return [views.stored_hedge_view(hedge, prices) for hedge in reversed(found)]

    async def orders(self, limit: int | None) -> list[View]:
        """The newest orders, oldest of them first."""
        async with self._snapshot() as connection:
            found = await queries.orders(connection, limit=limit or ALL)
        return [views.order_view(order) for order in reversed(found)]

    async def receipts(self, coin: str | None, limit: int | None) -> list[View]:
        """The newest receipts of a coin or of all, oldest of them first."""
        async with self._snapshot() as connection:
            found = await queries.receipts(connection, coin=coin, limit=limit)
        return [views.receipt_view(receipt) for receipt in reversed(found)]

    async def ledger(self) -> View:
        async with self._snapshot() as connection:
            balances = await audit.balances(connection)
            count = (await queries.counts(connection, [LEDGER_TRANSACTIONS]))[LEDGER_TRANSACTIONS.name]
        return views.ledger_view(balances, count)

    async def pnl(self) -> View:
        """P&L by hedge, closed ones included, open ones at the last stored prices."""
        async with self._snapshot() as connection:
            found = await queries.hedges(connection, closed=True, limit=ALL)
            prices = await self._prices(connection)
        return views.pnl_view((hedge, views.valued_by_prices(hedge, prices)[1]) for hedge in reversed(found))

    async def alerts(self, limit: int | None) -> list[View]:
        async with self._snapshot() as connection:
            found = await queries.alerts(connection, limit=limit or ALL)
        return [views.alert_view(alert) for alert in reversed(found)]

    async def verdicts(
        self,
        coin: str | None,
        rule: str | None = None,
        since_ms: int | None = None,
        limit: int | None = VERDICTS_MAX,
    ) -> list[View]:
        """The newest refusals and forced actions, oldest of them first."""
        async with self._snapshot() as connection:
            found = await queries.verdicts(connection, coin=coin, rule=rule, since_ms=since_ms, limit=limit)
        return [given_view(given) for given in reversed(found)]

    async def verdict_counts(self, coin: str | None, rule: str | None, since_ms: int | None) -> list[View]:
        """How often each rule refused or forced something of which coin, most frequent first."""
        async with self._snapshot() as connection:
            found = await queries.verdict_counts(connection, coin=coin, rule=rule, since_ms=since_ms)
        return [{"rule": c.rule, "coin": c.coin, "times": c.times, "last": views.iso(c.last_ms)} for c in found]

    async def opened_ms(self) -> int:
        """Market time of the opening balance; 0 while the ledger is empty."""
        async with self._snapshot() as connection:
            return await _opened_ms(connection)

    async def config(self) -> str | None:
        """The settings of the last daemon on these books; None where none was."""
        async with self._snapshot() as connection:
            return await queries.config(connection)

    async def coins_in_use(self) -> set[str]:
        """Coins that are listed whatever the universe says: held, owed, or closed so lately that a payment for them
        may still be told, which could not be read without their instruments."""
        async with self._snapshot() as connection:
            found = [*await fetch.open_hedges(connection), *await fetch.last_closed(connection)]
            last_ms = (await connection.execute(select(func.max(LEDGER_TRANSACTIONS.c.at_ms)))).scalar() or 0
        since_ms = last_ms - TOLD_LATE_MS
        return {
            one.coin
            for one in found
            if one.closed_ms is None
            or one.closed_ms >= since_ms
            or any(leg.kind is Kind.MARGIN and leg.quantity_base < 0 for leg in one.legs)
        }

    async def uses_margin(self, venue: str) -> bool:
        """Whether the venue's margin wallet is in the ledger, be it empty."""
        async with self._snapshot() as connection:
            return await _margin_opened_ms(connection, venue) is not None

    async def ledger_state(self, venue: str) -> LedgerState:
        """What `verify` compares, of one moment, with the chain and the double entry recomputed."""
        async with self._snapshot() as connection:
            times = LEDGER_TRANSACTIONS.c.at_ms
            last_ms = (await connection.execute(select(func.max(times)))).scalar() or 0
            recent = select(LEDGER_TRANSACTIONS.c.id).where(times >= last_ms - OVERLAP_MS)
            ids = frozenset((await connection.execute(recent)).scalars())
            named = select(ORDER_INTENTS.c.instrument).distinct().where(ORDER_INTENTS.c.venue == venue)
            instruments = sorted((await connection.execute(named)).scalars())
            opened_ms = await _opened_ms(connection)
            margin_ms = await _margin_opened_ms(connection, venue) or 0
            sums: dict[str, Decimal] = {}
            for (account, asset), amount in (await audit.balances(connection)).items():
                if account.startswith(f"venue:{venue}:"):
                    sums[asset] = sums.get(asset, ZERO) + amount
            proof = await audit.verify_chain(connection)
        problem = None if proof.sound else "; ".join(proof.broken)
        return LedgerState(sums, opened_ms, margin_ms, last_ms, ids, instruments, problem, proof.transactions)

    async def _prices(self, connection: AsyncConnection) -> dict[str, Decimal]:
        return {last.instrument: last.price for last in await queries.last_prices(connection)}

    def _age_s(self) -> float | None:
        """Wall seconds since anything was written; None where the database is not a file of ours."""
        path = file_of(self._url)
        if path is None:
            return None
        files = [path, path.with_name(path.name + "-wal")]
        newest = max((file.stat().st_mtime for file in files if file.exists()), default=None)
        return None if newest is None else round(max(0.0, time.time_ns() / 1e9 - newest), 1)


async def _opened_ms(connection: AsyncConnection) -> int:
    opening = select(func.min(LEDGER_TRANSACTIONS.c.at_ms)).where(LEDGER_TRANSACTIONS.c.kind == "opening")
    return (await connection.execute(opening)).scalar() or 0


async def _margin_opened_ms(connection: AsyncConnection, venue: str) -> int | None:
    name = postings.opening_id(venue, Wallet.MARGIN.value)
    opening = select(LEDGER_TRANSACTIONS.c.at_ms).where(LEDGER_TRANSACTIONS.c.id == name)
    found: int | None = (await connection.execute(opening)).scalar()
    return found

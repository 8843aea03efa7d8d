"""What is written comes back: every kind of record, any Decimal, both ways of committing."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import book_records as make
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.actions import (
    Alert,
    ControlSet,
    LastPrice,
    NavPoint,
    Record,
    TransferEnded,
    VerdictGiven,
)
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, Receipt, Removal, TransferIntent
from bot.domain.ledger import Transaction
from bot.domain.market import SettledRate
from bot.domain.orders import Fill, OrderIntent, OrderRecord
from bot.store import audit, queries, writers
from bot.store.database import SqlStore
from bot.store.reader import SqlReader

Read = Callable[[Any], Awaitable[list[Any]]]


async def _controls(connection: Any) -> list[ControlSet | None]:
    return [await queries.control(connection)]


async def _orders(connection: Any, part: str | None) -> list[Any]:
    found = await queries.orders(connection)
    return found if part is None else [getattr(order, part) for order in found]


async def _transfers(connection: Any) -> list[TransferIntent]:
    return [state.intent for state in await queries.transfers(connection)]


READS: dict[type, Read] = {
    OrderIntent: lambda c: _orders(c, "intent"),
    OrderRecord: lambda c: _orders(c, None),
    Fill: queries.fills,
    Hedge: lambda c: queries.hedges(c, closed=True),
    Receipt: queries.receipts,
    TransferIntent: _transfers,
    Transaction: audit.transactions,
    Removal: queries.coin_states,
    NavPoint: queries.nav,
    LastPrice: queries.last_prices,
    Alert: queries.alerts,
    ControlSet: _controls,
    VerdictGiven: queries.verdicts,
    Remembered: queries.rule_memory,
}


def _normal(record: Any) -> Any:
    """What the books derive instead of storing: ids of unsettled orders and keys of fills."""
    if isinstance(record, Hedge):
        record.order_ids = []
    if isinstance(record, OrderRecord):
        record.fill_keys = set()
    return record


def _written_and_read(books: Path, records: list[Any], read: Read, *, one_call: bool) -> list[Any]:
    async def run() -> list[Any]:
        async with SqlStore(f"sqlite:///{books}", one_call=one_call) as store:
            await store.commit(make.persist(*records))
        async with SqlReader(f"sqlite:///{books}") as reader, reader.snapshot() as connection:
            return await read(connection)

    return asyncio.run(run())


def _needs(record: Any) -> list[Any]:
    return [record.intent, record] if isinstance(record, OrderRecord) else [record]


@pytest.mark.parametrize("one_call", [True, False])
@pytest.mark.parametrize("kind", READS, ids=lambda kind: kind.__name__)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_record_comes_back_as_it_was(kind: type, one_call: bool, data: st.DataObject, empty_books: Path) -> None:
    record = _normal(data.draw(st.from_type(kind)))
    with tempfile.TemporaryDirectory() as folder:
        books = Path(shutil.copy(empty_books, Path(folder) / "books.db"))
        found = _written_and_read(books, _needs(record), READS[kind], one_call=one_call)
    assert found == [record]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rate=st.from_type(SettledRate))
def test_any_rate_comes_back(rate: SettledRate, empty_books: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        books = Path(shutil.copy(empty_books, Path(folder) / "books.db"))
        found = _written_and_read(books, [rate], lambda c: queries.rates(c, rate.instrument), one_call=True)
    assert found == [rate]


def test_a_transfers_outcome_comes_back(path: Path) -> None:
    records = [
        *(make.transfer(1), make.transfer(2), make.transfer(3)),
        *(TransferEnded("x1", True, "v-1", ""), TransferEnded("x2", False, None, "refused")),
    ]
    found = _written_and_read(path, records, queries.transfers, one_call=True)
    assert [(state.intent.id, state.settled, state.venue_id, state.reason) for state in found] == [
        ("x3", None, None, ""),
        ("x2", False, None, "refused"),
        ("x1", True, "v-1", ""),
    ]


def test_every_kind_of_record_has_a_writer() -> None:
    assert set(get_args(Record)) == set(writers._WRITERS)
    assert set(get_args(Record)) == set(READS) | {SettledRate, TransferEnded}


def test_every_write_statement_is_prepared() -> None:
    declared = {value for value in vars(writers).values() if isinstance(value, writers.Write)}
    assert declared == set(writers.WRITES)


def test_money_is_canonical_text_in_the_file(path: Path) -> None:
    point = NavPoint(1, make.D("1E+6"), make.D("0E-9"), make.D("1.500"), make.D("-0.0000000010"))
    _written_and_read(path, [point], queries.nav, one_call=True)
    with closing(sqlite3.connect(path)) as books:
        assert books.execute("SELECT * FROM nav_history").fetchall() == [(1, "1000000", "0", "1.5", "-0.000000001")]

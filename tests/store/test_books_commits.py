"""One commit is everything or nothing; facts are booked once and never altered; one daemon writes."""

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import book_records as make
import pytest
from sqlalchemy import Text

from bot.domain.actions import ControlSet, NavPoint, Record, TransferEnded
from bot.domain.hedges import Control
from bot.domain.orders import OrderState
from bot.ports import StoreError
from bot.store import migrate, schema
from bot.store.database import SqlStore

FACTS: list[Record] = [make.intent(1), make.fill(1), make.receipt(1), make.transfer(1), make.transaction(1)]


@pytest.fixture(params=[True, False], ids=["one_call", "in_turn"])
async def store(request: pytest.FixtureRequest, url: str):
    async with SqlStore(url, one_call=request.param) as opened:
        yield opened


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as books:
        return list(books.iterdump())


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as books:
        return books.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def put(path: Path, where: Path) -> None:
    path.rename(where)


def laid(books: Path, folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(books, folder / "books.db"))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
async def test_a_repeated_fact_is_refused_and_nothing_changes(store: SqlStore, path: Path, fact: Record) -> None:
    await store.commit(make.persist(fact))
    before = dump(path)
    with pytest.raises(StoreError, match="UNIQUE constraint failed"):
        await store.commit(make.persist(make.hedge(7), fact))
    assert dump(path) == before


async def test_a_failing_record_takes_the_whole_step_with_it(store: SqlStore, path: Path) -> None:
    before = dump(path)
    good = [make.intent(1), make.hedge(1), make.receipt(1), make.transaction(1)]
    absurd = NavPoint(1, Decimal("NaN"), make.D(1), make.D(0), make.D(0))
    with pytest.raises(StoreError, match=r"books\.db: a record cannot be stored and nothing was written"):
        await store.commit(make.persist(*good, absurd))
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await store.commit(make.persist(*good, TransferEnded("unknown", True, None, "")))
    assert dump(path) == before
    await store.commit(make.persist(*good))
    assert count(path, "order_intents") == count(path, "ledger_transactions") == 1


async def test_an_order_needs_its_intent(store: SqlStore, path: Path) -> None:
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await store.commit(make.persist(make.order(1)))
    await store.commit(make.persist(make.order(1), make.intent(1)))
    assert count(path, "orders") == 1


@pytest.mark.parametrize("wrong", [1.5, 3, "1.5", Decimal("Infinity"), Decimal("sNaN"), Decimal("1E+5000")])
async def test_money_that_is_no_finite_decimal_is_refused(store: SqlStore, path: Path, wrong: object) -> None:
    before = dump(path)
    with pytest.raises(StoreError, match="cannot be stored"):
        await store.commit(make.persist(NavPoint(1, wrong, make.D(1), make.D(0), make.D(0))))  # type: ignore[arg-type]
    assert dump(path) == before


async def test_leverage_without_nav_is_infinite_and_no_obstacle(store: SqlStore, path: Path) -> None:
    await store.commit(make.persist(NavPoint(1, make.D(-5), Decimal("Infinity"), make.D(9), make.D(0))))
    assert count(path, "nav_history") == 1


async def test_a_number_beyond_64_bits_is_refused(store: SqlStore, path: Path) -> None:
    before = dump(path)
    with pytest.raises(StoreError):
        await store.commit(make.persist(make.receipt(1, settled_ms=2**63)))
    assert dump(path) == before


async def test_mutable_records_are_read_when_commit_is_called(store: SqlStore, path: Path) -> None:
    hedge = make.hedge(1)
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(store.commit(make.persist(hedge)))
        await asyncio.sleep(0)
        hedge.coin = "ETH"
    assert writing.done()
    with closing(sqlite3.connect(path)) as books:
        assert books.execute("SELECT coin FROM hedges").fetchall() == [("BTC",)]


async def test_upserts_overwrite(store: SqlStore, path: Path) -> None:
    hedge, order = make.hedge(1), make.order(1, OrderState.INTENDED)
    await store.commit(make.persist(make.intent(1), hedge, order))
    hedge.legs[0].quantity_base = make.D("0.75")
    hedge.reason = "R1"
    order.state, order.filled_base = OrderState.FILLED, make.D("0.5")
    await store.commit(make.persist(hedge, order))
    with closing(sqlite3.connect(path)) as books:
        assert books.execute("SELECT reason FROM hedges").fetchall() == [("R1",)]
        assert books.execute("SELECT quantity_base FROM legs ORDER BY leg").fetchall() == [("0.75",), ("-0.5",)]
        assert books.execute("SELECT state, filled_base, settled FROM orders").fetchall() == [("filled", "0.5", 0)]


async def test_many_commits_at_once_are_all_made(store: SqlStore, path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(store.commit(make.persist(make.receipt(number), make.intent(number))))
    assert count(path, "receipts") == count(path, "order_intents") == 50
    with closing(sqlite3.connect(path)) as books:
        assert books.execute("SELECT receipts, payment FROM receipt_totals").fetchall() == [(50, "62.5")]


async def test_kept_balances_are_exact_beyond_any_context(store: SqlStore, path: Path) -> None:
    tiny, huge = "0." + "0" * 40 + "1", "1" + "0" * 40
    await store.commit(make.persist(make.transaction(1, huge), make.transaction(2, tiny)))
    with closing(sqlite3.connect(path)) as books:
        kept = dict(books.execute("SELECT account, balance FROM ledger_balances"))
    assert kept == {"binance:perp": huge + tiny[1:], "funding:h1": "-" + huge + tiny[1:]}


@pytest.mark.parametrize("table", schema.APPEND_ONLY, ids=lambda table: table.name)
async def test_facts_can_be_neither_changed_nor_deleted(url: str, path: Path, table: schema.Table) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(*FACTS))
    before = dump(path)
    column = next(column.name for column in table.columns if isinstance(column.type, Text))
    with closing(sqlite3.connect(path)) as books:
        for sql in (f"UPDATE {table.name} SET {column} = 'x'", f"DELETE FROM {table.name}"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                books.execute(sql)
        books.rollback()
        books.execute("PRAGMA recursive_triggers = ON")
        values = ", ".join(column.name for column in table.columns)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            books.execute(f"INSERT OR REPLACE INTO {table.name} SELECT {values} FROM {table.name}")
    assert dump(path) == before


async def test_no_other_type_gets_into_a_column(path: Path) -> None:
    with closing(sqlite3.connect(path)) as books, pytest.raises(sqlite3.IntegrityError, match="cannot store"):
        books.execute("INSERT INTO last_prices VALUES ('BTC', '1', 1.5)")


async def test_a_second_daemon_cannot_open_the_books(url: str) -> None:
    async with SqlStore(url):
        second = SqlStore(url)
        with pytest.raises(StoreError, match=r"books\.db: another carrybot is running"):
            await second.open()
    async with second:
        await second.commit(make.persist(make.intent(1)))


async def test_a_daemon_whose_epoch_is_over_cannot_write(store: SqlStore, path: Path) -> None:
    """As when the lock does not hold, on a shared file system."""
    books = await store.load()
    assert books.epoch == 1
    with closing(sqlite3.connect(path)) as other:
        other.execute("INSERT INTO epochs (started_ms) VALUES (1)")
        other.commit()
    before = dump(path)
    with pytest.raises(StoreError, match="a newer daemon has taken over"):
        await store.commit(make.persist(make.intent(1)))
    assert dump(path) == before
    assert (await store.load()).epoch == 3
    await store.commit(make.persist(make.intent(1)))


async def test_closed_books_say_so(url: str) -> None:
    store = SqlStore(url)
    with pytest.raises(StoreError, match="not open"):
        await store.commit(make.persist(make.intent(1)))
    with pytest.raises(StoreError, match="not open"):
        await store.load()
    await store.close()


async def test_an_empty_step_costs_nothing(store: SqlStore) -> None:
    await store.commit([])


async def test_a_full_disk_is_a_store_error_and_the_books_go_on(url: str, path: Path) -> None:
    async with SqlStore(url) as store:
        driver = store._driver
        pages = (await (await driver.execute("PRAGMA page_count")).fetchone())[0]
        await driver.execute(f"PRAGMA max_page_count = {pages}")
        much = make.persist(*(make.receipt(number) for number in range(1_000)))
        with pytest.raises(StoreError, match="the disk is full"):
            await store.commit(much)
        held = count(path, "receipts")
        await driver.execute("PRAGMA max_page_count = 1000000")
        await store.commit(make.persist(make.receipt(10_000)))
    assert count(path, "receipts") == held + 1


async def test_a_cancelled_commit_is_whole_or_absent(url: str, path: Path) -> None:
    async with SqlStore(url) as store:
        for number in range(20):
            async with asyncio.timeout(5):
                writing = asyncio.ensure_future(store.commit(make.persist(make.intent(number), make.receipt(number))))
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        await store.commit(make.persist(make.intent(99), make.receipt(99)))
    assert count(path, "order_intents") == count(path, "receipts") >= 1


async def test_configs_are_kept_when_they_change(store: SqlStore, path: Path) -> None:
    assert await store.save_config("limits: {}\n")
    assert not await store.save_config("limits: {}\n")
    assert await store.save_config("limits: {stale_s: 4}\n")
    assert count(path, "config_versions") == 2


async def test_the_database_is_named_for_the_log(store: SqlStore) -> None:
    assert store.version == f"SQLite {sqlite3.sqlite_version}"


async def test_the_connection_is_durable(url: str) -> None:
    async with SqlStore(url) as store:
        found = {}
        for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            found[pragma] = (await (await store._driver.execute(f"PRAGMA {pragma}")).fetchone())[0]
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.mark.parametrize("replaced", [False, True])
async def test_books_that_are_moved_away_under_their_daemon_take_nothing_more(
    store: SqlStore, path: Path, *, replaced: bool
) -> None:
    """SQLite would go on writing to a file that no start finds: all that was traded since would be lost with it."""
    await store.load()
    await store.commit(make.persist(make.receipt(1)))
    moved = path.with_name("moved.db")
    put(path, moved)
    if replaced:
        migrate.upgrade(f"sqlite:///{path.with_name('new.db')}")
        put(path.with_name("new.db"), path)
    with pytest.raises(StoreError, match=r"books\.db: its file was moved, deleted or replaced"):
        await store.commit(make.persist(make.intent(1)))
    with pytest.raises(StoreError, match="put it back, or stop the daemon"):
        await store.confirm()
    assert count(moved, "order_intents") == 0
    put(moved, path)
    await store.confirm()
    await store.commit(make.persist(make.intent(1)))
    assert count(path, "order_intents") == count(path, "receipts") == 1


async def test_a_folder_that_is_no_longer_one_is_an_error_of_the_books(empty_books: Path, tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    async with SqlStore(f"sqlite:///{laid(empty_books, folder)}") as store:
        await store.load()
        put(folder, tmp_path / "away")
        folder.touch()
        with pytest.raises(StoreError, match="its file was moved"):
            await store.commit(make.persist(make.intent(1)))


async def test_half_a_character_in_a_reason_refuses_no_commit(store: SqlStore, path: Path) -> None:
    """What a venue says of a refusal may hold one; the record would wait, and all commits after it with it."""
    await store.load()
    refused = replace(make.order(1, OrderState.REJECTED), reason="no \ud83d today")
    await store.commit(make.persist(make.intent(1), refused, ControlSet(Control.HALTED, "币 caf\udce9", 1)))
    with closing(sqlite3.connect(path)) as books:
        assert books.execute("SELECT reason FROM orders").fetchall() == [("no ? today",)]
        assert books.execute("SELECT reason FROM control").fetchall() == [("币 caf?",)]


@pytest.mark.parametrize("question", ["commit", "confirm"])
async def test_a_disk_that_does_not_answer_where_the_books_are_holds_up_no_other_task(
    store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """A server of files that is gone answers no question about them, and the owner has to be told that it is."""
    await store.load()
    asked, told, look = threading.Event(), threading.Event(), Path.stat

    def hanging(file: Path, **options: Any) -> os.stat_result:
        if file == path:
            asked.set()
            assert told.wait(10), "nobody could tell it"
        return look(file, **options)

    monkeypatch.setattr(Path, "stat", hanging)
    commit = store.commit(make.persist(make.receipt(1)))
    async with asyncio.TaskGroup() as tasks:
        if question == "commit":
            tasks.create_task(commit)
        else:
            commit.close()
            tasks.create_task(store.confirm())
        await asyncio.to_thread(asked.wait, 10)
        told.set()

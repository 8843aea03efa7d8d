"""Commands read the books beside a running daemon and while it is down, and cannot change them."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import book_records as make
import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from bot.domain.actions import Alert, ControlSet, NavPoint, Severity, Verdict, VerdictGiven
from bot.domain.hedges import Control, HedgeState
from bot.ports import StoreError
from bot.store import audit, migrate, queries, schema
from bot.store.database import SqlStore
from bot.store.reader import SqlReader


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    async with SqlStore(url) as opened:
        yield opened


async def test_questions_at_once_are_answered_one_after_the_other(store: SqlStore, url: str) -> None:
    """A daemon keeps one reader for the control port; commands in two terminals must not refuse each other."""
    await store.commit(make.persist(make.receipt(1)))
    async with SqlReader(url) as reader:

        async def ask() -> int:
            async with reader.snapshot() as connection:
                return len(await queries.receipts(connection))

        assert await asyncio.gather(*(ask() for _ in range(4))) == [1] * 4


async def test_a_reader_follows_a_running_writer(store: SqlStore, url: str) -> None:
    async with SqlReader(url) as reader:
        for number in range(1, 4):
            await store.commit(make.persist(make.receipt(number, settled_ms=make.T0 + number)))
            async with reader.snapshot() as connection:
                found = await queries.receipts(connection)
            assert [receipt.venue_id for receipt in found] == [f"r{seen}" for seen in range(number, 0, -1)]


async def test_a_snapshot_does_not_move_and_holds_nobody_up(store: SqlStore, url: str) -> None:
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        assert await queries.receipts(connection) == []
        await store.commit(make.persist(make.receipt(1)))
        assert await queries.receipts(connection) == []


async def test_a_reader_cannot_write(url: str) -> None:
    async with SqlReader(url) as reader:
        with pytest.raises(StoreError, match=r"books\.db: it cannot be written"):
            async with reader.snapshot() as connection:
                await connection.execute(text("INSERT INTO control VALUES (1, 'running', '', 0)"))
        async with reader.snapshot() as connection:
            assert await queries.control(connection) is None


KILLED = (
    "import asyncio, os, sys, signal\n"
    "from bot.store.database import SqlStore\n"
    "from bot.domain.actions import ControlSet, Persist\n"
    "from bot.domain.hedges import Control\n"
    "async def main():\n"
    "    store = SqlStore(sys.argv[1])\n"
    "    await store.open()\n"
    "    await store.commit([Persist(ControlSet(Control.HALTED, 'owner', 5))])\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
    "asyncio.run(main())\n"
)


def killed_writer(url: str) -> int:
    return subprocess.run([sys.executable, "-c", KILLED, url], check=False).returncode


async def test_a_killed_daemons_books_are_read_as_they_were_committed(url: str) -> None:
    assert killed_writer(url) == -signal.SIGKILL
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        assert await queries.control(connection) == ControlSet(Control.HALTED, "owner", 5)


async def test_queries_filter_and_limit(store: SqlStore, url: str) -> None:
    eth = make.intent(3, hedge_id="h2")
    await store.commit(
        make.persist(
            make.hedge(1),
            make.hedge(2, coin="ETH"),
            make.hedge(3, HedgeState.CLOSED),
            *(make.intent(1), make.intent(2), eth),
            *(make.fill(1, 1), make.fill(2, 2)),
            *(make.receipt(number, make.T0 + number, coin) for number, coin in enumerate(["BTC", "ETH", "BTC"])),
            *(NavPoint(number, make.D(number), make.D(1), make.D(1), make.D(0)) for number in range(5)),
            *(Alert(number, Severity.WARNING, "feed.lost", "") for number in range(5)),
        )
    )
    async with SqlReader(url) as reader, reader.snapshot() as c:
        assert [hedge.id for hedge in await queries.hedges(c)] == ["h2", "h1"]
        assert [hedge.id for hedge in await queries.hedges(c, closed=True, limit=2)] == ["h3", "h2"]
        assert [o.intent.client_id for o in await queries.orders(c, limit=2)] == ["c3", "c2"]
        assert [o.intent.client_id for o in await queries.orders(c, coin="ETH")] == ["c3"]
        [of_hedge] = await queries.orders(c, hedge_id="h1", limit=1)
        assert of_hedge.fill_keys == {make.fill(2).key}
        assert await queries.fills(c, client_id="c1") == [make.fill(1, 1)]
        assert await queries.fills(c, since_ms=make.T0 + 2) == [make.fill(2, 2)]
        assert [r.venue_id for r in await queries.receipts(c, coin="BTC")] == ["r2", "r0"]
        assert [r.venue_id for r in await queries.receipts(c, since_ms=make.T0 + 1, limit=None)] == ["r2", "r1"]
        assert await queries.receipt_totals(c) == [
            queries.ReceiptTotal("binance", "BTC", "USDT", 2, make.D("2.5")),
            queries.ReceiptTotal("binance", "ETH", "USDT", 1, make.D("1.25")),
        ]
        assert [point.market_ms for point in await queries.nav(c, since_ms=2)] == [4, 3, 2]
        assert [alert.market_ms for alert in await queries.alerts(c, limit=2)] == [4, 3]
        assert (await queries.counts(c, [schema.FILLS, schema.HEDGES])) == {"fills": 2, "hedges": 3}


async def test_verdicts_are_counted(store: SqlStore, url: str) -> None:
    refused = Verdict("R2", approved=False, limit="50000", observed="50001")
    forced = Verdict("R1", approved=True, limit="5", observed="5", detail="removed")
    given = [
        *(VerdictGiven(number, None, "BTC", refused) for number in range(3)),
        VerdictGiven(9, "h1", "ETH", forced),
    ]
    await store.commit(make.persist(*given))
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        assert await queries.verdict_counts(connection) == [
            queries.VerdictCount("R2", approved=False, coin="BTC", times=3, last_ms=2),
            queries.VerdictCount("R1", approved=True, coin="ETH", times=1, last_ms=9),
        ]
        assert await queries.verdicts(connection, coin="ETH") == [given[3]]


BIG = {"receipts", "fills", "orders", "order_intents", "ledger_transactions", "ledger_entries", "verdicts", "alerts"}
QUERIES = {
    "orders": queries.orders,
    "orders of a coin": lambda c: queries.orders(c, coin="BTC"),
    "orders of a hedge": lambda c: queries.orders(c, hedge_id="h1"),
    "hedges": lambda c: queries.hedges(c, closed=True),
    "fills": queries.fills,
    "fills of an order": lambda c: queries.fills(c, client_id="c1", since_ms=1),
    "receipts": lambda c: queries.receipts(c, since_ms=1),
    "receipts of a coin": lambda c: queries.receipts(c, coin="BTC", since_ms=1),
    "alerts": lambda c: queries.alerts(c, since_ms=1),
    "verdicts": lambda c: queries.verdicts(c, coin="BTC"),
    "verdict counts": queries.verdict_counts,
    "transactions": lambda c: audit.transactions(c, since_ms=1),
    "transactions of an account": lambda c: audit.transactions(c, account="binance:perp"),
    "transactions of a hedge": lambda c: audit.transactions(c, hedge_id="h1", account="binance:perp"),
    "last transactions": lambda c: audit.verify_chain(c, newest=5),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_no_command_sorts_or_gathers_a_whole_table(store: SqlStore, url: str, path: Path, name: str) -> None:
    records = [make.intent(1), make.order(1), make.fill(1), make.hedge(1), make.receipt(1)]
    await store.commit(make.persist(*records, *make.transactions(9)))
    plans: list[tuple[str, list[str]]] = []
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        asked: list[tuple[str, Any]] = []
        assert reader._engine is not None
        listen(
            reader._engine.sync_engine,
            "before_cursor_execute",
            lambda _c, _cursor, sql, values, _context, _many: asked.append((sql, values)),
        )
        await QUERIES[name](connection)
    with closing(sqlite3.connect(path)) as books:
        for sql, values in asked:
            plans.append((sql, [row[3] for row in books.execute(f"EXPLAIN QUERY PLAN {sql}", values)]))
    assert plans
    for sql, steps in plans:
        for step in steps:
            words = step.split()
            if words[0] == "SCAN" and words[1] in BIG and not {"COVERING", "ix_orders_open"} & set(words):
                # In the order of an index or of the rows themselves, and no further than the limit.
                assert "LIMIT" in sql, step
                assert not any("TEMP B-TREE" in other for other in steps), steps


async def _refused(opening: SqlStore | SqlReader) -> str:
    with pytest.raises(StoreError) as refusal:
        await opening.open()
    assert refusal.value.__cause__ is None
    return str(refusal.value)


@pytest.mark.parametrize("kind", [SqlStore, SqlReader])
async def test_missing_books(kind: type, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "books.db"
    message = await _refused(kind(f"sqlite:///{missing}"))
    assert message == f"{missing}: there are no books yet; run `carrybot db upgrade`"
    assert not missing.parent.exists()


@pytest.mark.parametrize("kind", [SqlStore, SqlReader])
async def test_a_file_that_is_no_database(kind: type, tmp_path: Path) -> None:
    other = tmp_path / "books.db"
    other.write_text("limits:\n  stale_s: 5\n" * 100)
    before = other.read_bytes()
    message = await _refused(kind(f"sqlite:///{other}"))
    assert message == f"{other}: it is not a SQLite database; move it away or correct the URL"
    assert other.read_bytes() == before


@pytest.mark.parametrize("kind", [SqlStore, SqlReader])
async def test_a_database_without_books(kind: type, tmp_path: Path) -> None:
    empty = tmp_path / "books.db"
    with closing(sqlite3.connect(empty)) as other:
        other.execute("CREATE TABLE something (else_ TEXT)")
    message = await _refused(kind(f"sqlite:///{empty}"))
    assert message == f"{empty}: it holds no books; run `carrybot db upgrade`"


@pytest.mark.parametrize("kind", [SqlStore, SqlReader])
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0000", "its version is 0000, this program needs 0004; run `carrybot db upgrade`"),
        ("9999", "made by a newer carrybot (version 9999); install that one"),
    ],
)
async def test_books_of_another_version(kind: type, path: Path, version: str, expected: str) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE alembic_version SET version_num = ?", (version,))
        other.commit()
    assert await _refused(kind(f"sqlite:///{path}")) == f"{path}: {expected}"


@pytest.mark.parametrize("damage", [slice(20, 60), slice(4096, 9000)])
async def test_damaged_books_are_a_store_error(path: Path, damage: slice) -> None:
    make.damage(path, damage)
    assert str(path) in await _refused(SqlStore(f"sqlite:///{path}"))


async def test_books_that_another_program_holds(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.sqlite.BUSY_S", 0.05)
    async with SqlStore(url) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError) as refusal:
                await store.commit(make.persist(make.intent(1)))
            other.execute("ROLLBACK")
        assert str(refusal.value) == f"{path}: another process is writing to it; stop that process"
        await store.commit(make.persist(make.intent(1)))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true", "books"])
def test_books_need_a_file(url: str) -> None:
    with pytest.raises(StoreError, match=r"write (it|the URL) like"):
        SqlStore(url)


def test_a_password_in_the_url_is_in_no_message() -> None:
    store = SqlStore("postgresql+psycopg://bot:canary-secret@db.example/books")
    assert store.name == "postgresql://db.example/books"


async def test_a_path_may_hold_any_character(empty_books: Path, tmp_path: Path) -> None:
    """What means something else in a URL is percent-encoded in it, as everywhere."""
    folder = tmp_path / "a b%20#?&ü"
    folder.mkdir()
    shutil.copy(empty_books, folder / "books.db")
    url = f"sqlite:///{quote(str(folder))}/books.db"
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.receipt(1)))
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        assert await queries.receipts(connection) == [make.receipt(1)]
    assert migrate.upgrade(url) == schema.VERSION

"""A backup is whole, consistent, checked, and made beside a running daemon."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import book_records as make
import pytest

from bot.ports import StoreError
from bot.store import audit
from bot.store.backup import backup
from bot.store.database import SqlStore
from bot.store.reader import SqlReader


async def test_a_backup_beside_a_writing_daemon(url: str, tmp_path: Path) -> None:
    target = tmp_path / "backups" / "copy.db"
    async with SqlStore(url) as store:
        await store.load()
        booked = make.transactions(400)
        await store.commit(make.persist(*booked[:300]))

        async def write() -> None:
            for transaction in booked[300:]:
                await store.commit(make.persist(transaction))

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(write())
            size = await asyncio.to_thread(backup, url, target)
        assert writing.done()
    assert size == target.stat().st_size
    assert [entry.name for entry in target.parent.iterdir()] == ["copy.db"]
    async with SqlReader(f"sqlite:///{target}") as reader, reader.snapshot() as connection:
        check = await audit.verify_chain(connection)
    assert check.sound
    assert 300 <= check.transactions <= 400


async def test_a_backup_can_be_gone_on_with(url: str, tmp_path: Path) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.receipt(1)))
    backup(url, tmp_path / "copy.db")
    async with SqlStore(f"sqlite:///{tmp_path}/copy.db") as store:
        assert (await store.load()).recent_receipts == [make.receipt(1)]
        await store.commit(make.persist(make.receipt(2)))


def test_nothing_is_overwritten(url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        backup(url, target)
    assert target.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/copy\.db: .*; check its folder"):
        backup(url, tmp_path / "file" / "copy.db")


def test_no_books_no_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"books\.db: there are no books yet"):
        backup(f"sqlite:///{tmp_path}/books.db", tmp_path / "copy.db")


async def test_a_damaged_copy_does_not_count(url: str, path: Path, tmp_path: Path) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(*make.transactions(200)))
    with closing(sqlite3.connect(path)) as books:
        size = books.execute("PRAGMA page_size").fetchone()[0]
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'ix_ledger_entries_account_number'"
        page = books.execute(query).fetchone()[0]
    make.damage(path, slice((page - 1) * size + 8, page * size))
    with pytest.raises(StoreError):
        backup(url, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "copy.db.part").exists()

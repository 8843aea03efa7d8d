"""A backup is whole, consistent, checked, and made beside a running daemon."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import book_records as make
import pytest
from alembic import command
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from bot.ports import StoreError
from bot.store import audit, migrate, schema
from bot.store import backup as backup_module
from bot.store.backup import EPOCHS_SKIPPED, backup, prove, restore
from bot.store.database import SqlStore
from bot.store.reader import SqlReader


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


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
            proof = await asyncio.to_thread(backup, url, target)
        assert writing.done()
    assert proof.size_bytes == target.stat().st_size
    assert [entry.name for entry in target.parent.iterdir()] == ["copy.db"]
    async with SqlReader(f"sqlite:///{target}") as reader, reader.snapshot() as connection:
        check = await audit.verify_chain(connection)
    assert check.sound
    assert 300 <= check.transactions <= 400
    assert (proof.transactions, proof.chain) == (check.transactions, check.chain)
    assert proof.rows["ledger_transactions"] == check.transactions


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


@pytest.mark.parametrize("links", [True, False])
async def test_two_backups_to_one_target_at_once_leave_the_one_that_ended_first(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """They wrote into one file, and what was proven was not what then bore the name."""
    target, proofs = tmp_path / "backups" / "copy.db", []
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.receipt(1)))

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    def proving(path: Path) -> backup_module.Proof:
        monkeypatch.setattr(backup_module, "prove", prove)
        proofs.append(backup(url, target))
        return prove(path)

    if not links:
        monkeypatch.setattr(backup_module.os, "link", refused)
    monkeypatch.setattr(backup_module, "prove", proving)
    with pytest.raises(StoreError, match=r"copy\.db: it exists already"):
        backup(url, target)
    assert [prove(target)] == proofs
    assert [entry.name for entry in target.parent.iterdir()] == ["copy.db"]
    assert target.stat().st_mode & 0o777 == 0o600


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
    assert not parts(tmp_path)


async def test_books_are_made_anew_out_of_a_backup_with_a_later_epoch(url: str, path: Path, tmp_path: Path) -> None:
    async with SqlStore(url) as store:
        await store.load()
        await store.commit(make.persist(make.receipt(1), *make.transactions(5)))
    copy = tmp_path / "copy.db"
    made = backup(url, copy)
    anew = tmp_path / "fresh" / "carrybot.db"
    proof = restore(copy, f"sqlite:///{anew}")
    assert proof.chain == made.chain
    assert proof.rows == {**made.rows, "epochs": made.rows["epochs"] + 1}
    async with SqlStore(f"sqlite:///{anew}") as store:
        books = await store.load()
        assert books.recent_receipts == [make.receipt(1)]
        assert books.epoch > 1 + EPOCHS_SKIPPED, "no client id of a later epoch can come twice"
        await store.commit(make.persist(make.receipt(2)))
    assert prove(copy).rows == made.rows, "the backup itself is as it was"


def test_a_copy_that_would_fill_the_disk_of_the_books_is_not_begun(
    url: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon beside it would halt at its next commit, and stay so."""
    copied = list[Path]()
    room = path.stat().st_size + backup_module.LEFT_BYTES

    class Disk:
        f_frsize, f_bavail = 1, room - 1

    original = backup_module._copy
    monkeypatch.setattr(backup_module.os, "statvfs", lambda _: Disk)
    monkeypatch.setattr(backup_module, "_copy", lambda one, other: copied.append(other) or original(one, other))
    with pytest.raises(StoreError, match="name a file on another disk"):
        backup(url, tmp_path / "copy.db")
    assert copied == []
    assert [each.name for each in tmp_path.iterdir()] == ["books.db"]
    Disk.f_bavail = room
    assert backup(url, tmp_path / "copy.db").size_bytes


async def test_a_backup_that_is_restored_twice_gives_no_epoch_twice(url: str, tmp_path: Path) -> None:
    """The disk fails again before there is a newer backup: what was sent in between bears the ids of the first."""
    copy = tmp_path / "copy.db"
    async with SqlStore(url) as store:
        await store.load()
    backup(url, copy)
    seen = []
    for number, second in enumerate((1_800_000_000_000, 1_800_000_600_000)):
        anew = f"sqlite:///{tmp_path}/{number}/carrybot.db"
        restore(copy, anew, partial(int, second))
        for _ in range(3):
            async with SqlStore(anew) as store:
                seen.append((await store.load()).epoch)
    assert len(set(seen)) == len(seen)
    again = f"sqlite:///{tmp_path}/late/carrybot.db"
    backup(anew, tmp_path / "later.db")
    restore(tmp_path / "later.db", again, lambda: 0)
    async with SqlStore(again) as store:
        assert (await store.load()).epoch > max(seen) + EPOCHS_SKIPPED, "a clock that is wrong lowers nothing"


@pytest.mark.parametrize("version", ["0001", "0003"])
async def test_books_of_an_older_version_are_backed_up_before_an_upgrade_and_restored_after_it(
    tmp_path: Path, version: str
) -> None:
    url, copy = f"sqlite:///{tmp_path}/old.db", tmp_path / "copy.db"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    with closing(sqlite3.connect(tmp_path / "old.db")) as books:
        books.execute("INSERT INTO epochs VALUES (7, 0)")
        books.execute("INSERT INTO last_prices VALUES ('binance:SOL:spot', '150', 1)")
        books.commit()
    proof = backup(url, copy)
    assert proof.version == version
    assert proof.rows["last_prices"] == 1
    assert migrate.current(f"sqlite:///{copy}") == version, "the copy is as it was"
    anew = f"sqlite:///{tmp_path}/anew/carrybot.db"
    assert restore(copy, anew).version == version
    assert migrate.upgrade(anew) == schema.VERSION
    async with SqlStore(anew) as store:
        books_anew = await store.load()
    assert [price.instrument for price in books_anew.prices] == ["binance:SOL:spot"]
    assert books_anew.epoch > 7 + EPOCHS_SKIPPED


def test_books_of_a_newer_version_are_not_restored(url: str, path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as books:
        books.execute("UPDATE alembic_version SET version_num = '9999'")
        books.commit()
    with pytest.raises(StoreError, match="made by a newer carrybot"):
        restore(path, f"sqlite:///{tmp_path}/anew.db")
    assert not (tmp_path / "anew.db").exists()


async def test_books_that_exist_are_never_overwritten(url: str, path: Path, tmp_path: Path) -> None:
    backup(url, tmp_path / "copy.db")
    with pytest.raises(StoreError, match="there are books; move them away first"):
        restore(tmp_path / "copy.db", url)
    anew = tmp_path / "anew.db"
    anew.with_name("anew.db-wal").write_bytes(b"left behind")
    with pytest.raises(StoreError, match="with the files -wal and -shm"):
        restore(tmp_path / "copy.db", f"sqlite:///{anew}")
    assert not anew.exists()


async def test_a_backup_whose_ledger_was_altered_is_not_restored(url: str, tmp_path: Path) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(*make.transactions(3)))
    copy = tmp_path / "copy.db"
    backup(url, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as books:
        for (name,) in books.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            books.execute(f"DROP TRIGGER {name}")
        books.execute("UPDATE ledger_entries SET amount = '7' WHERE number = 2 AND line = 0")
    with pytest.raises(StoreError, match="its ledger is not sound: transaction 2"):
        restore(copy, f"sqlite:///{tmp_path}/anew.db")
    assert not (tmp_path / "anew.db").exists()


def test_what_is_no_backup_is_not_restored(tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("not a database, but long enough to be looked at" * 40)
    with pytest.raises(StoreError, match="not a SQLite database"):
        restore(tmp_path / "copy.db", f"sqlite:///{tmp_path}/anew.db")
    with pytest.raises(StoreError, match="name a file that"):
        restore(tmp_path / "nothing.db", f"sqlite:///{tmp_path}/anew.db")
    assert not (tmp_path / "anew.db").exists()


async def test_a_copy_that_misses_rows_does_not_count(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.receipt(1), make.receipt(2)))
    original = backup_module._copy

    def loses_a_receipt(source: Path, part: Path) -> dict[str, int]:
        rows = original(source, part)
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            for (name,) in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                copy.execute(f"DROP TRIGGER {name}")
            copy.execute("DELETE FROM receipts WHERE venue_id = (SELECT max(venue_id) FROM receipts)")
        return rows

    monkeypatch.setattr(backup_module, "_copy", loses_a_receipt)
    with pytest.raises(StoreError, match="has not all rows of receipts"):
        backup(url, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


async def test_a_backup_is_not_laid_beside_what_another_copy_left(url: str, path: Path, tmp_path: Path) -> None:
    """SQLite applies a WAL to whatever file lies beside it: of nine transactions that were proven three were left."""
    target, booked = tmp_path / "copy.db", make.transactions(9)
    async with SqlStore(url) as store:
        await store.commit(make.persist(*booked[:3]))
        shutil.copy(path.with_name("books.db-wal"), target.with_name("copy.db-wal"))
        await store.commit(make.persist(*booked[3:]))
        with pytest.raises(StoreError, match=r"copy\.db-wal: it exists already"):
            backup(url, target)
        target.with_name("copy.db-wal").unlink()
        assert backup(url, target).transactions == prove(target).transactions == 9

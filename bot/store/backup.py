"""Backups of SQLite books: copied while the daemon writes, proven before they count, and made into books again."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bot.ports import StoreError
from bot.store import audit, schema, sqlite
from bot.store.database import wall_ms
from bot.store.errors import UPGRADE, file_of, refusal
from bot.store.lock import WriterLock
from bot.store.migrate import upgrade
from bot.store.reader import SqlReader

EPOCHS_SKIPPED = 1_000
"""By how much a restore lifts the epoch at least: orders sent since the backup bore later ones."""
LEFT_BYTES = 32 << 20
"""What a copy leaves free on the disk of the books: a daemon whose disk is full halts."""
_PAGES_AT_ONCE = 1_024


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found out about a file of books: all of it sound, or StoreError was raised instead.

    `transactions` and `chain` are of the ledger, recomputed from its first transaction on.
    """

    size_bytes: int
    version: str
    transactions: int
    chain: str
    rows: dict[str, int]
    """Number of rows by table."""


def backup(url: str, target: Path) -> Proof:
    """Copy the books into the new file `target` and prove the copy: pages, keys, chain, and each table's rows.

    Blocking; safe beside a running daemon, which it reads without locking. The copy is first written under another
    name, so that `target` is whole or absent. StoreError when it exists, cannot be written or fails the proof.
    """
    source = _source_of(url)
    # A WAL that another copy left there would be applied to this one by whoever opens it.
    there = next((path for path in _files_of(target) if path.exists()), None)
    if there is not None:
        raise _exists(there)
    with _new_file(target, url) as part:
        _must_have_room(source, part)
        counted = _copy(source, part)
        found = prove(part)
        if found.rows != counted:
            wrong = sorted(name for name in counted if counted[name] != found.rows.get(name))
            raise StoreError(f"{part}: the copy has not all rows of {', '.join(wrong)}; try again")
    return found


def restore(source: Path, url: str, clock: Callable[[], int] = wall_ms) -> Proof:
    """Make the books anew out of a backup, which is proven before and afterwards. The daemon must be down.

    The epoch is lifted to the second of now: a backup may be restored more than once, and no client id of the daemons
    that ran in between may come a second time. The venue would take it, and tell of the earlier order by it.

    StoreError when there are books already, the backup is not sound, or a newer program made it.
    """
    target = file_of(url)
    if target is None:
        raise StoreError("PostgreSQL is restored with pg_restore")
    prove(source)
    if any(path.exists() for path in _files_of(target)):
        raise StoreError(f"{target}: there are books; move them away first, with the files -wal and -shm beside them")
    lock = WriterLock(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        with _new_file(target, url) as part:
            _copy(source, part)
            with closing(sqlite3.connect(part)) as books:
                lifted = "INSERT INTO epochs SELECT max(coalesce(max(epoch), 0) + ?, ?), 0 FROM epochs"
                books.execute(lifted, (EPOCHS_SKIPPED, clock() // 1_000))
                books.commit()
            return prove(part)
    finally:
        lock.release()


def prove(path: Path) -> Proof:
    """Look at every page, key and ledger entry of a file of books, read-only. StoreError names what is wrong.

    Books of an older version are as good: `run` and `db upgrade` bring them to this one.
    """
    rows = rows_of(path)
    version = _version_of(path)
    with _in_this_version(path, version) as readable, ThreadPoolExecutor(1) as pool:
        # A thread of its own, because the caller may have an event loop already.
        check = pool.submit(asyncio.run, _verify(_url_of(readable))).result()
    if not check.sound:
        raise StoreError(f"{path}: its ledger is not sound: {'; '.join(check.broken)}")
    return Proof(path.stat().st_size, version, check.transactions, check.chain, rows)


def rows_of(path: Path) -> dict[str, int]:
    """Rows by table, after a look at every page and key. StoreError when one is damaged."""
    sqlite.must_be_file(path, "name a file that `carrybot db backup` made")
    try:
        with closing(_reading(path)) as books:
            found = [row[0] for row in books.execute("PRAGMA integrity_check")]
            broken = books.execute("PRAGMA foreign_key_check").fetchall()
            if found != ["ok"] or broken:
                raise StoreError(f"{path}: it failed its integrity check; the books may be damaged")
            books.execute("BEGIN")
            return _counts(books)
    except sqlite3.Error as error:
        raise refusal(_url_of(path), error) from None


def _version_of(path: Path) -> str:
    """Version of the books in a file; empty when it does not say."""
    with closing(_reading(path)) as books, suppress(sqlite3.Error):
        found = books.execute("SELECT version_num FROM alembic_version").fetchone()
        return "" if found is None else str(found[0])
    return ""


@contextmanager
def _in_this_version(path: Path, version: str) -> Iterator[Path]:
    """The file, or a copy that was upgraded where it is older: what is backed up before an upgrade, and what is
    restored after one. A file that no migration leads from is left for its reader to refuse."""
    if not version or version >= schema.VERSION:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="carrybot-") as folder:
        copy = Path(folder) / path.name
        try:
            _copy(path, copy)
        except sqlite3.Error as error:
            raise refusal(_url_of(copy), error) from None
        upgrade(_url_of(copy))
        yield copy


def _url_of(path: Path) -> str:
    return f"sqlite:///{path.absolute()}"


async def _verify(url: str) -> audit.LedgerCheck:
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        return await audit.verify_chain(connection)


def _source_of(url: str) -> Path:
    source = file_of(url)
    if source is None:
        raise StoreError("backups of PostgreSQL are made with pg_dump")
    sqlite.must_be_file(source, UPGRADE)
    return source


def _files_of(books: Path) -> list[Path]:
    return [books, *(books.with_name(books.name + end) for end in ("-wal", "-shm", "-journal"))]


@contextmanager
def _new_file(target: Path, url: str) -> Iterator[Path]:
    """A file beside `target` that becomes it when everything went well. StoreError for what the disk refuses."""
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: another backup to the same target may be under way.
        descriptor, name = tempfile.mkstemp(".part", f"{target.name}.", target.parent)
        os.close(descriptor)
        part = Path(name)
        yield part
        _sync(part)
        _put(part, target)
        _sync(target.parent)
    except sqlite3.Error as error:
        raise refusal(url, error) from None
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror or 'it cannot be written'}; check its folder") from None
    finally:
        if part is not None:
            with suppress(OSError):
                part.unlink()


def _put(part: Path, target: Path) -> None:
    """Give the file its name, unless another one has taken it meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:  # a disk without hard links
        if target.exists():
            raise _exists(target) from None
        part.replace(target)


def _exists(path: Path) -> StoreError:
    return StoreError(f"{path}: it exists already; name another file")


def _must_have_room(source: Path, part: Path) -> None:
    """StoreError where the copy would fill the disk, which a running daemon may need for its next commit."""
    wanted = sum(path.stat().st_size for path in _files_of(source)[:2] if path.exists())
    if part.stat().st_dev == source.stat().st_dev:
        wanted += LEFT_BYTES
    disk = os.statvfs(part.parent)
    free = disk.f_bavail * disk.f_frsize
    if free < wanted:
        raise StoreError(
            f"{part.parent}: {free >> 20} MiB are free and a copy takes {-(-wanted >> 20)}, with what the books need "
            "to go on; name a file on another disk"
        )


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=sqlite.BUSY_S)


def _copy(source: Path, part: Path) -> dict[str, int]:
    """Copy one state of the books; the rows of each table in that state."""
    with closing(_reading(source)) as books, closing(sqlite3.connect(part)) as copy:
        # One read transaction over the whole copy: otherwise each commit of the daemon starts it anew.
        books.isolation_level = None
        books.execute("BEGIN")
        rows = _counts(books)
        books.backup(copy, pages=_PAGES_AT_ONCE)
        books.execute("ROLLBACK")
        # A copy is one file: without a WAL beside it that could be forgotten.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    return rows


def _counts(books: sqlite3.Connection) -> dict[str, int]:
    names = [row[0] for row in books.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    # Names of our own schema: no text from outside is in the statement.
    return {name: books.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

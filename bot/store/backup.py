"""Online backup of SQLite books: a consistent copy while the daemon writes, checked before it counts."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from bot.ports import StoreError
from bot.store import sqlite
from bot.store.errors import UPGRADE, file_of, refusal

_PAGES_AT_ONCE = 1_024


def backup(url: str, target: Path) -> int:
    """Copy the books into the new file `target` and check the copy; returns its size in bytes.

    Blocking; safe beside a running daemon, which it reads without locking. The copy is first written under another
    name, so that `target` is whole or absent. StoreError when it exists, cannot be written or fails the check.
    """
    source = file_of(url)
    if source is None:
        raise StoreError("backups of PostgreSQL are made with pg_dump")
    sqlite.must_be_file(source, UPGRADE)
    if target.exists():
        raise StoreError(f"{target}: it exists already; name another file")
    part = target.with_name(target.name + ".part")
    try:
        _copy(source, part)
        _check(part)
        part.replace(target)
        _sync_folder(target.parent)
        return target.stat().st_size
    except sqlite3.Error as error:
        raise refusal(url, error) from None
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror or 'it cannot be written'}; check its folder") from None
    finally:
        with suppress(OSError):
            part.unlink()


def _copy(source: Path, part: Path) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    name = f"file:{quote(str(source))}?mode=ro"
    with (
        closing(sqlite3.connect(name, uri=True, timeout=sqlite.BUSY_S)) as books,
        closing(sqlite3.connect(part)) as copy,
    ):
        # One read transaction over the whole copy: otherwise each commit of the daemon starts it anew.
        books.execute("BEGIN")
        books.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        books.backup(copy, pages=_PAGES_AT_ONCE)
        books.execute("ROLLBACK")
        # A copy is one file: without a WAL beside it that could be forgotten.
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()


def _check(part: Path) -> None:
    with closing(sqlite3.connect(part)) as copy:
        found = [row[0] for row in copy.execute("PRAGMA integrity_check")]
        broken = copy.execute("PRAGMA foreign_key_check").fetchall()
    if found != ["ok"] or broken:
        raise StoreError(f"{part}: the copy failed its integrity check; the books may be damaged")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

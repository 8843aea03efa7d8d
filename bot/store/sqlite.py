"""How connections to a SQLite file are made: one that writes, others that cannot."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from bot.ports import StoreError
from bot.store.statements import SQLITE_ADD, add_texts

BUSY_S = 5.0
"""How long a statement waits for another process's lock before it fails."""

_WRITER_PRAGMAS = ("synchronous = FULL", "foreign_keys = ON", "recursive_triggers = ON")
"""Triggers must also see the deletion inside an INSERT OR REPLACE, hence the last."""


def writing_url(path: Path, driver: str) -> URL:
    """`driver` is `sqlite+aiosqlite` or `sqlite`."""
    return URL.create(driver, database=str(path))


def reading_url(path: Path, driver: str = "sqlite+aiosqlite") -> URL:
    """Read-only by SQLite's own means: nothing can be written or checkpointed over such a connection."""
    name = f"file:{quote(str(path))}"
    return URL.create(driver, database=name, query={"mode": "ro", "uri": "true"})


def prepare_writer(engine: Engine, path: Path) -> None:
    """Durable WAL connections whose transactions begin by taking the write lock."""

    def connect(connection: Any, _entry: ConnectionPoolEntry) -> None:
        try:
            _make_durable(connection, path)
        except BaseException:
            # The pool does not close what a listener refuses, and an open aiosqlite thread never ends.
            connection.close()
            raise

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", _begin_immediate)


def _make_durable(connection: Any, path: Path) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
        mode = cursor.fetchone()[0]
        for pragma in _WRITER_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()
    if mode != "wal":
        raise StoreError(f"{path}: its file system cannot hold a WAL database; keep the books on a local disk")
    connection.create_function(SQLITE_ADD, 2, add_texts, deterministic=True)


def prepare_reader(engine: Engine) -> None:
    """Transactions of a reader see one state of the books from their first statement on."""

    def connect(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", _begin)


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def must_be_file(path: Path, remedy: str) -> None:
    """StoreError when there is no such file, before SQLite could make an empty one."""
    if not path.is_file():
        raise StoreError(f"{path}: there are no books yet; {remedy}")


def transact(
    connection: sqlite3.Connection,
    writes: list[tuple[str, list[object]]],
    fence: tuple[str, int] | None,
) -> bool:
    """One whole transaction, to run in the connection's thread.

    `fence` is a query and the number it must give; False, and nothing is written, when it gives another.
    """
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    try:
        if fence is not None and execute(fence[0]).fetchone()[0] != fence[1]:
            execute("ROLLBACK")
            return False
        for sql, row in writes:
            execute(sql, row)
        execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            execute("ROLLBACK")
        raise
    return True

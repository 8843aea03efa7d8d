"""The real books on a SQLite database in memory: the store's own commit and load, without its thread.

`RamStore` is `SqlStore` with another way to open: the same statements, constraints, triggers, fence and errors.
A database outlives the daemons that use it, as a file does.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from bot.store import sqlite as store_sqlite
from bot.store.database import SqlStore
from bot.store.migrate import upgrade
from bot.store.statements import SQLITE_ADD, add_texts, prepare
from bot.store.writers import WRITES

Rows = Sequence[tuple[str, list[object]]]


class _Kept(sqlite3.Connection):
    """Outlives the pool that thinks it owns it."""

    def close(self) -> None:
        """Only `discard` ends the database."""

    def discard(self) -> None:
        super().close()


@cache
def _template() -> bytes:
    """The empty books, made by the real migrations."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        upgrade(f"sqlite:///{path}")
        raw = sqlite3.connect(path)
        try:
            raw.execute("PRAGMA journal_mode = DELETE")  # a database in memory has no WAL
            return raw.serialize()
        finally:
            raw.close()


class Database:
    """The books of one seed. `copy` gives another one with the same content."""

    def __init__(self, content: bytes | None = None) -> None:
        self.raw: _Kept = sqlite3.connect(":memory:", isolation_level=None, factory=_Kept)
        self.raw.deserialize(_template() if content is None else content)
        for pragma in ("foreign_keys = ON", "recursive_triggers = ON", "temp_store = MEMORY"):
            self.raw.execute(f"PRAGMA {pragma}")
        self.raw.create_function(SQLITE_ADD, 2, add_texts, deterministic=True)

    def copy(self) -> "Database":
        return Database(self.raw.serialize())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.raw.execute(sql).fetchall()

    def close(self) -> None:
        self.raw.discard()


_opening: list[_Kept] = []
_engine = create_engine("sqlite://", creator=lambda: _opening[-1], poolclass=NullPool, pool_reset_on_return=None)
event.listen(_engine, "begin", store_sqlite._begin_immediate)


class _Turn:
    """A transaction as the store opens it."""

    def __init__(self, connection: Connection) -> None:
        self._turn = connection.begin()

    async def __aenter__(self) -> Any:
        return self._turn

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._turn.rollback() if kind is not None else self._turn.commit()


class _Asked:
    """As much of an `AsyncConnection` as the store uses."""

    def __init__(self, connection: Connection) -> None:
        self.sync = connection

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        return self.sync.execute(statement, parameters)

    def begin(self) -> _Turn:
        return _Turn(self.sync)

    async def close(self) -> None:
        self.sync.close()


class _Driver:
    """The driver's thread, in this one; `hook` sees each commit before (None) and after it (the rows)."""

    def __init__(self, raw: _Kept, hook: Callable[[Rows, bool], Any]) -> None:
        self._conn = raw
        self._hook = hook

    async def _execute(self, function: Callable[..., bool], *given: Any) -> bool:
        if not given:  # a look where the file is: there is none
            return function()
        writes: Rows = given[1]
        await self._hook(writes, False)
        done = function(*given)
        if done:
            await self._hook(writes, True)
        return done

    async def rollback(self) -> None:
        if self._conn.in_transaction:
            self._conn.execute("ROLLBACK")


class RamStore(SqlStore):
    """`hook` is awaited around each commit; it may raise what a driver raises, or never return."""

    def __init__(self, database: Database, hook: Callable[[Rows, bool], Any]) -> None:
        super().__init__("sqlite:///campaign.db", clock=lambda: 0)
        self._database = database
        self._hook = hook

    async def open(self) -> None:
        _opening.append(self._database.raw)
        try:
            self._connection = _Asked(_engine.connect())  # type: ignore[assignment]
        finally:
            _opening.pop()
        self._driver = _Driver(self._database.raw, self._hook)
        self._prepared = {write: prepare(write, "sqlite") for write in WRITES}
        self.version = f"SQLite {sqlite3.sqlite_version} in memory"

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._epoch = None
        if connection is not None:
            await connection.close()

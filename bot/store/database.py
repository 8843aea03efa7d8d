"""The books' one writing connection."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from types import TracebackType
from typing import Any, Self, cast

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine
from sqlalchemy.pool import NullPool

from bot.domain.actions import Persist
from bot.domain.books import Books
from bot.ports import StoreError, TakenOverError
from bot.store import schema, sqlite
from bot.store.errors import DATABASE_ERRORS, UPGRADE, file_of, name_of, parse, refusal
from bot.store.loading import load_books
from bot.store.lock import WriterLock
from bot.store.statements import Operation, Prepared, Write, prepare, readable
from bot.store.writers import WRITES, operations

_EPOCH_SQL = "SELECT max(epoch) FROM epochs"


def wall_ms() -> int:
    """UTC milliseconds of the machine: the stamp of epochs and config versions, never a rule's input."""
    return time.time_ns() // 1_000_000


class SqlStore:
    """`ports.Store` on SQLAlchemy: one connection, opened once; a commit is durable when it returns.

    Tested with SQLite (aiosqlite). PostgreSQL has its own upserts and types here and needs
    `postgresql+psycopg://`; its statements are compiled in the tests but not run.

    In SQLite a commit is one call in the connection's thread (`one_call`), which is what makes it quick; with
    `one_call=False`, and in other databases, its statements are sent one after the other.

    `epoch_min` is the least number of a new epoch: what keeps the client ids of these books apart from those of
    earlier books about the same account.
    """

    def __init__(
        self, url: str, clock: Callable[[], int] = wall_ms, *, one_call: bool = True, epoch_min: int = 1
    ) -> None:
        self._url = url
        self._clock = clock
        self._path = file_of(url)
        self._one_call = one_call and self._path is not None
        self._lock = None if self._path is None else WriterLock(self._path)
        self._turn = asyncio.Lock()
        self._engine: AsyncEngine | None = None
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self._prepared: dict[Write, Prepared] = {}
        self._epoch: int | None = None
        self._epoch_min = epoch_min
        self._file: tuple[int, int] | None = None
        """Which file it is that the connection writes to."""
        self.name = name_of(url)
        """The file, or the database without credentials: for messages."""
        self.version = ""
        """Kind and version of the database once it is open, for the log."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the books. StoreError names what is missing and what to do."""
        try:
            if self._path is not None:
                sqlite.must_be_file(self._path, UPGRADE)
            if self._lock is not None:
                self._lock.acquire()
            await self._connect()
            self._file = self._found()
        except DATABASE_ERRORS as error:
            await self.close()
            raise refusal(self._url, error) from None
        except BaseException:
            # An open aiosqlite connection keeps the process from ending.
            await self.close()
            raise

    async def close(self) -> None:
        """Close the books and give up the lock; harmless when they are closed."""
        connection, engine = self._connection, self._engine
        self._connection = self._engine = self._driver = None
        self._epoch = None
        try:
            if connection is not None:
                await connection.close()
            if engine is not None:
                await engine.dispose()
        except DATABASE_ERRORS as error:
            raise refusal(self._url, error) from None
        finally:
            if self._lock is not None:
                self._lock.release()

    async def load(self) -> Books:
        """Start a new epoch and read everything recovery needs. An older daemon's commits fail from now on."""
        connection = self._open_connection()
        async with self._turn:
            try:
                async with self._transaction(connection):
                    newest = (await connection.execute(select(func.max(schema.EPOCHS.c.epoch)))).scalar() or 0
                    epoch = max(newest + 1, self._epoch_min)
                    row = {"epoch": epoch, "started_ms": self._clock()}
                    await connection.execute(insert(schema.EPOCHS).values(**row))
                    books = await load_books(connection, epoch)
            except DATABASE_ERRORS as error:
                raise refusal(self._url, error) from None
            self._epoch = epoch
        return books

    async def commit(self, records: Sequence[Persist]) -> None:
        """Write all records in one durable transaction, or none of them (StoreError).

        Records are read before the first await. A cancelled commit may or may not have happened, never in part.
        """
        if not records:
            return
        connection = self._open_connection()
        try:
            writes = operations(records)
            if self._one_call:
                current = await self._commit_in_one_call(writes)
            else:
                async with self._turn:
                    await self._in_its_thread(self._must_be_in_place)
                    current = await self._commit_in_turn(connection, writes)
        except DATABASE_ERRORS as error:
            raise refusal(self._url, error) from None
        if not current:
            raise self._taken_over()

    async def confirm(self) -> None:
        """That these books are still ours. TakenOverError when they are not, StoreError when they do not answer."""
        connection = self._open_connection()
        async with self._turn:
            try:
                await self._in_its_thread(self._must_be_in_place)
                async with connection.begin():
                    current = (await connection.execute(text(_EPOCH_SQL))).scalar_one()
            except DATABASE_ERRORS as error:
                raise refusal(self._url, error) from None
        if self._epoch is not None and current != self._epoch:
            raise self._taken_over()

    async def save_config(self, content: str) -> bool:
        """Keep the text of a config that came into force; False when it is the newest one already."""
        connection = self._open_connection()
        digest = sha256(content.encode()).hexdigest()
        table = schema.CONFIG_VERSIONS
        async with self._turn:
            try:
                async with self._transaction(connection):
                    newest = select(table.c.digest).order_by(table.c.seq.desc()).limit(1)
                    if (await connection.execute(newest)).scalar() == digest:
                        return False
                    row = {"epoch": self._epoch or 0, "saved_ms": self._clock(), "digest": digest}
                    await connection.execute(insert(table).values(**row, content=content))
            except DATABASE_ERRORS as error:
                raise refusal(self._url, error) from None
        return True

    def _taken_over(self) -> TakenOverError:
        return TakenOverError(f"{self.name}: a newer daemon has taken over these books; this one must stop")

    async def _connect(self) -> None:
        if self._path is None:
            self._engine = create_async_engine(parse(self._url), hide_parameters=True, poolclass=NullPool)
        else:
            self._engine = create_async_engine(
                sqlite.writing_url(self._path, "sqlite+aiosqlite"),
                connect_args={"timeout": sqlite.BUSY_S},
                hide_parameters=True,
                poolclass=NullPool,
            )
            sqlite.prepare_writer(self._engine.sync_engine, self._path)
        self._connection = await self._engine.connect()
        async with self._connection.begin():
            await check_version(self._connection, self.name)
            self.version = await version_text(self._connection)
        self._driver = (await self._connection.get_raw_connection()).driver_connection
        self._prepared = {write: prepare(write, self._engine.dialect.name) for write in WRITES}

    @asynccontextmanager
    async def _transaction(self, connection: AsyncConnection) -> AsyncIterator[AsyncTransaction]:
        try:
            async with connection.begin() as transaction:
                yield transaction
        except BaseException:
            # SQLAlchemy leaves a transaction open when its COMMIT fails (a deferred key, a full disk).
            await self._driver.rollback()
            raise

    def _found(self) -> tuple[int, int] | None:
        """Which file lies where the books should be; None where there is none to be seen."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _must_be_in_place(self) -> None:
        """StoreError when no start would find what is written: SQLite goes on with a file that nobody can name.

        For the connection's thread: where the disk is a server that is gone, the question hangs as a write does.
        """
        if self._found() != self._file:
            raise StoreError(f"{self.name}: its file was moved, deleted or replaced; put it back, or stop the daemon")

    def _open_connection(self) -> AsyncConnection:
        if self._connection is None:
            raise StoreError(f"{self.name}: the books are not open")
        return self._connection

    async def _commit_in_one_call(self, writes: list[Operation]) -> bool:
        prepared = self._prepared
        bound = [(prepared[write].sql, prepared[write].bind(row)) for write, row in writes]
        fence = None if self._epoch is None else (_EPOCH_SQL, self._epoch)

        def work(books: sqlite3.Connection, *given: Any) -> bool:
            self._must_be_in_place()
            return sqlite.transact(books, *given)

        async with self._turn:
            return bool(await self._in_its_thread(work, self._driver._conn, bound, fence))  # noqa: SLF001

    async def _in_its_thread(self, work: Callable[..., object], *given: object) -> object:
        """Run this in the connection's thread: what the disk keeps waiting there keeps nobody else."""
        if self._path is None:
            return work(*given)
        # aiosqlite has no public way to run more than one statement in its thread at once; each of them
        # costs a hop between threads that is dearer than the statement.
        return await cast("Callable[..., Any]", self._driver._execute)(work, *given)  # noqa: SLF001

    async def _commit_in_turn(self, connection: AsyncConnection, writes: list[Operation]) -> bool:
        async with self._transaction(connection) as transaction:
            if self._epoch is not None:
                current = (await connection.execute(text(_EPOCH_SQL))).scalar_one()
                if current != self._epoch:
                    await transaction.rollback()
                    return False
            for write, row in writes:
                prepared = self._prepared[write]
                await connection.execute(prepared.statement, dict(zip(prepared.names, readable(row), strict=True)))
        return True


async def check_version(connection: AsyncConnection, name: str) -> None:
    """StoreError unless the tables are those of this program."""
    try:
        found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all()
    except DATABASE_ERRORS as error:
        if "no such table" not in str(error) and "does not exist" not in str(error):
            raise
        raise StoreError(f"{name}: it holds no books; {UPGRADE}") from None
    if found == [schema.VERSION]:
        return
    shown = ", ".join(found) or "none"
    if any(version > schema.VERSION for version in found):
        raise StoreError(f"{name}: made by a newer carrybot (version {shown}); install that one")
    raise StoreError(f"{name}: its version is {shown}, this program needs {schema.VERSION}; {UPGRADE}")


async def version_text(connection: AsyncConnection) -> str:
    """Such as `SQLite 3.40.1`."""
    if connection.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    numbers = connection.dialect.server_version_info or ()
    return f"{connection.dialect.name} {'.'.join(str(number) for number in numbers)}"

"""A read-only view of the books, for commands: beside a running daemon or while it is down."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from bot.ports import StoreError
from bot.store import sqlite
from bot.store.database import check_version
from bot.store.errors import DATABASE_ERRORS, UPGRADE, file_of, name_of, parse, refusal


class SqlReader:
    """Opens the books read-only; `snapshot` gives the connection that `queries` take.

    In SQLite the file is opened with `mode=ro`, so that no command can write or checkpoint. The folder must be
    writable by the user, since SQLite keeps its shared index of the WAL beside the file.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._path = file_of(url)
        self._engine: AsyncEngine | None = None
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self.name = name_of(url)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the books read-only. StoreError names what is missing and what to do."""
        try:
            if self._path is None:
                self._engine = create_async_engine(
                    parse(self._url),
                    hide_parameters=True,
                    poolclass=NullPool,
                    execution_options={"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"},
                )
            else:
                sqlite.must_be_file(self._path, UPGRADE)
                self._engine = create_async_engine(
                    sqlite.reading_url(self._path),
                    connect_args={"timeout": sqlite.BUSY_S},
                    hide_parameters=True,
                    poolclass=NullPool,
                )
                sqlite.prepare_reader(self._engine.sync_engine)
            self._connection = await self._engine.connect()
            async with self._connection.begin():
                await check_version(self._connection, self.name)
        except DATABASE_ERRORS as error:
            await self.close()
            raise refusal(self._url, error) from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        connection, engine = self._connection, self._engine
        self._connection = self._engine = None
        if connection is not None:
            await connection.close()
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """One state of the books for as many queries as needed; keep it short, it holds back the WAL.

        A second one waits for its turn: a connection has one transaction, and a daemon's is asked by several at once.
        """
        try:
            async with self._turn:
                if self._connection is None:
                    raise StoreError(f"{self.name}: the books are not open")
                async with self._connection.begin():
                    yield self._connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise refusal(self._url, error) from None

"""Migrations, run from the program itself.

`migrations/` must lie beside `bot/`: in a clone that is the project's root, in the container `/app`. An editable
install (`pip install -e .`) finds it there; a wheel without the folder does not, and says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from bot.ports import StoreError
from bot.store import sqlite
from bot.store.errors import DATABASE_ERRORS, file_of, name_of, parse, refusal
from bot.store.lock import WriterLock

FOLDER = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(url: str) -> str:
    """Make the books, or bring them to the newest version, in one transaction; returns that version.

    Blocking. The daemon must be down (StoreError otherwise) unless there is nothing to do.
    """
    config = _config()
    target = head()
    if current(url) == target:
        return target
    path = file_of(url)
    lock = None if path is None else WriterLock(path)
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        if lock is not None:
            lock.acquire()
        with _engine(url) as engine, engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        raise StoreError(f"{name_of(url)}: no way from its version to {target}; use the newer carrybot") from None
    except DATABASE_ERRORS as error:
        raise refusal(url, error) from None
    finally:
        if lock is not None:
            lock.release()
    return target


def current(url: str) -> str | None:
    """Version of the books; None when there are none yet. StoreError when it is something else.

    Read-only: a daemon may be writing, and a question must neither wait for its lock nor take it.
    """
    path = file_of(url)
    if path is not None and not path.exists():
        return None
    # What a crash left half done before the books were in WAL mode only a writer can undo.
    torn = path is not None and path.with_name(path.name + "-journal").exists()
    try:
        with _engine(url, writing=torn) as engine, engine.begin() as connection:
            return _version(connection)
    except DATABASE_ERRORS as error:
        raise refusal(url, error) from None


def head() -> str:
    """The newest version that `migrations/` leads to."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise StoreError(f"{FOLDER}: no migrations in it; restore the folder from the release")
    return newest


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    if not (FOLDER / "env.py").is_file():
        raise StoreError(f"{FOLDER}: the folder `migrations` is missing; it must lie beside `bot`")
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


@contextmanager
def _engine(url: str, *, writing: bool = True) -> Iterator[Engine]:
    """A blocking engine, since Alembic is blocking too."""
    path = file_of(url)
    if path is None:
        engine = create_engine(parse(url), hide_parameters=True, poolclass=NullPool)
    else:
        target = sqlite.writing_url(path, "sqlite") if writing else sqlite.reading_url(path, "sqlite")
        engine = create_engine(target, hide_parameters=True, poolclass=NullPool)
        if writing:
            sqlite.prepare_writer(engine, path)
    try:
        yield engine
    finally:
        engine.dispose()

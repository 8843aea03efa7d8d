"""The migrations make exactly the tables of the program, keep what is there, and happen whole or not at all."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import book_records as make
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import NullPool
from sqlalchemy.types import BigInteger, Integer, Text

from bot.domain.config import Limits
from bot.domain.market import SettledRate
from bot.domain.time import DAY_MS
from bot.ports import StoreError
from bot.risk.rules import r01_negative_funding
from bot.store import migrate, queries, schema
from bot.store.database import SqlStore
from bot.store.reader import SqlReader

LATER = """
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("receipts", sa.Column("note", sa.Text()))
    op.create_table("notes", sa.Column("id", sa.Text(), primary_key=True))
    {more}
"""


@pytest.fixture
def engine(path: Path):
    made = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    yield made
    made.dispose()


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations with room for one more; gives the file to write."""
    folder = tmp_path / "with space" / "migrations"
    shutil.copytree(migrate.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "FOLDER", folder)
    return folder / "versions" / "0005_later.py"


def write_later(later: Path, more: str = "") -> None:
    later.write_text(LATER.format(more=more))


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as books:
        return list(books.iterdump())


def tables(path: Path) -> dict[str, str]:
    query = "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL"
    with closing(sqlite3.connect(path)) as books:
        return {name: " ".join(sql.split()) for name, sql in books.execute(query) if name != "alembic_version"}


def test_alembic_finds_no_difference(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.METADATA) == []


def test_the_very_statements_are_the_same(path: Path, tmp_path: Path) -> None:
    """Alembic compares neither primary keys nor STRICT and WITHOUT ROWID."""
    direct = tmp_path / "direct.db"
    made = create_engine(f"sqlite:///{direct}", poolclass=NullPool)
    schema.METADATA.create_all(made)
    made.dispose()

    def parts(sql: str) -> list[str]:
        return sorted(sql.replace("(", ",").replace(")", ",").split(", "))

    migrated = {name: parts(sql) for name, sql in tables(path).items()}
    assert migrated == {name: parts(sql) for name, sql in tables(direct).items()}


def test_no_column_is_a_float(engine: Engine) -> None:
    found = inspect(engine)
    names = set(found.get_table_names()) - {"alembic_version"}
    assert names == set(schema.METADATA.tables)
    for table in names:
        for column in found.get_columns(table):
            assert isinstance(column["type"], Integer | BigInteger | Text), (table, column)
    with engine.connect() as connection:
        strict = dict(connection.exec_driver_sql("SELECT name, strict FROM pragma_table_list").fetchall())
    assert all(strict[name] for name in names)


def test_the_programs_version_is_the_newest_migration(url: str) -> None:
    assert schema.VERSION == migrate.head() == migrate.current(url)


def test_upgrade_makes_folder_and_file_and_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "data" / "deep" / "books.db"
    url = f"sqlite:///{path}"
    assert migrate.current(url) is None
    assert not path.exists()
    assert migrate.upgrade(url) == schema.VERSION
    before = dump(path)
    assert migrate.upgrade(url) == schema.VERSION
    assert dump(path) == before


async def test_an_upgrade_keeps_what_is_there(url: str, path: Path, later: Path) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.receipt(1), make.intent(1), make.transaction(1), make.hedge(1)))
    write_later(later)
    assert migrate.upgrade(url) == migrate.current(url) == "0005"
    with closing(sqlite3.connect(path)) as books:
        assert books.execute("SELECT venue_id, payment, note FROM receipts").fetchall() == [("r1", "1.25", None)]
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            books.execute("DELETE FROM receipts")
        books.execute("UPDATE alembic_version SET version_num = '0004'")
        books.commit()
    async with SqlReader(url) as reader, reader.snapshot() as connection:
        assert [hedge.id for hedge in await queries.hedges(connection)] == ["h1"]


async def test_a_failing_upgrade_changes_nothing(url: str, path: Path, later: Path) -> None:
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.receipt(1)))
    before = dump(path)
    write_later(later, 'op.execute("INSERT INTO notes VALUES (NULL), (1, 2)")')
    with pytest.raises(StoreError, match=r"books\.db: the database refused"):
        migrate.upgrade(url)
    assert dump(path) == before
    async with SqlStore(url) as store:
        await store.commit(make.persist(make.receipt(2)))


async def test_no_upgrade_under_a_running_daemon(url: str, later: Path) -> None:
    write_later(later)
    async with SqlStore(url):
        with pytest.raises(StoreError, match="another carrybot is running"):
            migrate.upgrade(url)
    assert migrate.upgrade(url) == "0005"


def test_the_version_is_told_while_another_process_commits(url: str, path: Path) -> None:
    """`check` and `db check` beside a daemon in a long commit: they advised to stop that process."""
    with closing(sqlite3.connect(path, isolation_level=None)) as daemon:
        daemon.execute("PRAGMA journal_mode = WAL")
        daemon.execute("BEGIN IMMEDIATE")
        assert migrate.current(url) == migrate.upgrade(url) == schema.VERSION
        daemon.execute("INSERT INTO epochs VALUES (1, 1)")
        daemon.execute("COMMIT")


def test_a_journal_that_a_crash_left_is_rolled_back(tmp_path: Path) -> None:
    """Books that were just restored are no WAL database yet; their first writer was killed."""
    books, copy = tmp_path / "restored.db", tmp_path / "books.db"
    migrate.upgrade(f"sqlite:///{books}")
    with closing(sqlite3.connect(books, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = DELETE")
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.executemany("INSERT INTO epochs VALUES (?, 1)", [(number,) for number in range(1, 50_000)])
        shutil.copy(books, copy)
        shutil.copy(tmp_path / "restored.db-journal", tmp_path / "books.db-journal")
        writer.execute("ROLLBACK")
    assert migrate.upgrade(f"sqlite:///{copy}") == schema.VERSION
    with closing(sqlite3.connect(copy)) as found:
        assert found.execute("SELECT count(*) FROM epochs").fetchone() == (0,)


def test_an_upgrade_that_finds_a_newer_version(url: str, path: Path) -> None:
    with closing(sqlite3.connect(path)) as books:
        books.execute("UPDATE alembic_version SET version_num = '9999'")
        books.commit()
    with pytest.raises(StoreError, match="use the newer carrybot"):
        migrate.upgrade(url)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    other = tmp_path / "books.db"
    other.write_text("not a database " * 100)
    for call in (migrate.upgrade, migrate.current):
        with pytest.raises(StoreError, match=r"books\.db: it is not a SQLite database"):
            call(f"sqlite:///{other}")


def test_missing_migrations_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "nowhere")
    with pytest.raises(StoreError, match="must lie beside `bot`"):
        migrate.upgrade(f"sqlite:///{tmp_path}/books.db")


async def test_the_older_memory_of_funding_days_goes_on(tmp_path: Path) -> None:
    """The day that runs is kept, what was judged stays judged, and history delivered again counts no more."""
    url, path = f"sqlite:///{tmp_path}/books.db", tmp_path / "books.db"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    day = make.T0 // DAY_MS
    with closing(sqlite3.connect(path)) as books:
        row = "INSERT INTO coin_states VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        noon = day * DAY_MS + DAY_MS // 2
        books.execute(row, ("binance", "SOL", 1, noon, day, "-0.00012", 4, 0, 0, None, ""))
        books.execute(
            row, ("binance", "SOL", -1, day * DAY_MS, None, "0", 0, 1, 1, 7, "R1: 5 days of negative funding")
        )
        books.commit()
    migrate.upgrade(url)
    async with SqlStore(url) as store:
        long, short = (await store.load()).removals
    assert (short.negative_days, short.day, short.day_carry) == (4, day, make.D("-0.00012"))
    assert (long.removed, long.removed_ms, long.positive_days, long.day) == (True, 7, 1, None)

    def settled(hour: int, rate: str) -> SettledRate:
        return SettledRate(make.PERP, day * DAY_MS + hour * 3_600_000, make.D(rate), 4 * 3600)

    for hour in (-8, 8, 12):
        assert r01_negative_funding.count(short, settled(hour, "9"), Limits()) is None
    assert r01_negative_funding.count(short, settled(20, "0.0001"), Limits()) is None
    assert r01_negative_funding.count(short, settled(24, "0.00001"), Limits()) == "removed"
    assert short.negative_days == 5
    assert r01_negative_funding.count(short, settled(16, "0.00002"), Limits()) == "readmitted"
    assert short.negative_days == 0, "16:00 came late: the day's sum is +0.00001"


def test_a_downgrade_is_refused() -> None:
    script = ScriptDirectory.from_config(migrate._config())
    with pytest.raises(RuntimeError, match="restore the backup"):
        script.get_revision("0001").module.downgrade()

"""The write statements: built once for each table, in the database's own dialect, and kept."""

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import Enum, auto
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Dialect, FunctionElement, Insert, Table, Text, bindparam, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from bot.domain.numbers import text
from bot.ports import StoreError
from bot.store.types import Money, money_text

EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])
"""Sums of money: rounding is an error, not a habit."""

SQLITE_ADD = "carrybot_add"

_DIALECTS: dict[str, Dialect] = {name: make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql")}
"""Without a driver: SQLite's parameters are question marks, as its driver takes them."""


class How(Enum):
    INSERT = auto()
    """A second row of the same key is an error."""
    UPSERT = auto()
    """The row of the key is overwritten."""
    KEEP = auto()
    """An existing row of the key stays as it is."""
    ADD = auto()
    """Money and counters are added to those of the existing row of the key."""


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A kind of row to write: one constant each, told apart by identity.

    Rows are tuples in the order of `columns` (all but an automatic `seq`).
    """

    table: Table
    how: How = How.INSERT

    @property
    def columns(self) -> list[str]:
        return [column.name for column in self.table.columns if column.name != "seq"]


Operation = tuple[Write, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One write for one dialect: the statement, its SQL text, and where its row has money."""

    statement: Insert
    sql: str
    names: tuple[str, ...]
    money: tuple[int, ...]

    def bind(self, row: tuple[object, ...]) -> list[object]:
        """The row as SQLite's driver takes it."""
        bound = readable(row)
        for index in self.money:
            bound[index] = money_text(bound[index])
        return bound


def readable(row: tuple[object, ...]) -> list[object]:
    """With a question mark for half a character: one such text, be it a reason of a venue's, would have this commit
    and all that come after it refused."""
    return [
        value.encode(errors="replace").decode() if isinstance(value, str) and not value.isascii() else value
        for value in row
    ]


class exact_sum(FunctionElement[Any]):  # noqa: N801  SQL functions are lower case
    """Exact sum of two money texts inside the database."""

    inherit_cache = True
    type = Text()


@compiles(exact_sum, "sqlite")
def _sum_in_sqlite(element: exact_sum, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{SQLITE_ADD}({compiler.process(element.clauses, **kw)})"


@compiles(exact_sum, "postgresql")
def _sum_in_postgresql(element: exact_sum, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(trim_scale(CAST({first} AS NUMERIC) + CAST({second} AS NUMERIC)) AS TEXT)"


def add_texts(first: str, second: str) -> str:
    """What `carrybot_add` does in SQLite: the exact sum of two money texts. decimal.Inexact if it cannot be."""
    return text(EXACT.add(Decimal(first), Decimal(second)))


@cache
def prepare(write: Write, dialect: str) -> Prepared:
    """Build the statement. Dialects other than `sqlite` and `postgresql` have no upsert here: StoreError."""
    columns = [write.table.c[name] for name in write.columns]
    statement = _insert(write, dialect).values({column.name: bindparam(column.name) for column in columns})
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    return Prepared(
        statement=statement,
        sql=str(compiled),
        names=tuple(write.columns),
        money=tuple(index for index, column in enumerate(columns) if isinstance(column.type, Money)),
    )


def _insert(write: Write, dialect: str) -> Insert:
    table = write.table
    if dialect == "sqlite":
        return _on_conflict(sqlite.insert(table), write)
    if dialect == "postgresql":
        return _on_conflict(postgresql.insert(table), write)
    raise StoreError(f"books in {dialect} are not supported; use SQLite or PostgreSQL")


def _on_conflict(statement: sqlite.Insert | postgresql.Insert, write: Write) -> Insert:
    table = write.table
    keys = [column.name for column in table.primary_key]
    rest = [name for name in write.columns if name not in keys]
    match write.how:
        case How.INSERT:
            return statement
        case How.KEEP:
            return statement.on_conflict_do_nothing(index_elements=keys)
        case How.UPSERT:
            changes = {name: statement.excluded[name] for name in rest}
            return statement.on_conflict_do_update(index_elements=keys, set_=changes)
        case How.ADD:
            sums = {name: _sum(table.c[name], statement.excluded[name]) for name in rest}
            return statement.on_conflict_do_update(index_elements=keys, set_=sums)


def _sum(stored: ColumnElement[Any], added: ColumnElement[Any]) -> ColumnElement[Any]:
    return exact_sum(stored, added) if isinstance(stored.type, Money) else stored + added

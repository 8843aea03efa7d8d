"""Another database is a matter of the URL: every statement and table compiles for PostgreSQL (none is run here)."""

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from bot.ports import StoreError
from bot.store import schema
from bot.store.statements import How, Write, prepare
from bot.store.writers import BALANCE, WRITES


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write.table.name}-{write.how.name}")
def test_writes_compile(write: Write) -> None:
    sql = prepare(write, "postgresql").sql
    assert ("ON CONFLICT" in sql) == (write.how is not How.INSERT)


def test_sums_are_exact_numerics() -> None:
    sql = prepare(BALANCE, "postgresql").sql
    assert "CAST(ledger_balances.balance AS NUMERIC) + CAST(excluded.balance AS NUMERIC)" in sql


def test_tables_compile_with_64_bit_times() -> None:
    dialect = postgresql.dialect()
    for table in schema.METADATA.sorted_tables:
        ddl = str(CreateTable(table).compile(dialect=dialect))
        assert "STRICT" not in ddl
        assert " INTEGER" not in ddl
        for index in table.indexes:
            CreateIndex(index).compile(dialect=dialect)


def test_other_databases_are_refused() -> None:
    with pytest.raises(StoreError, match="not supported"):
        prepare(WRITES[0], "mysql")

"""The rows of a two-leg intent in plain tables: as many rows and columns as the books', without their rules.

Plain means: a primary key, no other index, no foreign key, no trigger; WAL and synchronous FULL as in the books.
"""

import sqlite3
from pathlib import Path

Rows = list[tuple[str, list[object]]]
TABLES = {"order_intents": 13, "orders": 10, "hedges": 19, "legs": 8, "rule_memory": 5}
"""Columns of each plain table; the first is its key."""


def two_leg_rows(number: int) -> Rows:
    """Two intents, their two orders, what they take of a budget, the hedge and its two legs, made up and short;
    `number` makes new keys."""
    found: Rows = []
    for leg in range(2):
        client_id = f"cb1-3-{number + leg}"
        found.append(insert("order_intents", [client_id, "h3", leg, "binance", "binance:QACUSDT:spot", *"abcdefgh"]))
        found.append(insert("orders", [client_id, "intended", None, "0", "0", None, 0, 0, 0, 0]))
    found.append(insert("rule_memory", ["budget-orders:07", "", "orders:07", "2", 0]))
    found.append(insert("hedges", ["h3", 3, "cash_and_carry", "QAC", "binance", "opening", *["0"] * 13]))
    found += [
        insert("legs", [f"h3-{leg}", leg, "binance:QACUSDT:spot", "spot", 1, "0", "0", "0"]) for leg in range(2)
    ]
    return found


def insert(table: str, row: list[object]) -> tuple[str, list[object]]:
    """One row; its first value is the key."""
    assert len(row) == TABLES[table], (table, len(row))
    return f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(row))})", row


class PlainBooks:
    """One sqlite3 connection, used in the caller's thread."""

    def __init__(self, path: Path, tables: bool = True) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self.connection.execute(f"PRAGMA {pragma}")
        for table, columns in TABLES.items() if tables else ():
            names = ",".join(f"c{i}" for i in range(1, columns))
            self.connection.execute(f"CREATE TABLE {table} (c0 TEXT PRIMARY KEY, {names}) WITHOUT ROWID")

    def commit(self, rows: Rows) -> None:
        """All rows in one durable transaction."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        for sql, row in rows:
            execute(sql, row)
        execute("COMMIT")

    def close(self) -> None:
        self.connection.close()

"""The simulator's durable state: one SQLite file, one connection, synchronous FULL.

`save` is called before a client is told that something happened; after `kill -9` the next process finds all
that was ever acknowledged. History (orders, trades, incomes, transfers) is upserted row by row, the small
live state is replaced whole, both in one transaction.
"""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.simulator.exchange.interface import Checkpoint, JournalRecord

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    kind TEXT NOT NULL, api_key TEXT NOT NULL, id INTEGER NOT NULL, at_ms INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (kind, api_key, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
"""


class StateError(Exception):
    """A state file that this version cannot continue."""


class StateStore:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = os.open(path.with_suffix(".clock"), os.O_RDWR | os.O_CREAT, 0o644)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        found = self.load_state("version")
        if found is None:
            self._db.execute("INSERT INTO state VALUES ('version', ?)", (str(SCHEMA_VERSION),))
        elif found != SCHEMA_VERSION:
            raise StateError(f"{path}: state version {found}, this program writes {SCHEMA_VERSION}")

    def load_state(self, name: str) -> Any | None:
        row = self._db.execute("SELECT body FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def load_records(self) -> list[JournalRecord]:
        rows = self._db.execute("SELECT kind, api_key, id, at_ms, row FROM record ORDER BY at_ms, id")
        return [JournalRecord(kind, key, number, at, json.loads(row)) for kind, key, number, at, row in rows]

    def save(self, checkpoint: Checkpoint | None, states: Mapping[str, Any]) -> None:
        """One transaction: the checkpoint's records, its live state as `exchange`, and other named states."""
        bodies = dict(states)
        records: Sequence[JournalRecord] = ()
        if checkpoint is not None:
            records, bodies["exchange"] = checkpoint.records, checkpoint.state
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)",
                [(r.table, r.api_key, r.id, r.at_ms, json.dumps(r.row)) for r in records],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO state VALUES (?, ?)",
                [(name, json.dumps(body)) for name, body in bodies.items()],
            )
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def note_market_ms(self, market_ms: int) -> None:
        """Remembers how far clients have seen the market; unlike `save` it may be lost with the machine's power.

        A number of fixed width in a file of its own: it costs no fsync, and the kernel keeps it after kill -9.
        """
        os.pwrite(self._clock, f"{market_ms:020d}".encode(), 0)

    def noted_market_ms(self) -> int | None:
        """The later of the noted and the saved market time; None for a fresh state."""
        text = os.pread(self._clock, 20, 0)
        saved = (self.load_state("clock") or {}).get("market_ms")
        known = [int(text)] if text.isdigit() else []
        known += [int(saved)] if saved is not None else []
        return max(known, default=None)

    def close(self) -> None:
        self._db.close()
        os.close(self._clock)

"""P5: the durable commit of a two-leg intent. Options: folder, samples, warm.

Side by side, each commit of one after the same commit of the others, on the same disk:
`product` SqlStore.commit of the records that the engine persists with a PlaceOrders of two legs;
`same_sql` its very statements and tables through plain sqlite3, in the caller's thread;
`plain` the same values into tables without further indexes, keys and triggers;
`fsync` 4 KiB appended to a file and synced.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import uvloop

from benchmarks import child, rows, shell, world
from benchmarks.catalogue import coins
from benchmarks.order_product import CASH_USD, config
from bot.domain.actions import Persist, PlaceOrders
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge
from bot.domain.orders import OrderIntent, OrderRecord
from bot.domain.time import Stamp
from bot.engine.core import step
from bot.runtime.snapshot import snapshot
from bot.store import writers
from bot.store.migrate import upgrade
from bot.store.statements import SQLITE_ADD, add_texts, prepare

COINS, COIN = 24, "QAC"
PREPARED = {write: prepare(write, "sqlite") for write in writers.WRITES}


def decided() -> tuple[list[Persist], list[Persist]]:
    """What led to a two-leg decision, and the records of that one step, as the engine makes them."""
    listed = coins(COINS)
    made = world.build(listed, config(COIN), CASH_USD, hold_back=COIN)
    coin = next(c for c in listed if c.name == COIN)
    now = Stamp(made.now.seq + 1, made.now.market_ms, made.now.mono_ms)
    actions = step(made.state, world.perp_quote(coin), now)
    assert [len(a.intents) for a in actions if isinstance(a, PlaceOrders)] == [2], "the armed hedge did not move"
    return made.records, [snapshot(a) for a in actions if isinstance(a, Persist)]


def renumbered(records: list[Persist], number: int) -> list[Persist]:
    """The same records as a later decision of the same hedge: new client ids, the rest as it is."""
    names: dict[str, str] = {}
    found: list[Persist] = []
    for persist in records:
        record = persist.record
        if isinstance(record, OrderIntent):
            names[record.client_id] = f"cb1-3-{number + len(names)}"
            found.append(Persist(replace(record, client_id=names[record.client_id])))
        elif isinstance(record, OrderRecord):
            intent = replace(record.intent, client_id=names[record.intent.client_id])
            found.append(Persist(replace(record, intent=intent)))
        else:
            assert isinstance(record, Hedge | Remembered), f"a two-leg intent also persists {type(record).__name__}"
            found.append(persist)
    return found


def bound(records: list[Persist]) -> rows.Rows:
    """The product's own statements and values for these records."""
    return [(PREPARED[write].sql, PREPARED[write].bind(row)) for write, row in writers.operations(records)]


def plain(records: list[Persist]) -> rows.Rows:
    """The same values for the plain tables, whose key is one column: a leg's is its hedge and its number, a figure's
    its rule and its name."""
    found = []
    for write, row in writers.operations(records):
        values = PREPARED[write].bind(row)
        if write is writers.LEG:
            values[0] = f"{values[0]}-{values[1]}"
        elif write is writers.MEMORY:
            values[0] = f"{values[0]}-{values[2]}"
        found.append(rows.insert(write.table.name, values))
    return found


def same_tables(path: Path) -> rows.PlainBooks:
    """Plain sqlite3 on the books' own tables."""
    upgrade(f"sqlite:///{path}")
    books = rows.PlainBooks(path, tables=False)
    for pragma in ("foreign_keys = ON", "recursive_triggers = ON"):
        books.connection.execute(f"PRAGMA {pragma}")
    books.connection.create_function(SQLITE_ADD, 2, add_texts, deterministic=True)
    return books


async def run(options: dict[str, Any], folder: Path) -> None:
    before, step_records = decided()
    store = await shell.open_books(folder / "product", before)
    same = same_tables(_made(folder / "same") / "books.db")
    same.commit(bound(before))
    bare = rows.PlainBooks(folder / "plain.db")
    synced = os.open(folder / "synced", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    page = b"x" * 4096
    # All of a step's records are made before its clock starts; binding values is part of the product's commit.
    for _ in range(options["repeats"] + 1):
        found: dict[str, list[float]] = {"product": [], "same_sql": [], "plain": [], "fsync": []}
        for sample in range(options["samples"]):
            number = 1_000_000 + 2 * (len(DONE) + sample)
            records = renumbered(step_records, number)
            statements = bound(records)
            plain_rows = plain(records)

            began = perf_counter_ns()
            await store.commit(records)
            found["product"].append((perf_counter_ns() - began) / 1000)

            began = perf_counter_ns()
            same.commit(statements)
            found["same_sql"].append((perf_counter_ns() - began) / 1000)

            began = perf_counter_ns()
            bare.commit(plain_rows)
            found["plain"].append((perf_counter_ns() - began) / 1000)

            began = perf_counter_ns()
            os.write(synced, page)
            os.fsync(synced)
            found["fsync"].append((perf_counter_ns() - began) / 1000)
        if DONE:
            child.say(**found, rows=len(statements), records=len(step_records))
        DONE.extend(range(options["samples"]))
    os.close(synced)
    same.close()
    bare.close()
    await store.close()


DONE: list[int] = []
"""One entry for each sample that is over; the first round only warms up."""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    chosen = child.options()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen["folder"]) as name:
        uvloop.run(run(chosen, Path(name)))

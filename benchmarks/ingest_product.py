"""P1, the product: streams, decoding, inbox, consumer, engine.

Options: uris by line, coins, warm_s, seconds.
"""

import asyncio
import random
import resource
import tempfile
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import uvloop

from benchmarks import child, shell, world
from benchmarks.catalogue import VENUE, coins, venue_listed
from bot.domain.config import CoreConfig
from bot.domain.events import Event
from bot.domain.market import Mark, Quote
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.market_lines import market_lines
from bot.venues.binance.streams import Line, StreamKeeper
from bot.venues.binance.symbols import SymbolBook

LOG_NOTHING = lambda *_: None  # noqa: E731


def lead(line: Line, uris: dict[str, str]) -> Line:
    """The adapter's own line, its URI led to the local server."""

    async def local() -> str:
        return uris[line.name]

    line.uri = local
    return line


async def run(options: dict[str, Any], folder: Path) -> None:
    listed = coins(options["coins"])
    made = world.build(listed, CoreConfig(), Decimal(1_000_000))
    store = await shell.open_books(folder, made.records)
    clock = MarketClock()
    clock.observe(made.now.market_ms)
    received = 0

    async with (
        shell.running(made, shell.WorldClock(clock.now_ms, made), store, {}) as product,
        asyncio.TaskGroup() as tasks,
    ):
        put = product.deliver

        def deliver(event: Event) -> None:
            nonlocal received
            received += isinstance(event, Quote | Mark)
            put(event)

        book = SymbolBook.of(venue_listed(listed).instruments)
        keeper = StreamKeeper(None, deliver, LOG_NOTHING, random.Random(1))
        lines = [lead(line, options["uris"]) for line in market_lines(VENUE, lambda: book, deliver, clock)]
        kept = [tasks.create_task(keeper.keep(line)) for line in lines]
        await asyncio.sleep(options["warm_s"])
        before, events, coalesced = received, product.counters.events, product.inbox.coalesced
        began, cpu = perf_counter(), process_time()
        await asyncio.sleep(options["seconds"])
        cpu, took = process_time() - cpu, perf_counter() - began
        child.say(
            messages=received - before,
            cpu_us=cpu * 1e6 / (received - before),
            per_s=(received - before) / took,
            stepped=product.counters.events - events,
            coalesced=product.inbox.coalesced - coalesced,
            step_us=product.counters.steps_ms * 1e3 / max(1, product.counters.events),
            hedges=len(made.state.hedges),
            malformed=keeper.complaints.count,
            orders=product.counters.orders_sent,
            resident_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
        for task in kept:
            task.cancel()
    await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        uvloop.run(run(child.options(), Path(name)))

"""P2, the product: adapter, inbox, consumer, engine, books, dispatcher.

Options: port, ca_file, coins, coin, folder.
"""

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import child, shell, world
from benchmarks.catalogue import VENUE, coins, venue_listed
from bot.domain.config import CoreConfig, Execution, Limits
from bot.venues.binance.venue import BinanceVenue
from bot.venues.transport import Transport

CASH_USD = Decimal(10_000_000)


def config(coin: str) -> CoreConfig:
    """Small hedges of every coin; `coin` is built in so many slices that a run does not end it."""
    return CoreConfig(
        execution=Execution(slice_usd=Decimal(1_000)),
        limits=Limits(per_coin_cap=Decimal("0.0005"), per_coin_cap_overrides={coin: Decimal("0.2")}),
    )


async def run(options: dict[str, Any], folder: Path) -> None:
    listed = coins(options["coins"])
    made = world.build(listed, config(options["coin"]), CASH_USD, hold_back=options["coin"])
    store = await shell.open_books(folder, made.records)
    transport = Transport("127.0.0.1", options["port"], Path(options["ca_file"]))
    venue = BinanceVenue(VENUE, "main", "key", "secret", transport=transport)
    await venue.connect()
    found = await venue.fetch_listing()
    assert {i.id for i in found.instruments} == {i.id for i in venue_listed(listed).instruments}
    async with shell.running(made, shell.WorldClock(venue.market_ms, made), store, {VENUE: venue}) as product:
        streams = asyncio.get_running_loop().create_task(venue.run(product.deliver))
        child.say(ready=True)
        await child.told()
        counters = product.counters
        child.say(
            **counters.values(),
            commit_us=counters.commits_ms * 1000 / max(1, counters.commits),
            emitted=product.emitted,
            said=list(product.said),
            hedges=len(made.state.hedges),
            held=str(world.hedge_of(made, options["coin"]).size_base),
        )
        streams.cancel()
        await asyncio.wait([streams])
    await venue.close()
    await store.close()


if __name__ == "__main__":
    chosen = child.options()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen["folder"]) as name:
        uvloop.run(run(chosen, Path(name)))

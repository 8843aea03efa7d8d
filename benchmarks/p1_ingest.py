"""P1: CPU of one market message and messages a second, product and bare in turns."""

import asyncio
from typing import Any

from benchmarks.catalogue import VENUE, venue_listed
from benchmarks.catalogue import coins as coins_of
from benchmarks.child import Child, measure

SIDES = ("product", "bare")
PACES = ("paced", "full")


async def uris(count: int) -> dict[str, str]:
    """The adapter's own connections by name: first label of the host, path and query of each."""
    from bot.venues.binance.clock import MarketClock
    from bot.venues.binance.market_lines import market_lines
    from bot.venues.binance.symbols import SymbolBook

    book = SymbolBook.of(venue_listed(coins_of(count)).instruments)
    found = {}
    for line in market_lines(VENUE, lambda: book, lambda _: None, MarketClock()):
        host, _, path = (await line.uri()).removeprefix("wss://").partition("/")
        found[line.name] = f"{host.split('.')[0]}/{path}"
    return found


def run(coins: int, warm_s: float, seconds: float, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Answers of the measuring processes by `<pace>_<side>`."""
    found: dict[str, list[dict[str, Any]]] = {f"{pace}_{side}": [] for pace in PACES for side in SIDES}
    lines = asyncio.run(uris(coins))
    with Child("feed_server", {"coins": coins}) as feed:
        server = f"ws://127.0.0.1:{feed.answer(15)['port']}"
        for _ in range(repeats):
            for pace in PACES:
                for side in SIDES:
                    led = {name: f"{server}/{pace}/{path}" for name, path in lines.items()}
                    options = {"uris": led, "coins": coins, "warm_s": warm_s, "seconds": seconds}
                    found[f"{pace}_{side}"].append(measure(f"ingest_{side}", options, 60 + warm_s + seconds))
    return found

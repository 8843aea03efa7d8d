"""P1, the bare limit: websockets and msgspec into a dictionary, nothing else. Options as in ingest_product."""

import asyncio
import resource
from time import perf_counter, process_time

import msgspec
import uvloop
import websockets

from benchmarks import child
from benchmarks.catalogue import VENUE, coins, venue_listed
from benchmarks.ingest_product import local_uri
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.market_lines import market_lines
from bot.venues.binance.symbols import SymbolBook


class Quote(msgspec.Struct, gc=False):
    s: str
    b: str
    B: str
    a: str
    A: str


class QuoteFrame(msgspec.Struct, gc=False):
    data: Quote


class Mark(msgspec.Struct, gc=False):
    s: str
    p: str
    i: str
    r: str
    T: int
    E: int


class MarkFrame(msgspec.Struct, gc=False):
    data: Mark


async def run(options: dict) -> None:
    state: dict[str, Quote | Mark] = {}
    received = 0

    async def read(uri: str, decoder: msgspec.json.Decoder, side: str) -> None:
        nonlocal received
        async with websockets.connect(uri, compression=None, ping_interval=None, max_queue=256, proxy=None) as socket:
            receive = socket.recv
            while True:
                data = decoder.decode(await receive(decode=False)).data
                state[side + data.s] = data
                received += 1

    # The same connections as the product's, by its own list of them.
    book = SymbolBook.of(venue_listed(coins(options["coins"])).instruments)
    lines = market_lines(VENUE, book, lambda _: None, MarketClock())
    kinds = {"quotes": msgspec.json.Decoder(QuoteFrame), "marks": msgspec.json.Decoder(MarkFrame)}
    async with asyncio.TaskGroup() as tasks:
        kept = []
        for line in lines:
            uri = local_uri(await line.uri(), options["port"], options["pace"])
            side, kind, _ = line.name.split("-")
            kept.append(tasks.create_task(read(uri, kinds[kind], side + kind)))
        await asyncio.sleep(options["warm_s"])
        before, began, cpu = received, perf_counter(), process_time()
        await asyncio.sleep(options["seconds"])
        cpu, took = process_time() - cpu, perf_counter() - began
        child.say(
            messages=received - before,
            cpu_us=cpu * 1e6 / (received - before),
            per_s=(received - before) / took,
            subjects=len(state),
            resident_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
        for task in kept:
            task.cancel()


if __name__ == "__main__":
    uvloop.run(run(child.options()))

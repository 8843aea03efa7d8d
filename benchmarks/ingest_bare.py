"""P1, the bare limit: websockets and msgspec into a dictionary, nothing else. Options as in ingest_product."""

import asyncio
import resource
from time import perf_counter, process_time
from typing import Any

import msgspec
import uvloop
import websockets

from benchmarks import child


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


async def run(options: dict[str, Any]) -> None:
    state: dict[str, Quote | Mark] = {}
    received = 0

    async def read(uri: str, decoder: Any, side: str) -> None:
        nonlocal received
        async with websockets.connect(
            uri, compression=None, ping_interval=None, max_queue=256, close_timeout=1, proxy=None
        ) as socket:
            receive = socket.recv
            while True:
                data = decoder.decode(await receive(decode=False)).data
                state[side + data.s] = data
                received += 1

    kinds = {"quotes": msgspec.json.Decoder(QuoteFrame), "marks": msgspec.json.Decoder(MarkFrame)}
    async with asyncio.TaskGroup() as tasks:
        kept = []
        for name, uri in options["uris"].items():
            side, kind, _ = name.split("-")
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

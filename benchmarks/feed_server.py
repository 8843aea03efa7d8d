"""A process that streams market frames on loopback, without TLS. Option: coins.

The path names the pace (`/paced/...` or `/full/...`), the query the streams, as on Binance. Paced connections send
QUOTES_PER_S quotes of each symbol and one mark price of each perpetual a second; with 200 coins that is 2,000
messages a second over all connections. Full ones send as fast as the client reads.
"""

import asyncio
from time import perf_counter
from urllib.parse import urlsplit

import uvloop

from benchmarks import child
from benchmarks.catalogue import NOW_MS, Coin, coins, mark_frame, perp_frame, spot_frame
from benchmarks.peer import Peer, text_frame

QUOTES_PER_S = 4.5
MARKS_PER_S = 1.0
TICK_S = 0.001
ROUNDS = 8
"""Different frames of each symbol before they repeat."""
CHUNK = 64
"""Frames of one write at full speed."""


def frames_of(streams: list[str], known: dict[str, Coin], *, perp: bool) -> list[bytes]:
    """Ready-made websocket frames of these streams, round after round; neighbours in a round are other symbols."""
    found = []
    for number in range(ROUNDS):
        shift = ((number * 5) % ROUNDS - ROUNDS / 2) * 2e-5
        for stream in streams:
            name, _, kind = stream.partition("@")
            coin = known[name]
            if kind.startswith("markPrice"):
                frame = mark_frame(coin, number, NOW_MS + number)
            elif perp:
                frame = perp_frame(coin, number, NOW_MS + number, shift)
            else:
                frame = spot_frame(coin, number, shift)
            found.append(text_frame(frame))
    return found


class FeedServer:
    """Remembers a task for each connection; a closed one ends its own."""

    def __init__(self, listed: list[Coin]) -> None:
        self._known = {coin.symbol.lower(): coin for coin in listed}
        self._tasks: dict[Peer, asyncio.Task[None]] = {}

    def peer(self) -> Peer:
        return Peer(lambda call: call.peer.reply(b"{}", "404 Not Found"), self._begin, lambda *_: None, self._end)

    def _begin(self, peer: Peer) -> None:
        url = urlsplit(peer.target)
        _, pace, market, _ = url.path.split("/", 3)
        streams = url.query.partition("streams=")[2].split("/")
        frames = frames_of(streams, self._known, perp=market == "fstream")
        if pace == "full":
            work = _full(peer, frames)
        else:
            per_s = MARKS_PER_S if "markPrice" in streams[0] else QUOTES_PER_S
            work = _paced(peer, frames, per_s * len(streams))
        loop = asyncio.get_running_loop()
        self._tasks[peer] = loop.create_task(work)

    def _end(self, peer: Peer) -> None:
        task = self._tasks.pop(peer, None)
        if task is not None:
            task.cancel()


async def _paced(peer: Peer, frames: list[bytes], per_s: float) -> None:
    began, sent = perf_counter(), 0
    while True:
        due = int((perf_counter() - began) * per_s)
        while sent < due:
            peer.transport.write(frames[sent % len(frames)])
            sent += 1
        await asyncio.sleep(TICK_S)


async def _full(peer: Peer, frames: list[bytes]) -> None:
    chunks = [b"".join(frames[i : i + CHUNK]) for i in range(0, len(frames), CHUNK)]
    while True:
        for chunk in chunks:
            await peer.writable.wait()
            peer.transport.write(chunk)
        await asyncio.sleep(0)


async def serve(count: int) -> None:
    server = FeedServer(coins(count))
    listening = await asyncio.get_running_loop().create_server(server.peer, "127.0.0.1", 0)
    child.say(port=listening.sockets[0].getsockname()[1])
    await child.told()
    listening.close()


if __name__ == "__main__":
    uvloop.run(serve(child.options()["coins"]))

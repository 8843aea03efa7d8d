"""The venue of P2: one TLS server that answers at once, and the stopwatch. Options: coins, coin, samples, gap_ms.

A sample sends one frame to one client and waits for both legs' requests; times are this process' perf_counter, from
just before the frame is written until the last byte of a request is read. The three clients take turns.

The product's turn: the frame improves the perpetual's price, for which an armed hedge waits. When both orders are
here the price is made bad again, then both orders are answered as filled, so that the hedge waits once more.
"""

import asyncio
import json
import ssl
import tempfile
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Any

import trustme
import uvloop

from benchmarks import catalogue, child
from benchmarks.catalogue import NOW_MS, Coin
from benchmarks.peer import Call, Peer
from benchmarks.replies import Fixed, execution_report, order_trade_update, perp_reply, spot_reply

HOSTS = ("api", "fapi", "stream", "fstream", "ws-api")
BARE = ("bare", "commit")
CONNECTIONS = {"stream-quotes", "fstream-quotes", "fstream-marks", "fstream-user", "ws-api-quotes"} | {
    f"{who}-quotes" for who in BARE
}
ANSWER_WITHIN_S = 2.0
SEEN_S = 0.02
"""Within this the product has seen a price; only then are its orders answered."""
MISSES_MAX = 10
BAD = -0.003
ORDER_PATHS = {"/api/v3/order": "spot", "/fapi/v1/order": "perp"}


class OrderServer:
    """Knows every connection by what it asked for."""

    def __init__(self, listed: list[Coin], coin: Coin) -> None:
        self._listed, self._coin = listed, coin
        self._fixed = Fixed(listed)
        self._sockets: dict[str, Peer] = {}
        self._calls: dict[str, Call] = {}
        self._both = asyncio.Event()
        self._connected = asyncio.Event()
        self._expected = ""
        self._number = 0
        self._began_ns = perf_counter_ns()
        self.stray = 0
        """Orders that nobody waited for."""
        self.missed: dict[str, int] = {}
        """Samples without both legs in time."""

    def peer(self) -> Peer:
        return Peer(self._call, self._socket, self._text)

    def _call(self, call: Call) -> None:
        leg = ORDER_PATHS.get(call.path) if call.method == "POST" else None
        if leg is None:
            call.peer.reply(self._fixed.reply(call))
            return
        who = call.host.partition(".")[0] if call.host.partition(".")[0] in BARE else "product"
        if who != self._expected or leg in self._calls:
            # The product saw its fills before the bad price and went on by itself: not a sample.
            self.stray += 1
            self._fill(leg, call)
            return
        self._calls[leg] = call
        if len(self._calls) == 2:
            self._both.set()

    def _socket(self, peer: Peer) -> None:
        host = peer.host.partition(".")[0]
        kind = "marks" if "markPrice" in peer.target else "user" if "listenKey" in peer.target else "quotes"
        self._sockets[f"{host}-{kind}"] = peer
        if self._sockets.keys() >= CONNECTIONS:
            self._connected.set()

    def _text(self, peer: Peer, text: bytes) -> None:
        asked = json.loads(text)
        peer.send(json.dumps({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}}).encode())

    @property
    def market_ms(self) -> int:
        return NOW_MS + (perf_counter_ns() - self._began_ns) // 1_000_000

    def refresh(self) -> None:
        """Marks of all coins, as once a second on Binance, and quotes of all but the perpetual that waits."""
        for coin in self._listed:
            self._number += 1
            self._sockets["fstream-marks"].send(catalogue.mark_frame(coin, self._number, self.market_ms))
            self._sockets["stream-quotes"].send(catalogue.spot_frame(coin, self._number))
            if coin is not self._coin:
                frame = catalogue.perp_frame(coin, self._number, self.market_ms)
                self._sockets["fstream-quotes"].send(frame)

    def _quote(self, who: str, shift: float) -> None:
        self._number += 1
        frame = catalogue.perp_frame(self._coin, self._number, self.market_ms, shift)
        self._sockets["fstream-quotes" if who == "product" else f"{who}-quotes"].send(frame)

    async def ready(self) -> None:
        """Wait for all connections, then tell the product where its market stands."""
        async with asyncio.timeout(30):
            await self._connected.wait()
        self.refresh()
        self._quote("product", BAD)

    async def sample(self, who: str) -> tuple[float, float] | None:
        """Microseconds to the first and the second leg; None when they did not both come."""
        self._calls.clear()
        self._both.clear()
        self._expected = who
        began_ns = perf_counter_ns()
        self._quote(who, 0.0)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._both.wait()
            first, second = sorted((call.at_ns - began_ns) / 1000 for call in self._calls.values())
        except TimeoutError:
            return None
        finally:
            self._expected = ""
            await self._answer(who)
        return first, second

    async def _answer(self, who: str) -> None:
        if who == "product":
            self._quote(who, BAD)
            await asyncio.sleep(SEEN_S)
        for leg, call in self._calls.items():
            if who == "product":
                self._fill(leg, call)
            else:
                call.peer.reply(b"{}")

    def _fill(self, leg: str, call: Call) -> None:
        self._number += 1
        number, at_ms = self._number, self.market_ms
        if leg == "spot":
            call.peer.reply(spot_reply(call.params, number, at_ms))
            self._sockets["ws-api-quotes"].send(execution_report(call.params, number, at_ms))
        else:
            call.peer.reply(perp_reply(call.params, number, at_ms))
            self._sockets["fstream-user"].send(order_trade_update(call.params, number, at_ms))


async def measure(server: OrderServer, samples: int, gap_s: float) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {"product": [], **{who: [] for who in BARE}}
    refreshed_ns = 0
    for _ in range(samples):
        began_ns = perf_counter_ns()
        for number, who in enumerate(found):
            one = await server.sample(who)
            if one is not None:
                found[who].append(one)
            else:
                server.missed[who] = server.missed.get(who, 0) + 1
                if server.missed[who] > MISSES_MAX:
                    return found
            if number == 0 and time_ns() - refreshed_ns > 700_000_000:
                refreshed_ns = time_ns()
                await asyncio.sleep(0.01)
                server.refresh()
            rest_s = gap_s * (number + 1) / len(found) - (perf_counter_ns() - began_ns) / 1e9
            await asyncio.sleep(max(0.005, rest_s))
    return found


def tls_context(folder: Path) -> ssl.SSLContext:
    """The server's TLS, its authority's certificate in `ca.pem` of the folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    names = [f"{host}.binance.com" for host in HOSTS] + [f"{who}.local" for who in BARE]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def serve(options: dict[str, Any], folder: Path) -> None:
    listed = catalogue.coins(options["coins"])
    server = OrderServer(listed, next(coin for coin in listed if coin.name == options["coin"]))
    context = tls_context(folder)
    listening = await asyncio.get_running_loop().create_server(server.peer, "127.0.0.1", 0, ssl=context)
    child.say(port=listening.sockets[0].getsockname()[1], ca_file=str(folder / "ca.pem"))
    await child.told()
    await server.ready()
    await asyncio.sleep(1.0)
    await measure(server, options["warm"], options["gap_ms"] / 1000)
    for _ in range(options["repeats"]):
        child.say(
            **await measure(server, options["samples"], options["gap_ms"] / 1000),
            stray=server.stray,
            missed=server.missed,
        )
    await child.told()
    listening.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        uvloop.run(serve(child.options(), Path(name)))

"""P2, the bare limits: a frame in, two signed requests out on open TLS connections. Options: port, ca_file, who,
folder.

`who` "bare" sends at once; "commit" first commits the rows of a two-leg intent with plain sqlite3, inline.
"""

import asyncio
import hashlib
import hmac
import ssl
import tempfile
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec
import uvloop
import websockets

from benchmarks import child, rows

SECRET = b"secret"


class _Quote(msgspec.Struct, gc=False):
    s: str
    b: str
    a: str


class _Frame(msgspec.Struct, gc=False):
    data: _Quote


def request(host: str, path: str, symbol: str, side: str, price: str, number: int) -> bytes:
    """A signed order as raw HTTP/1.1."""
    query = (
        f"symbol={symbol}&side={side}&type=LIMIT&timeInForce=IOC&quantity=11.90&price={price}"
        f"&newClientOrderId=cb1-3-{number}&newOrderRespType=RESULT&recvWindow=5000&timestamp={time_ns() // 1_000_000}"
    )
    body = f"{query}&signature={hmac.new(SECRET, query.encode(), hashlib.sha256).hexdigest()}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nX-MBX-APIKEY: key\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class _Reader(asyncio.Protocol):
    """Replies are read and forgotten."""


async def run(options: dict[str, Any], folder: Path) -> None:
    loop, host, port = asyncio.get_running_loop(), f"{options['who']}.local", options["port"]
    tls = ssl.create_default_context(cafile=options["ca_file"])
    books = rows.PlainBooks(folder / "plain.db") if options["who"] == "commit" else None
    legs = []
    for _ in range(2):
        transport, _ = await loop.create_connection(_Reader, "127.0.0.1", port, ssl=tls, server_hostname=host)
        legs.append(transport.write)
    decoder = msgspec.json.Decoder(_Frame)

    async def trade() -> None:
        number = 0
        async with websockets.connect(
            f"wss://{host}:{port}/quotes",
            host="127.0.0.1",
            port=port,
            ssl=tls,
            compression=None,
            ping_interval=None,
            proxy=None,
        ) as socket:
            child.say(ready=True)
            while True:
                quote = decoder.decode(await socket.recv(decode=False)).data
                number += 2
                if books is not None:
                    books.commit(rows.two_leg_rows(number))
                legs[0](request(host, "/api/v3/order", quote.s, "BUY", quote.a, number))
                legs[1](request(host, "/fapi/v1/order", quote.s, "SELL", quote.b, number + 1))

    trading = loop.create_task(trade())
    await child.told()
    trading.cancel()
    await asyncio.wait([trading])


if __name__ == "__main__":
    chosen = child.options()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen["folder"]) as name:
        uvloop.run(run(chosen, Path(name)))

"""A server connection that speaks as little HTTP/1.1 and websocket as the clients need, and does it at once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request; `at_ns` is when its last byte was read (perf_counter)."""

    peer: "Peer"
    method: str
    host: str
    path: str
    params: dict[str, str]
    at_ns: int


class Peer(asyncio.Protocol):
    """Reads requests until one asks for a websocket. Callbacks run at once, in the order of arrival."""

    def __init__(
        self,
        on_call: Callable[[Call], None],
        on_socket: Callable[["Peer"], None],
        on_text: Callable[["Peer", bytes], None],
        on_lost: Callable[["Peer"], None] = lambda _: None,
    ) -> None:
        self._on_call, self._on_socket, self._on_text, self._on_lost = on_call, on_socket, on_text, on_lost
        self._read = b""
        self._protocol: ServerProtocol | None = None
        self.transport: asyncio.Transport
        self.host = self.target = ""
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.writable.set()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        at_ns = perf_counter_ns()
        if self._protocol is not None:
            self._socket_data(data)
            return
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].decode("latin-1")
            lines = head.split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            length = int(headers.get("content-length", "0"))
            if len(self._read) < end + 4 + length:
                return
            body = self._read[end + 4 : end + 4 + length].decode()
            self.host = headers.get("host", "").split(":")[0]
            method, self.target, _ = lines[0].split(" ")
            if headers.get("upgrade", "").lower() == "websocket":
                self._protocol = ServerProtocol()
                self._socket_data(self._read)
                return
            self._read = self._read[end + 4 + length :]
            url = urlsplit(self.target)
            params = dict(parse_qsl(url.query) + parse_qsl(body))
            self._on_call(Call(self, method, self.host, url.path, params, at_ns))

    def reply(self, body: bytes, status: str = "200 OK") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"x-mbx-used-weight-1m: 1\r\n\r\n" + body)

    def send(self, text: bytes) -> None:
        """One text frame."""
        self.transport.write(text_frame(text))

    def _socket_data(self, data: bytes) -> None:
        protocol = self._protocol
        assert protocol is not None
        protocol.receive_data(data)
        for event in protocol.events_received():  # pings are answered by the protocol itself
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
                self._flush()
                self._on_socket(self)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._on_text(self, bytes(event.data))
        self._flush()

    def _flush(self) -> None:
        assert self._protocol is not None
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()


def text_frame(text: bytes) -> bytes:
    """An unmasked text frame, as servers send them."""
    if len(text) < 126:
        return bytes((0x81, len(text))) + text
    assert len(text) < 65_536
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text

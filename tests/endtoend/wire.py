"""A TCP proxy on loopback between the daemon and the exchange that fails in the ways networks do."""

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine
from enum import Enum
from types import TracebackType
from typing import Any, Self

RESET = struct.pack("ii", 1, 0)


class Mode(Enum):
    PASS = "pass"
    CUT = "cut"
    """Every connection is reset, new ones are too."""
    STALL = "stall"
    """Nothing passes in either direction; what waits arrives late, when the wire is mended."""
    DEAF = "deaf"
    """What the daemon sends arrives, what the exchange answers is lost."""
    HALF_OPEN = "half_open"
    """Everything is lost in silence: an address translation that forgot its connections."""


class Wire:
    """Listens on a port of its own and leads to `target_port`. Runs in a thread; use as a context manager.

    A connection that lost bytes stays lost when the wire is mended, as TLS would not survive it: its ends find
    out by their own time-outs or not at all.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._mode = Mode.PASS
        self._flowing = asyncio.Event()
        self._lost: set[int] = set()
        self.port = 0
        self.counts: Counter[str] = Counter()
        """Connections made, connections that failed by mode, and bytes that vanished."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def set(self, mode: Mode) -> None:
        """From now on; PASS mends the wire."""
        self._call(self._change(mode))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._change(Mode.CUT)
        for task in list(self._pumps):
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _change(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode is Mode.CUT:
            self.counts["cut"] += len(self._writers)
            for writer in list(self._writers):
                _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.CUT:
            self.counts["refused"] += 1
            _reset(writer)
            return
        self.counts["connections"] += 1
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            _reset(writer)
            return
        connection = self.counts["connections"]
        for source, sink, answers in ((reader, there_writer, False), (there_reader, writer, True)):
            task = asyncio.ensure_future(self._pump(source, sink, connection, answers=answers))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, connection: int, *, answers: bool
    ) -> None:
        self._writers.add(sink)
        try:
            while data := await source.read(65_536):
                await self._flowing.wait()
                if self._loses(connection, answers=answers):
                    self.counts["bytes_lost"] += len(data)
                    continue
                sink.write(data)
                await sink.drain()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(sink)
            if connection not in self._lost:
                sink.close()

    def _loses(self, connection: int, *, answers: bool) -> bool:
        if self._mode is Mode.HALF_OPEN or (self._mode is Mode.DEAF and answers):
            if connection not in self._lost:
                self.counts[self._mode.value] += 1
            self._lost.add(connection)
        return connection in self._lost and (answers or self._mode is not Mode.DEAF)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with a reset instead of a goodbye."""
    found = writer.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()

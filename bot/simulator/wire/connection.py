"""One websocket client: a bounded queue of frames, pings as the venue sends them, and a lifetime of 24 hours."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from bot.simulator.model import Book

QUEUE_FRAMES_MAX = 20_000
LIFETIME_S = 24 * 3_600
PING_EVERY_S = {Book.SPOT: 20.0, Book.PERP: 180.0}
PONG_WITHIN_S = {Book.SPOT: 60.0, Book.PERP: 600.0}
MESSAGES_PER_S = {Book.SPOT: 5, Book.PERP: 10}
POLICY_VIOLATION = 1008
GOING_AWAY = 1001


class Connection:
    """`book` decides the venue's ping rhythm and message limit. `combined` wraps frames with their stream.

    `events` are those of a listen key that it is told; None: all.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        book: Book,
        *,
        combined: bool,
        events: frozenset[str] | None = None,
    ) -> None:
        self.book = book
        self.combined = combined
        self.events = events
        self.names: set[str] = set()
        self.listen_keys: set[str] = set()
        self.account_subscriptions: dict[int, str] = {}
        self.session_key: str | None = None
        self.address = request.remote or ""
        self._socket = socket
        self._request = request
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._answered_s = self._loop.time()
        self._message_times: deque[float] = deque(maxlen=16)

    def push(self, frame: bytes) -> None:
        """Queues a frame; a client that does not read is cut off rather than remembered without bound."""
        if len(self._queue) >= QUEUE_FRAMES_MAX:
            self.abort()
            return
        self._queue.append(frame)
        self._wake.set()

    def push_later(self, frame: bytes, delay_ms: int) -> None:
        self._loop.call_later(delay_ms / 1e3, self.push, frame)

    def abort(self) -> None:
        """Drops the connection without a closing handshake, as a reset does."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    async def run(
        self, on_text: Callable[["Connection", str], Awaitable[None]], pongs_silent: Callable[[], bool]
    ) -> None:
        """Serves the client until it leaves, breaks the rules, or its 24 hours are over."""
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._pump()), tasks.create_task(self._ping())]
            try:
                await self._serve(on_text, pongs_silent)
            except ConnectionError:
                return
            finally:
                for helper in helpers:
                    helper.cancel()

    async def close(self) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.close(code=GOING_AWAY)

    async def _serve(
        self, on_text: Callable[["Connection", str], Awaitable[None]], pongs_silent: Callable[[], bool]
    ) -> None:
        try:
            async with asyncio.timeout(LIFETIME_S):
                async for message in self._socket:
                    if message.type is WSMsgType.PING:
                        if not pongs_silent():
                            await self._socket.pong(message.data)
                    elif message.type is WSMsgType.PONG:
                        self._answered_s = self._loop.time()
                        continue
                    elif message.type is WSMsgType.TEXT:
                        await on_text(self, message.data)
                    else:
                        continue
                    if self._too_chatty():
                        await self._socket.close(code=POLICY_VIOLATION, message=b"Too many requests")
                        return
        except TimeoutError:
            await self._socket.close(code=GOING_AWAY)

    def _too_chatty(self) -> bool:
        """The venue disconnects a client with more than 5 (spot) or 10 (USD-M) messages within a second."""
        now_s = self._loop.time()
        self._message_times.append(now_s)
        recent = sum(1 for at_s in self._message_times if now_s - at_s < 1)
        return recent > MESSAGES_PER_S[self.book]

    async def _pump(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                if self._socket.closed:
                    return
                try:
                    await self._socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
                except ConnectionError:
                    return

    async def _ping(self) -> None:
        while not self._socket.closed:
            await asyncio.sleep(PING_EVERY_S[self.book])
            if self._loop.time() - self._answered_s > PONG_WITHIN_S[self.book]:
                self.abort()
                return
            try:
                await self._socket.ping(str(int(self._loop.time() * 1_000)).encode())
            except ConnectionError:
                return

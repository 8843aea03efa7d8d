"""Websocket connections without sockets: what the daemon's keeper holds of one, and what the venue's hub holds of it.

A connection carries bytes in order, or stalls and carries them later, or is half open: nobody is told, and nothing
arrives any more. Connecting takes its time, is refused, or never ends.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from websockets import ConnectionClosedError
from websockets.frames import Close

from bot.simulator.model import Book

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.streams import Streams

QUOTES, PERP_QUOTES, MARKS, USER_SPOT, USER_PERP = "spot", "perp", "marks", "user-spot", "user-perp"
LINES = (QUOTES, PERP_QUOTES, MARKS, USER_SPOT, USER_PERP)
FEED_OF = {QUOTES: "spot", PERP_QUOTES: "perp", MARKS: "perp", USER_SPOT: "user-spot", USER_PERP: "user-perp"}
"""Line -> the feed that it is one of the connections of."""
GOING_AWAY = 1001
Told = Callable[[], None]


def line_of(uri: str) -> str:
    """Which of the venue's endpoints a URI names."""
    endpoints = {
        "wss://stream.binance.com:9443/stream?": QUOTES,
        "wss://fstream.binance.com/public/stream?": PERP_QUOTES,
        "wss://fstream.binance.com/market/stream?": MARKS,
        "wss://fstream.binance.com/private/ws?": USER_PERP,
        "wss://ws-api.binance.com:443/ws-api/v3": USER_SPOT,
    }
    return next(line for start, line in endpoints.items() if uri.startswith(start))


class Socket:
    """Implements what `StreamKeeper` uses of `websockets`' client connection, and what the hub uses of its own."""

    def __init__(self, streams: "Streams", life: "Life", uri: str) -> None:
        self.life, self.line = life, line_of(uri)
        self.feed = FEED_OF[self.line]
        self.book = Book.SPOT if self.line in (QUOTES, USER_SPOT) else Book.PERP
        self.combined = "/stream?" in uri
        self.names: set[str] = set()
        self.listen_keys: set[str] = set()
        self.account_subscriptions: dict[int, str] = {}
        self.address = "here"
        first, *more = uri.partition("?")[2].split("&")
        self.asked = [name for name in first.partition("=")[2].split("/") if name]
        """Names in the URI: streams, or a listen key."""
        self.events = frozenset(more[0].partition("=")[2].split("/")) if more else None
        self.resumed = False
        """Whether its owner has to fetch what was told before it was connected."""
        self.half_open = False
        self.stalled_until_s = self._signed_s = 0.0
        self.unread_s: float | None = None
        """Since when there is something that nobody reads."""
        self.number = 0
        self._streams, self._loop = streams, life.world.loop
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._held: list[tuple[bytes, Told | None, bool]] = []
        self._pongs: list[asyncio.Future[float]] = []
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __hash__(self) -> int:
        """Sets of connections are gone through in the same order in each run."""
        return id(self) if not self.number else self.number

    # -- the daemon's side ----------------------------------------------------------------------------------

    async def recv(self, decode: bool | None = None) -> bytes:
        del decode
        while not self._frames:
            if self._error is not None:
                raise self._error
            self._waiter = self._loop.create_future()
            await self._waiter
        frame, damaged = self._frames.popleft()
        if not self._frames:
            self.unread_s = None
        if damaged:
            self._streams.damaged_read(self.life)
        return frame

    async def send(self, text: str) -> None:
        if self._error is not None:
            raise self._error
        if not self.half_open:
            self._streams.said(self, text)

    async def ping(self) -> "asyncio.Future[float]":
        if self._error is not None:
            raise self._error
        pong: asyncio.Future[float] = self._loop.create_future()
        if self._loop.now_s < self.stalled_until_s:
            self._pongs.append(pong)
        elif not self.half_open:
            self._loop.call_later(self._streams.latency_s(), self._pong, pong)
        return pong

    # -- the venue's side -----------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        return self._error is None

    def push(self, frame: bytes) -> None:
        """What the hub answers of its own accord."""
        self.put(frame, None)

    def put(self, frame: bytes, told: Told | None, *, damaged: bool = False) -> None:
        """A frame on its way to the daemon; `told` is called when it arrives, and never if it does not."""
        if not self.open or self.half_open:
            return
        if self._loop.now_s < self.stalled_until_s:
            self._held.append((frame, told, damaged))
            return
        self._frames.append((frame, damaged))
        if self.unread_s is None:
            self.unread_s = self._loop.now_s
        if not damaged and self._signed_s != self._loop.now_s:
            self._signed_s = self._loop.now_s
            self._streams.sign_of_life(self)
        if told is not None:
            told()
        self._wake()

    def stall(self, seconds: float) -> None:
        """Neither frames nor pongs come through for a while; then they do."""
        self.stalled_until_s = max(self.stalled_until_s, self._loop.now_s + seconds)
        self._loop.call_later(self.stalled_until_s - self._loop.now_s, self._flows)

    def end(self, error: Exception) -> None:
        """The connection is closed or torn; the daemon notices at once."""
        if self.open:
            self._error = error
            self._held.clear()
            self._wake()

    def _flows(self) -> None:
        if self._loop.now_s < self.stalled_until_s or self.half_open or not self.open:
            return
        held, self._held = self._held, []
        for frame, told, damaged in held:
            self.put(frame, told, damaged=damaged)
        pongs, self._pongs = self._pongs, []
        for pong in pongs:
            self._pong(pong)

    def _pong(self, pong: "asyncio.Future[float]") -> None:
        if self._loop.now_s < self.stalled_until_s:
            self._pongs.append(pong)
        elif self.open and not self.half_open and not pong.done():
            self._streams.sign_of_life(self)
            pong.set_result(0.0)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Opening(AbstractAsyncContextManager[Socket]):
    """`websockets.connect`: the connection from its beginning to its end."""

    def __init__(self, streams: "Streams", life: "Life", uri: str, within_s: float) -> None:
        self._streams, self._within_s = streams, within_s
        self._socket = Socket(streams, life, uri)

    async def __aenter__(self) -> Socket:
        await self._streams.connects(self._socket, self._within_s)
        return self._socket

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gives_up = self._socket.open and kind is None
        self._socket.end(going_away())
        self._streams.left(self._socket, gives_up=gives_up)


def going_away() -> Exception:
    """The venue's close frame."""
    return ConnectionClosedError(Close(GOING_AWAY, ""), None)


def torn() -> Exception:
    """A connection that was reset."""
    return ConnectionClosedError(None, None)

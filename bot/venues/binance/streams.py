"""Websocket connections that are kept alive: pings, silence, the 24-hour limit, reconnects with back-off.

A feed (`feed` of an instrument) may need several connections; it is alive while each of them gave a frame or a
pong. So `FeedAlive` is delivered when all connections of the feed have given a sign of life since the last one, and
lately; a single dead connection makes the whole feed stale.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal

import websockets
from websockets.asyncio.client import ClientConnection

from bot.domain.actions import Severity
from bot.domain.events import FeedAlive, FeedLost
from bot.ports import Deliver, VenueError
from bot.steady import monotonic
from bot.venues.binance.decode import DecodeError
from bot.venues.transport import Transport, websocket_options

ALIVE_EVERY_S = 0.25
PING_EVERY_S = 1.0
PONG_WITHIN_S = 5.0
OPEN_WITHIN_S = 10.0
LIFETIME_S = 23 * 3_600.0
"""Binance ends every connection after 24 hours; ours end earlier, spread over LIFETIME_SPREAD_S."""
LIFETIME_SPREAD_S = 1_800.0
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 30.0
STEADY_AFTER_S = 10.0
"""A connection that was up for so long starts its back-off afresh: a feed that is silent for half a minute is taken
for an outage, and what is held is cut."""
RENEWED = "renewed before the venue's 24-hour limit"
"""Happens to each connection once a day and is no reason to wake anybody."""
COMPLAIN_EVERY_S = 60.0
BEAT_WITHIN_S = 1.5
"""A feed is told to be alive when each of its connections gave a sign of life so lately: pings are a second apart."""
WATCH_EVERY_S = 1.0
ONLY_MALFORMED_S = 3.0
"""A connection that sends nothing readable for so long ends: what was read before it is not the market any more."""

Fields = Mapping[str, str | int | float | Decimal | bool | None]
Log = Callable[[Severity, str, Fields], None]


class ConnectionLostError(Exception):
    """The connection ended or has to; the text is the reason and carries no secrets."""


@dataclass(slots=True)
class Line:
    """One websocket connection.

    `uri` is asked before each connect (it may fetch a listen key), `opened` runs after it (it may subscribe),
    `on_frame` gets each frame and may raise DecodeError or ConnectionLostError. `silence_s` without a data frame
    ends the connection, pongs or not; 0 means that silence is normal. `upkeep` runs beside the reader.
    """

    name: str
    feed: str
    uri: Callable[[], Awaitable[str]]
    on_frame: Callable[[bytes], None]
    silence_s: float = 0
    expects: Callable[[], bool] = lambda: True
    """Whether there is anything to tell: where all markets of a connection have closed its silence is no fault."""
    opened: Callable[[ClientConnection], Awaitable[None]] | None = None
    upkeep: Callable[[], Awaitable[None]] | None = None
    resync: bool = False
    """Deliver FeedLost again after a reconnect: what happened meanwhile has to be fetched."""


@dataclass(slots=True)
class _Feed:
    lines: set[str] = field(default_factory=set)
    beaten: dict[str, float] = field(default_factory=dict)
    """Line -> its last sign of life, of those that gave one since the feed was told to be alive."""
    told_s: float = 0.0


class FeedPulse:
    """Signs of life of all connections, told as FeedAlive at most four times a second for each feed."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._feeds: dict[str, _Feed] = {}

    def expect(self, line: Line) -> None:
        self._feeds.setdefault(line.feed, _Feed()).lines.add(line.name)

    def forget(self, line: Line) -> None:
        feed = self._feeds[line.feed]
        feed.lines.discard(line.name)
        feed.beaten.pop(line.name, None)

    def beat(self, line: Line) -> None:
        feed, now_s = self._feeds[line.feed], monotonic()
        feed.beaten[line.name] = now_s
        if len(feed.beaten) < len(feed.lines):
            return
        if now_s - feed.told_s >= ALIVE_EVERY_S and now_s - min(feed.beaten.values()) <= BEAT_WITHIN_S:
            feed.told_s = now_s
            feed.beaten.clear()
            self._deliver(FeedAlive(line.feed))

    def lost(self, line: Line, reason: str, *, planned: bool) -> None:
        self._feeds[line.feed].beaten.pop(line.name, None)
        self._deliver(FeedLost(line.feed, f"{line.name}: {reason}", planned))


class Complaints:
    """Malformed frames: all counted, one a minute logged with a sample."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._logged_s = -COMPLAIN_EVERY_S
        self.count = 0

    def malformed(self, line_name: str, frame: bytes, error: DecodeError) -> None:
        self.count += 1
        now_s = monotonic()
        if now_s - self._logged_s < COMPLAIN_EVERY_S:
            return
        self._logged_s = now_s
        sample = frame[:200].decode(errors="replace")
        fields: Fields = {
            "line": line_name,
            "error": str(error)[:200],
            "sample": sample,
            "count": self.count,
        }
        self._log(Severity.WARNING, "venue.frame_malformed", fields)


class StreamKeeper:
    """Keeps lines connected until it is cancelled."""

    def __init__(self, transport: Transport | None, deliver: Deliver, log: Log, rng: random.Random) -> None:
        self._options = websocket_options(transport)
        self._log = log
        self._rng = rng
        self.pulse = FeedPulse(deliver)
        self.complaints = Complaints(log)

    async def keep(self, line: Line) -> None:
        """Connects again and again, waiting longer after each failure in a row; ends only by cancellation.

        A loss is told once: each time it is told the account is asked for everything, and what could not be connected
        again has missed no more than before.
        """
        failures, was_connected, told, planned = 0, False, False, False
        self.pulse.expect(line)
        try:
            while True:
                # A task of its own: a task group leaves its task a count of cancellations until Python 3.13, and
                # before 3.11.3 no time-out in such a task ends as one.
                living = self._live(line, reconnect=was_connected, planned=planned)
                reason, up_s = await asyncio.create_task(living, name=line.name)  # noqa: TID251 - awaited at once
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    # Lost where the connection ended in that very moment: a task group raises its errors alone.
                    raise asyncio.CancelledError
                was_connected, planned = was_connected or up_s is not None, reason == RENEWED
                if up_s is not None or not told:
                    self.pulse.lost(line, reason, planned=planned)
                    told = True
                failures = 0 if up_s is not None and monotonic() - up_s > STEADY_AFTER_S else failures + 1
                wait_s = self._backoff_s(failures)
                fields: Fields = {"line": line.name, "reason": reason, "wait_s": round(wait_s, 2)}
                self._log(Severity.INFO if planned else Severity.WARNING, "venue.stream_lost", fields)
                await asyncio.sleep(wait_s)
        finally:
            self.pulse.forget(line)

    def _backoff_s(self, failures: int) -> float:
        """Between half and all of 0.25 s doubled for each failure in a row, at most 30 s."""
        ceiling_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures, 10))
        return ceiling_s * (0.5 + self._rng.random() / 2)

    async def _live(self, line: Line, *, reconnect: bool, planned: bool) -> tuple[str, float | None]:
        """One connection from open to end: why it ended, and since when it was up, if it ever was."""
        up_s: float | None = None
        try:
            uri = await line.uri()
            async with self._connect(uri) as socket:
                if line.opened is not None:
                    async with asyncio.timeout(OPEN_WITHIN_S):
                        await line.opened(socket)
                up_s = monotonic()
                self._log(Severity.INFO, "venue.stream_connected", {"line": line.name})
                if reconnect and line.resync:
                    self.pulse.lost(line, "connected again: events in between were not sent", planned=planned)
                self.pulse.beat(line)
                return await self._attend(line, socket), up_s
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            return type(error).__name__, up_s
        except (VenueError, ConnectionLostError, DecodeError) as error:
            return str(error), up_s

    def _connect(self, uri: str) -> AbstractAsyncContextManager[ClientConnection]:
        return websockets.connect(
            uri,
            open_timeout=OPEN_WITHIN_S,
            close_timeout=1,
            ping_interval=None,
            compression=None,
            max_queue=256,
            **self._options,
        )

    async def _attend(self, line: Line, socket: ClientConnection) -> str:
        """Reads until one of the watchers finds a reason to end."""
        reason = "ended"
        life = _Life(line, socket, self.pulse, self.complaints)
        lifetime_s = LIFETIME_S + self._rng.random() * LIFETIME_SPREAD_S
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(life.read())
                group.create_task(life.ping())
                group.create_task(life.watch(lifetime_s))
                if line.upkeep is not None:
                    group.create_task(_endless(line.upkeep()))
        except* ConnectionLostError as errors:
            reason = str(errors.exceptions[0])
        except* (OSError, TimeoutError, websockets.WebSocketException) as errors:
            reason = type(errors.exceptions[0]).__name__
        except* VenueError as errors:
            reason = str(errors.exceptions[0])
        return reason


async def _endless(upkeep: Awaitable[None]) -> None:
    await upkeep
    raise ConnectionLostError("upkeep ended")


class _Life:
    """The three watchers of one open connection; each ends it by raising."""

    def __init__(self, line: Line, socket: ClientConnection, pulse: FeedPulse, complaints: Complaints) -> None:
        self._line, self._socket, self._pulse, self._complaints = line, socket, pulse, complaints
        self._frame_s = monotonic()
        """When a frame was last read that was none to complain of."""
        self._malformed_s: float | None = None
        """Since when there was no other."""

    async def read(self) -> None:
        line, receive, beat = self._line, self._socket.recv, self._pulse.beat
        on_frame = line.on_frame
        while True:
            frame = await receive(decode=False)
            beat(line)
            try:
                on_frame(frame)
            except DecodeError as error:
                self._complaints.malformed(line.name, frame, error)
                if self._malformed_s is None:
                    self._malformed_s = monotonic()
                continue
            self._frame_s, self._malformed_s = monotonic(), None

    async def ping(self) -> None:
        while True:
            pong = await self._socket.ping()
            try:
                async with asyncio.timeout(PONG_WITHIN_S):
                    await pong
            except TimeoutError:
                raise ConnectionLostError(f"no pong within {PONG_WITHIN_S:.0f} s") from None
            self._pulse.beat(self._line)
            await asyncio.sleep(PING_EVERY_S)

    async def watch(self, lifetime_s: float) -> None:
        """Ends the connection before the venue does, and when its streams are silent or unreadable for too long."""
        end_s = monotonic() + lifetime_s
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now_s = monotonic()
            if now_s > end_s:
                raise ConnectionLostError(RENEWED)
            if self._malformed_s is not None and now_s - self._malformed_s > ONLY_MALFORMED_S:
                raise ConnectionLostError(f"nothing readable for {ONLY_MALFORMED_S:.0f} s")
            if self._line.silence_s and now_s - self._frame_s > self._line.silence_s:
                if not self._line.expects():
                    self._frame_s = now_s
                    continue
                raise ConnectionLostError(f"no data for {self._line.silence_s:.0f} s")

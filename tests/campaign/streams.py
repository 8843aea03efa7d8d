"""The venue's streams down to the bytes: the simulator's hub writes the frames, the daemon's own keeper reads them.

What is told is noted when its frame arrives at the daemon's end of a connection, and as it was when it was written: a
frame that is damaged, dropped or older than one before it tells nothing.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from websockets import Headers, InvalidStatus, Response

from bot.simulator.model import Book, Mark, Top
from bot.simulator.wire.auth import Credential, check_signed_call
from bot.simulator.wire.connection import Connection
from bot.simulator.wire.limits import Limiter
from bot.simulator.wire.routes import endpoint_of
from bot.simulator.wire.streams import Hub
from bot.simulator.wire.user_streams import UserStreams
from bot.simulator.wire.wsapi import WsApi, _failure
from tests.campaign.answers import CANARY, KEY
from tests.campaign.damage import FORMS, NO_COMPLAINT
from tests.campaign.lines import watch
from tests.campaign.sockets import FEED_OF, LINES, MARKS, USER_PERP, Opening, Socket, going_away, torn

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.world import World

FEEDS = ("spot", "perp", "user-spot", "user-perp")
ANSWERED_WITHIN_S = 10.0
"""For so long the daemon waits for the answer to a subscription."""
MARK_EVERY_S = 1.5
OLDER_BY = 8
"""How many frames of a stream lie between one that comes out of order and its place."""


class FaultyHub(Hub):
    """The simulator's hub; what it sends goes through the plan's faults instead of the simulator's own."""

    def __init__(self, world: "World", sim: Any) -> None:
        super().__init__(sim)
        self._world = world

    def _changed_tops(self) -> set[tuple[Book, str]]:
        """In a market frozen in price nothing would be quoted, and lines that tell nothing are made anew."""
        changed = super()._changed_tops()
        return set(self._sim.market.listings) if self._world.plan.frozen else changed

    def deliver(
        self,
        connection: Connection,
        frame: bytes,
        name: str,
        *,
        api_key: str = "",
        book: Book | None = None,
        symbol: str | None = None,
    ) -> None:
        assert isinstance(connection, Socket)
        assert book is not None
        if name.startswith("userData@"):
            self._world.streams.tell_private(connection, frame)
        else:
            self._world.streams.tell_public(connection, frame, name, book, str(symbol))


class SocketApi(WsApi):
    """The simulator's websocket API with the campaign's key."""

    def _subscribe(self, connection: Connection, values: dict[str, str]) -> Any:
        check_signed_call(Credential(KEY, CANARY), values, self._sim.wall_ms())
        number = self._next_subscription
        self._next_subscription += 1
        connection.account_subscriptions[number] = KEY
        self._hub.connections.add(connection)
        return {"subscriptionId": number}


class Streams:
    def __init__(self, world: "World") -> None:
        self.world = world
        wire = world.wire
        self.hub = wire.hub
        limiters: Mapping[Book, Limiter] = {Book.SPOT: wire.limiters["spot"], Book.PERP: wire.limiters["perp"]}
        self._api = SocketApi(wire.sim, self.hub, endpoint_of, limiters)
        self.dice = Random(f"streams:{world.plan.seed}")
        self.sockets: list[Socket] = []
        self._been: set[tuple[int, str]] = set()
        """Lives and the lines that they have had."""
        self._number = 0
        self._marked_s = 0.0
        self._all_told: object = None
        """The market's moment that was written to all listeners."""
        self._event: dict[str, Any] = {}
        self._reached = False
        self._remembers = any(fault.kind == "frames_disordered" for fault in world.plan.faults)
        self._held: list[tuple[str, dict[str, Any]]] = []
        self._written: dict[str, deque[tuple[bytes, Any]]] = {}
        self.short_s = -1e9
        """When requests last had to wait for the next minute of weight."""
        self.damaged: Counter[int] = Counter()
        """Life -> damaged frames that it has read and has to complain of."""
        self.unheard_s: dict[str, float] = {}
        """Line -> since when nobody listens to it."""
        self.missed: set[str] = set()
        """Lines that were found missing."""
        self.calm()

    def calm(self) -> None:
        """No fault is left; what was lost comes back when the daemon connects again."""
        now_s = self.world.loop.now_s
        self.refused_until_s = dict.fromkeys(FEEDS, 0.0)
        self.mute_until_s = dict.fromkeys(LINES, 0.0)
        self.spoilt_until_s: dict[str, tuple[float, str]] = {}
        self.gap_until_s: dict[str, float] = {}
        self.slow: tuple[float, float] = (0.0, 0.0)
        """(until when connecting is slow, how long it takes)"""
        self.acks: list[str] = []
        """What becomes of the next answers to a subscription."""
        self.disorder: tuple[float, str] = (0.0, "")
        self.repeat_until_s = self.late_until_s = self.shuffle_until_s = self.miss_until_s = 0.0
        for socket in self.sockets:
            if socket.stalled_until_s > now_s:
                socket.stalled_until_s = now_s
                socket._flows()
        self._release()

    def latency_s(self) -> float:
        return self.dice.uniform(0.004, 0.03)

    # -- connections ----------------------------------------------------------------------------------------

    def connect(self, life: "Life", uri: str, within_s: float) -> Opening:
        return Opening(self, life, uri, within_s)

    async def connects(self, socket: Socket, within_s: float) -> None:
        """OSError, TimeoutError or a WebSocketException when the venue is not reached."""
        loop, wire = self.world.loop, self.world.wire
        slow_until_s, slow_s = self.slow
        took_s = self.latency_s() * 2 + (slow_s if loop.now_s < slow_until_s else 0.0)
        if took_s > within_s or loop.now_s < wire.no_route_until_s:
            await asyncio.sleep(within_s)
            raise TimeoutError
        await asyncio.sleep(took_s)
        await socket.life.alive()
        if loop.now_s < max(wire.down_until_s, self.refused_until_s[socket.feed]):
            if self.dice.random() < 0.5:
                raise InvalidStatus(Response(503, "Service Unavailable", Headers()))
            raise ConnectionRefusedError
        if socket.line == USER_PERP and self.world.wire.sim.listen_keys.find(socket.asked[0]) is None:
            raise InvalidStatus(Response(400, "Bad Request", Headers()))  # it expired on the way
        self._number += 1
        socket.number = self._number
        self.sockets.append(socket)
        self.hub.join(socket, socket.asked)  # type: ignore[arg-type]
        self._all_told = None  # who comes new gets everything
        self.sign_of_life(socket)
        if socket.line == USER_PERP:
            self._resumed(socket)

    def left(self, socket: Socket, *, gives_up: bool) -> None:
        """The daemon has closed its end; `gives_up`: of its own accord, because it holds the connection for dead."""
        with suppress(ValueError):
            self.sockets.remove(socket)
        self.hub.drop(socket)  # type: ignore[arg-type]
        if gives_up and self._counts(socket):
            self.world.oracle.feed_lost(socket.feed)

    def cut(self, lines: tuple[str, ...], error: Exception | None = None) -> None:
        """The venue ends these connections, or they are torn."""
        for socket in [one for one in self.sockets if one.line in lines]:
            self.hub.drop(socket)  # type: ignore[arg-type]
            self.sockets.remove(socket)
            if self._counts(socket):
                self.world.oracle.feed_lost(socket.feed)
            socket.end(error or (torn() if self.dice.random() < 0.5 else going_away()))

    def lose(self, feed: str, seconds: float) -> None:
        """The connections of a feed are cut, and cannot be had again for a while."""
        self.refused_until_s[feed] = max(self.refused_until_s[feed], self.world.loop.now_s + seconds)
        self.cut(tuple(line for line in LINES if FEED_OF[line] == feed))

    def stall(self, feeds: tuple[str, ...], seconds: float) -> None:
        """Nothing comes through the connections of these feeds for a while, and nobody says so."""
        for socket in self.sockets:
            if socket.feed in feeds:
                socket.stall(seconds)

    def said(self, socket: Socket, text: str) -> None:
        self.world.loop.call_later(self.latency_s(), self._asked, socket, text)

    def _asked(self, socket: Socket, text: str) -> None:
        how = self.acks.pop(0) if self.acks else ""
        if how:
            self.world.patient(ANSWERED_WITHIN_S)
        if how == "refused":
            socket.push(_failure("subscribe", 400, -1006, "An unexpected response was received."))
        elif how != "lost" and socket.open:
            self.world.loop.create_task(self._answer(socket, text))

    async def _answer(self, socket: Socket, text: str) -> None:
        await self._api.on_text(socket, text)  # type: ignore[arg-type]
        if socket.account_subscriptions:
            self._resumed(socket)

    def _resumed(self, socket: Socket) -> None:
        """A private stream tells from now on; of what was before nobody tells."""
        line = socket.life.number, socket.line
        if line in self._been and self._counts(socket):
            self.world.oracle.feed_lost(socket.feed)
        self._been.add(line)

    def _counts(self, socket: Socket) -> bool:
        """Whether the newest daemon has it: the oracle judges by what that one was told."""
        return socket.life is self.world.life and not socket.life.dead

    def sign_of_life(self, socket: Socket) -> None:
        if self._counts(socket):
            self.world.oracle.sign_of_life(socket.feed, socket.line)

    def damaged_read(self, life: "Life") -> None:
        self.damaged[life.number] += 1

    # -- public ---------------------------------------------------------------------------------------------

    def tick(self) -> None:
        now_s = self.world.loop.now_s
        moment = self.world.market.moment(int(self.world.market_ms))
        if now_s - self._marked_s >= MARK_EVERY_S or moment != self._all_told:
            self._marked_s, self._all_told = now_s, moment
            self.hub.on_step()
        if self._held and now_s >= max(self.late_until_s, self.shuffle_until_s):
            self._release()
        watch(self.world)

    def tell_public(self, socket: Socket, frame: bytes, name: str, book: Book, symbol: str) -> None:
        world, sim = self.world, self.world.wire.sim
        now_s = world.loop.now_s
        if self.gap_until_s and now_s < self.gap_until_s.get(world.market.by_symbol[book, symbol].name, 0.0):
            return
        if now_s < self.mute_until_s[socket.line] or (book is Book.SPOT and not sim.listing(book, symbol).trades):
            return
        told: partial[None]
        if socket.line == MARKS:
            told = partial(self._marked, socket, symbol, sim.mark(symbol), sim.now_ms)
        else:
            told = partial(self._quoted, socket, symbol, sim.top(book, symbol), sim.update_id)
        if socket.line in self.spoilt_until_s and self._spoils(socket, frame):
            return
        until_s, how = self.disorder
        if now_s < until_s:
            self._disorder(socket, name, frame, told, how)
        else:
            socket.put(frame, told)
        if self._remembers:
            self._written.setdefault(name, deque(maxlen=OLDER_BY)).append((frame, told.args))

    def _spoils(self, socket: Socket, frame: bytes) -> bool:
        """A damaged frame goes before the good one, or, mostly, instead of it."""
        until_s, how = self.spoilt_until_s[socket.line]
        if self.world.loop.now_s >= until_s:
            return False
        self.world.oracle.said_names["frames damaged"] += 1
        socket.put(FORMS[how](frame), None, damaged=how not in NO_COMPLAINT)
        return self.dice.random() < 0.8

    def _disorder(self, socket: Socket, name: str, frame: bytes, told: "partial[None]", how: str) -> None:
        if how == "late":  # each one takes its own time, and may be overtaken
            self.world.loop.call_later(self.dice.uniform(0.0, 2.0), socket.put, frame, told)
            return
        socket.put(frame, told)
        if how == "repeated":
            self.world.loop.call_later(self.dice.uniform(0.01, 1.0), socket.put, frame, told)
        elif written := self._written.get(name):
            older, args = written[0]
            self.world.oracle.said_names["frames out of order"] += 1
            socket.put(older, partial(told.func, socket, *args[1:]))

    def _quoted(self, socket: Socket, symbol: str, top: Top, number: int) -> None:
        if self._counts(socket):
            self.world.oracle.quoted(socket.book.value, symbol, top, number)

    def _marked(self, socket: Socket, symbol: str, mark: Mark, at_ms: int) -> None:
        if self._counts(socket):
            self.world.oracle.marked(symbol, mark, at_ms)

    # -- private --------------------------------------------------------------------------------------------

    def private(self, book: str, event: dict[str, Any]) -> None:
        """An order's change, as the venue tells it; what happens to it on its way."""
        now_s = self.world.loop.now_s
        if now_s < self.miss_until_s and self.dice.random() < 0.5:
            self.world.oracle.withheld(book, event)
            return
        if now_s < self.late_until_s or now_s < self.shuffle_until_s:
            self.world.oracle.withheld(book, event)
            self._held.append((book, event))
            if len(self._held) >= 8:
                self._release()
            return
        kept_s = self.world.wire.unanswered.kept_s(book, event)
        if kept_s:
            self.world.oracle.withheld(book, event)
            self.world.loop.call_later(kept_s, self._send, book, event)
            return
        self._send(book, event)
        if now_s < self.repeat_until_s:
            self.world.loop.call_later(self.dice.uniform(0.01, 3.0), self._send, book, event)

    def _release(self) -> None:
        held, self._held = self._held, []
        if self.world.loop.now_s < self.shuffle_until_s or self.shuffle_until_s:
            self.dice.shuffle(held)
        for book, event in held:
            self.world.loop.call_later(self.dice.uniform(0.0, 1.5), self._send, book, event)

    def _send(self, book: str, event: dict[str, Any]) -> None:
        """To all who listen to the account."""
        self._event, self._reached = event, False
        UserStreams._send(self.world.wire, KEY, Book(book), event)
        if not self._reached:
            self.world.oracle.withheld(book, event)

    def tell_private(self, socket: Socket, frame: bytes) -> None:
        if b"listenKeyExpired" in frame:
            socket.put(frame, None)
            return
        if socket.line in self.spoilt_until_s and self._spoils(socket, frame):
            return
        if self._counts(socket) and socket.open and not socket.half_open:
            self._reached = self._reached or self.world.loop.now_s >= socket.stalled_until_s
        socket.put(frame, partial(self._streamed, socket, self._event))

    def _streamed(self, socket: Socket, event: dict[str, Any]) -> None:
        if self._counts(socket):
            self.world.oracle.streamed(event)

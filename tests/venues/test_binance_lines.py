"""Connections and what comes through them, without a network: the keeper on a connection that a test plays."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets import ConnectionClosedError

from bot.domain.actions import Severity
from bot.domain.events import FeedAlive, FeedLost
from bot.ports import VenueError, VenueRefusedError
from bot.venues.binance import rest as rest_module
from bot.venues.binance import sequence, streams, user_lines
from bot.venues.binance.clock import MarketClock
from bot.venues.binance.decode import DecodeError
from bot.venues.binance.gate import Api
from bot.venues.binance.market_lines import MARKS_SILENCE_S, market_lines
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.sequence import Newest
from bot.venues.binance.streams import ConnectionLostError, FeedPulse, Line, StreamKeeper
from bot.venues.binance.symbols import SymbolBook
from bot.venues.binance.trades import OrderNames
from bot.venues.binance.user_lines import UserLines
from tests.engine import market_kit as kit


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        for module in (sequence, streams):
            monkeypatch.setattr(module, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def line(name: str = "quotes", on_frame: Callable[[bytes], None] = lambda frame: None) -> Line:
    async def uri() -> str:
        return "wss://venue"

    return Line(name=name, feed="venue:spot", uri=uri, on_frame=on_frame)


def test_an_older_number_is_not_admitted(clock: Clock) -> None:
    newest = Newest()
    assert newest.admits("BTC", 7)
    assert newest.admits("BTC", 7)
    assert not newest.admits("BTC", 6)
    assert newest.admits("ETH", 6)
    assert newest.admits("BTC", 8)


def test_lower_numbers_alone_for_long_are_a_new_numbering(clock: Clock) -> None:
    newest = Newest()
    newest.admits("BTC", 1_000)
    assert not newest.admits("BTC", 1)
    clock.now_s += sequence.RENUMBERED_S - 0.1
    assert not newest.admits("BTC", 2)
    clock.now_s += 0.2
    assert newest.admits("BTC", 3)
    assert newest.admits("BTC", 4)
    assert not newest.admits("BTC", 2)


def test_one_late_frame_of_a_quiet_symbol_stays_late(clock: Clock) -> None:
    """Whatever came before: the time counts from the first lower number after the last higher one."""
    newest = Newest()
    newest.admits("BTC", 5)
    newest.admits("BTC", 4)
    newest.admits("BTC", 6)
    clock.now_s += 60
    assert not newest.admits("BTC", 5)


def test_a_feed_is_alive_when_all_its_lines_were_lately(clock: Clock) -> None:
    told: list[Any] = []
    pulse, quotes, marks = FeedPulse(told.append), line("quotes"), line("marks")
    pulse.expect(quotes)
    pulse.expect(marks)
    pulse.beat(quotes)
    clock.now_s += 5
    pulse.beat(marks)
    assert told == [], "quotes were silent for five seconds"
    pulse.beat(quotes)
    assert told == [FeedAlive("venue:spot")]


def silent(listed: Callable[[], SymbolBook], market: MarketClock) -> Any:
    """Steps through the watch of a connection for marks that tells nothing."""
    marks = market_lines("venue", listed, lambda event: None, market)[-1]
    nothing: Any = None
    life = streams._Life(marks, nothing, FeedPulse(nothing), streams.Complaints(nothing))
    watch = life.watch(1e6)
    watch.send(None)
    return lambda: watch.send(None)


def test_marks_that_stay_out_end_their_connection_but_for_markets_that_have_ended(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be lost each ten seconds for as long as the daemon runs, and nothing open at the whole venue."""
    monkeypatch.setattr(streams, "WATCH_EVERY_S", 0)
    spot, perp = kit.pair_instruments("BTC")
    listed, market = [SymbolBook.of((spot, perp))], MarketClock()
    market.observe(1_790_000_000_000)
    look = silent(lambda: listed[0], market)
    clock.now_s += MARKS_SILENCE_S + 1
    with pytest.raises(ConnectionLostError, match="no data"):
        look()

    for ended in (replace(perp, trades=False), replace(perp, ends_ms=1_790_000_000_000)):
        listed[0] = SymbolBook.of((spot, ended))
        look = silent(lambda: listed[0], market)
        clock.now_s += MARKS_SILENCE_S + 1
        look()
    listed[0] = SymbolBook.of((spot, perp))
    look()  # it has just opened again
    clock.now_s += MARKS_SILENCE_S + 1
    with pytest.raises(ConnectionLostError, match="no data"):
        look()


class Played:
    """A connection whose frames are given at the beginning; then it ends, or stays open."""

    def __init__(self, frames: list[bytes], *, ends: bool) -> None:
        self._frames, self._ends = frames, ends

    async def recv(self, decode: bool | None = None) -> bytes:
        await asyncio.sleep(0.001)
        if self._frames:
            return self._frames.pop(0)
        if self._ends:
            raise ConnectionClosedError(None, None)
        return await asyncio.get_running_loop().create_future()

    async def ping(self) -> "asyncio.Future[float]":
        pong: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        pong.set_result(0.0)
        return pong


class PlayedKeeper(StreamKeeper):
    """Gives one connection after the other; none is refused."""

    def __init__(self, plays: Sequence[Played | None], deliver: Callable[[Any], None]) -> None:
        self.logged: list[str] = []
        super().__init__(None, deliver, lambda severity, name, fields: self.logged.append(name), random.Random(1))
        self._plays = list(plays)
        self.connected = asyncio.Event()
        """All connections that were given have been taken."""

    @asynccontextmanager
    async def _connect(self, uri: str) -> Any:  # type: ignore[override]
        del uri
        play = self._plays.pop(0)
        if not self._plays:
            self.connected.set()
        if play is None:
            raise ConnectionRefusedError
        yield play


async def test_a_malformed_frame_is_complained_of_and_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BACKOFF_FIRST_S", 0.001)
    read: list[bytes] = []

    def on_frame(frame: bytes) -> None:
        if frame == b"<html>":
            raise DecodeError("no JSON")
        read.append(frame)

    told: list[Any] = []
    frames = [json.dumps(1).encode(), b"<html>", json.dumps(2).encode()]
    keeper = PlayedKeeper([Played(frames, ends=True), Played([], ends=False)], told.append)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(keeper.keep(line(on_frame=on_frame)))
        await keeper.connected.wait()
        task.cancel()
    assert read == [b"1", b"2"]
    assert keeper.complaints.count == 1
    assert keeper.logged.count("venue.frame_malformed") == 1
    assert [event for event in told if isinstance(event, FeedLost)] == [
        FeedLost("venue:spot", "quotes: ConnectionClosedError")
    ]


async def test_what_cannot_be_connected_again_is_lost_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loss has the whole account asked for: refused for ten seconds, that took the weight of a minute."""
    monkeypatch.setattr(streams, "BACKOFF_FIRST_S", 0.001)
    told: list[Any] = []
    plays = [None, None, Played([], ends=True), None, None, None, Played([], ends=False)]
    keeper = PlayedKeeper(plays, told.append)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(keeper.keep(replace(line(), resync=True)))
        await keeper.connected.wait()
        await asyncio.sleep(0.01)
        task.cancel()
    assert [event.reason for event in told if isinstance(event, FeedLost)] == [
        "quotes: ConnectionRefusedError",
        "quotes: ConnectionClosedError",
        "quotes: connected again: events in between were not sent",
    ]
    assert keeper.logged.count("venue.stream_lost") == 6, "each attempt is still logged"


async def test_a_connection_that_is_renewed_once_a_day_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BACKOFF_FIRST_S", 0.001)
    monkeypatch.setattr(streams, "LIFETIME_S", 0.0)
    monkeypatch.setattr(streams, "LIFETIME_SPREAD_S", 0.0)
    told: list[Any] = []
    severities: list[Severity] = []
    keeper = PlayedKeeper([Played([], ends=False), Played([], ends=False)], told.append)
    keeper._log = lambda severity, name, fields: severities.append(severity)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(keeper.keep(replace(line(), resync=True)))
        await keeper.connected.wait()
        await asyncio.sleep(0.01)
        task.cancel()
    lost = [event for event in told if isinstance(event, FeedLost)]
    assert [event.planned for event in lost] == [True, True], "the account is asked for what was missed all the same"
    assert set(severities) == {Severity.INFO}


async def test_a_connection_that_tells_nothing_readable_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ONLY_MALFORMED_S", -1.0)
    monkeypatch.setattr(streams, "BACKOFF_FIRST_S", 0.001)

    def refuse(frame: bytes) -> None:
        raise DecodeError("no JSON")

    told: list[Any] = []
    keeper = PlayedKeeper([Played([b"<html>"], ends=False), Played([], ends=False)], told.append)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(keeper.keep(line(on_frame=refuse)))
        await keeper.connected.wait()
        task.cancel()
    assert next(event for event in told if isinstance(event, FeedLost)).reason.startswith("quotes: nothing readable")


async def test_each_connection_is_a_task_that_nobody_has_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count of cancellations that an ended connection leaves keeps time-outs from being time-outs before 3.11.3."""
    monkeypatch.setattr(streams, "BACKOFF_FIRST_S", 0.001)
    cancelled: list[int] = []

    async def opened(socket: Any) -> None:
        del socket
        task = asyncio.current_task()
        assert task is not None
        cancelled.append(task.cancelling())

    keeper = PlayedKeeper([Played([], ends=True), Played([], ends=True), Played([], ends=False)], lambda event: None)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(keeper.keep(replace(line(), opened=opened)))
        await keeper.connected.wait()
        await asyncio.sleep(0.01)
        task.cancel()
    assert cancelled == [0, 0, 0]


async def test_a_line_ends_also_when_it_is_lost_in_the_moment_in_which_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A task group raises the errors of its tasks and forgets that it was cancelled: a daemon that was taken over
    went on connecting for ever."""
    monkeypatch.setattr(streams, "BACKOFF_FIRST_S", 0.001)

    async def upkeep() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ConnectionLostError("in that moment")

    keeper = PlayedKeeper([Played([], ends=False), Played([], ends=False)], lambda event: None)
    task = asyncio.get_running_loop().create_task(keeper.keep(replace(line(), upkeep=upkeep)))
    await keeper.connected.wait()
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


class Keys:
    """Refuses to extend the listen key, and counts how often it was asked to."""

    def __init__(self, error: VenueError) -> None:
        self.error, self.asked = error, 0

    async def data(self, endpoint: str) -> Any:
        assert endpoint == "fapiPrivatePutListenKey"
        self.asked += 1
        raise self.error


@pytest.mark.parametrize(
    ("error", "asked"),
    [(VenueRefusedError("-1125", "This listenKey does not exist."), 1), (VenueError("time-out"), 11)],
)
async def test_a_key_that_is_gone_ends_its_stream_at_once(
    monkeypatch: pytest.MonkeyPatch, error: VenueError, asked: int
) -> None:
    """Its connection answers pings and tells nothing any more; an answer that got lost is asked for again."""
    monkeypatch.setattr(user_lines, "KEEP_ALIVE_EVERY_S", 0.0)
    monkeypatch.setattr(user_lines, "KEEP_ALIVE_RETRY_S", 0.0)
    keys = Keys(error)
    lines = UserLines("venue", keys, lambda: SymbolBook.of(()), OrderNames(), MarketClock(), lambda *_: None)  # type: ignore[arg-type]
    (private,) = [one for one in lines.lines(lambda event: None) if one.upkeep is not None]
    assert private.upkeep is not None
    with pytest.raises(VenueError):
        await private.upkeep()
    assert keys.asked == asked


class Answering:
    """A socket of the websocket API that gives one answer."""

    def __init__(self, answer: Any) -> None:
        self._answer = json.dumps(answer).encode()

    async def send(self, request: str) -> None:
        del request

    async def recv(self, decode: bool | None = None) -> bytes:
        del decode
        return self._answer


async def test_the_spot_websocket_heeds_the_ban_of_its_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both count in one minute, and who goes on after a ban is banned for longer."""
    monkeypatch.setattr(rest_module, "DATA_PATIENCE_S", 0.01)
    rest = BinanceRest("key", "secret", None)
    lines = UserLines("venue", rest, lambda: SymbolBook.of(()), OrderNames(), MarketClock(), lambda *_: None)
    (spot,) = [one for one in lines.lines(lambda event: None) if one.opened is not None]
    assert spot.opened is not None
    await rest.open()
    try:
        assert await spot.uri()
        times = {"serverTime": 1_790_000_000_000, "retryAfter": 1_790_000_030_000}
        answer = {"id": "subscribe", "status": 418, "error": {"code": -1003, "msg": "banned", "data": times}}
        with pytest.raises(ConnectionLostError):
            await spot.opened(Answering(answer))  # type: ignore[arg-type]
        assert 29 < rest.budgets[Api.SPOT].pause_s(1.0) <= 30
        with pytest.raises(VenueError):
            await spot.uri()
    finally:
        await rest.close()


class Granting:
    async def data(self, endpoint: str) -> Any:
        assert endpoint == "fapiPrivatePostListenKey"
        return {"listenKey": "k"}


async def test_the_private_stream_names_what_it_must_be_told() -> None:
    """Trades of liquidations come by this stream alone, and so does the end of its key."""
    lines = UserLines("venue", Granting(), lambda: SymbolBook.of(()), OrderNames(), MarketClock(), lambda *_: None)  # type: ignore[arg-type]
    (private,) = [one for one in lines.lines(lambda event: None) if one.upkeep is not None]
    base, _, events = (await private.uri()).partition("&events=")
    assert base == "wss://fstream.binance.com/private/ws?listenKey=k"
    assert {"ORDER_TRADE_UPDATE", "listenKeyExpired"} <= set(events.split("/"))

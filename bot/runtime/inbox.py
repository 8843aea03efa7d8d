"""The bounded inbox between the world and the one consumer.

What describes the newest state of something (quote, mark, liquidity, feed alive, tick) is kept once for each
subject: a newer one takes the older one's place in the queue. Everything else is kept in order of arrival and
never dropped while there is room. When there is no room the event is refused and counted: the consumer then
halts the engine and reconciles, because a reconciliation fetches again whatever a dropped event could have said.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from bot.domain.events import Event, FeedAlive, FeedLost, Tick
from bot.domain.market import Liquidity, Mark, Quote
from bot.runtime.clock import mono_ms

KEPT_MAX = 200_000
"""Room for events that must not be dropped: 35 days of hourly rates of 200 coins fit."""
SUBJECTS_MAX = 20_000
"""Room for coalesced subjects: four for each of 5,000 instruments."""
IDLE_S = 1.0
"""Well below what makes a task look as if it stood still."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An event whose sender wants to know when its consequences are committed."""

    event: Event
    done: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class _Heard:
    """An event whose place is kept now, and when it arrived."""

    event: Event
    mono_ms: int


class Inbox:
    """One reader, any number of writers on the same event loop."""

    def __init__(self, kept_max: int = KEPT_MAX, subjects_max: int = SUBJECTS_MAX) -> None:
        self._kept: deque[Event | Ticket | _Heard] = deque()
        self._latest: dict[tuple[type, str], Event] = {}
        self._heard_ms: dict[tuple[type, str], int] = {}
        self._kept_max = kept_max
        self._subjects_max = subjects_max
        self._waiter: asyncio.Future[None] | None = None
        self.refused = 0
        """Events refused for want of room since the consumer last asked (`take_refused`)."""
        self.coalesced = 0
        """Events that took the place of an older one, since start."""
        self.heard_ms: int | None = None
        """When what was taken last arrived (monotonic), where it tells what is newest; None of all else."""

    def __len__(self) -> int:
        return len(self._kept) + len(self._latest)

    def put(self, event: Event) -> None:
        """Queue an event; never blocks and never raises (`ports.Deliver`)."""
        subject = _subject(event)
        if subject is None:
            if isinstance(event, FeedLost):
                self._keep_order()
            self._keep(event)
        elif subject in self._latest or len(self._latest) < self._subjects_max:
            self.coalesced += subject in self._latest
            self._latest[subject], self._heard_ms[subject] = event, mono_ms()
        else:
            self.refused += 1
        self._wake()

    def push(self, event: Event) -> None:
        """The shell's own urgent word to the core: goes first, and in even when there is no room."""
        self._kept.appendleft(event)
        self._wake()

    def ask(self, event: Event) -> "asyncio.Future[None]":
        """Queue an event; the future ends when the event was handled and what it made was committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if len(self._kept) < self._kept_max:
            self._kept.append(Ticket(event, done))
        else:
            done.set_exception(BufferError("the inbox is full"))
        self._wake()
        return done

    def take(self) -> Event | Ticket | None:
        """The next event: what must not be lost first, then the latest of each subject; None when empty."""
        self.heard_ms = None
        if self._kept:
            taken = self._kept.popleft()
            if isinstance(taken, _Heard):
                self.heard_ms, taken = taken.mono_ms, taken.event
            return taken
        if self._latest:
            subject = next(iter(self._latest))
            self.heard_ms = self._heard_ms[subject]
            return self._latest.pop(subject)
        return None

    def take_refused(self) -> int:
        """How many events were refused since the last call."""
        refused, self.refused = self.refused, 0
        return refused

    async def wait(self) -> None:
        """Return when there is something to take, or after `IDLE_S`: having nothing to do, as during a ban at the
        start, is no standstill. Only the consumer calls this."""
        if self._kept or self._latest:
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(IDLE_S, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _keep(self, event: Event | _Heard) -> None:
        if len(self._kept) < self._kept_max:
            self._kept.append(event)
        else:
            self.refused += 1

    def _keep_order(self) -> None:
        """Quotes that arrived before their feed was lost must not look younger than its loss."""
        for subject, event in self._latest.items():
            self._keep(_Heard(event, self._heard_ms[subject]))
        self._latest.clear()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _subject(event: Event) -> tuple[type, str] | None:
    if isinstance(event, Quote | Mark | Liquidity):
        return type(event), event.instrument
    if isinstance(event, FeedAlive):
        return FeedAlive, event.feed
    if isinstance(event, Tick):
        return Tick, ""
    return None

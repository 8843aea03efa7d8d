"""Life and death of the daemon: load, connect, reconcile, run, stop.

Start-up is crash recovery and nothing else: whatever ended the last run, the books are loaded, the venue's
truth is fetched and compared, and only then does the core open anything.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.domain.actions import Action, Emit, Severity
from bot.domain.config import CoreConfig
from bot.domain.events import Event, FeedAlive, OrderReported, Reconfigure, Stop, Tick, TransferSettled
from bot.domain.time import DAY_MS, Stamp
from bot.engine.core import step
from bot.engine.recovery import restore
from bot.engine.state import EngineState
from bot.ports import Store, Tape, Venue, VenueError
from bot.runtime import moves, resources, stalls
from bot.runtime.account import StateView
from bot.runtime.clock import VenueClock, mono_ms
from bot.runtime.consumer import Consumer
from bot.runtime.counters import Counters
from bot.runtime.desk import Desk
from bot.runtime.dispatcher import Dispatcher
from bot.runtime.inbox import Inbox
from bot.runtime.lease import Lease
from bot.runtime.notices import Notices, Sink, describe
from bot.runtime.pollers import Rhythm, tick
from bot.runtime.reconcile import START_TRIES, BooksEnd
from bot.runtime.resources import Resources
from bot.runtime.taping import NoTape
from bot.runtime.vitals import Vitals, guard

RATES_DAYS = 35
CONNECT_TRIES = 6
QUIET_S = 2.5
DRAIN_S = 0.7
END_S, END_S_UNHURRIED, LAST_S = 3.3, 18.0, 0.5
"""How long the end may take after a signal, when nobody waits (`--for` is over), and for what left at last."""
LIQUIDITY_S = 15.0
PUBLIC_TASKS = ("liquidity:", "listing:", "rates:")
"""What ends first: it would keep the last questions about the account waiting."""

T = TypeVar("T")


async def _nothing() -> None:
    """No drain hook."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the wiring decides. `books_floor_ms` is the market time of the opening balance, 0 without one."""

    config: CoreConfig
    rhythm: Rhythm = field(default_factory=Rhythm)
    run_for_s: float | None = None
    books_floor_ms: int = 0
    on_drain: Callable[[], Awaitable[None]] = _nothing
    """Awaited after the last order has ended and before the final fetch: stops a simulator's market."""
    beside: Sequence[tuple[str, Callable[[], Awaitable[None]]]] = ()
    """Long tasks of the wiring, kept alive like the daemon's own from the moment it runs."""
    describe: Callable[[Emit], str] = describe
    """An emitted line in words, for the alert's record."""
    tape: Tape = field(default_factory=NoTape)
    books_file: Path | None = None
    """The database's file, for what it takes of the disk."""
    lease: Lease | None = None
    """Kept from the start on; None where nobody else can take over."""


class Daemon:
    """Build it, `load()` it, `run()` it. Views and health read its attributes between steps."""

    def __init__(self, venues: Mapping[str, Venue], store: Store, plan: Plan, sink: Sink) -> None:
        self.venues = venues
        self.plan = plan
        self.inbox = Inbox()
        self.counters = Counters()
        self.clock = VenueClock(next(iter(venues.values())).market_ms)
        self.vitals = Vitals(mono_ms)
        self.notices = Notices(self.clock, sink, plan.describe)
        self.phase = "starting"
        """starting, running or stopping: what the shell is doing, beside what the core allows."""
        self.started_mono_ms = mono_ms()
        self.resources = Resources(self.vitals, self.notices.report, plan.books_file)
        self._store = store
        self._state: EngineState | None = None
        self._consumer: Consumer | None = None
        self._dispatcher: Dispatcher | None = None
        self._desks: dict[str, Desk] = {}
        self._books: dict[str, BooksEnd] = {}
        self._long: list[asyncio.Task[None]] = []

    @property
    def state(self) -> EngineState:
        """The core's state; only after `load`."""
        assert self._state is not None, "load() comes first"
        return self._state

    @property
    def store_error(self) -> str | None:
        """Why the database refuses; None while it accepts."""
        return self._consumer.store_error if self._consumer is not None else None

    def task_problems(self) -> list[str]:
        """Tasks that are dead or stalled, one sentence each."""
        return self.vitals.problems()

    def counts(self) -> Mapping[str, float]:
        """What the shell counted since start."""
        reconcilers = [desk.reconciler for desk in self._desks.values()]
        return {
            **self.counters.values(),
            "inbox_length": len(self.inbox),
            "quotes_coalesced": self.inbox.coalesced,
            "reconciles": sum(each.passes for each in reconcilers),
            "reconcile_failures": sum(each.failures for each in reconcilers),
            **self.resources.now,
        }

    def ask(self, event: Event) -> "asyncio.Future[None]":
        """The owner's command: ends when the core has handled it and the consequences are committed."""
        return self.inbox.ask(event)

    async def reconfigure(self, config: CoreConfig) -> None:
        """Valid settings of the core come into force; they are when this returns."""
        await self.ask(Reconfigure(config))
        for desk in self._desks.values():
            desk.reconciler.settle_ms = int(config.execution.settle_window_s * 1000)

    def relist(self) -> None:
        """Ask the venues for their instruments now."""
        for desk in self._desks.values():
            desk.pollers.relist.set()

    async def flush(self) -> None:
        """Wait until everything delivered so far was handled and committed."""
        await self.inbox.ask(Tick())

    async def load(self) -> None:
        """Read the books and restore the core. Raises StoreError."""
        books = await self._store.load()
        self._state = restore(books, self.plan.config)
        self.clock.before_ms = books.last_market_ms
        self.plan.tape.begin(self._state)
        for name in self.venues:
            seen = moves.booked(books.transaction_ids, name)
            self._books[name] = BooksEnd(self.plan.books_floor_ms, books.last_market_ms, seen)
        self.notices.report(
            Severity.INFO,
            "books.loaded",
            epoch=books.epoch,
            hedges=len(books.hedges),
            orders_unsettled=len(books.orders),
            transactions=books.transaction_count,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set or the time is over. Raises VenueError when the venue cannot be reached at start.

        An ExceptionGroup means that a part of the shell or the core failed; the next start recovers.
        """
        async with asyncio.TaskGroup() as tasks:
            self._build(tasks)
            tasks.create_task(self._live(tasks, stop), name="life")

    def _build(self, tasks: asyncio.TaskGroup) -> None:
        report = self.notices.report
        self._dispatcher = Dispatcher(
            self.venues,
            tasks,
            self.deliver,
            report,
            self.counters,
            lambda venue, since_ms: self._desks[venue].rates.request(since_ms),
            lambda venue, since_ms: self._desks[venue].receipts.request(since_ms),
            lambda venue, reason: self._desks[venue].reconciler.request(reason),
        )
        self._consumer = Consumer(
            self._step,
            self.inbox,
            self.clock,
            self._store.commit if self.plan.lease is None else self.plan.lease.proving(self._store.commit),
            self._dispatcher.dispatch,
            self.notices,
            self.counters,
            lambda: self.vitals.beat("consumer"),
            self.plan.tape,
        )
        self._consumer.on_overflow = self._reconcile_all

    def _step(self, event: Event, at: Stamp) -> list[Action]:
        return step(self.state, event, at)

    def deliver(self, event: Event) -> None:
        """Where venues put events (`ports.Deliver`)."""
        if isinstance(event, FeedAlive):
            self.vitals.beat(f"streams:{event.feed.split(':', 1)[0]}")
        elif isinstance(event, TransferSettled):
            for books in self._books.values():
                books.transfers_seen.add(event.venue_id)
        elif isinstance(event, OrderReported) and event.misfit:
            for desk in self._desks.values():
                desk.pollers.listing_doubted = True
        self.inbox.put(event)

    async def _live(self, tasks: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        starting = tasks.create_task(self._start(tasks), name="start")
        await _first(starting, tasks.create_task(_set(stop), name="stop-signal"))
        if starting.done() and not starting.cancelled():
            starting.result()
            await _wait(stop, self.plan.run_for_s)
            await self._end(stop)
        else:
            starting.cancel()
        for task in self._long:
            task.cancel()
        assert self._dispatcher is not None
        self._dispatcher.cancel_all()
        stop.set()

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        assert self._consumer is not None
        if self.plan.lease is not None:
            self._long.append(tasks.create_task(self.plan.lease.keep(self.vitals), name="lease"))
        # Before there is a venue: a ban may last for hours, and what the owner says meanwhile is written down.
        self._keep(tasks, "consumer", self._consumer.run, restarts_max=0)
        for name, venue in self.venues.items():
            venue.keep_listed(self.state.instruments_in_use())
            await self._insist(venue.name, venue.connect)
            self.notices.report(Severity.INFO, "venue.connected", venue=name)
            self._desks[name] = self._open_desk(name, venue)
        for name, desk in self._desks.items():
            listed = await self._insist(name, desk.venue.fetch_listing)
            await self.ask(listed)
            desk.rates.request(self.clock.market_ms() - RATES_DAYS * DAY_MS)
            for task, work in desk.first_tasks():
                self._keep(tasks, task, work)
            empty = desk.view.empty
            if empty:
                # Nothing is at risk yet: the first decision should know every coin.
                self._keep(tasks, *desk.liquidity_task())
                await _limited(desk.pollers.liquidity_known.wait(), LIQUIDITY_S)
            if not await self._insist(name, partial(desk.reconciler.once, "start", START_TRIES)):
                desk.reconciler.request("the first pass was not complete")
            for task, work in [*desk.later_tasks(listed), *([] if empty else [desk.liquidity_task()])]:
                self._keep(tasks, task, work)
        ticking = self.plan.rhythm.tick_s
        self._keep(tasks, "tick", lambda: tick(self.deliver, self.vitals, ticking))
        self._keep(tasks, resources.TASK, self.resources.watch)
        self._keep(tasks, stalls.TASK, lambda: stalls.tell_stalls(self.vitals, self.notices.report))
        for task, work in self.plan.beside:
            self._keep(tasks, task, work)
        self.phase = "running"
        took_s = round((mono_ms() - self.started_mono_ms) / 1000, 2)
        self.notices.report(Severity.INFO, "daemon.running", started_in_s=took_s)

    def _open_desk(self, name: str, venue: Venue) -> Desk:
        dispatcher = self._dispatcher
        assert dispatcher is not None
        desk = Desk(
            venue=venue,
            view=StateView(self.state, name),
            books=self._books[name],
            clock=self.clock,
            deliver=self.deliver,
            flush=self.flush,
            traffic=lambda: (dispatcher.sending, self.counters.orders_sent),
            settle_window_s=self.state.config.execution.settle_window_s,
            rhythm=self.plan.rhythm,
            vitals=self.vitals,
            report=self.notices.report,
            counters=self.counters,
        )
        desk.pollers.on_new = lambda: desk.rates.request(self.clock.market_ms() - RATES_DAYS * DAY_MS)
        return desk

    async def _insist(self, venue: str, call: Callable[[], Awaitable[T]]) -> T:
        """A call that the start depends on, tried a bounded number of times. Raises VenueError.

        A ban is waited for: a new process would not know of it, and its first question would make it longer.
        """
        attempt = 1
        while True:
            try:
                return await call()
            except VenueError as error:
                if attempt == CONNECT_TRIES and not error.wait_s:
                    raise
                self.notices.report(
                    Severity.WARNING, "venue.unreachable", venue=venue, reason=str(error), attempt=attempt
                )
                await asyncio.sleep(max(error.wait_s, min(0.5 * 2**attempt, 8.0)))
                attempt += not error.wait_s

    async def _end(self, stop: asyncio.Event) -> None:
        """Start nothing new, let what is in flight come home, fetch the last facts, commit. About 5 s at most."""
        self.phase = "stopping"
        hurried = stop.is_set()
        until_s = time.monotonic() + (END_S if hurried else END_S_UNHURRIED)
        self.notices.report(Severity.INFO, "daemon.stopping", signal=hurried)
        await _limited(self.ask(Stop()), 1.0)
        await self._quiet(QUIET_S)
        for task in self._long:
            if task.get_name().startswith(PUBLIC_TASKS):
                task.cancel()
        await _limited(self.plan.on_drain(), DRAIN_S)
        await self._last_facts(until_s)
        while not self._at_rest() and time.monotonic() < until_s:  # what reduces goes on to the end
            await self._quiet(until_s - time.monotonic())
            await self._last_facts(until_s)
        await _limited(self.ask(Stop(last=True)), LAST_S)
        if not await self._quiet(LAST_S):
            await self._last_facts(until_s + LAST_S)
        open_orders = sum(1 for record in self.state.orders.values() if not record.settled)
        self.notices.report(
            Severity.INFO if self._at_rest() else Severity.WARNING,
            "daemon.stopped",
            orders_unsettled=open_orders,
            hedges=sum(1 for hedge in self.state.hedges.values() if hedge.live),
        )
        await _limited(self.flush(), 0.5)

    async def _last_facts(self, until_s: float) -> None:
        for desk in self._desks.values():
            await _limited(self._final(desk), max(0.5, until_s - time.monotonic()))
        await _limited(self.flush(), 1.0)

    async def _final(self, desk: Desk) -> None:
        try:
            await desk.reconciler.once("stop")
        except VenueError as error:
            self.notices.report(
                Severity.WARNING, "reconcile.failed", venue=desk.venue.name, reason=str(error), done="next start"
            )

    async def _quiet(self, seconds: float) -> bool:
        """Wait until the book is at rest; False in the end."""
        until = mono_ms() + int(seconds * 1000)
        while mono_ms() < until:
            if self._at_rest():
                return True
            await asyncio.sleep(0.02)
        return False

    def _at_rest(self) -> bool:
        """Whether no order of ours is in flight or unsettled and no hedge is unbalanced."""
        assert self._dispatcher is not None
        unsettled = any(not record.settled for record in self.state.orders.values())
        naked = any(hedge.unbalanced_mono_ms is not None for hedge in self.state.hedges.values())
        return not unsettled and not naked and not self._dispatcher.sending

    def _keep(
        self,
        tasks: asyncio.TaskGroup,
        name: str,
        work: Callable[[], Awaitable[None]],
        restarts_max: int = 5,
    ) -> None:
        def watched() -> Awaitable[None]:
            self.counters.task_restarts += 1
            return work()

        self.counters.task_restarts -= 1
        guarded = guard(name, watched, self.vitals, self.notices.report, mono_ms, restarts_max)
        self._long.append(tasks.create_task(guarded, name=name))

    def _reconcile_all(self) -> None:
        for desk in self._desks.values():
            desk.reconciler.request("the inbox overflowed")


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()


async def _first(*tasks: "asyncio.Task[None]") -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _wait(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _limited(work: Awaitable[object], seconds: float) -> bool:
    """Await at most this long; False when it took longer or failed to end in time."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except (TimeoutError, BufferError):  # or the inbox is full: the end goes on without its answer
        return False
    return True

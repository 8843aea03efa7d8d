"""The product's own shell around a prepared engine: inbox, consumer, dispatcher, books and ticks.

The daemon (`bot.runtime.daemon`) joins the same parts and adds what this leaves out: its pollers (requests every
15 s or rarer), the reconciler (here its answer is delivered at once) and the log sink.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.world import World
from bot.domain.actions import Action, Emit, Persist, PlaceOrders
from bot.domain.events import Event, FeedAlive, Reconciled
from bot.domain.time import Stamp
from bot.engine.core import step
from bot.ports import Clock, Deliver, Venue
from bot.runtime.clock import VenueClock, mono_ms
from bot.runtime.consumer import Consumer
from bot.runtime.counters import Counters
from bot.runtime.dispatcher import Dispatcher
from bot.runtime.inbox import Inbox
from bot.runtime.notices import Notices, describe
from bot.runtime.pollers import Rhythm, tick
from bot.runtime.vitals import Vitals
from bot.store.database import SqlStore
from bot.store.migrate import upgrade

SAID_MAX = 20
QUIET = frozenset({"hedge.grown", "hedge.opened", "hedge.aimed"})
"""Lines of a hedge that grows as it should."""


class WorldClock(VenueClock):
    """The daemon's clock, whose monotonic time goes on where the prelude's ended."""

    def __init__(self, venue_market_ms: Callable[[], int], world: World) -> None:
        super().__init__(venue_market_ms)
        self._ahead_ms = world.now.mono_ms - mono_ms()

    def mono_ms(self) -> int:
        return mono_ms() + self._ahead_ms


@dataclass(slots=True)
class Shell:
    """What a measurement drives and reads. `emitted` counts lines by name, `said` holds the latest warnings."""

    deliver: Deliver
    inbox: Inbox
    counters: Counters
    emitted: dict[str, int]
    said: deque[str]


async def open_books(folder: Path, records: Sequence[Persist]) -> SqlStore:
    """New books that hold these records."""
    url = f"sqlite:///{folder / 'books.db'}"
    upgrade(url)
    store = SqlStore(url)
    await store.open()
    await store.load()
    await store.commit(records)
    return store


@asynccontextmanager
async def running(
    world: World,
    clock: Clock,
    store: SqlStore,
    venues: Mapping[str, Venue],
    *,
    placed: Callable[[PlaceOrders], None] = lambda _: None,
) -> AsyncIterator[Shell]:
    """The shell at work in the running loop until the block ends."""
    inbox, counters, vitals = Inbox(), Counters(), Vitals(mono_ms)
    emitted: dict[str, int] = {}
    said: deque[str] = deque(maxlen=SAID_MAX)

    def sink(emit: Emit, _at: Stamp) -> None:
        emitted[emit.name] = emitted.get(emit.name, 0) + 1
        if emit.name not in QUIET:
            said.append(f"{emit.name}: {describe(emit)}")

    notices = Notices(clock, sink)

    def deliver(event: Event) -> None:
        if isinstance(event, FeedAlive):
            vitals.beat(f"streams:{event.feed.split(':', 1)[0]}")
        inbox.put(event)

    def dispatch(actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, PlaceOrders):
                placed(action)
        dispatcher.dispatch(actions)

    def on_step(event: Event, at: Stamp) -> list[Action]:
        return step(world.state, event, at)

    async with asyncio.TaskGroup() as tasks:
        dispatcher = Dispatcher(
            venues,
            tasks,
            deliver,
            notices.report,
            counters,
            lambda *_: None,
            lambda *_: None,
            lambda venue, _: deliver(Reconciled(venue)),
        )
        consumer = Consumer(
            on_step, inbox, clock, store.commit, dispatch, notices, counters, lambda: vitals.beat("consumer")
        )
        vitals.watch("consumer")
        vitals.watch("tick")
        long = [
            tasks.create_task(consumer.run()),
            tasks.create_task(tick(deliver, vitals, Rhythm().tick_s)),
        ]
        try:
            yield Shell(deliver, inbox, counters, emitted, said)
        finally:
            for task in long:
                task.cancel()
            dispatcher.cancel_all()

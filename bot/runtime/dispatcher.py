"""Carries out what the core asked for, after it was committed. Outcomes come back as events."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot.domain.actions import (
    Action,
    CancelOrder,
    Emit,
    FetchRates,
    FetchReceipts,
    MoveMargin,
    Persist,
    PlaceOrders,
    QueryOrder,
    Reconcile,
    Severity,
)
from bot.domain.events import Event, OrderOutcomeUnknown, TransferUnknown
from bot.domain.orders import OrderIntent
from bot.ports import Deliver, Venue
from bot.runtime.counters import Counters
from bot.runtime.vitals import Report

TASKS_MAX = 2_000
"""Requests in flight at once; the core's own limits keep the real number far below."""


class Dispatcher:
    """Sends orders, cancels, queries and transfers as guarded tasks; hands fetches to whoever spaces them."""

    def __init__(
        self,
        venues: Mapping[str, Venue],
        tasks: asyncio.TaskGroup,
        deliver: Deliver,
        report: Report,
        counters: Counters,
        fetch_rates: Callable[[str, int], None],
        fetch_receipts: Callable[[str, int], None],
        reconcile: Callable[[str, str], None],
    ) -> None:
        self._venues = venues
        self._tasks = tasks
        self._deliver = deliver
        self._report = report
        self._counters = counters
        self._fetch_rates = fetch_rates
        self._fetch_receipts = fetch_receipts
        self._reconcile = reconcile
        self._running: dict[str, asyncio.Task[None]] = {}
        self.sending = 0
        """Requests in flight that can change the account."""

    def dispatch(self, actions: Sequence[Action]) -> None:
        """Start everything; never blocks and never raises for what a venue does."""
        for action in actions:
            match action:
                case PlaceOrders():
                    self._place(action)
                case CancelOrder():
                    venue = self._venue(action.instrument)
                    work = venue.cancel(action.client_id, action.instrument, self._deliver)
                    self._start(f"cancel:{action.client_id}", work)
                case QueryOrder():
                    self._query(action)
                case MoveMargin():
                    self._transfer(action)
                case FetchRates():
                    self._fetch_rates(action.venue, action.since_ms)
                case FetchReceipts():
                    self._fetch_receipts(action.venue, action.since_ms)
                case Reconcile():
                    self._reconcile(action.venue, action.reason)
                case Persist() | Emit():
                    raise AssertionError("records and lines do not reach the dispatcher")

    async def idle(self, seconds: float) -> bool:
        """Wait until no request is in flight; False when the time ran out."""
        waiting = set(self._running.values())
        if not waiting:
            return True
        _, late = await asyncio.wait(waiting, timeout=seconds)
        return not late and not self._running

    def cancel_all(self) -> None:
        for task in list(self._running.values()):
            task.cancel()

    def _place(self, action: PlaceOrders) -> None:
        by_venue: dict[str, list[OrderIntent]] = {}
        for intent in action.intents:
            by_venue.setdefault(intent.venue, []).append(intent)
        self._counters.orders_sent += len(action.intents)
        for name, intents in by_venue.items():
            work = self._venues[name].place(intents, reducing=action.reducing, deliver=self._deliver)
            unknown: list[Event] = [
                OrderOutcomeUnknown(intent.client_id, "the request failed inside the daemon") for intent in intents
            ]
            self._start(f"place:{intents[0].client_id}", work, unknown)

    def _query(self, action: QueryOrder) -> None:
        name = f"query:{action.client_id}"
        if name in self._running:
            return
        work = self._venue(action.instrument).query(
            action.client_id, action.instrument, action.venue_order_id, action.since_ms, self._deliver
        )
        self._start(name, work, changes=False)

    def _transfer(self, action: MoveMargin) -> None:
        intent = action.intent
        unknown = TransferUnknown(intent.id, "the request failed inside the daemon")
        work = self._venues[intent.venue].transfer(intent, self._deliver)
        self._start(f"transfer:{intent.id}", work, [unknown])

    def _venue(self, instrument: str) -> Venue:
        return self._venues[instrument.split(":", 1)[0]]

    def _start(
        self, name: str, work: Awaitable[None], unknown: Sequence[Event] = (), *, changes: bool = True
    ) -> None:
        if len(self._running) >= TASKS_MAX:
            self._report(Severity.CRITICAL, "dispatch.full", tasks=len(self._running), dropped=name)
            _discard(work)
            self._tell(unknown)
            return
        task = self._tasks.create_task(self._guarded(name, work, unknown, changes=changes), name=name)
        self._running[name] = task
        task.add_done_callback(lambda _: self._ended(name, task))

    async def _guarded(self, name: str, work: Awaitable[None], unknown: Sequence[Event], *, changes: bool) -> None:
        """A failing request must not end the daemon, and must never look like a refusal."""
        self.sending += changes
        try:
            await work
        except asyncio.CancelledError:
            self._tell(unknown)
            raise
        except Exception as error:  # noqa: BLE001 - reported, and the outcome is unknown
            reason = f"{type(error).__name__}: {error}"
            self._report(Severity.CRITICAL, "dispatch.failed", request=name, reason=reason)
            self._tell(unknown)
        finally:
            self.sending -= changes

    def _tell(self, events: Sequence[Event]) -> None:
        for event in events:
            self._deliver(event)

    def _ended(self, name: str, task: "asyncio.Task[None]") -> None:
        if self._running.get(name) is task:
            del self._running[name]


def _discard(work: Awaitable[None]) -> None:
    close = getattr(work, "close", None)
    if close is not None:
        close()

"""The one consumer: takes events, calls the core, commits what it decided, then lets it be sent.

Several steps share one commit. A batch ends with the first step that wants something sent, so that an order
never waits for unrelated work, and everything of the batch is durable before anything of it leaves.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bot.domain.actions import (
    Action,
    CancelOrder,
    Emit,
    MoveMargin,
    Persist,
    PlaceOrders,
    Severity,
)
from bot.domain.events import Event, Halt, OrderReported, TransferFailed
from bot.domain.numbers import ZERO
from bot.domain.orders import OrderState
from bot.domain.time import Stamp
from bot.ports import Clock, StoreError, TakenOverError, Tape
from bot.risk.review import GROWS
from bot.runtime.counters import Counters
from bot.runtime.inbox import Inbox, Ticket
from bot.runtime.notices import Notices
from bot.runtime.snapshot import snapshots
from bot.runtime.taping import NoTape

BATCH_EVENTS_MAX = 500
LATE_MS = 500
"""What opens or completes a hedge and was decided longer ago does not leave, as in the venue's queue: its prices are
old, and a halt may wait behind the commit."""
PROMPT_MS = 100
"""What was heard so short a time ago counts as heard now."""
BATCH_MS_MAX = 10.0
"""How long the consumer keeps the event loop to itself."""
RETRY_S = 1.0
UNSAVED_MAX = 200_000
"""Records that may wait for a database that refuses; beyond it the daemon ends, and its restart recovers."""

Step = Callable[[Event, Stamp], list[Action]]


@dataclass(slots=True)
class _Batch:
    sends: list[Action] = field(default_factory=list)
    emits: list[tuple[Emit, Stamp]] = field(default_factory=list)
    done: list["asyncio.Future[None]"] = field(default_factory=list)
    decided_mono_ms: int = 0
    """When what is to be sent was decided: a batch ends with it."""


class Consumer:
    """Owns the order of things: event, step, commit, send. There is exactly one."""

    def __init__(
        self,
        step: Step,
        inbox: Inbox,
        clock: Clock,
        commit: Callable[[Sequence[Persist]], Awaitable[None]],
        dispatch: Callable[[Sequence[Action]], None],
        notices: Notices,
        counters: Counters,
        beat: Callable[[], None],
        tape: Tape | None = None,
    ) -> None:
        self._step = step
        self._inbox = inbox
        self._clock = clock
        self._commit = commit
        self._dispatch = dispatch
        self._notices = notices
        self._counters = counters
        self._beat = beat
        self._tape = tape or NoTape()
        self._seq = 0
        self._unsaved: list[Persist] = []
        self._retry_at = 0.0
        self._behind = 0
        """Events that came while a commit took too long, and are not handled yet."""
        self.store_error: str | None = None
        """Why the database refused the latest commit; None while it accepts."""
        self.on_overflow: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Until cancelled. An error of the core ends the daemon: its state can no longer be trusted."""
        while True:
            await self._inbox.wait()
            await self.turn()
            await asyncio.sleep(0)

    async def turn(self) -> None:
        """Handle one batch of what is in the inbox now."""
        self._beat()
        refused = self._inbox.take_refused()
        if refused:
            self._overflowed(refused)
        batch = self._collect()
        self._unsaved.extend(self._notices.take_records())
        if self._unsaved and (batch.sends or time.monotonic() >= self._retry_at):
            began_ms = self._clock.mono_ms()
            await self._save()
            if self._clock.mono_ms() - began_ms > LATE_MS:
                self._behind = len(self._inbox)
        self._send(batch)
        for emit, at in batch.emits:
            self._notices.tell(emit, at)
        for done in batch.done:
            if not done.done():
                done.set_result(None)
        self._tape.turn_ended(self._clock.mono_ms())

    def _collect(self) -> _Batch:
        batch = _Batch()
        began = time.perf_counter()
        for _ in range(BATCH_EVENTS_MAX):
            taken = self._inbox.take()
            if taken is None:
                break
            self._behind = max(0, self._behind - 1)
            if isinstance(taken, Ticket):
                batch.done.append(taken.done)
                self._handle(taken.event, batch)
            else:
                self._handle(taken, batch)
            if batch.sends or (time.perf_counter() - began) * 1000 > BATCH_MS_MAX:
                break
        return batch

    def _handle(self, event: Event, batch: _Batch) -> None:
        self._seq += 1
        mono_ms, heard_ms = self._clock.mono_ms(), self._inbox.heard_ms
        late = heard_ms is not None and mono_ms - heard_ms > PROMPT_MS
        at = Stamp(self._seq, self._clock.market_ms(), mono_ms, heard_ms if late else None)
        batch.decided_mono_ms = at.mono_ms
        began = time.perf_counter()
        actions = self._decide(event, at)
        took_ms = (time.perf_counter() - began) * 1000
        counters = self._counters
        counters.events += 1
        counters.steps_ms += took_ms
        counters.step_ms_max = max(counters.step_ms_max, took_ms)
        for action in actions:
            if isinstance(action, Persist):
                self._unsaved.append(action)
            elif isinstance(action, Emit):
                batch.emits.append((action, at))
                alert = self._notices.alert_for(action, at)
                if alert is not None:
                    self._unsaved.append(alert)
            else:
                batch.sends.append(action)

    def _decide(self, event: Event, at: Stamp) -> Sequence[Action]:
        """What the core makes of an event: records as they are now, on the tape as well."""
        try:
            decided = self._step(event, at)
        except Exception:
            self._tape.record(event, at, None)
            raise
        actions = snapshots(decided) if decided else decided
        self._tape.record(event, at, actions)
        return actions

    async def _save(self) -> None:
        """Commit everything that waits, or remember why not."""
        counters = self._counters
        records = self._unsaved
        began = time.perf_counter()
        try:
            await self._commit(records)
        except TakenOverError:
            raise
        except StoreError as error:
            counters.commit_failures += 1
            self._refused(str(error))
            return
        took_ms = (time.perf_counter() - began) * 1000
        self._unsaved = []
        counters.commits += 1
        counters.records += len(records)
        counters.commits_ms += took_ms
        counters.commit_ms_max = max(counters.commit_ms_max, took_ms)
        if self.store_error is not None:
            self.store_error = None
            self._retry_at = 0.0
            self._notices.report(Severity.WARNING, "store.recovered", records=len(records))

    def _refused(self, reason: str) -> None:
        """The database refused: nothing that needs it is sent, the engine is told to halt."""
        first = self.store_error is None
        self.store_error = reason
        self._retry_at = time.monotonic() + RETRY_S
        if len(self._unsaved) > UNSAVED_MAX:
            raise StoreError(f"the database refused for too long ({len(self._unsaved)} records wait): {reason}")
        if first:
            self._notices.report(
                Severity.CRITICAL,
                "store.failed",
                reason=reason,
                done="halted; nothing that opens, closes or moves margin is sent",
                remedy="free the disk or repair the database, then `carrybot resume`",
            )
            self._inbox.push(Halt(f"the database refused a commit: {reason}"))

    def _send(self, batch: _Batch) -> None:
        if self.store_error is None:
            if batch.sends:
                self._dispatch([send for send in batch.sends if not self._too_late(send, batch.decided_mono_ms)])
            return
        self._dispatch([send for send in batch.sends if not self._withheld(send)])

    def _too_late(self, action: Action, decided_mono_ms: int) -> bool:
        """Whether this opens or completes a hedge, and its commit took too long, or one before it, and what came
        meanwhile (a lost feed, a refusal) is not handled yet; the core is told."""
        if not isinstance(action, PlaceOrders) or not any(one.purpose in GROWS for one in action.intents):
            return False
        if self._clock.mono_ms() - decided_mono_ms > LATE_MS:
            self._keep_back(action, "not sent: its commit took too long")
            return True
        if self._behind:
            self._keep_back(action, "not sent: a commit took too long, and what came meanwhile is not handled yet")
        return self._behind > 0

    def _keep_back(self, action: PlaceOrders, reason: str) -> None:
        self._counters.orders_withheld += len(action.intents)
        for intent in action.intents:
            self._inbox.put(OrderReported(intent.client_id, OrderState.REJECTED, ZERO, None, reason))

    def _withheld(self, action: Action) -> bool:
        """Whether this may not leave while its record is not durable; the core is told what was not sent."""
        match action:
            case PlaceOrders():
                self._keep_back(action, "not sent: the database refused its intent")
                return True
            case MoveMargin():
                self._inbox.put(TransferFailed(action.intent.id, "not sent: the database refused its intent"))
                return True
            case CancelOrder():
                return True
            case _:
                return False

    def _overflowed(self, refused: int) -> None:
        """Events were lost: stop opening, and fetch again from the venue what they could have said."""
        self._counters.inbox_refused += refused
        self._notices.report(
            Severity.CRITICAL,
            "inbox.overflowed",
            events=refused,
            done="halted and reconciling",
            remedy="look for a stalled machine or database, then `carrybot resume`",
        )
        self._inbox.push(Halt(f"the inbox overflowed: {refused} events were refused"))
        self.on_overflow()

"""The consumer: commit before send, whatever the database does."""

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from quiet_venue import PERP, SPOT, START_MS, quote

from bot.domain import events as ev
from bot.domain.actions import Action, Alert, ControlSet, Emit, MoveMargin, Persist, PlaceOrders, QueryOrder, Severity
from bot.domain.hedges import Control, TransferIntent
from bot.domain.market import SettledRate
from bot.domain.orders import OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.domain.time import Stamp
from bot.ports import StoreError
from bot.runtime import inbox as inboxes
from bot.runtime.consumer import Consumer
from bot.runtime.counters import Counters
from bot.runtime.inbox import Inbox
from bot.runtime.notices import Notices


def intent(client_id: str = "cb1-1-1", instrument: str = SPOT) -> OrderIntent:
    return OrderIntent(
        client_id,
        "h1",
        0,
        "toy",
        instrument,
        Side.BUY,
        Decimal(1),
        Decimal(50_000),
        TimeInForce.IOC,
        reduce_only=False,
        purpose=Purpose.OPEN,
        created_ms=START_MS,
        decided_price=Decimal(50_000),
    )


class Wall:
    def __init__(self) -> None:
        self.now_ms = 1_000

    def market_ms(self) -> int:
        return START_MS

    def mono_ms(self) -> int:
        return self.now_ms


class Rig:
    """A consumer around a tiny core, writing down the order of what leaves it."""

    def __init__(self, step: object) -> None:
        self.diary: list[object] = []
        self.lines: list[Emit] = []
        self.failing = ""
        self.wall = Wall()
        self.commit_ms = 0
        """How long a commit takes."""
        self.arriving: list[ev.Event] = []
        """What comes during the next one."""
        self.inbox = Inbox()
        self.notices = Notices(Wall(), lambda emit, _at: self.lines.append(emit))
        self.counters = Counters()
        self.handled: list[ev.Event] = []

        def stepped(event: ev.Event, at: Stamp) -> list[Action]:
            self.handled.append(event)
            return step(event, at)  # type: ignore[operator]

        self.consumer = Consumer(
            stepped, self.inbox, self.wall, self.commit, self.dispatch, self.notices, self.counters, lambda: None
        )

    async def commit(self, records: Sequence[Persist]) -> None:
        await asyncio.sleep(0)
        while self.arriving:
            self.inbox.put(self.arriving.pop(0))
        self.wall.now_ms += self.commit_ms
        if self.failing:
            raise StoreError(self.failing)
        self.diary.append(("commit", [copy.deepcopy(record.record) for record in records]))

    def dispatch(self, actions: Sequence[Action]) -> None:
        if actions:
            self.diary.append(("send", list(actions)))

    async def turns(self, count: int = 4) -> None:
        for _ in range(count):
            await self.consumer.turn()

    def named(self, name: str) -> list[Emit]:
        return [line for line in self.lines if line.name == name]


def both_legs(event: ev.Event, _at: Stamp) -> list[Action]:
    if not isinstance(event, ev.Tick):
        return []
    pair = intent("cb1-1-1"), intent("cb1-1-2", PERP)
    return [*(Persist(each) for each in pair), PlaceOrders(pair, reducing=False)]


async def test_the_intent_is_committed_before_the_order_is_sent() -> None:
    rig = Rig(both_legs)
    rig.inbox.put(ev.Tick())
    await rig.turns(1)
    (first, records), (second, sent) = rig.diary  # type: ignore[misc]
    assert (first, second) == ("commit", "send")
    assert [record.client_id for record in records] == ["cb1-1-1", "cb1-1-2"]
    assert len(sent) == 1, "both legs leave together"


async def test_a_step_without_records_commits_nothing() -> None:
    rig = Rig(lambda _event, _at: [QueryOrder("x", SPOT, None, 0)])
    rig.inbox.put(quote(SPOT))
    await rig.turns(1)
    assert [entry[0] for entry in rig.diary] == ["send"]  # type: ignore[index]
    assert rig.counters.commits == 0


async def test_many_steps_share_one_commit_and_a_send_ends_the_batch() -> None:
    def step(event: ev.Event, at: Stamp) -> list[Action]:
        if isinstance(event, SettledRate):
            return [Persist(event)]
        return both_legs(event, at)

    rig = Rig(step)
    for number in range(50):
        rig.inbox.put(SettledRate(PERP, number, Decimal(0), 3600))
    rig.inbox.put(ev.Tick())
    rig.inbox.put(quote(SPOT))
    await rig.turns(1)
    assert [entry[0] for entry in rig.diary] == ["commit", "send"]  # type: ignore[index]
    assert len(rig.diary[0][1]) == 52  # type: ignore[index]
    assert len(rig.inbox) == 1, "the quote waits: the orders must not"


async def test_records_of_a_batch_are_as_they_were_at_their_own_step() -> None:
    order = OrderRecord(intent())

    def step(event: ev.Event, _at: Stamp) -> list[Action]:
        assert isinstance(event, ev.OrderNotFound)
        order.filled_base += 1
        order.fill_keys.add(("toy", SPOT, event.client_id))
        return [Persist(order)]

    rig = Rig(step)
    rig.inbox.put(ev.OrderNotFound("1", 1))
    rig.inbox.put(ev.OrderNotFound("2", 1))
    await rig.turns(1)
    records = rig.diary[0][1]  # type: ignore[index]
    assert [record.filled_base for record in records] == [1, 2]
    assert [len(record.fill_keys) for record in records] == [1, 2]


async def test_what_cannot_be_committed_is_not_sent_and_the_core_is_told() -> None:
    halts = []

    def step(event: ev.Event, at: Stamp) -> list[Action]:
        if isinstance(event, ev.Halt):
            halts.append(event.reason)
            return [Persist(ControlSet(Control.HALTED, event.reason, at.market_ms))]
        return both_legs(event, at)

    rig = Rig(step)
    rig.failing = "disk full"
    rig.inbox.put(ev.Tick())
    await rig.turns()
    assert rig.diary == []
    assert rig.counters.orders_withheld == 2
    told = [event for event in rig.handled if isinstance(event, ev.OrderReported)]
    assert [(event.client_id, event.state) for event in told] == [
        ("cb1-1-1", OrderState.REJECTED),
        ("cb1-1-2", OrderState.REJECTED),
    ]
    assert halts == ["the database refused a commit: disk full"], "told once, not for each try"
    alert = rig.named("store.failed")
    assert [line.severity for line in alert] == [Severity.CRITICAL], "the alert needs no database"
    assert rig.consumer.store_error == "disk full"


@pytest.mark.parametrize(
    ("purpose", "commit_ms", "leaves"),
    [
        (Purpose.OPEN, 500, True),
        (Purpose.OPEN, 501, False),
        (Purpose.COMPLETE, 501, False),
        (Purpose.UNWIND, 5_000, True),
        (Purpose.CLOSE, 5_000, True),
    ],
)
async def test_what_opens_does_not_leave_after_a_commit_that_took_long(
    purpose: Purpose, commit_ms: int, leaves: bool
) -> None:
    """Its prices are of before the commit, and a halt that came meanwhile waits behind it in the inbox."""
    order = replace(intent(), purpose=purpose)
    sends = [PlaceOrders((order,), reducing=purpose is not Purpose.OPEN), QueryOrder("x", SPOT, None, 0)]
    rig = Rig(lambda event, _at: [Persist(order), *sends] if isinstance(event, ev.Tick) else [])
    rig.commit_ms = commit_ms
    rig.inbox.put(ev.Tick())
    await rig.turns(2)
    assert rig.diary[1] == ("send", sends if leaves else sends[1:])
    told = [(one.client_id, one.state) for one in rig.handled if isinstance(one, ev.OrderReported)]
    assert told == ([] if leaves else [("cb1-1-1", OrderState.REJECTED)])
    assert rig.counters.orders_withheld == (0 if leaves else 1)


async def test_what_came_during_a_commit_that_took_long_is_handled_before_anything_opens() -> None:
    lost = ev.FeedLost("toy:spot", "reset")

    def step(event: ev.Event, _at: Stamp) -> list[Action]:
        if isinstance(event, ev.OrderNotFound):  # a fact on which the core opens
            name = event.client_id
            return [Persist(intent(name)), PlaceOrders((intent(name),), reducing=False)]
        return [Persist(intent("cb1-1-9"))] if event is slow else []

    slow = ev.Halt("a slow commit")
    rig = Rig(step)
    rig.commit_ms, rig.arriving = 501, [ev.OrderNotFound("cb1-1-1", 1), lost, ev.OrderNotFound("cb1-1-2", 1)]
    rig.inbox.put(slow)
    await rig.turns(1)
    rig.commit_ms = 0
    await rig.turns(5)
    assert rig.handled[:4] == [slow, ev.OrderNotFound("cb1-1-1", 1), lost, ev.OrderNotFound("cb1-1-2", 1)]
    assert [leaves for what, leaves in rig.diary if what == "send"] == [  # type: ignore[misc]
        [PlaceOrders((intent("cb1-1-2"),), reducing=False)]
    ], "only what was decided with all that had come"
    refused = [one.client_id for one in rig.handled if isinstance(one, ev.OrderReported)]
    assert refused == ["cb1-1-1"]


async def test_what_waited_for_a_commit_is_as_old_as_when_it_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps: list[Stamp] = []

    def step(event: ev.Event, at: Stamp) -> list[Action]:
        stamps.append(at)
        return [Persist(intent())] if isinstance(event, ev.Halt) else []

    rig = Rig(step)
    monkeypatch.setattr(inboxes, "mono_ms", rig.wall.mono_ms)
    rig.commit_ms, rig.arriving = 3_000, [ev.FeedAlive("toy:spot")]
    rig.inbox.put(ev.Halt("slow"))
    await rig.turns(1)
    rig.inbox.put(ev.FeedAlive("toy:perp"))
    await rig.turns(1)
    assert [at.heard_mono_ms for at in stamps] == [None, 1_000, None]


async def test_when_the_database_is_back_everything_that_waited_is_written_first() -> None:
    rig = Rig(both_legs)
    rig.failing = "locked"
    rig.inbox.put(ev.Tick())
    await rig.turns()
    rig.failing = ""
    rig.inbox.put(ev.Tick())
    await rig.turns(1)
    (kind, records), (sent, _) = rig.diary  # type: ignore[misc]
    assert (kind, sent) == ("commit", "send")
    ids = [record.client_id for record in records if isinstance(record, OrderIntent)]
    assert ids == ["cb1-1-1", "cb1-1-2"] * 2
    assert rig.consumer.store_error is None
    assert rig.named("store.recovered")


async def test_margin_is_not_moved_without_its_record() -> None:
    move = TransferIntent("t1-1", "toy", "USDT", Decimal(5), "spot", "perp", START_MS)
    rig = Rig(lambda event, _at: [Persist(move), MoveMargin(move)] if isinstance(event, ev.Tick) else [])
    rig.failing = "disk full"
    rig.inbox.put(ev.Tick())
    await rig.turns()
    assert rig.diary == []
    assert any(isinstance(e, ev.TransferFailed) and e.transfer_id == "t1-1" for e in rig.handled)


async def test_questions_are_still_asked_while_the_database_refuses() -> None:
    question = QueryOrder("cb1-1-1", SPOT, None, 0)
    rig = Rig(lambda event, _at: [Persist(intent()), question] if isinstance(event, ev.Tick) else [])
    rig.failing = "disk full"
    rig.inbox.put(ev.Tick())
    await rig.turns(1)
    assert rig.diary == [("send", [question])]


async def test_a_warning_becomes_an_alert_record_once_a_minute() -> None:
    rig = Rig(lambda _event, _at: [Emit(Severity.WARNING, "feed.lost", {"feed": "toy:spot"})])
    for _ in range(3):
        rig.inbox.put(ev.Halt("x"))
        await rig.turns(1)
    assert len(rig.named("feed.lost")) == 3, "the log has each line"
    alerts = [record for _, records in rig.diary for record in records]  # type: ignore[misc]
    assert alerts == [Alert(START_MS, Severity.WARNING, "feed.lost", "feed toy:spot")]


async def test_the_answer_to_a_command_waits_for_its_commit() -> None:
    rig = Rig(lambda _event, at: [Persist(ControlSet(Control.HALTED, "x", at.market_ms))])
    done = rig.inbox.ask(ev.Halt("x"))
    assert not done.done()
    await rig.turns(1)
    assert done.done()
    assert rig.diary


async def test_an_overflow_halts_and_reconciles() -> None:
    asked = []
    rig = Rig(lambda _event, _at: [])
    rig.inbox = rig.consumer._inbox = Inbox(kept_max=3)
    rig.consumer.on_overflow = lambda: asked.append("reconcile")
    for number in range(10):
        rig.inbox.put(ev.OrderNotFound(str(number), 1))
    await rig.turns(1)
    assert asked == ["reconcile"]
    assert isinstance(rig.handled[0], ev.Halt), "before anything that was still let in"
    assert [line.severity for line in rig.named("inbox.overflowed")] == [Severity.CRITICAL]
    assert rig.counters.inbox_refused == 7


async def test_a_defect_of_the_core_is_not_swallowed() -> None:
    def broken(_event: ev.Event, _at: Stamp) -> list[Action]:
        raise ZeroDivisionError

    rig = Rig(broken)
    rig.inbox.put(ev.Tick())
    with pytest.raises(ZeroDivisionError):
        await rig.turns(1)

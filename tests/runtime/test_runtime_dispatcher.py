"""The dispatcher: what it starts, what a failing request becomes, what is asked only once."""

import asyncio
from collections.abc import Sequence

import pytest
from quiet_venue import PERP, SPOT, QuietVenue
from test_runtime_consumer import intent

from bot.domain import events as ev
from bot.domain.actions import CancelOrder, FetchRates, FetchReceipts, PlaceOrders, QueryOrder, Reconcile
from bot.domain.orders import OrderIntent, OrderState
from bot.ports import Deliver
from bot.runtime.counters import Counters
from bot.runtime.dispatcher import Dispatcher


class Rig:
    def __init__(self, venue: QuietVenue, tasks: asyncio.TaskGroup) -> None:
        self.events: list[ev.Event] = []
        self.asked: list[tuple[str, ...]] = []
        self.lines: list[str] = []
        self.counters = Counters()
        self.dispatcher = Dispatcher(
            {"toy": venue},
            tasks,
            self.events.append,
            lambda _severity, name, **_fields: self.lines.append(name),
            self.counters,
            lambda venue, since: self.asked.append(("rates", venue, str(since))),
            lambda venue, since: self.asked.append(("receipts", venue, str(since))),
            lambda venue, reason: self.asked.append(("reconcile", venue, reason)),
        )


async def test_both_legs_go_to_the_venue_in_one_call() -> None:
    venue = QuietVenue()
    async with asyncio.TaskGroup() as tasks:
        rig = Rig(venue, tasks)
        rig.dispatcher.dispatch([PlaceOrders((intent("a"), intent("b", PERP)), reducing=False)])
        assert await rig.dispatcher.idle(1)
    assert [placed.client_id for placed in venue.placed] == ["a", "b"]
    ended = [event for event in rig.events if isinstance(event, ev.OrderReported)]
    assert [(e.client_id, e.state) for e in ended] == [("a", OrderState.FILLED), ("b", OrderState.FILLED)]
    assert rig.counters.orders_sent == 2


class Exploding(QuietVenue):
    async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None:
        await asyncio.sleep(0)
        raise KeyError("a defect in an adapter")


async def test_a_request_that_fails_inside_the_daemon_is_unknown_and_never_refused() -> None:
    async with asyncio.TaskGroup() as tasks:
        rig = Rig(Exploding(), tasks)
        rig.dispatcher.dispatch([PlaceOrders((intent("a"), intent("b", PERP)), reducing=False)])
        await rig.dispatcher.idle(1)
    assert [(type(e), e.client_id) for e in rig.events] == [  # type: ignore[union-attr]
        (ev.OrderOutcomeUnknown, "a"),
        (ev.OrderOutcomeUnknown, "b"),
    ]
    assert rig.lines == ["dispatch.failed"]
    assert rig.dispatcher.sending == 0


class Slow(QuietVenue):
    def __init__(self) -> None:
        super().__init__()
        self.release = asyncio.Event()

    async def query(
        self, client_id: str, instrument: str, venue_order_id: str | None, since_ms: int, deliver: Deliver
    ) -> None:
        self.asked.append(client_id)
        await self.release.wait()

    async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None:
        await self.release.wait()


async def test_an_order_is_not_asked_for_twice_at_the_same_time() -> None:
    venue = Slow()
    async with asyncio.TaskGroup() as tasks:
        rig = Rig(venue, tasks)
        question = QueryOrder("a", SPOT, None, 0)
        rig.dispatcher.dispatch([question, question])
        await asyncio.sleep(0.01)
        rig.dispatcher.dispatch([question, QueryOrder("b", SPOT, None, 0)])
        await asyncio.sleep(0.01)
        assert venue.asked == ["a", "b"]
        venue.release.set()
        assert await rig.dispatcher.idle(1)
        rig.dispatcher.dispatch([question])
        await asyncio.sleep(0.01)
    assert venue.asked == ["a", "b", "a"]


async def test_a_cancelled_request_leaves_its_orders_unknown() -> None:
    venue = Slow()
    async with asyncio.TaskGroup() as tasks:
        rig = Rig(venue, tasks)
        rig.dispatcher.dispatch([PlaceOrders((intent("a"),), reducing=True)])
        await asyncio.sleep(0.01)
        assert rig.dispatcher.sending == 1
        assert not await rig.dispatcher.idle(0.01)
        rig.dispatcher.cancel_all()
    assert [type(event) for event in rig.events] == [ev.OrderOutcomeUnknown]


async def test_fetches_and_reconciliation_go_to_whoever_spaces_them() -> None:
    async with asyncio.TaskGroup() as tasks:
        rig = Rig(QuietVenue(), tasks)
        rig.dispatcher.dispatch(
            [FetchRates("toy", 1), FetchReceipts("toy", 2), Reconcile("toy", "why"), CancelOrder("a", SPOT)]
        )
        await rig.dispatcher.idle(1)
    assert rig.asked == [("rates", "toy", "1"), ("receipts", "toy", "2"), ("reconcile", "toy", "why")]
    assert isinstance(rig.events[0], ev.OrderReported)


async def test_a_venue_that_is_not_configured_is_a_defect() -> None:
    async with asyncio.TaskGroup() as tasks:
        rig = Rig(QuietVenue(), tasks)
        with pytest.raises(KeyError):
            rig.dispatcher.dispatch([QueryOrder("a", "other:BTC:spot", None, 0)])

"""Orders on their way out: with which priority, and that one which waits in our own queue is not asked for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.actions import Severity
from bot.domain.events import Event, OrderNotFound, OrderOutcomeUnknown, OrderReported
from bot.domain.instruments import Instrument, Kind, Payoff, Wallet, margin_twin
from bot.domain.orders import OrderIntent, OrderState, Purpose, Side, TimeInForce
from bot.domain.time import DAY_MS
from bot.runtime.clock import mono_ms
from bot.venues.binance import orders
from bot.venues.binance.gate import Api, OrderGate, Priority
from bot.venues.binance.orders import OrderDesk
from bot.venues.binance.outcomes import AnsweredError, NoAnswerError, NotSentError
from bot.venues.binance.rest import BinanceRest
from bot.venues.binance.symbols import SymbolBook
from bot.venues.binance.trades import OrderNames

ONE = Decimal(1)
SPOT = Instrument(
    "binance:BTCUSDT:spot",
    "binance",
    "BTCUSDT",
    "BTC",
    Kind.SPOT,
    Payoff.LINEAR,
    Wallet.SPOT,
    *("BTC", "USDT", "USDT"),
    *(ONE, ONE, ONE, ONE * 100, ONE),
)
PERP = replace(SPOT, id="binance:BTCUSDT:perp", kind=Kind.PERP, wallet=Wallet.PERP)
INTENT = OrderIntent(
    *("cb1-1-1", "h1", 0, "binance", SPOT.id, Side.BUY, ONE, ONE),
    *(TimeInForce.IOC, False, Purpose.OPEN, 0, ONE),
)


class QueueingRest:
    """Holds the order back until told, then loses it; knows no order."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.asked_ms: list[int] = []

    async def order(self, endpoint: str, params: Any, **more: Any) -> Any:
        if "Post" in endpoint:
            await self.release.wait()
            raise NoAnswerError("time-out")
        self.asked_ms.append(mono_ms())
        if endpoint in ("privateGetOrder", "privateDeleteOrder"):
            raise AnsweredError(400, -2013, "Order does not exist.")
        return []


async def test_not_found_is_no_answer_while_the_order_may_still_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    rest, heard = QueueingRest(), list[Event]()
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    placing = asyncio.ensure_future(desk.place((INTENT,), reducing=False, deliver=heard.append))
    await asyncio.sleep(0)
    await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    assert [type(event) for event in heard] == [OrderOutcomeUnknown]
    rest.release.set()
    await placing
    await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    monkeypatch.setattr(orders, "VIEWS_LAG_MS", 0)
    rest.asked_ms.clear()
    asked_ms = mono_ms()
    await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    told = heard[-1]
    assert isinstance(told, OrderNotFound)
    assert (told.client_id, told.sources) == (INTENT.client_id, 3)
    assert told.asked_mono_ms is not None
    assert asked_ms <= told.asked_mono_ms <= rest.asked_ms[0], "what it says is as old as its first question"


class OverloadedRest:
    """Takes an order at the door; until it is released, its engine matches nothing and says nothing."""

    def __init__(self) -> None:
        self.stuck, self.taken, self.matched = True, False, False
        self.refuses: AnsweredError | None = None

    async def order(self, endpoint: str, params: Any, **more: Any) -> Any:
        row = {"symbol": "BTCUSDT", "orderId": 7, "status": "EXPIRED", "executedQty": "0", "side": "BUY"}
        if "Post" in endpoint:
            self.taken = True
            raise AnsweredError(408, -1007, "Timeout waiting for response from backend server.")
        if "Delete" in endpoint:
            if self.refuses is not None:
                raise self.refuses
            if self.stuck:
                raise AnsweredError(408, -1007, "Timeout waiting for response from backend server.")
            self.matched = self.taken
            raise AnsweredError(400, -2011, "Unknown order sent.")
        if not self.matched:
            if endpoint == "privateGetOrder":
                raise AnsweredError(400, -2013, "Order does not exist.")
            return []
        return {**row, "clientOrderId": INTENT.client_id}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now_ms = [1_000_000]
    monkeypatch.setattr(orders, "monotonic_ns", lambda: now_ms[0] * 1_000_000)
    return now_ms


async def test_not_found_is_not_told_while_the_order_may_wait_to_be_matched(clock: list[int]) -> None:
    """The door checks the receive window; behind it an order has filled ten and more seconds later."""
    rest, heard = OverloadedRest(), list[Event]()
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    await desk.place((INTENT,), reducing=False, deliver=heard.append)
    for _ in range(3):
        clock[0] += 5_000
        await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    assert {type(event) for event in heard} == {OrderOutcomeUnknown}
    rest.stuck = False
    for _ in range(2):
        clock[0] += 5_000
        await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    assert [event.sources for event in heard if isinstance(event, OrderNotFound)] == [1], "the views may lag"
    report = heard[-1]
    assert isinstance(report, OrderReported)
    assert report.state is OrderState.CANCELLED


@pytest.mark.parametrize("refusal", [None, AnsweredError(400, -1013, "Market is closed.")])
async def test_not_found_is_told_in_full_once_the_views_can_have_caught_up(
    clock: list[int], refusal: AnsweredError | None
) -> None:
    rest, heard = OverloadedRest(), list[Event]()
    rest.stuck, rest.refuses = False, refusal
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    for _ in range(3):
        await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
        clock[0] += 600
    assert [event.sources for event in heard if isinstance(event, OrderNotFound)] == [1, 1, 3]


async def test_a_ban_does_not_make_the_views_do(clock: list[int]) -> None:
    rest, heard = OverloadedRest(), list[Event]()
    rest.refuses = AnsweredError(429, -1003, "Too many requests.")
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    for _ in range(2):
        clock[0] += 5_000
        await desk.query(INTENT.client_id, SPOT.id, None, 1, heard.append)
    assert {type(event) for event in heard} == {OrderOutcomeUnknown}


class ForgetfulRest:
    """Forgets orders by their id, and tells of at most the latest day or week of them."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def order(self, endpoint: str, params: Any, **more: Any) -> Any:
        if endpoint in ("sapiGetMarginOrder", "fapiPrivateGetOrder"):
            raise AnsweredError(400, -2013, "Order does not exist.")
        if not endpoint.endswith("AllOrders"):
            return []
        self.asked.append(dict(params))
        latest = "endTime" not in params
        row = {"symbol": "BTCUSDT", "orderId": 7, "status": "EXPIRED", "executedQty": "0", "side": "SELL"}
        return [] if latest else [{**row, "clientOrderId": INTENT.client_id}]


@pytest.mark.parametrize(("instrument", "days"), [(margin_twin(SPOT), 1), (PERP, 7)])
async def test_an_order_of_long_ago_is_looked_for_in_its_own_time(instrument: Instrument, days: int) -> None:
    rest, heard = ForgetfulRest(), list[Event]()
    desk = OrderDesk(rest, lambda: SymbolBook.of((instrument,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    await desk.query(INTENT.client_id, instrument.id, None, 1_800_000_000_000, heard.append)
    (report,) = heard
    assert isinstance(report, OrderReported)
    assert report.state is OrderState.CANCELLED
    assert rest.asked[0]["endTime"] - rest.asked[0]["startTime"] == days * DAY_MS - 1
    assert rest.asked[0]["startTime"] < 1_800_000_000_000


class FullRest:
    """Lets nothing out, and remembers how urgent it was."""

    def __init__(self) -> None:
        self.urgency: list[Priority] = []

    async def order(self, endpoint: str, params: Any, *, priority: Priority, counted: bool, admitted: bool) -> Any:
        del endpoint, params
        assert counted
        assert not admitted
        self.urgency.append(priority)
        raise NotSentError("rate limit: not admitted within 0 s")


@pytest.mark.parametrize(
    ("purpose", "reducing", "priority"),
    [
        (Purpose.OPEN, False, Priority.OPENING),
        (Purpose.COMPLETE, True, Priority.COMPLETING),
        (Purpose.UNWIND, True, Priority.REDUCING),
        (Purpose.CLOSE, True, Priority.REDUCING),
    ],
)
async def test_how_urgent_an_order_is(purpose: Purpose, reducing: bool, priority: Priority) -> None:
    rest, heard = FullRest(), list[Event]()
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    await desk.place((replace(INTENT, purpose=purpose),), reducing=reducing, deliver=heard.append)
    assert rest.urgency == [priority]
    (told,) = heard
    assert isinstance(told, OrderReported)
    assert told.state is OrderState.REJECTED, "it never left: what comes next is decided anew"


class DefectiveRest:
    """Fails at the perpetual's order as only a defect of ours can, while the spot's is answered a moment later."""

    async def admit(self, *_: Any, **__: Any) -> None:
        pass

    async def order(self, endpoint: str, params: Any, **_: Any) -> Any:
        if "fapi" in endpoint:
            raise ArithmeticError("a defect")
        for _ in range(5):
            await asyncio.sleep(0)
        row = {"symbol": "BTCUSDT", "orderId": 7, "status": "FILLED", "executedQty": "1", "side": "BUY"}
        return {**row, "clientOrderId": params["newClientOrderId"]}


async def test_a_defect_in_one_legs_handling_loses_no_answer_about_the_other() -> None:
    heard, said = list[Event](), list[Any]()
    book = SymbolBook.of((SPOT, PERP))
    desk = OrderDesk(DefectiveRest(), lambda: book, OrderNames(), lambda *line: said.append(line))  # type: ignore[arg-type]
    short = replace(INTENT, client_id="cb1-1-2", leg=1, instrument=PERP.id, side=Side.SELL)
    await desk.place((INTENT, short), reducing=False, deliver=heard.append)
    outcomes = {event.client_id: event for event in heard}  # type: ignore[union-attr]
    assert isinstance(outcomes["cb1-1-2"], OrderOutcomeUnknown)
    filled = outcomes["cb1-1-1"]
    assert isinstance(filled, OrderReported)
    assert filled.state is OrderState.FILLED
    ((severity, name, fields),) = said
    assert (severity, name, fields["request"]) == (Severity.CRITICAL, "dispatch.failed", "place:cb1-1-2")


class PressedRest:
    """Has room for requests to the spot API and none for the perpetual's; remembers what left."""

    def __init__(self) -> None:
        self.left: list[str] = []

    async def admit(self, endpoints: Sequence[str], *, priority: Priority, counted: bool) -> None:
        assert counted
        if priority is Priority.OPENING and any("fapi" in endpoint for endpoint in endpoints):
            await asyncio.sleep(0)
            raise NotSentError("rate limit: not admitted within 0 s")

    async def order(self, endpoint: str, params: Any, *, admitted: bool = False, **more: Any) -> Any:
        if not admitted:
            await self.admit([endpoint], **{"counted": True, **more})
        self.left.append(endpoint)
        raise NoAnswerError("time-out")


def pair(second: Instrument, purpose: Purpose) -> tuple[OrderIntent, OrderIntent]:
    return (
        replace(INTENT, purpose=purpose),
        replace(INTENT, client_id="cb1-1-2", leg=1, instrument=second.id, side=Side.SELL, purpose=purpose),
    )


async def test_legs_that_open_leave_together_or_not_at_all() -> None:
    """Where one of two orders has to wait for request weight, the other would be a naked leg for as long."""
    rest, heard = PressedRest(), list[Event]()
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT, PERP)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    await desk.place(pair(PERP, Purpose.OPEN), reducing=False, deliver=heard.append)
    assert rest.left == []
    assert [(one.client_id, one.state) for one in heard if isinstance(one, OrderReported)] == [
        ("cb1-1-1", OrderState.REJECTED),
        ("cb1-1-2", OrderState.REJECTED),
    ]
    await desk.query("cb1-1-1", SPOT.id, None, 1, heard.append)
    assert "has not ended" not in str(heard[-1]), "nothing is under way any more"
    await desk.place(pair(PERP, Purpose.CLOSE), reducing=True, deliver=heard.append)
    assert sorted(rest.left[-2:]) == ["fapiPrivatePostOrder", "privatePostOrder"], "there is room for what closes"


class SlowRest(PressedRest):
    """Lets everything out, after a while."""

    async def admit(self, endpoints: Sequence[str], *, priority: Priority, counted: bool) -> None:
        await asyncio.sleep(0.01)


async def test_a_listing_that_comes_while_legs_wait_parts_nobody() -> None:
    """What was decided by the old one leaves by the old one: the venue may refuse a leg, but no leg stays behind."""
    rest, heard, book = SlowRest(), list[Event](), [SymbolBook.of((SPOT, PERP))]
    desk = OrderDesk(rest, lambda: book[0], OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    placing = asyncio.ensure_future(desk.place(pair(PERP, Purpose.OPEN), reducing=False, deliver=heard.append))
    await asyncio.sleep(0)
    book[0] = SymbolBook.of((SPOT,))
    await placing
    assert sorted(rest.left) == ["fapiPrivatePostOrder", "privatePostOrder"]


async def test_a_leg_that_is_not_listed_keeps_the_other_one_back() -> None:
    rest, heard = PressedRest(), list[Event]()
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT,)), OrderNames(), lambda *_: None)  # type: ignore[arg-type]
    await desk.place(pair(PERP, Purpose.OPEN), reducing=False, deliver=heard.append)
    assert rest.left == []
    assert {one.reason for one in heard if isinstance(one, OrderReported)} == {"not sent: instrument is not listed"}


class LosingRest(BinanceRest):
    """The real queues and limits; what leaves is noted, and gets no answer."""

    def __init__(self) -> None:
        super().__init__("key", "secret", None)
        self.left: list[str] = []

    async def _call(self, instance: Any, endpoint: str, params: Any) -> Any:
        del instance, params
        self.left.append(endpoint)
        raise NoAnswerError("time-out")


def ban(rest: BinanceRest, api: str) -> None:
    rest.budgets[api].observe({"retry-after": "60"}, 429)


@pytest.mark.parametrize("purpose", [Purpose.OPEN, Purpose.CLOSE])
@pytest.mark.parametrize("api", [Api.SPOT, Api.PERP])
async def test_a_ban_that_comes_while_the_other_leg_waits_keeps_both(api: str, purpose: Purpose) -> None:
    """The leg that waits for nothing may not leave any more, and the other one alone would be naked."""
    rest, heard = LosingRest(), list[Event]()
    waits = Api.PERP if api == Api.SPOT else Api.SPOT
    rest._gates[waits] = gate = OrderGate(rest.budgets[waits], ((10, 0.1),))
    for _ in range(10):
        await gate.enter(Priority.REDUCING, within_s=1, counted=True)
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT, PERP)), OrderNames(), lambda *_: None)
    both = pair(PERP, purpose)
    placing = asyncio.ensure_future(desk.place(both, reducing=purpose is Purpose.CLOSE, deliver=heard.append))
    await asyncio.sleep(0.02)
    assert rest.left == []
    ban(rest, api)
    await placing
    assert rest.left == []
    assert [one.state for one in heard if isinstance(one, OrderReported)] == [OrderState.REJECTED] * 2


@pytest.mark.parametrize("api", [Api.SPOT, Api.PERP])
async def test_legs_that_close_stay_together_while_one_api_is_banned(api: str) -> None:
    """A ban lasts for minutes or days: half of a closed hedge would be naked for as long."""
    rest, heard = LosingRest(), list[Event]()
    rest.timeout_s = 0.05
    ban(rest, api)
    desk = OrderDesk(rest, lambda: SymbolBook.of((SPOT, PERP)), OrderNames(), lambda *_: None)
    await desk.place(pair(PERP, Purpose.CLOSE), reducing=True, deliver=heard.append)
    assert rest.left == []
    assert [one.state for one in heard if isinstance(one, OrderReported)] == [OrderState.REJECTED] * 2

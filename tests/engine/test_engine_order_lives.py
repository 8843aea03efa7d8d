"""An order's life, one fact at a time: what each word of the venue changes, and what it must leave alone."""

from decimal import Decimal

import market_kit as kit
import pytest

from bot.domain.actions import Emit, Persist, PlaceOrders, QueryOrder
from bot.domain.books import Books
from bot.domain.config import CoreConfig
from bot.domain.events import OrderFilled, OrderNotFound, OrderOutcomeUnknown, OrderReported, VenueListed
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, HedgeState, Leg
from bot.domain.instruments import Kind
from bot.domain.orders import Fill, OrderIntent, OrderRecord, OrderState, Purpose, Side, TimeInForce
from bot.domain.time import Stamp
from bot.engine import orders
from bot.engine.core import step
from bot.engine.recovery import restore
from bot.engine.state import Actions, EngineState

D = Decimal
SPOT, PERP = kit.pair_instruments("ETH")
NOW_MS = 100_000


def intent(client_id: str = "cb1-1-1", purpose: Purpose = Purpose.OPEN, quantity: str = "2") -> OrderIntent:
    return OrderIntent(
        client_id,
        "h1",
        0,
        kit.VENUE,
        SPOT.id,
        Side.BUY,
        D(quantity),
        D(100),
        TimeInForce.IOC,
        reduce_only=False,
        purpose=purpose,
        created_ms=1_000,
        decided_price=D(100),
    )


def fill(quantity: str, trade: str = "t1", client_id: str = "cb1-1-1", venue_order_id: str = "v1") -> Fill:
    zero = D(0)
    return Fill(
        *(kit.VENUE, SPOT.id, trade, client_id, venue_order_id, Side.BUY, D(100), D(quantity), zero, "USDT", zero),
        maker=False,
        traded_ms=5_000,
    )


class Life:
    """One hedge with one order in the state that the test is about."""

    def __init__(self, state: OrderState = OrderState.INTENDED, sent_ms: int = NOW_MS - 1_000) -> None:
        self.engine: EngineState = restore(Books(epoch=1), CoreConfig())
        step(self.engine, VenueListed(kit.VENUE, (SPOT, PERP), {}, {}), Stamp(1, 10_000, NOW_MS))
        legs = (Leg(SPOT.id, Kind.SPOT, 1), Leg(PERP.id, Kind.PERP, -1))
        self.hedge = Hedge("h1", 1, "cash_and_carry", "ETH", kit.VENUE, HedgeState.OPENING, legs, D(2), 1_000)
        self.engine.book.hedges["h1"] = self.hedge
        self.order = OrderRecord(intent(), state, sent_mono_ms=sent_ms)
        self.engine.book.orders["cb1-1-1"] = self.order
        self.hedge.order_ids.append("cb1-1-1")
        self.out = Actions()

    def reported(self, state: OrderState, filled: str = "0", **more: str | None) -> Hedge | None:
        return orders.reported(self.engine, OrderReported("cb1-1-1", state, D(filled), **more), self.out)

    def not_found(self, sources: int = 2) -> Hedge | None:
        return orders.not_found(self.engine, OrderNotFound("cb1-1-1", sources), self.out)

    def unknown(self) -> Hedge | None:
        return orders.unknown(self.engine, OrderOutcomeUnknown("cb1-1-1", "time-out"), self.out)

    def filled(self, found: Fill) -> Hedge | None:
        return orders.filled(self.engine, OrderFilled(found), self.out)

    @property
    def said(self) -> list[str]:
        return [each.name for each in self.out if isinstance(each, Emit)]

    @property
    def asked(self) -> list[QueryOrder]:
        return [each for each in self.out if isinstance(each, QueryOrder)]

    @property
    def kept(self) -> list[object]:
        return [each.record for each in self.out if isinstance(each, Persist)]


def test_sending_keeps_the_intent_the_order_and_the_hedge_before_both_leave_together() -> None:
    life = Life()
    pair = intent("cb1-1-2"), intent("cb1-1-3")
    orders.send(life.engine, life.hedge, pair, life.out)
    *before, last = life.out
    assert isinstance(last, PlaceOrders)
    assert (last.intents, last.reducing) == (pair, False)
    records = [life.engine.orders[each.client_id] for each in pair]
    assert [each.record for each in before if isinstance(each, Persist)] == [
        *(pair[0], records[0], pair[1], records[1]),
        Remembered("budget", "", "orders:00", Decimal(2), 0),
        life.hedge,
    ]
    assert [record.sent_mono_ms for record in records] == [NOW_MS, NOW_MS]
    assert life.hedge.order_ids == ["cb1-1-1", "cb1-1-2", "cb1-1-3"]
    assert life.engine.empty_handed == {"h1"}
    assert life.engine.book.guards.spent.within_hour(10_000)[0] == 2


@pytest.mark.parametrize(
    ("purposes", "reducing"),
    [
        ((Purpose.OPEN, Purpose.OPEN), False),
        ((Purpose.OPEN, Purpose.UNWIND), False),
        ((Purpose.UNWIND, Purpose.COMPLETE), True),
        ((Purpose.CLOSE, Purpose.CLOSE), True),
    ],
)
def test_orders_count_as_reducing_when_none_of_them_opens(purposes: tuple[Purpose, Purpose], reducing: bool) -> None:
    life = Life()
    pair = intent("cb1-1-2", purposes[0]), intent("cb1-1-3", purposes[1])
    orders.send(life.engine, life.hedge, pair, life.out)
    assert next(each for each in life.out if isinstance(each, PlaceOrders)).reducing is reducing


def test_a_report_without_the_venues_number_leaves_the_number_alone() -> None:
    life = Life()
    life.reported(OrderState.LIVE, venue_order_id="v1")
    life.reported(OrderState.LIVE)
    assert life.order.venue_order_id == "v1"
    assert life.order.state is OrderState.LIVE


def test_a_report_of_nobodys_order_changes_nothing() -> None:
    life = Life()
    assert orders.reported(life.engine, OrderReported("other", OrderState.FILLED, D(2)), life.out) is None
    assert life.out == []


def test_what_was_unknown_is_told_when_it_is_resolved_and_only_then() -> None:
    life = Life(OrderState.UNKNOWN)
    life.reported(OrderState.UNKNOWN)
    assert life.said == []
    life.reported(OrderState.LIVE)
    assert life.said == ["order.resolved"]
    life.reported(OrderState.LIVE)
    assert life.said == ["order.resolved"]
    fresh = Life()
    fresh.reported(OrderState.LIVE)
    assert fresh.said == []


def test_a_rejection_is_told_with_its_reason_and_frees_the_hedge() -> None:
    life = Life()
    assert life.reported(OrderState.REJECTED, reason="-2010: balance") is life.hedge
    assert life.said == ["order.rejected"]
    assert life.order.reason == "-2010: balance"
    assert life.engine.orders == {}
    assert life.hedge.order_ids == []
    assert life.kept == [life.order]


def test_a_rejection_after_a_fill_is_a_cancel_that_waits_for_the_fill() -> None:
    life = Life()
    assert life.reported(OrderState.REJECTED, "1") is None
    assert life.order.state is OrderState.CANCELLED
    assert life.said == []
    assert life.engine.orders


def test_an_ended_order_never_lives_again_and_its_reason_stays() -> None:
    life = Life()
    life.reported(OrderState.CANCELLED, "1", reason="expired")
    life.reported(OrderState.LIVE, "0.5", reason="late")
    assert (life.order.state, life.order.filled_base, life.order.reason) == (OrderState.CANCELLED, D(1), "expired")


def test_no_answer_is_unknown_asked_for_at_once_and_begins_the_settle_window() -> None:
    life = Life()
    assert life.unknown() is None
    assert (life.order.state, life.order.reason) == (OrderState.UNKNOWN, "time-out")
    assert life.order.sent_mono_ms == NOW_MS
    assert life.said == ["order.unknown"]
    assert life.asked == [QueryOrder("cb1-1-1", SPOT.id, None, 1_000)]
    assert (life.order.asked_mono_ms, life.order.asked_count) == (NOW_MS, 1)
    life.unknown()
    assert len(life.asked) == 1, "a question that found no answer is not asked again in a loop"
    assert life.kept == [life.order]


def test_no_answer_about_an_ended_or_foreign_order_changes_nothing() -> None:
    life = Life(OrderState.CANCELLED)
    assert life.unknown() is None
    assert orders.unknown(life.engine, OrderOutcomeUnknown("other", "x"), life.out) is None
    assert life.out == []
    assert life.order.state is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("waited_ms", "sources", "believed"),
    [(2_000, 2, True), (1_999, 2, False), (2_000, 1, False), (2_001, 3, True)],
)
def test_not_found_needs_two_sources_and_the_settle_window(waited_ms: int, sources: int, believed: bool) -> None:
    life = Life(OrderState.UNKNOWN, NOW_MS - waited_ms)
    assert (life.not_found(sources) is life.hedge) is believed
    assert (life.order.state is OrderState.NEVER_SENT) is believed
    assert life.said == (["order.never_sent"] if believed else [])
    if believed:
        assert life.order.reason == f"not found by {sources} sources"


@pytest.mark.parametrize("seen", ["live", "numbered", "filled"])
def test_not_found_is_never_believed_of_what_was_seen(seen: str) -> None:
    life = Life(OrderState.LIVE if seen == "live" else OrderState.UNKNOWN, 1)
    if seen == "numbered":
        life.order.venue_order_id = "v1"
    if seen == "filled":
        life.order.filled_base = D("0.5")
    assert life.not_found() is None
    assert not life.order.state.ended
    assert life.out == []


def test_not_found_of_an_ended_or_foreign_order_changes_nothing() -> None:
    life = Life(OrderState.CANCELLED, 1)
    assert life.not_found() is None
    assert orders.not_found(life.engine, OrderNotFound("other", 2), life.out) is None
    assert life.order.state is OrderState.CANCELLED
    assert life.out == []


def test_after_a_restart_the_settle_window_begins_with_the_first_answer() -> None:
    life = Life(OrderState.UNKNOWN, 0)
    assert life.not_found() is None
    assert life.order.sent_mono_ms == NOW_MS


def test_a_fill_moves_the_order_its_key_is_kept_and_a_repeat_changes_nothing() -> None:
    life = Life()
    life.engine.empty_handed.add("h1")
    life.engine.fruitless["h1"] = 2
    assert life.filled(fill("0.5")) is None
    order = life.order
    assert (order.fills_base, order.filled_base, order.venue_order_id) == (D("0.5"), D("0.5"), "v1")
    assert order.fill_keys == {(kit.VENUE, SPOT.id, "t1")}
    assert life.engine.empty_handed == set()
    assert life.engine.fruitless == {}
    before = len(life.out)
    assert life.filled(fill("0.5")) is None
    assert len(life.out) == before
    assert order.fills_base == D("0.5")


def test_the_last_fill_ends_the_order_and_the_number_that_was_told_first_stays() -> None:
    life = Life()
    life.order.venue_order_id = "v0"
    life.filled(fill("0.5"))
    assert life.order.state is OrderState.INTENDED
    assert life.filled(fill("1.5", "t2")) is life.hedge
    assert life.order.state is OrderState.FILLED
    assert life.order.venue_order_id == "v0"


def test_fills_of_a_cancelled_order_do_not_make_it_filled() -> None:
    life = Life()
    life.reported(OrderState.CANCELLED, "2")
    life.filled(fill("2"))
    assert life.order.state is OrderState.CANCELLED
    assert life.engine.orders == {}


def test_a_trade_that_names_only_the_venues_number_is_found_by_it_and_by_its_instrument() -> None:
    life = Life()
    life.order.venue_order_id = "v1"
    life.filled(fill("0.5", client_id="v1"))
    assert life.order.fills_base == D("0.5")
    other = Life()
    other.order.venue_order_id = "v2"
    other.filled(fill("0.5", client_id="v1"))
    assert other.order.fills_base == 0
    assert "fill.foreign" in other.said


def test_a_hedge_goes_on_only_when_all_of_its_orders_are_home() -> None:
    life = Life()
    life.hedge.order_ids.append("cb1-1-2")
    assert life.reported(OrderState.REJECTED) is None
    assert life.hedge.order_ids == ["cb1-1-2"]


def test_an_order_whose_hedge_is_gone_still_comes_to_its_end() -> None:
    life = Life()
    life.engine.book.hedges.clear()
    assert life.reported(OrderState.REJECTED) is None
    assert life.engine.orders == {}


def test_an_order_that_its_hedge_does_not_list_still_frees_it() -> None:
    life = Life()
    life.hedge.order_ids.clear()
    assert life.reported(OrderState.REJECTED) is life.hedge


@pytest.mark.parametrize(("waited_ms", "late"), [(10_000, False), (10_001, True)])
def test_an_order_without_any_answer_is_unknown_after_the_time_out(waited_ms: int, late: bool) -> None:
    life = Life(OrderState.INTENDED, NOW_MS - waited_ms)
    orders.chase(life.engine, life.out)
    assert (life.order.state is OrderState.UNKNOWN) is late
    assert life.said == (["order.unknown"] if late else [])
    assert life.kept == ([life.order] if late else [])
    assert len(life.asked) == int(late)
    if late:
        assert life.order.reason == "no answer in time"


@pytest.mark.parametrize(
    ("count", "pause_ms"), [(0, 500), (1, 1_000), (3, 4_000), (5, 16_000), (6, 30_000), (16, 30_000)]
)
def test_the_venue_is_asked_at_doubling_pauses_up_to_half_a_minute(count: int, pause_ms: int) -> None:
    for short, asked in ((1, 0), (0, 1)):
        life = Life(OrderState.UNKNOWN, 1)
        life.order.asked_count, life.order.asked_mono_ms = count, NOW_MS - pause_ms + short
        orders.chase(life.engine, life.out)
        assert len(life.asked) == asked
        if asked:
            assert life.order.asked_count == min(count + 1, 16)


@pytest.mark.parametrize(
    ("state", "filled", "asked"),
    [
        (OrderState.INTENDED, "0", 0),
        (OrderState.LIVE, "0", 1),
        (OrderState.UNKNOWN, "0", 1),
        (OrderState.CANCELLED, "1", 1),
        (OrderState.CANCELLED, "0", 0),
        (OrderState.FILLED, "2", 1),
    ],
)
def test_what_is_asked_for(state: OrderState, filled: str, asked: int) -> None:
    """Orders that may live, and ended ones whose fills are not all here."""
    life = Life(state, NOW_MS - 600)
    life.order.filled_base = D(filled)
    orders.chase(life.engine, life.out)
    assert len(life.asked) == asked

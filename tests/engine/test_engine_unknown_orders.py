"""Orders whose outcome is not known: asked for, never sent again, believed only on the venue's evidence."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from playbook import (
    Play,
    Playbook,
    asked,
    both_fill,
    expires,
    fill_of,
    fills,
    nowhere,
    orders,
    refused,
    report_of,
    said,
    saved,
    silence,
    unanswered,
)

from bot.domain.actions import Emit, QueryOrder
from bot.domain.events import OrderFilled, OrderNotFound, OrderOutcomeUnknown, OrderReported, Tick
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.orders import Fill, OrderRecord, OrderState


def opened_half(play: Play) -> Playbook:
    """The spot of the first slice is filled; nobody knows what became of the short."""
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book >> unanswered("perp") << said("order.unknown", reason="time-out") << asked("cb1-1-2")
    return book


def test_an_unanswered_order_puts_its_hedge_into_quarantine_and_is_asked_for(play: Play) -> None:
    book = opened_half(play)
    book.wait(0.25).alive() >> Tick() << saved(Hedge, state=HedgeState.QUARANTINED) << said("hedge.quarantined")
    for _ in range(3):
        book.wait(0.2).alive() >> Tick() << silence()
        book.unmet.clear()
    assert [intent.client_id for intent in book.sent] == ["cb1-1-1", "cb1-1-2"]


def test_the_owner_is_woken_when_an_outcome_stays_unknown(play: Play) -> None:
    """A leg may be naked for as long as the venue does not tell: a warning could wait for the end of quiet hours."""
    book, heard = opened_half(play), []
    for count in range(600):
        book.wait(0.2).alive() >> Tick() << silence()
        heard += [count * 0.2 for action in book.actions if said("hedge.unknown").matches(action)]
        book.unmet.clear()
    assert len(heard) == 1
    assert 30 <= heard[0] <= 31
    book >> expires("perp") << said("hedge.unbalanced", unhedged_usd=Decimal("19900.08")) << orders("sell perp 0.199")


def test_short_doubts_wake_nobody_however_many_there_are(play: Play) -> None:
    book, heard = opened_half(play), 0
    for count in range(600):
        book.wait(0.2).alive() >> Tick()
        heard += sum(said("hedge.unknown").matches(action) for action in book.actions)
        book.unmet.clear()
        order = book.sent[-1]
        if order.client_id in book.state.orders:
            ended = report_of(order, OrderState.CANCELLED, Decimal(0))
            book.feed(OrderOutcomeUnknown(order.client_id, "time-out") if count % 100 else ended)
    assert len(book.sent) > 5
    assert heard == 0


def test_the_venue_is_asked_less_and_less_often_and_never_given_up(play: Play) -> None:
    book = opened_half(play)
    times = []
    for _ in range(1200):
        book.mono_ms += 250
        actions = book.alive().feed(Tick())
        if any(asked("cb1-1-2").matches(action) for action in actions):
            times.append(book.mono_ms)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 30_000
    assert len(book.sent) == 2, "nothing was sent while the outcome was open"


def test_a_question_without_an_answer_is_not_asked_again_at_once(play: Play) -> None:
    book = opened_half(play)
    for _ in range(3):
        book >> unanswered("perp", "connection refused") << silence(QueryOrder) << silence(Emit)
    book.wait(1.1).alive() >> Tick() << asked("cb1-1-2")


def test_the_report_of_a_fill_resolves_it(play: Play) -> None:
    book = opened_half(play)
    order = book.last("perp")
    book >> report_of(order, OrderState.FILLED, order.quantity_base) << said("order.resolved", state="filled")
    book.wait(0.25).alive() >> Tick() << silence()
    assert order.client_id in book.state.orders, "its fills are still to come"
    book >> fill_of(book, order) << saved(Fill) << orders("buy spot 0.1992", "sell perp 0.199")


def test_its_fills_alone_resolve_it(play: Play) -> None:
    book = opened_half(play)
    book >> fill_of(book, book.last("perp")) << saved(Fill) << orders("buy spot 0.1992", "sell perp 0.199")


def test_the_report_of_a_cancel_leads_to_the_missing_leg_as_a_new_order(play: Play) -> None:
    book = opened_half(play)
    book >> expires("perp") << said("order.resolved", state="cancelled") << orders("sell perp 0.199")
    assert book.last("perp").client_id == "cb1-1-3"


def test_not_found_is_not_believed_within_the_settle_window(play: Play) -> None:
    book = opened_half(play)
    book.wait(0.5).alive() >> nowhere("perp") << silence()
    book.wait(1.0).alive() >> nowhere("perp") << silence()
    assert book.state.orders["cb1-1-2"].state is OrderState.UNKNOWN
    book.wait(1.0).alive() >> nowhere("perp", sources=1) << silence()
    assert book.state.orders["cb1-1-2"].state is OrderState.UNKNOWN, "one view may lag"
    (
        book
        >> nowhere("perp", sources=2)
        << saved(OrderRecord, state=OrderState.NEVER_SENT)
        << orders("sell perp 0.199")
    )


def test_not_found_is_never_believed_of_an_order_that_was_seen(play: Play) -> None:
    book = opened_half(play)
    book >> OrderReported("cb1-1-2", OrderState.LIVE, Decimal("0.1"), "v-2") << said("order.resolved", state="live")
    book.wait(10).alive() >> nowhere("perp", sources=3) << silence()
    assert book.state.orders["cb1-1-2"].state is OrderState.LIVE


def test_not_found_counts_by_when_it_was_asked_for(play: Play) -> None:
    """An answer that took long says what was not there when it was asked for: the order may have come since."""
    book = opened_half(play)
    asked_ms = book.mono_ms + 100
    book.wait(2.5).alive() >> OrderNotFound("cb1-1-2", 3, asked_ms) << silence()
    assert book.state.orders["cb1-1-2"].state is OrderState.UNKNOWN
    book >> OrderNotFound("cb1-1-2", 3, book.mono_ms - 100) << said("order.never_sent")
    book.unmet.clear()


def test_not_found_is_not_believed_of_an_order_whose_request_has_not_ended(play: Play) -> None:
    """The books took seconds to commit it: a reconciliation asked for it meanwhile, and now it leaves."""
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.wait(4).alive() >> nowhere("perp", sources=3) << silence()
    assert book.state.orders["cb1-1-2"].state is OrderState.INTENDED
    book >> both_fill << orders("buy spot 0.1992", "sell perp 0.199")


def test_no_answer_at_all_becomes_unknown_after_the_time_out(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.wait(9).alive() >> Tick() << silence()
    (
        book.wait(1.1).alive()
        >> Tick()
        << said("order.unknown", client_id="cb1-1-1", reason="no answer in time")
        << asked("cb1-1-1")
        << said("order.unknown", client_id="cb1-1-2")
        << asked("cb1-1-2")
        << said("hedge.quarantined")
    )


def test_a_late_fill_after_the_order_was_believed_never_sent_is_booked_and_repaired(play: Play) -> None:
    book = opened_half(play)
    order = book.last("perp")
    book.wait(2.5).alive() >> nowhere("perp") << orders("sell perp 0.199")
    book >> fills("perp") << orders("buy spot 0.1992", "sell perp 0.199")
    book >> both_fill << orders("buy spot 0.0921", "sell perp 0.092")
    book >> both_fill << said("hedge.opened")
    book >> fill_of(book, order) << saved(Fill) << said("fill.unexpected", client_id=order.client_id)
    book.wait(0.5).alive() >> Tick() << said("hedge.unbalanced") << orders("buy perp 0.198 reduce")
    book >> fills("perp") << said("hedge.balanced")
    assert abs(book.hedge.imbalance_base) < Decimal("0.001")


def test_a_late_fill_of_a_closed_hedge_is_taken_up_again_and_sold(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    spot = book.last("spot")
    book >> refused("spot") << silence()
    book >> refused("perp") << silence()
    hedge = book.hedge
    hedge.target_base = Decimal(0)
    book.wait(0.5).alive() >> Tick() << said("hedge.closed")
    book >> fill_of(book, spot) << saved(Fill) << said("fill.unexpected") << saved(Hedge, state=HedgeState.UNBALANCED)
    book.wait(0.5).alive() >> Tick() << orders("sell spot 0.199")
    book >> fills("spot") << said("hedge.closed")
    assert hedge.state is HedgeState.CLOSED


def test_repeats_and_disorder_never_lower_what_was_filled(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    order, record = book.last("perp"), book.state.orders[book.last("perp").client_id]
    trade = fill_of(book, order, Decimal("0.1"))
    seen = []
    for event in (
        report_of(order, OrderState.LIVE, Decimal("0.15")),
        trade,
        report_of(order, OrderState.LIVE, Decimal(0)),
        trade,
        report_of(order, OrderState.LIVE, Decimal("0.1")),
        fill_of(book, order, Decimal("0.05")),
        report_of(order, OrderState.FILLED, Decimal("0.199")),
        report_of(order, OrderState.LIVE, Decimal("0.05")),
        OrderNotFound(order.client_id, 5),
        report_of(order, OrderState.REJECTED, Decimal(0)),
    ):
        book >> event << silence()
        seen.append(record.filled_base)
    assert seen == sorted(seen)
    assert record.state is OrderState.FILLED
    assert book.hedge.legs[1].quantity_base == Decimal("-0.15"), "each trade was booked once"
    assert not record.settled
    book >> fill_of(book, order, Decimal("0.049")) << silence()
    assert record.settled
    assert book.hedge.legs[1].quantity_base == Decimal("-0.199")


def test_a_rejection_that_comes_after_a_fill_ends_the_order_with_what_it_filled(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    order, record = book.last("perp"), book.state.orders[book.last("perp").client_id]
    book >> fill_of(book, order, Decimal("0.1")) << silence()
    book >> refused("perp") << silence()
    assert record.state is OrderState.CANCELLED
    assert record.filled_base == Decimal("0.1")


def test_a_trade_named_by_the_venues_number_alone_is_still_our_orders(play: Play) -> None:
    book = opened_half(play)
    intent = book.sent[1]
    book >> OrderReported(intent.client_id, OrderState.LIVE, Decimal(0), "v77") << silence()
    fill = replace(fill_of(book, intent).fill, client_id="unknown:v77", venue_order_id="v77")
    book >> OrderFilled(fill) << saved(Fill) << orders("buy spot 0.1992", "sell perp 0.199")
    assert intent.client_id not in book.state.orders, "the order is settled"


def test_the_settle_window_begins_when_the_request_has_ended(play: Play) -> None:
    book = play().scene()
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book >> fills("spot") << silence()
    book.wait(9).alive()  # the order waited for the venue's request weight
    book >> unanswered("perp") << said("order.unknown", reason="time-out") << asked("cb1-1-2")
    book.wait(0.5).alive() >> OrderNotFound("cb1-1-2", 3) << silence()
    assert book.state.orders["cb1-1-2"].state is OrderState.UNKNOWN
    book.wait(2).alive() >> OrderNotFound("cb1-1-2", 3) << said("order.never_sent")
    book.unmet.clear()

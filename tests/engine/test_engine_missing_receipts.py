"""R12: settlements that owe us something and bring no receipt, each told once and reconciled."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import (
    Expect,
    Play,
    Playbook,
    both_fill,
    fills,
    receipt,
    refused,
    said,
    saved,
    severity_of,
    silence,
)

from bot.domain.actions import FetchReceipts, Reconcile, VerdictGiven
from bot.domain.books import Books
from bot.domain.config import Limits
from bot.domain.events import CloseCoin, Reconfigure, Tick
from bot.domain.orders import Side
from bot.domain.time import HOUR_MS
from bot.engine.money import SEEN_MAX, paid_for, receipt_seen
from bot.engine.recovery import restore

SETTLED = kit.START_MS + 8 * HOUR_MS
NEXT = kit.START_MS + 16 * HOUR_MS


def over(book: Playbook, at_ms: int, seconds: float = 1.0) -> Playbook:
    """The clock passes a settlement and the marks say so."""
    return book.until(at_ms + int(seconds * 1000)).alive()


def late(book: Playbook, coin: str = "BTC") -> Playbook:
    """Both graces pass."""
    return book.wait(5.5, market_s=1000).alive()


def test_a_missing_receipt_is_counted_alerted_and_reconciled_once(play: Play) -> None:
    book = over(play().scene().run(), SETTLED)
    book >> Tick() << Expect(FetchReceipts)
    (
        late(book)
        >> Tick()
        << saved(VerdictGiven, coin="BTC", verdict__rule="R12", verdict__limit="900")
        << said("funding.missing", rule="R12", settled_ms=SETTLED, coin="BTC")
        << Expect(Reconcile, {"reason": "R12: a receipt is missing"})
    )
    late(book) >> Tick() << silence(FetchReceipts)
    assert severity_of(book, "funding.missing") is None


def test_the_grace_is_the_owners(play: Play) -> None:
    book = over(play().scene().run(), SETTLED)
    book.feed(Reconfigure(replace(book.config, limits=Limits(receipt_grace_s=7200))))
    late(book) >> Tick() << silence(VerdictGiven)
    book.wait(1, market_s=7200).alive() >> Tick() << said("funding.missing", limit="7200")


def test_a_later_receipt_does_not_hide_an_earlier_one_that_is_missing(play: Play) -> None:
    book = over(play().scene().run(), SETTLED)
    book >> Tick() << Expect(FetchReceipts)
    over(book, NEXT)
    book >> receipt("BTC", "14.7", NEXT, "78") << said("funding.received")
    book.wait(6, market_s=0).alive() >> Tick() << said("funding.missing", settled_ms=SETTLED)


def test_a_rate_that_rounds_to_nothing_owes_nothing(play: Play) -> None:
    book = over(play().scene().run(), SETTLED)
    book >> Tick() << Expect(FetchReceipts)
    book >> kit.history("BTC", SETTLED, days=1, rate="0.0000000000001")[-1]
    late(book) >> Tick() << silence(FetchReceipts)
    assert severity_of(book, "funding.missing") is None


def test_what_was_opened_around_the_settlement_may_or_may_not_be_paid(play: Play) -> None:
    book = play().scene()
    book.until(SETTLED - 10_000).alive()
    book >> Tick()
    book.unmet.clear()
    book >> both_fill
    book.unmet.clear()
    over(book, SETTLED) >> Tick() << silence(FetchReceipts)
    book.unmet.clear()


def test_what_was_held_over_the_settlement_and_closed_since_is_still_owed(play: Play) -> None:
    book = play().scene().run()
    book.until(SETTLED + 20_000)
    leg = book.hedge.legs[1]
    book.state.held_before_ms[leg.instrument] = book.state.held_since_ms.pop(leg.instrument), SETTLED + 18_000
    leg.quantity_base = Decimal(0)
    book.alive() >> Tick() << Expect(FetchReceipts)
    book.unmet.clear()


def test_a_settlement_while_the_daemon_was_down_is_expected_too(play: Play) -> None:
    before = play().scene().run()
    hedge = before.hedge
    paid = receipt("BTC", "14.7", SETTLED, "77").receipt
    books = Books(epoch=2, hedges=[hedge], hedge_count=1, recent_receipts=[paid])
    book = play(state=restore(books, before.config))
    book.market_ms = NEXT + 60_000
    book.feed(kit.listing(("BTC",)))
    for rate in kit.history("BTC", NEXT, days=2):
        book.feed(rate)
    assert list(book.state.receipts_due_ms) == [(kit.perp_id("BTC"), NEXT)]


def test_of_two_settlements_while_the_daemon_was_down_the_first_one_is_missed_though_the_second_was_paid(
    play: Play,
) -> None:
    """A start asks for payments and rates at the same time, and has the payments sooner."""
    before = play().scene().run()
    paid = receipt("BTC", "14.7", SETTLED - 8 * HOUR_MS, "77").receipt
    books = Books(epoch=2, hedges=[before.hedge], hedge_count=1, recent_receipts=[paid])
    book = play(state=restore(books, before.config))
    book.state.held_since_ms[kit.perp_id("BTC")] = SETTLED - 9 * HOUR_MS
    book.market_ms = NEXT + 60_000
    book.feed(kit.listing(("BTC",)))
    book.feed(receipt("BTC", "14.8", NEXT, "79"))
    for rate in kit.history("BTC", NEXT, days=2):
        book.feed(rate)
    assert list(book.state.receipts_due_ms) == [(kit.perp_id("BTC"), SETTLED)]
    book.feed(receipt("BTC", "14.7", SETTLED, "78"))
    assert not book.state.receipts_due_ms


@pytest.mark.parametrize(("last_ms", "owed"), [(SETTLED + 40_000, True), (SETTLED + 3 * HOUR_MS, False)])
def test_what_was_closed_shortly_before_a_restart_is_still_owed(play: Play, last_ms: int, owed: bool) -> None:
    """It settled, was closed, and the daemon stopped before the grace was over; of older ones the owner was told."""
    before = play().scene().run()
    hedge = before.hedge
    before.until(SETTLED + 30_000).alive()
    before.feed(CloseCoin("BTC", "enough"))
    before.run()
    assert hedge.closed_ms is not None
    paid = receipt("BTC", "14.7", SETTLED - 8 * HOUR_MS, "77").receipt
    books = Books(epoch=2, closed=[hedge], hedge_count=1, recent_receipts=[paid], last_market_ms=last_ms)
    book = play(state=restore(books, before.config))
    book.market_ms = last_ms + 60_000
    book.feed(kit.listing(("BTC",)))
    for rate in kit.history("BTC", SETTLED, days=2):
        book.feed(rate)
    assert list(book.state.receipts_due_ms) == ([(kit.perp_id("BTC"), SETTLED)] if owed else [])


def test_nothing_is_owed_for_a_perpetual_that_never_filled(play: Play) -> None:
    """Its entry was undone, and it was closed: a restart took it for held from beginning to end."""
    before = play().scene()
    before.until(SETTLED - 60_000).alive()
    before >> Tick()
    before.unmet.clear()
    hedge = before.hedge
    before >> fills("spot")
    for _ in range(9):
        if before.last("spot").side is Side.BUY:
            before.feed(*refused("perp")(before))
            before.wait(1).alive().feed(Tick())
    before >> fills("spot")
    assert hedge.legs[1].quantity_base == 0 < hedge.size_base < 1
    before.until(SETTLED + 60_000).alive()
    before.feed(CloseCoin("BTC", "enough"))
    before.feed(Tick())
    assert hedge.closed_ms is not None
    paid = receipt("BTC", "14.7", SETTLED - 8 * HOUR_MS, "77").receipt
    last_ms = SETTLED + 90_000
    books = Books(epoch=2, closed=[hedge], hedge_count=1, recent_receipts=[paid], last_market_ms=last_ms)
    book = play(state=restore(books, before.config))
    book.market_ms = last_ms + 60_000
    book.feed(kit.listing(("BTC",)))
    for rate in kit.history("BTC", SETTLED, days=2):
        book.feed(rate)
    assert not book.state.receipts_due_ms


def test_what_was_paid_is_remembered_for_a_while_and_what_came_before_it_is_waited_for_no_more(play: Play) -> None:
    state, name = play().scene().run().state, kit.perp_id("BTC")
    hours = [SETTLED + hour * HOUR_MS for hour in range(SEEN_MAX + 10)]
    for at_ms in reversed(hours):
        paid_for(state, name, at_ms)
    assert len(state.receipts_seen[name]) == SEEN_MAX
    assert state.receipt_seen_ms[name] == hours[9]
    assert all(receipt_seen(state, name, at_ms) for at_ms in (SETTLED - HOUR_MS, *hours))
    assert not receipt_seen(state, name, hours[20] + 1)
    assert not receipt_seen(state, name, hours[-1] + HOUR_MS)


def test_a_settlement_that_is_put_off_owes_nothing(play: Play) -> None:
    """The venue makes the interval longer while the hedge is held: the next funding time moves before it has come."""
    book = play().scene().run()
    book.until(SETTLED - HOUR_MS).alive()
    book >> kit.mark("BTC", next_ms=NEXT) << silence(FetchReceipts)
    late(over(book, SETTLED)) >> Tick() << silence(FetchReceipts)
    assert severity_of(book, "funding.missing") is None
    assert not book.state.rates_due_ms, "and its rate is asked for by nobody"
    late(over(book, NEXT)) >> Tick() << said("funding.missing", settled_ms=NEXT)

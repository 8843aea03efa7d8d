"""Facts that come late or once more: after weeks in which nothing was booked, and to whom they belong."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from playbook import Expect, Play, Playbook, fill_of, receipt, said, saved, silence

from bot.domain.actions import FetchReceipts, Persist
from bot.domain.books import Books
from bot.domain.events import CloseCoin, OrderFilled, Tick
from bot.domain.hedges import HedgeState, Leg
from bot.domain.ledger import Transaction
from bot.domain.orders import Fill
from bot.domain.time import DAY_MS, HOUR_MS, MINUTE_MS
from bot.engine.money import holder
from bot.engine.recovery import restore

SETTLED = kit.START_MS + 8 * HOUR_MS
WEEKS_MS = 50 * DAY_MS


def closed(play: Play) -> Playbook:
    """A hedge was held, paid at `SETTLED` (number 77) and closed."""
    book = play().scene().run()
    book.until(SETTLED).alive()
    book.feed(receipt("BTC", "14.7", SETTLED, "77"))
    book.feed(CloseCoin("BTC", "enough"))
    book.run()
    assert not book.state.hedges
    return book


def foreign_trade(book: Playbook, at_ms: int) -> OrderFilled:
    fill: Fill = fill_of(book, book.last("spot"), Decimal("0.01"), trade_id="owner", client_id="web").fill
    return OrderFilled(replace(fill, traded_ms=at_ms))


def test_after_weeks_without_a_receipt_the_last_one_is_not_booked_again(play: Play) -> None:
    """No coin paid for seven weeks. The first receipt that is due then has the history asked for."""
    book = closed(play)
    later_ms = SETTLED + WEEKS_MS
    book.until(later_ms - 2 * HOUR_MS).alive()
    book.feed(foreign_trade(book, book.market_ms))
    balance = book.balance("venue:binance:perp")
    book >> receipt("BTC", "14.7", SETTLED, "77") << silence(Persist)
    assert book.balance("venue:binance:perp") == balance
    book.state.receipts_due_ms[kit.perp_id("BTC"), later_ms] = book.mono_ms
    book >> Tick() << Expect(FetchReceipts, {"since_ms": lambda ms: ms > later_ms - 32 * DAY_MS})
    book.unmet.clear()


def test_after_weeks_without_a_daemon_what_was_booked_last_is_not_booked_again(play: Play) -> None:
    """A start asks for the history since the books' end, with an overlap: trades are delivered before payments."""
    before = closed(play)
    known = set(before.state.ledger.seen)
    books = Books(
        epoch=2,
        closed=list(before.state.remembered_hedges()),
        balances=dict(before.state.ledger.balances),
        transaction_ids=known,
        transaction_count=before.state.ledger.count,
        last_market_ms=before.market_ms,
    )
    book = play(state=restore(books, before.config))
    book.market_ms = before.market_ms + WEEKS_MS
    book.feed(kit.listing(("BTC",)))
    book >> foreign_trade(before, book.market_ms) << saved(Transaction, hedge_id="foreign")
    book >> receipt("BTC", "14.7", SETTLED, "77") << silence(Persist)


def test_what_is_opened_seconds_after_a_settlement_may_be_paid_for_it(play: Play) -> None:
    """A settlement lets the strategy decide at once, and the venue pays what it finds up to 15 s later."""
    book = play().scene()
    book.until(SETTLED + 2_000).alive()
    hedge = book.run().hedge
    assert SETTLED < hedge.opened_ms < SETTLED + 15_000
    book >> receipt("BTC", "14.7", SETTLED, "77") << saved(Transaction, hedge_id=hedge.id)
    assert hedge.funding_usd == Decimal("14.7")
    book >> receipt("BTC", "2", SETTLED - HOUR_MS, "78") << saved(Transaction, hedge_id="foreign")


def test_it_is_paid_to_the_hedge_that_held_before_where_there_was_one(play: Play) -> None:
    book = closed(play)
    first = book.state.hedges_of(kit.perp_id("BTC"))[0]
    assert first.closed_ms is not None
    later = replace(first, id="h9", opened_ms=first.closed_ms + 5_000, closed_ms=None)
    book.state.note_last(later)
    book >> receipt("BTC", "2", first.closed_ms + 1_000, "78") << saved(Transaction, hedge_id=first.id)
    long_after_ms = first.closed_ms + 3 * HOUR_MS
    later.opened_ms = long_after_ms + 5_000
    book >> receipt("BTC", "3", long_after_ms, "79") << saved(Transaction, hedge_id="h9")


def test_a_missing_receipt_is_told_of_the_hedge_that_held_over_the_settlement(play: Play) -> None:
    book = closed(play)
    name, first = kit.perp_id("BTC"), book.state.hedges_of(kit.perp_id("BTC"))[0]
    book.state.note_last(replace(first, id="h9", opened_ms=book.market_ms, closed_ms=None))
    book.state.receipts_due_ms[name, first.opened_ms + HOUR_MS] = book.mono_ms
    book.wait(6, market_s=2000).alive() >> Tick() << said("funding.missing", hedge=first.id)
    book.unmet.clear()


def test_a_late_trade_of_a_former_hedge_does_not_end_the_waiting_for_what_its_successor_is_paid(play: Play) -> None:
    """It is taken up, closed again, and both are held in one position at the venue."""
    book = play().scene().run()
    name, hedge = kit.perp_id("BTC"), book.hedge
    legs = tuple(Leg(leg.instrument, leg.kind, leg.direction) for leg in hedge.legs)
    former = replace(hedge, id="h0", number=0, legs=legs, state=HedgeState.CLOSED, closed_ms=hedge.opened_ms - 1)
    former.opened_ms, former.order_ids = hedge.opened_ms - HOUR_MS, []
    book.state.former_hedges[name] = [former]
    sold = fill_of(book, book.last("perp"), Decimal("0.1"), trade_id="late", client_id="cb1-0-1").fill
    book.feed(OrderFilled(replace(sold, traded_ms=former.opened_ms + 1)))
    assert former.live
    assert former.legs[1].quantity_base == Decimal("-0.1")
    book.run()
    assert not former.live
    assert book.state.held_since_ms == {name: hedge.opened_ms}
    book.until(SETTLED + 1_000).alive()
    assert list(book.state.receipts_due_ms) == [(name, SETTLED)]


def test_what_is_taken_up_of_a_former_hedge_is_not_what_the_strategy_builds_on(play: Play) -> None:
    """A crash came before it was closed again: a start has the hedges in the order of their numbers."""
    before = play().scene().run()
    hedge = before.hedge
    legs = tuple(replace(leg, quantity_base=leg.direction * Decimal("0.05")) for leg in hedge.legs)
    former = replace(hedge, id="h0", number=0, legs=legs, state=HedgeState.UNBALANCED, target_base=Decimal(0))
    former.order_ids = []
    state = before.state
    state.book.hedges = {"h0": former, "h1": hedge}
    state.decide_due = True
    before.alive().feed(Tick())
    assert former.target_base == 0
    assert state.book.hedge_of(kit.VENUE, "BTC") is hedge
    hedge.target_base = Decimal(0)
    assert state.book.hedge_of(kit.VENUE, "BTC") is former, "of two that close the one that is first"


def test_a_hedge_that_lives_again_is_paid_although_a_later_one_has_come_and_gone(play: Play) -> None:
    """Dust of a loan kept it alive, and the strategy built on it."""
    book = closed(play)
    perp = kit.perp_id("BTC")
    (former,) = book.state.hedges_of(perp)
    later = deepcopy(former)
    later.id, later.number, later.opened_ms, later.closed_ms = "h2", 2, SETTLED + HOUR_MS, SETTLED + 2 * HOUR_MS
    book.state.note_last(later)
    paid_ms = SETTLED + 40 * HOUR_MS
    assert holder(book.state, perp, paid_ms) is None, "both have ended: it is the owner's"
    former.state, former.closed_ms = HedgeState.HEDGED, None
    assert holder(book.state, perp, paid_ms) is former
    assert holder(book.state, perp, SETTLED + 90 * MINUTE_MS) is later

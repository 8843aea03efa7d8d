"""Entries that must be undone are tried again less and less often; a cut waits for both legs to answer."""

from decimal import Decimal
from itertools import pairwise

import market_kit as kit
from playbook import Play, Playbook, fill_of, report_of, said, silence

from bot.domain.actions import Action, PlaceOrders, Reconcile
from bot.domain.books import Books
from bot.domain.events import FeedAlive, Reconciled, Tick
from bot.domain.orders import OrderState, Purpose
from bot.domain.time import HOUR_MS
from bot.engine.recovery import restore

BTC = f"{kit.VENUE}:BTC:1"


def one_leg_only(book: Playbook) -> None:
    """The engine ticks once; whatever it sends for the spot fills, whatever it sends for the perpetual is refused."""
    for _ in range(8):
        sent = len(book.sent)
        for action in book.wait(0.3).alive().feed(Tick()):
            refuse_perp(book, action)
        if len(book.sent) == sent:
            return


def refuse_perp(book: Playbook, action: Action) -> None:
    if isinstance(action, Reconcile):
        book.feed(Reconciled(kit.VENUE))
    if not isinstance(action, PlaceOrders):
        return
    for intent in action.intents:
        filled = intent.leg == 0
        answers = [fill_of(book, intent)] if filled else []
        state = OrderState.FILLED if filled else OrderState.REJECTED
        quantity = intent.quantity_base if filled else intent.quantity_base * 0
        for event in (*answers, report_of(intent, state, quantity)):
            for more in book.feed(event):
                refuse_perp(book, more)


def entries(book: Playbook) -> int:
    return sum(1 for intent in book.sent if intent.purpose is Purpose.OPEN and intent.leg == 0)


def test_undone_entries_are_tried_less_and_less_often(play: Play) -> None:
    book = play().scene()
    tried_s: list[float] = []
    for _ in range(400):
        before = entries(book)
        one_leg_only(book)
        if entries(book) > before:
            tried_s.append(book.mono_ms / 1000)
        book.wait(0.5)
    book.unmet.clear()
    gaps = [later - earlier for earlier, later in pairwise(tried_s)]
    assert len(gaps) >= 3
    assert gaps[0] >= 10
    assert all(later > 1.5 * earlier for earlier, later in pairwise(gaps)), gaps
    assert abs(book.hedge.imbalance_base) < Decimal("0.001"), "what filled alone was sold back each time"


def test_a_leg_that_is_refused_for_good_is_tried_a_few_times_a_day(play: Play) -> None:
    """At a quarter of an hour each, 96 slices a day would have paid their fees both ways, for every such coin."""
    book = play().scene()
    one_leg_only(book)
    book.unmet.clear()
    for count in range(2, 16):
        book.wait(book.state.setbacks[BTC][1] / 1000 - book.mono_ms / 1000)
        book.scene()
        one_leg_only(book)
        assert book.state.setbacks[BTC][0] == count
        book.unmet.clear()
    assert book.state.setbacks[BTC][1] - book.mono_ms > 5.9 * HOUR_MS


def again(play: Play, book: Playbook, down_s: float) -> Playbook:
    """Another daemon on the same books, as its store hands them over."""
    books = Books(epoch=2, hedge_count=1, hedges=list(book.state.book.live_hedges()))
    newest = {(one.rule, one.subject, one.name): one for one in book.kept}
    books.remembered = [one for one in newest.values() if one.value]
    later = play(state=restore(books, book.config))
    later.market_ms, later.mono_ms = book.market_ms + int(down_s * 1000), 77_000
    return later


def test_a_restart_is_no_reason_to_try_at_once(play: Play) -> None:
    """A leg that is refused for good would have cost a round trip at each, and then some in a row."""
    book = play().scene()
    for count in range(1, 12):
        refused_once(book)
        assert book.state.setbacks[BTC][0] == count
        book.wait(book.state.setbacks[BTC][1] / 1000 - book.mono_ms / 1000)
        book.scene()
    wait_s = 10 * 2**11
    refused_once(book)
    later = again(play, book, down_s=600).scene()
    before = entries(later)
    later.run(5)
    assert entries(later) == before
    later.unmet.clear()
    left_s = later.state.setbacks[BTC][1] / 1000 - later.mono_ms / 1000
    assert wait_s - 640 < left_s < wait_s - 590
    later.wait(left_s + 1).scene()
    later.run(60)
    assert later.hedge.size_base > 0
    assert not later.state.setbacks
    after = again(play, later, down_s=60)
    assert not after.state.setbacks_before, "what has succeeded is forgotten for good"


def refused_once(book: Playbook) -> None:
    one_leg_only(book)
    book.unmet.clear()


def test_the_next_hedge_of_the_coin_is_tried_no_sooner(play: Play) -> None:
    """An empty hedge is closed where its coin does not pay for a while, and opened anew where it does."""
    book = play().scene()
    for count in range(1, 6):
        refused_once(book)
        assert book.state.setbacks[BTC][0] == count
        book.wait(book.state.setbacks[BTC][1] / 1000 - book.mono_ms / 1000)
        book.scene()
    refused_once(book)
    book.hedge.target_base = Decimal(0)
    book.wait(0.3).alive().feed(Tick())
    assert not list(book.state.book.live_hedges())
    before = entries(book)
    book.state.decide_due = True
    book.run(5)
    assert book.hedge.id == "h2"
    assert entries(book) == before
    book.wait(320).scene().run(60)
    assert book.hedge.size_base > 0


def test_an_entry_that_succeeds_clears_the_account(play: Play) -> None:
    book = play().scene()
    one_leg_only(book)
    assert book.state.setbacks[BTC][0] == 1
    book.run(60)
    assert book.hedge.size_base > 0
    assert not book.state.setbacks
    assert not book.state.undoing


def test_a_cut_waits_while_the_spot_feed_is_silent(play: Play) -> None:
    book = play().scene().run()
    for _ in range(16):
        book.wait(2)
        book >> FeedAlive("binance:perp") >> Reconciled(kit.VENUE)
        book >> kit.mark("BTC", next_ms=book.market_ms + 3_600_000)
        book >> Tick()
        book.unmet.clear()
    hedge = book.hedge
    hedge.target_base = hedge.size_base / 2
    book.wait(0.5) >> FeedAlive("binance:perp")
    book >> Tick() << said("risk.refused", rule="R6", observed="binance:spot") << silence()
    book.wait(0.5).alive()
    book >> Tick()
    assert {intent.purpose for intent in book.sent[-2:]} == {Purpose.REDUCE}, "both legs, now that both answer"
    book.unmet.clear()


def test_a_repair_that_fills_at_last_ends_the_pause_that_vain_ones_had_earned(play: Play) -> None:
    """What is to be closed goes on being closed at once."""
    book = play().scene().run()
    hedge = book.hedge
    hedge.legs[1].quantity_base -= Decimal("0.1")
    hedge.rehedges, hedge.target_base = 12, Decimal(0)
    book.wait(0.5).alive() >> Tick()
    book.unmet.clear()
    assert hedge.wait_until_mono_ms > book.mono_ms + 10_000
    repair = book.sent[-1]
    assert repair.purpose is Purpose.UNWIND
    book.feed(fill_of(book, repair))
    book.feed(report_of(repair, OrderState.FILLED, repair.quantity_base))
    book.wait(0.5).alive() >> Tick()
    book.unmet.clear()
    assert {intent.purpose for intent in book.sent[-2:]} == {Purpose.CLOSE}


def test_a_leg_that_is_refused_for_days_costs_a_few_round_trips_a_day(play: Play) -> None:
    """As where the venue lets nobody add to a perpetual: each try buys a slice of the spot and sells it again."""
    book = play().scene()
    paid = []
    for _ in range(2):
        before, ends_ms = entries(book), book.mono_ms + 86_400_000
        while book.mono_ms < ends_ms:
            one_leg_only(book)
            book.wait(400)
        paid.append(entries(book) - before)
    book.unmet.clear()
    assert paid[0] <= 20
    assert paid[1] <= 6

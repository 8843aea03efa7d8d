"""R6: violent moves and silent venues; freeze, cut to core, recovery and the quick return, each as a story."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Expect, Play, Playbook, said, saved, severity_of, silence

from bot.domain.actions import CancelOrder, Persist, Severity
from bot.domain.books import Books
from bot.domain.config import ExtremeLimits, Limits
from bot.domain.events import FeedAlive, FeedLost, Reconciled, Reconfigure, Tick
from bot.domain.guards import Remembered
from bot.domain.orders import OrderIntent, OrderRecord, OrderState, Purpose, TimeInForce
from bot.engine import guarding
from bot.engine.recovery import restore

D = Decimal
COINS = ("BTC", "PEPE")


def falls(book: Playbook, to: str, seconds: float = 60) -> Playbook:
    """Bitcoin trades at another price some seconds later; PEPE stays."""
    book.wait(seconds).price("BTC", to)
    book.feed(Reconciled(kit.VENUE))
    return book.alive()


def calm(book: Playbook, seconds: float, every_s: float = 4) -> Playbook:
    """Time passes with live feeds and marks, and the engine does as it likes."""
    for _ in range(int(seconds / every_s)):
        book.wait(every_s).alive()
        for action in book.feed(Tick()):
            book.serve(action)
    return book


def spot_falls_silent(book: Playbook) -> None:
    """Half a minute in which only the perpetual's feed speaks: an extreme event, and nothing is done about it."""
    for _ in range(12):
        book.wait(3)
        book.feed(FeedAlive("binance:perp"))
        book.feed(Reconciled(kit.VENUE))
        book >> Tick() << silence()
    assert book.state.book.guards.extreme.active


def held(book: Playbook) -> dict[str, Decimal]:
    return {hedge.coin: hedge.target_base for hedge in book.state.book.live_hedges()}


def test_a_core_coin_falls_eight_per_cent_in_five_minutes(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    before = held(book)
    falls(book, "96000")
    book >> Tick() << silence()
    falls(book, "91900")
    (
        book
        >> Tick()
        << saved(Remembered, rule="R6", name="active")
        << said("extreme.began", rule="R6", reason="BTC moved 8.1% within 300 s")
        << said("risk.forced", rule="R6", coin="PEPE")
        << saved(Remembered, rule="R6", name="cut")
        << saved(OrderIntent, purpose=Purpose.REDUCE)
    )
    assert severity_of(book, "extreme.began") is Severity.CRITICAL
    book.unmet.clear()
    assert book.hedge_of("PEPE").target_base == before["PEPE"] // 2 // 1000 * 1000
    assert book.hedge_of("BTC").target_base == before["BTC"], "core coins are kept"


def test_the_same_fall_over_ten_minutes_is_no_event(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    for price in range(99, 90, -1):
        falls(book, f"{price}000", 75) >> Tick()
        assert severity_of(book, "extreme.began") is None
        book.unmet.clear()


def test_frames_an_hour_apart_say_nothing_about_five_minutes(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    book.wait(0.5, market_s=3600).price("BTC", "85000").alive()
    book >> Tick()
    assert severity_of(book, "extreme.began") is None
    book.unmet.clear()


def test_a_rise_counts_like_a_fall_and_a_small_coin_not_at_all(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    book.wait(2).price("PEPE", "0.000030").alive()
    book >> Tick()
    assert severity_of(book, "extreme.began") is None
    book.unmet.clear()
    falls(book, "108100", 2) >> Tick() << said("extreme.began")
    book.unmet.clear()


def test_while_it_runs_nothing_opens_and_the_cut_is_not_repeated(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    falls(book, "90000", 2)
    calm(book, 60)
    half = held(book)
    assert -book.hedge_of("PEPE").legs[1].quantity_base == half["PEPE"]
    book.state.decide_due = True
    book.wait(1).alive() >> Tick() << said("risk.refused", rule="R6") << silence()
    calm(book, 40)
    assert held(book) == half


def test_after_five_calm_minutes_it_returns_to_target_by_itself(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    full = held(book)["PEPE"]
    falls(book, "91000", 2)
    calm(book, 500)
    assert book.state.book.guards.extreme.active, (
        "the move itself is in the window for five minutes, calm comes after"
    )
    calm(book, 120)
    assert not book.state.book.guards.extreme.active
    assert book.hedge_of("PEPE").size_base > full * D("0.9")


def test_the_widest_favourable_basis_is_worked_first_on_the_return(play: Play) -> None:
    coins = ("BTC", "ETH", "PEPE")
    book = play(coins=coins).scene().run(30)
    extreme = book.state.book.guards.extreme
    extreme.returning = True
    for coin, bps in (("BTC", "5"), ("ETH", "40"), ("PEPE", "20")):
        mark = kit.mark(coin, next_ms=book.market_ms + 1)
        book.state.market.marks[mark.instrument] = replace(mark, mark=mark.index * (1 + D(bps) / 10_000))
    book.state.decide_due = True
    assert [hedge.coin for hedge in guarding.in_order(book.state)] == ["ETH", "PEPE", "BTC"]


def test_resting_orders_are_cancelled(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    hedge = book.hedge_of("PEPE")
    intent = replace(book.sent[-1], client_id="cb1-9-9", time_in_force=TimeInForce.POST_ONLY, hedge_id=hedge.id)
    book.state.orders["cb1-9-9"] = OrderRecord(intent, OrderState.LIVE, sent_mono_ms=book.mono_ms)
    falls(book, "90000", 0.2) >> Tick() << Expect(CancelOrder, {"client_id": "cb1-9-9"})
    book.unmet.clear()


def test_a_silent_feed_freezes_entries_and_leaves_both_legs_alone(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    before = held(book)
    spot_falls_silent(book)
    assert "binance:spot is silent" in book.state.book.guards.extreme.reason
    assert held(book) == before
    calm(book, 280)
    assert book.state.book.guards.extreme.active, "five healthy minutes are not over"
    assert held(book) == before, "what was silent is not cut for coming back"
    calm(book, 40)
    assert not book.state.book.guards.extreme.active


def test_a_venue_that_does_not_answer_is_told_at_once_and_once(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    heard = 0
    for _ in range(15):
        book.wait(5).alive()
        book >> Tick() << silence()
        heard += severity_of(book, "extreme.began") is Severity.CRITICAL
    assert heard == 1
    assert book.state.book.guards.extreme.reason == "binance: no answer"


def test_a_venue_that_returns_into_a_running_fall_is_cut_then(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    before = held(book)
    for _ in range(12):
        book.wait(3)
        book.feed(FeedAlive("binance:perp"))
        book.feed(Reconciled(kit.VENUE))
        book >> Tick() << silence()
    book.price("BTC", "90000").alive()
    book >> Tick() << said("risk.forced", rule="R6", coin="PEPE")
    book.unmet.clear()
    assert held(book)["PEPE"] < before["PEPE"]


def test_hedges_elsewhere_are_cut_when_a_venue_is_silent(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    book.state.market.feed_out_ms["other:spot"] = book.mono_ms - 60_000
    book.wait(0.2).alive() >> Tick() << said("extreme.began") << said("risk.forced", rule="R6", coin="PEPE")
    book.unmet.clear()


def test_a_feed_that_is_lost_again_and_again_is_out_since_it_was_last_alive(play: Play) -> None:
    """Each reconnect that fails tells of the loss once more."""
    book = play(coins=COINS).scene().run(30)
    for _ in range(12):
        book.wait(3)
        book.feed(FeedLost("binance:user-spot", "connection refused"))
    assert book.mono_ms - book.state.market.feed_out_ms["binance:user-spot"] > 30_000
    book.alive() >> Tick() << said("extreme.began")
    book.unmet.clear()


def test_a_running_event_and_its_cuts_survive_a_restart(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    falls(book, "90000", 2)
    calm(book, 20)
    left = held(book)["PEPE"]
    memory = [
        Remembered("R6", "", "active", D(1), book.market_ms),
        Remembered("R6", book.hedge_of("PEPE").id, "cut", left, book.market_ms),
    ]
    hedges = list(book.state.book.live_hedges())
    books = Books(epoch=2, hedges=hedges, remembered=memory, balances=dict(book.state.ledger.balances))
    again = play(coins=COINS, state=restore(books, book.config))
    again.market_ms, again.mono_ms = book.market_ms, book.mono_ms
    again.scene()
    again >> Tick() << silence()
    assert again.state.book.guards.extreme.active
    assert held(again)["PEPE"] == left, "a half is not halved again"
    calm(again, 320)
    assert not again.state.book.guards.extreme.active


def test_the_owners_limits_hold(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    extreme = ExtremeLimits(move=0.02, keep=D(0))
    book.feed(Reconfigure(replace(book.config, limits=Limits(extreme=extreme))))
    falls(book, "97900", 2) >> Tick() << said("extreme.began") << said("risk.forced", rule="R6", coin="PEPE")
    assert book.hedge_of("PEPE").target_base == 0
    book.unmet.clear()


def test_a_feed_that_never_lived_is_out_since_the_start_and_not_since_it_was_first_told_lost(play: Play) -> None:
    """Its connection stands, and the answer to its subscription takes as long as an outage may last."""
    book = play().scene().run()
    outage_s = book.config.limits.extreme.outage_s
    book.state.market.feed_alive_ms.pop("binance:user-spot", None)
    book.state.book.guards.extreme.watched_mono_ms = book.mono_ms
    book.wait(outage_s - 1).alive().feed(FeedLost("binance:user-spot", "no answer"))
    book.wait(1.5).alive() >> Tick() << said("extreme.began", rule="R6")
    book.unmet.clear()


def test_what_was_silent_before_a_restart_is_not_cut_after_it(play: Play) -> None:
    """A venue falls silent, the daemon is started anew, and the venue is back: no price has run."""
    book = play(coins=COINS).scene().run(30)
    before, remembered = held(book), []
    for _ in range(12):
        book.wait(3)
        book.feed(FeedAlive("binance:perp"))
        book.feed(Reconciled(kit.VENUE))
        remembered += [one.record for one in book.feed(Tick()) if isinstance(one, Persist)]
    assert held(book) == before
    kept = [one for one in remembered if isinstance(one, Remembered)]
    hedges = list(book.state.book.live_hedges())
    books = Books(epoch=2, hedges=hedges, balances=dict(book.state.ledger.balances), remembered=kept)
    again = play(coins=COINS, state=restore(books, book.config))
    again.market_ms, again.mono_ms = book.market_ms + 5_000, book.mono_ms + 5_000
    again.scene()
    calm(again, 280)
    assert again.state.book.guards.extreme.active, "five healthy minutes are not over"
    assert held(again) == before, "what was silent is not cut for coming back"
    calm(again, 40)
    assert not again.state.book.guards.extreme.active


def test_prices_that_ran_before_a_restart_cut_after_it(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    before = held(book)
    falls(book, "90000", 2)
    book >> Tick() << saved(Remembered, rule="R6", name="active", value=D(2))
    memory = [Remembered("R6", "", "active", D(2), book.market_ms)]
    book.unmet.clear()
    for hedge in book.state.book.live_hedges():
        hedge.target_base = hedge.size_base  # the crash came before the cut
        hedge.order_ids.clear()
    hedges = list(book.state.book.live_hedges())
    books = Books(epoch=2, hedges=hedges, remembered=memory, balances=dict(book.state.ledger.balances))
    again = play(coins=COINS, state=restore(books, book.config))
    again.market_ms, again.mono_ms = book.market_ms, book.mono_ms
    again.scene()
    again >> Tick() << said("risk.forced", rule="R6", coin="PEPE")
    assert held(again)["PEPE"] == pytest.approx(before["PEPE"] / 2, rel=D("0.01"))
    again.unmet.clear()


def test_while_a_feed_is_silent_what_is_held_is_not_judged_by_its_old_prices(play: Play) -> None:
    """The perpetual falls far below a spot that was last heard of half a minute ago: no reason to leave."""
    book = play(coins=COINS).scene().run(30)
    before = held(book)
    spot_falls_silent(book)
    mark = book.state.market.marks[kit.perp_id("PEPE")]
    book.feed(replace(mark, mark=mark.mark * D("0.95")))
    book.state.decide_due = True
    book.feed(Tick())
    assert not book.state.decide_due
    assert held(book) == before


def test_what_an_earlier_gust_left_is_remembered_over_a_restart(play: Play) -> None:
    """Each restart in a storm had a half cut into halves again."""
    book = play(coins=COINS).scene().run(30)
    memory: dict[tuple[str, str, str], Remembered] = {}
    falls(book, "90000", 2)
    while not memory or book.state.book.guards.extreme.active:
        actions = book.wait(4).alive().feed(Tick())
        kept = [action.record for action in actions if isinstance(action, Persist)]
        memory |= {(one.rule, one.subject, one.name): one for one in kept if isinstance(one, Remembered)}
        for action in actions if book.state.book.guards.extreme.active else ():
            book.serve(action)
    hedge = book.hedge_of("PEPE")
    left = book.state.book.guards.extreme.left[hedge.id][0]
    assert hedge.size_base == pytest.approx(left, rel=D("0.01")), "what opens again is not filled yet"
    hedge.target_base = left
    hedges = list(book.state.book.live_hedges())
    remembered = [one for one in memory.values() if one.value]
    books = Books(epoch=2, hedges=hedges, remembered=remembered, balances=dict(book.state.ledger.balances))
    again = play(coins=COINS, state=restore(books, book.config))
    again.market_ms, again.mono_ms = book.market_ms, book.mono_ms
    again.scene()
    falls(again, "90000", 2) >> Tick() << said("extreme.began")
    again.unmet.clear()
    calm(again, 8)
    assert held(again)["PEPE"] == pytest.approx(left, rel=D("0.01")), "a half is not halved again"


def test_what_a_storm_left_of_a_hedge_that_has_ended_is_forgotten(play: Play) -> None:
    book = play(coins=COINS).scene().run(30)
    extreme = book.state.book.guards.extreme
    extreme.left["h99"] = D(1), book.market_ms
    falls(book, "90000", 2)
    calm(book, 560)
    assert extreme.active
    told = []
    while extreme.active:
        told += [one.record for one in book.wait(4).alive().feed(Tick()) if isinstance(one, Persist)]
    names = {(one.subject, one.name): one.value for one in told if isinstance(one, Remembered)}
    assert names["h99", "left"] == 0
    assert names[book.hedge_of("PEPE").id, "left"] > 0

"""Settled rates of which no mark tells: what passed during a start, or while the marks were silent."""

import market_kit as kit
from playbook import Expect, Play, Playbook, silence

from bot.domain.actions import FetchRates
from bot.domain.books import Books
from bot.domain.events import Reconciled, Tick
from bot.domain.time import HOUR_MS
from bot.engine.recovery import restore

SETTLED = kit.START_MS + 8 * HOUR_MS
NEXT = kit.START_MS + 16 * HOUR_MS
PERP = kit.perp_id("BTC")


def started_after(play: Play, settled_ms: int) -> Playbook:
    """A daemon whose question for rates was answered just before a settlement, and which hears no mark before it."""
    before = play().scene()
    book = play(state=restore(Books(epoch=2), before.config))
    book.market_ms = settled_ms + 30_000
    book.feed(kit.listing(("BTC",)))
    for rate in kit.history("BTC", settled_ms - 8 * HOUR_MS):
        book.feed(rate)
    book.feed(Reconciled(kit.VENUE))
    return book


def test_a_settlement_between_a_starts_question_and_its_first_mark_is_asked_for(play: Play) -> None:
    book = started_after(play, SETTLED)
    book.alive() >> Tick() << Expect(FetchRates, {"since_ms": SETTLED - 24 * HOUR_MS})
    book.unmet.clear()
    book >> kit.history("BTC", SETTLED, days=1)[-1]
    book >> Tick() << silence(FetchRates)
    assert not book.state.rates_due_ms
    assert not book.state.rates_guessed_mono_ms


def test_a_start_that_knows_the_last_settlement_asks_for_nothing(play: Play) -> None:
    book = started_after(play, SETTLED)
    book >> kit.history("BTC", SETTLED, days=1)[-1]
    book.alive() >> Tick() << silence(FetchRates)


def test_a_settlement_that_never_was_is_asked_for_a_minute(play: Play) -> None:
    """The venue has put it off while the daemon was down: its hour follows from the old interval alone."""
    book = started_after(play, SETTLED)
    book.alive() >> Tick() << Expect(FetchRates)
    book.unmet.clear()
    book.wait(50).alive() >> Tick() << Expect(FetchRates)
    book.unmet.clear()
    book.wait(11).alive() >> Tick() << silence(FetchRates)
    assert not book.state.rates_due_ms


def test_two_settlements_while_the_marks_were_silent_are_both_asked_for(play: Play) -> None:
    book = play().scene().run()
    book.until(NEXT + 1_000).alive()
    assert book.state.rates_due_ms[PERP] == NEXT
    book >> Tick() << Expect(FetchRates, {"since_ms": NEXT - 24 * HOUR_MS})
    book.unmet.clear()
    book >> kit.history("BTC", SETTLED, days=1)[-1]
    book >> Tick() << Expect(FetchRates)
    book.unmet.clear()
    book >> kit.history("BTC", NEXT, days=1)[-1]
    book >> Tick() << silence(FetchRates)


def test_one_interval_is_no_guess(play: Play) -> None:
    """A settlement that a mark has told of is asked for until it is told, however long that takes."""
    book = play().scene().run()
    book.until(SETTLED + 1_000).alive()
    assert not book.state.rates_guessed_mono_ms
    for _ in range(3):
        book.wait(50).alive() >> Tick() << Expect(FetchRates)
        book.unmet.clear()

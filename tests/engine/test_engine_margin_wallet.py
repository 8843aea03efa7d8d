"""The margin wallet's own opening: begun later on, beside moves by hand, and what was charged before it."""

from decimal import Decimal

import market_kit as kit
from playbook import Play, Playbook, said, saved, silence
from reverse_kit import config, interest, opened

from bot.domain.books import Books
from bot.domain.events import CapitalMoved, LoanRecalled
from bot.domain.guards import Remembered
from bot.domain.ledger import Transaction
from bot.domain.time import HOUR_MS, MINUTE_MS
from bot.engine.recovery import restore

D = Decimal
OPENING = "opening:binance:margin"


def traded_before(play: Play) -> Playbook:
    """Books of a bot that has not borrowed yet."""
    book = play(config()).scene("400000", "300000")
    assert book.state.openings.keys() == {"opening:binance"}
    return book


def report(book: Playbook, margin: dict[str, Decimal], spot: str = "400000") -> None:
    book.account({"spot": {"USDT": D(spot)}, "perp": {"USDT": D(300_000)}, "margin": margin})


def test_a_wallet_that_comes_later_is_opened_with_what_is_in_it(play: Play) -> None:
    book = traded_before(play)
    book.wait(60)
    report(book, {"USDT": D(1_000), "BTC": D("-0.01")})
    assert book.state.openings[OPENING] == book.market_ms
    assert book.balance("venue:binance:margin", "BTC") == D("-0.01")
    assert book.balance("venue:binance:margin") == D(1_000)
    assert not book.state.differences
    report(book, {"USDT": D(900), "BTC": D("-0.01")})
    assert book.state.differences == {("binance", "margin", "USDT"): (D(-100), 1)}, (
        "opened once, compared from then on"
    )


def test_an_empty_one_is_opened_too_and_a_restart_knows(play: Play) -> None:
    book = traded_before(play)
    report(book, {})
    at_ms = book.state.openings[OPENING]
    again = restore(Books(epoch=2, openings={OPENING: at_ms, "opening:binance": at_ms}), config())
    assert again.openings == {OPENING: at_ms, "opening:binance": at_ms}
    report(book, {"USDT": D(5)})
    assert ("binance", "margin", "USDT") in book.state.differences, "what comes later is no opening"


def test_money_that_the_owner_moves_there_meanwhile_is_a_move_and_no_opening(play: Play) -> None:
    """700 were in the margin account for long; 300 came from the spot wallet just now."""
    book = traded_before(play)
    report(book, {"USDT": D(1_000)}, spot="399700")
    assert OPENING not in book.state.openings
    for wallet, amount in (("spot", D(-300)), ("margin", D(300))):
        at_ms = book.market_ms
        book.feed(CapitalMoved(kit.VENUE, wallet, "USDT", amount, f"m1:{wallet}", at_ms, internal=True))
    report(book, {"USDT": D(1_000)}, spot="399700")
    assert OPENING in book.state.openings
    assert book.balance("venue:binance:margin") == D(1_000)
    assert book.balance("equity:opening") == D(-700_700)
    assert not book.state.differences


def test_interest_from_before_the_opening_is_in_it(play: Play) -> None:
    book = opened(play)
    at_ms = book.state.openings[OPENING]
    book >> interest("0.5", at_ms, "old") << silence()
    assert not book.state.ledger.knows("interest:binance:main:BTC:old")
    book >> interest("0.0001", at_ms + 1, "new") << saved(Transaction, id="interest:binance:main:BTC:new")


def test_a_recall_that_is_told_again_says_nothing_new_and_keeps_the_pause_going(play: Play) -> None:
    book = traded_before(play)
    recall = LoanRecalled(kit.VENUE, "BTC", book.market_ms + 99 * HOUR_MS, "delisted")
    book >> recall << saved(Remembered, rule="R9") << said("loan.recalled", done="nothing is owed")
    first_ms = book.market_ms
    book.market_ms += 20 * MINUTE_MS
    book >> recall << silence()
    assert not book.actions, "the venue repeats itself"
    book.market_ms += HOUR_MS
    book >> recall << saved(Remembered, rule="R9", market_ms=book.market_ms)
    assert book.state.book.guards.recalls[kit.VENUE, "BTC"] == book.market_ms > first_ms

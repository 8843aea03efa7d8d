"""The venue's own balances and positions against the books: when the books open, and what of a difference is told."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
from playbook import Play, Playbook, orders, said, saved, severity_of, silence

from bot.domain.actions import Persist, PlaceOrders, Severity
from bot.domain.books import Books
from bot.domain.events import AccountReported, Reconciled, Tick
from bot.domain.ledger import Transaction
from bot.engine.comparing import confirmed_difference
from bot.engine.recovery import restore
from bot.ledger import postings

D = Decimal
OPENING = "opening:binance"


def reported(
    spot: str = "700000", perp: str = "300000", held: dict[str, Decimal] | None = None, *, complete: bool = True
) -> AccountReported:
    balances = {"spot": {"USDT": D(spot)}, "perp": {"USDT": D(perp)}}
    return AccountReported(kit.VENUE, balances, held or {}, complete=complete)


def began(play: Play) -> Playbook:
    book = play()
    book.feed(kit.listing(("BTC",)))
    return book


def test_half_an_account_opens_no_books_and_is_compared_with_none(play: Play) -> None:
    book = began(play)
    book >> reported(complete=False) << silence(Persist)
    assert not book.state.ledger.balances
    book >> reported() << saved(Transaction, kind="opening") << said("ledger.opened", entries=4)
    book >> reported("1", complete=False) << silence(Persist)
    assert not book.state.differences


def test_the_books_are_opened_once(play: Play) -> None:
    book = began(play)
    book.feed(reported())
    at_ms = book.state.openings[OPENING]
    book.wait(60)
    book >> reported("700005") << silence(Persist)
    assert book.state.openings[OPENING] == at_ms
    assert book.balance("equity:opening") == D(-1_000_000)


def test_an_account_with_nothing_in_it_is_opened_with_nothing(play: Play) -> None:
    book = began(play)
    book >> reported("0", "0") << saved(Transaction, kind="opening", entries=())
    book >> reported("0", "0") << silence(Persist)


def test_a_difference_is_told_when_it_was_seen_three_times_and_not_again(play: Play) -> None:
    book = began(play)
    book.feed(reported())
    for number in range(1, 5):
        book >> reported("700000.5")
        told = severity_of(book, "ledger.difference")
        assert told is (Severity.CRITICAL if number == 3 else None)
        if told is not None:
            book << said(
                "ledger.difference", venue=kit.VENUE, wallet="spot", asset="USDT", venue_less_ledger=D("0.5")
            )
        assert confirmed_difference(book.state, kit.VENUE) is (number >= 3)
        assert not confirmed_difference(book.state, "elsewhere")


def test_a_difference_that_is_gone_is_told_and_counts_anew(play: Play) -> None:
    book = began(play)
    book.feed(reported())
    for _ in range(2):
        book.feed(reported("700000.5"))
    book >> reported() << said("ledger.agrees", venue=kit.VENUE, wallet="spot", asset="USDT")
    book >> reported()
    assert severity_of(book, "ledger.agrees") is None
    for _ in range(2):
        book.feed(reported("700000.5"))
    assert not confirmed_difference(book.state, kit.VENUE)


def test_a_difference_that_becomes_another_one_is_no_agreement(play: Play) -> None:
    book = began(play)
    book.feed(reported())
    for _ in range(3):
        book.feed(reported("700000.5"))
    book >> Reconciled(kit.VENUE) << said("venue.unexplained")
    for number in range(1, 4):
        book >> reported("700000.7")
        assert severity_of(book, "ledger.difference") is (Severity.CRITICAL if number == 3 else None)
        book.feed(Reconciled(kit.VENUE))
        assert book.state.book.unexplained == {kit.VENUE}
    book.feed(reported())
    book >> Reconciled(kit.VENUE) << said("venue.explained")
    assert not book.state.book.unexplained


def test_a_position_is_compared_by_its_size_and_not_by_the_coins_held(play: Play) -> None:
    book = play().scene().run()
    spot = book.balance("venue:binance:spot")
    wallets = {
        "spot": {"USDT": spot, "BTC": book.balance("venue:binance:spot", "BTC")},
        "perp": {"USDT": book.balance("venue:binance:perp")},
    }
    held = book.hedge.legs[1].quantity_base
    book.account(wallets, {kit.perp_id("BTC"): held})
    assert not book.state.differences
    book.account(wallets, {kit.perp_id("BTC"): held + 1})
    assert book.state.differences == {(kit.VENUE, "position", kit.perp_id("BTC")): (D(1), 1)}
    book.account(wallets, {})
    assert book.state.differences == {(kit.VENUE, "position", kit.perp_id("BTC")): (-held, 1)}
    book.account({**wallets, "perp": {}}, {kit.perp_id("BTC"): held})
    perp = wallets["perp"]["USDT"]
    assert book.state.differences == {(kit.VENUE, "perp", "USDT"): (-perp, 1)}


def test_each_venue_is_compared_with_its_own_wallets(play: Play) -> None:
    book = began(play)
    book.state.ledger.post("o2", 0, "opening", None, postings.opening_entries("elsewhere", {"spot": {"BTC": D(1)}}))
    book >> reported() << said("ledger.opened", entries=4)
    book.feed(reported())
    assert not book.state.differences


def test_a_difference_that_stands_since_before_a_restart_lets_nothing_open_meanwhile(play: Play) -> None:
    """It was a fact and the venue blocked; the new process has yet to see it three times."""
    before = play().scene()
    ledger, missing = before.state.ledger, (postings.wallet_account(kit.VENUE, "spot"), "USDT")
    balances = {**ledger.balances, missing: ledger.balances[missing] + 5_000}
    ids, openings = set(ledger.seen), dict(before.state.openings)
    books = Books(2, balances=balances, transaction_count=1, chain="x", transaction_ids=ids, openings=openings)
    book = play(state=restore(books, before.config)).scene()
    for number in range(2):
        book.wait(1).alive() >> Tick() << silence(PlaceOrders)
        book >> reported() << silence(PlaceOrders)
        book >> Reconciled(kit.VENUE)
        assert (severity_of(book, "venue.unexplained") is Severity.CRITICAL) is (number == 1)
    book.wait(1).alive() >> Tick() << silence(PlaceOrders)
    book.feed(reported("705000"))
    book >> Reconciled(kit.VENUE) << said("venue.explained")
    book.wait(1).alive() >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.unmet.clear()


def test_the_books_open_as_of_the_moment_at_which_the_balances_were_read(play: Play) -> None:
    """They waited for a slow disk, and a deposit came meanwhile: it is not in them, and is to be booked."""
    book = began(play)
    read_ms = book.market_ms
    book.wait(6, market_s=6_000)
    book.feed(replace(reported(), at_ms=read_ms))
    assert book.state.openings == {OPENING: read_ms}, "from when on a later start looks for what its owner moved"

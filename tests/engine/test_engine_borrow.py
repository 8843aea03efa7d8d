"""Rules where coins are owed: R9, recalls and rate alarms, funding days of both directions, interest, R4 and R7."""

from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import (
    Play,
    moved,
    orders,
    said,
    saved,
    severity_of,
    silence,
)
from reverse_kit import (
    bare,
    both_fill,
    config,
    dearer,
    interest,
    opened,
    paid_back_in_part,
    scene,
    settle,
    terms,
)

from bot.domain.actions import MoveMargin, PlaceOrders, Reconcile, Severity
from bot.domain.books import Books
from bot.domain.config import ReverseCarry
from bot.domain.events import CloseCoin, LoanRecalled, Readmit, Reconfigure, Tick
from bot.domain.guards import Remembered
from bot.domain.hedges import Removal
from bot.domain.ledger import Transaction
from bot.domain.time import HOUR_MS
from bot.domain.valuation import margin_wallet, nav_usd
from bot.engine.explain import explain
from bot.engine.recovery import restore
from bot.risk.rules import r09_borrow

D = Decimal


def test_interest_is_booked_once_and_is_a_cost_called_borrow(play: Play) -> None:
    book = opened(play)
    charged = interest("0.0001", book.market_ms)
    nav, pnl = nav_usd(book.state.book), book.hedge.borrow_usd
    book >> charged << saved(Transaction, id="interest:binance:main:BTC:i1", hedge_id=book.hedge.id)
    book >> charged << silence() << silence(MoveMargin)
    assert book.balance("interest:h1", "BTC") == D("0.0001")
    assert book.hedge.borrow_usd - pnl == D(10)
    assert nav - nav_usd(book.state.book) == D(10)
    assert book.hedge.legs[0].quantity_base == D("-0.4901"), "what is owed has grown"


def test_interest_that_outgrows_a_lot_is_hedged_like_any_imbalance(play: Play) -> None:
    book = opened(play)
    book >> interest("0.002", book.market_ms) << silence()
    book.wait(1).alive()
    book >> Tick() << said("hedge.unbalanced", coin="BTC") << orders("buy margin 0.002")
    book.unmet.clear()


def test_no_more_is_sold_than_the_collateral_bears(play: Play) -> None:
    """The level stays above 1.5: 5,000 of own money bear a loan of 9,800."""
    some = play(config()).scene("0", "300000", rate="-0.001", margin_usdt="5000")
    some >> Tick() << moved(source="perp", target="spot") << orders("sell margin 0.098", "buy perp 0.098")
    crumbs = play(config()).scene("0", "300000", rate="-0.001", margin_usdt="1000")
    crumbs >> Tick() << moved(source="perp", target="spot") << silence()


def test_what_cannot_be_borrowed_now_is_no_candidate(play: Play) -> None:
    book = scene(play)
    book.feed(terms("0.0876", "0"))
    book >> Tick() << said("risk.refused", rule="R9") << moved(source="margin", target="spot") << silence()


def test_half_of_what_can_be_borrowed_is_taken(play: Play) -> None:
    book = scene(play)
    book.feed(terms("0.0876", "0.2"))
    book >> Tick() << said("hedge.aimed", target_base=D("0.1")) << orders("sell margin 0.1", "buy perp 0.1")
    book.unmet.clear()


@pytest.mark.parametrize(
    ("rate_year", "rate", "detail"),
    [
        ("1.1", "-0.003", "interest a year on BTC"),
        ("0.4", "-0.0003", "funding an interval, against"),  # 0.0365 % of interest an interval
        ("0.0876", "-0.0004", "funding an interval, against"),  # fees of 0.3 % over six intervals
    ],
)
def test_r9_refuses_what_does_not_leave_a_carry(play: Play, rate_year: str, rate: str, detail: str) -> None:
    book = scene(play, rate=rate)
    book.feed(terms(rate_year))
    pair = book.state.market.reverse[kit.VENUE, "BTC"]
    (verdict,) = r09_borrow.check(book.state.book, pair)
    assert not verdict.approved
    assert verdict.detail.startswith(detail)
    book >> Tick() << moved(source="margin", target="spot") << silence()


def test_old_terms_open_nothing(play: Play) -> None:
    book = scene(play)
    book.wait(601).alive()
    pair = book.state.market.reverse[kit.VENUE, "BTC"]
    (verdict,) = r09_borrow.check(book.state.book, pair)
    assert (verdict.approved, verdict.observed) == (False, "601")


def test_the_owner_hears_once_that_the_terms_of_what_is_owed_are_lost(play: Play) -> None:
    book = opened(play)
    book.wait(601).alive()
    book >> Tick() << said("borrow.terms_lost", hedge="h1", limit=600)
    book.wait(1).alive()
    book >> Tick()
    assert severity_of(book, "borrow.terms_lost") is None, "told once"
    book >> terms("0.0876") << silence()
    book >> Tick() << silence()
    book.wait(602).alive()
    book >> Tick() << said("borrow.terms_lost"), "and again when they are lost again"


def test_a_recall_closes_both_legs_together_and_tells_the_owner(play: Play) -> None:
    book = opened(play)
    due = book.market_ms + HOUR_MS
    book >> LoanRecalled(kit.VENUE, "BTC", due, "by the lender") << said("loan.recalled", coin="BTC", due_ms=due)
    assert severity_of(book, "loan.recalled") is Severity.CRITICAL
    book >> Tick() << said("risk.forced", rule="R9") << orders("buy margin 0.1992", "sell perp 0.199 reduce")
    book >> both_fill << orders("buy margin 0.1992", "sell perp 0.199 reduce")
    book >> both_fill << orders("buy margin 0.0921", "sell perp 0.092 reduce")
    book >> both_fill << said("hedge.closed", coin="BTC")
    book.wait(60).alive().feed(terms("0.0876"))
    book >> Tick() << moved(source="margin", target="spot") << silence()
    assert r09_borrow.recalled(book.state.book, kit.VENUE, "BTC")


def test_a_closing_purchase_pays_interest_that_was_not_told_yet(play: Play) -> None:
    """Ten hours at 87.6 % a year and the running one: 0.11 % of what is owed is bought beyond it, and not more."""
    book = opened(play)
    owed = -book.hedge.legs[0].quantity_base
    book.market_ms += 10 * HOUR_MS
    book.alive().feed(terms("0.876"))
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    assert not book.state.book.live_hedges()
    over = book.balance("venue:binance:margin", "BTC")
    unheard = owed * D("0.0001") * 11
    assert unheard <= over < unheard + D("0.0002")


def test_a_recall_is_remembered_through_a_restart(play: Play) -> None:
    book = scene(play)
    at_ms = book.market_ms
    book >> LoanRecalled(kit.VENUE, "BTC", at_ms, "x") << saved(Remembered, rule="R9", subject="binance:BTC")
    books = Books(epoch=2, remembered=[Remembered("R9", "binance:BTC", "recalled", D(1), at_ms)])
    again = play(state=restore(books, config())).scene("400000", "300000", rate="-0.001", margin_usdt="300000")
    assert r09_borrow.recalled(again.state.book, kit.VENUE, "BTC")
    again >> Tick() << moved(source="margin", target="spot") << silence()


def test_a_rate_spike_is_told_once_and_closes_when_the_loan_costs_more(play: Play) -> None:
    book = opened(play, reverse_carry=ReverseCarry(rate_alarm=0.6))
    book.alive(rate="-0.001")
    book >> terms("0.7") << said("borrow.rate_high", hedge="h1", limit=0.6)  # 0.064 % an interval: still pays
    assert severity_of(book, "borrow.rate_high") is Severity.CRITICAL
    assert r09_borrow.forced(book.state.book, book.hedge) is None
    book >> terms("0.7")
    assert severity_of(book, "borrow.rate_high") is None
    book >> terms("1.2") << silence()  # 0.11 % an interval
    assert severity_of(book, "borrow.rate_high") is None
    book >> Tick() << said("risk.forced", rule="R9") << orders("buy margin 0.1992", "sell perp 0.199 reduce")
    book.unmet.clear()
    book >> terms("0.5")
    assert (kit.VENUE, "BTC") in book.state.book.guards.rates_high, "not well below the alarm yet"
    book >> terms("0.4") << said("borrow.rate_normal")


def test_each_direction_has_funding_days_of_its_own_and_the_opposite_stays_open(play: Play) -> None:
    book = scene(play, rate="-0.001")
    removals = book.state.book.removals
    assert removals[kit.VENUE, "BTC", 1].removed
    assert not removals[kit.VENUE, "BTC", -1].removed
    settle(book, "0.0005", 6)
    assert not removals[kit.VENUE, "BTC", 1].removed, "three positive days bring the short perpetual back"
    assert removals[kit.VENUE, "BTC", -1].removed, "and remove the long one, though it is not held"


def test_positive_days_close_what_is_owed(play: Play) -> None:
    book = opened(play, reverse_carry=ReverseCarry(horizon_h=10_000))
    book.state.book.config = config(strategy=book.config.strategy)
    for _ in range(5):
        settle(book, "0.00001", 1)
    removal: Removal = book.state.book.removals[kit.VENUE, "BTC", -1]
    assert removal.removed
    book.alive(rate="0.00001").feed(terms("0.01"))
    changes = book.feed(Tick())
    assert any(isinstance(action, PlaceOrders) and action.reducing for action in changes)
    assert book.hedge.target_base == 0


def test_a_positive_rate_paid_too_long_is_r1c_for_the_long_side(play: Play) -> None:
    book = opened(play)
    book.alive(rate="0.02")
    book >> Tick() << said("risk.forced", rule="R1c") << orders("buy margin 0.1992", "sell perp 0.199 reduce")
    assert book.state.book.removals[kit.VENUE, "BTC", -1].removed
    book.unmet.clear()


def test_explain_shows_r9_and_the_interest_of_the_loan(play: Play) -> None:
    book = scene(play)
    found = explain(book.state, book.state.market.reverse[kit.VENUE, "BTC"])
    assert found.strategy == "reverse_carry"
    assert {"R9", "R1", "R2", "R3", "R7", "R8", "R10", "R11", "R15"} <= {each.rule for each in found.verdicts}
    assert found.waterfall["borrow"] == pytest.approx(0.0876 / 8_760 * 48)
    assert found.waterfall["held"] == pytest.approx(
        found.waterfall["funding"] + found.waterfall["basis"] - found.waterfall["borrow"]
    )
    assert found.target_base == D("0.49")


def test_a_loan_that_grows_dearer_gets_collateral(play: Play) -> None:
    """A level of 1.55 bears a rise of 41 %; after 10 % of it the collateral is brought back to what it was."""
    book = bare(play)
    assert margin_wallet(book.state.book, kit.VENUE).distance == pytest.approx(0.41, abs=0.01)
    book.wait(3)
    dearer(book, "110000")
    book >> Tick() << moved(source="spot", target="margin") << silence()


def test_a_wallet_at_the_level_of_liquidation_is_looked_at_before_anything_opens(play: Play) -> None:
    """The venue may have bought the coins back already, and no stream tells of it."""
    book = bare(play)
    book.wait(3)
    dearer(book, "160000")
    book >> Tick() << said("margin.beyond_liquidation", venue=kit.VENUE)
    assert severity_of(book, "margin.beyond_liquidation") is Severity.CRITICAL
    assert [action.reason for action in book.actions if isinstance(action, Reconcile)] == [
        "the margin wallet may have been liquidated"
    ]
    assert kit.VENUE in book.state.book.doubted
    book.unmet.clear()
    book >> Tick()
    assert severity_of(book, "margin.beyond_liquidation") is None, "told once"
    book.unmet.clear()


def test_a_loan_without_collateral_to_come_is_paid_back_in_part_both_legs_together(play: Play) -> None:
    """Below R7's minimum and nothing to move: the hedge that owes is reduced."""
    book = bare(play)
    held = book.hedge.size_base
    book.state.book.margin_stuck.add(kit.VENUE)
    book.state.transfer_wait_mono_ms = book.mono_ms + 10**9
    book.wait(3)
    dearer(book, "125000")
    assert margin_wallet(book.state.book, kit.VENUE).distance < 0.15
    book >> Tick() << said("risk.forced", rule="R7")
    paid_back_in_part(book, held)


def test_a_basis_that_falls_is_what_widens_against_a_long_perpetual(play: Play) -> None:
    book = opened(play)
    book.feed(kit.mark("BTC", "100000", rate="-0.001", next_ms=book.market_ms + HOUR_MS))
    book.feed(replace(book.state.market.marks[kit.perp_id("BTC")], mark=D(99_000)))
    mirrored, usual = (book.state.book.guards.spread_of(kit.VENUE, "BTC", way) for way in (-1, 1))
    assert mirrored.now == pytest.approx(0.01)
    assert usual.now == pytest.approx(-0.01)


def test_a_coin_that_its_owner_closed_stays_out_in_a_direction_that_is_only_listed_later(play: Play) -> None:
    """It is closed by hand while nothing can be borrowed, and `reverse_carry` is switched on weeks later."""
    book = play().scene("400000", "600000").run(8)
    book.feed(CloseCoin("BTC", "I do not trust it"))
    book.run(8)
    assert not book.state.hedges
    book.feed(kit.listing(("BTC",), margin=True))
    book.feed(Reconfigure(config()))
    for rate in kit.history("BTC", book.market_ms + 14 * 24 * HOUR_MS, rate="-0.001", days=14):
        book.until(rate.settled_ms).feed(rate)
    book.rate = "-0.001"
    wallets = ("spot", "USDT"), ("spot", "BTC"), ("perp", "USDT")
    held: dict[str, dict[str, Decimal]] = {"margin": {"USDT": D(300_000)}, "spot": {}, "perp": {}}
    for wallet, asset in wallets:
        held[wallet][asset] = book.balance(f"venue:binance:{wallet}", asset)
    book.account(held)
    for news in (kit.borrow_terms("BTC"), *kit.liquidity("BTC"), *kit.quotes("BTC")):
        book.feed(news)
    book.run(8)
    assert not book.state.hedges
    book.feed(Readmit("BTC", "test"))
    book.run(8)
    assert book.hedge.direction == -1


def test_no_more_than_the_share_of_what_is_lent_is_taken_however_often_is_decided(play: Play) -> None:
    """What is owed has left what the venue still offers: half of the rest each time is nearly all."""
    lent = D("0.6")
    book = scene(play)
    book.feed(terms("0.0876", str(lent)))
    book.run(8)
    for _ in range(3):
        assert book.hedge.size_base == lent * ReverseCarry().availability_share
        book.feed(terms("0.0876", str(lent - book.hedge.size_base)))
        settle(book, "-0.001", 1)
        book.run(8)

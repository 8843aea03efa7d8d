"""A hedge the other way round: the coin borrowed and sold on margin, the perpetual long, paid by negative rates."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import market_kit as kit
import pytest
from playbook import (
    Play,
    Playbook,
    asked,
    expires,
    fill_of,
    fills,
    moved,
    nowhere,
    orders,
    receipt,
    refused,
    report_of,
    said,
    saved,
    severity_of,
    silence,
    unanswered,
)

from bot.domain.actions import MoveMargin, PlaceOrders, Severity
from bot.domain.books import Books
from bot.domain.config import CoreConfig, Limits, ReverseCarry
from bot.domain.events import Event, InterestCharged, LoanRecalled, OrderFilled, Tick, TransferSettled
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, HedgeState, Interest, Removal
from bot.domain.ledger import Transaction
from bot.domain.market import SettledRate
from bot.domain.orders import OrderIntent, OrderState, Purpose, Side
from bot.domain.time import HOUR_MS
from bot.domain.valuation import margin_wallet, nav_usd, unhedged_usd
from bot.engine.explain import explain
from bot.engine.recovery import restore
from bot.risk.rules import r09_borrow

D = Decimal
BOTH = ("cash_and_carry", "reverse_carry")


def config(**more: Any) -> CoreConfig:
    return kit.config(("BTC",), strategies=BOTH, limits=Limits(cash_rate=0), **more)


def scene(play: Play, rate: str = "-0.001", **more: Any) -> Playbook:
    book = play(config(**more)).scene("400000", "300000", rate=rate, margin_usdt="300000")
    book.rate = rate
    return book


def opened(play: Play, **more: Any) -> Playbook:
    """Half a bitcoin owed against half a bitcoin long, with nothing on its way."""
    book = scene(play, **more).run(8)
    assert book.hedge.state is HedgeState.HEDGED
    return book


def both_fill(book: Playbook) -> list[Event]:
    return [*fills("margin")(book), *fills("perp")(book)]


def terms(rate_year: str, available: str = "1000") -> Event:
    return kit.borrow_terms("BTC", rate_year, available)


def interest(amount: str, charged_ms: int, venue_id: str = "i1") -> InterestCharged:
    return InterestCharged(Interest(kit.VENUE, "main", "BTC", D(amount), D("0.00001"), charged_ms, venue_id))


def test_a_negative_rate_opens_coins_sold_on_loan_against_a_long_perpetual(play: Play) -> None:
    book = scene(play)
    (
        book
        >> Tick()
        << said("hedge.aimed", coin="BTC", target_base=D("0.49"))
        << saved(Hedge, strategy="reverse_carry", direction=-1)
        << orders("sell margin 0.199", "buy perp 0.199")
    )
    book >> both_fill << orders("sell margin 0.199", "buy perp 0.199")
    book >> both_fill << orders("sell margin 0.092", "buy perp 0.092")
    book >> both_fill << said("hedge.opened", coin="BTC", quantity_base=D("0.49"))
    owed, long = book.hedge.legs
    assert (owed.quantity_base, long.quantity_base) == (D("-0.49"), D("0.49"))
    assert book.balance("venue:binance:margin", "BTC") == D("-0.49")
    assert unhedged_usd(book.state.book) == 0


def test_what_is_owed_counts_against_nav_and_the_proceeds_for_it(play: Play) -> None:
    book = scene(play)
    before = nav_usd(book.state.book)
    book.run(8)
    fees_and_spread = before - nav_usd(book.state.book)
    assert D(0) < fees_and_spread < D("0.49") * 100_000 * D("0.002")
    wallet = margin_wallet(book.state.book, kit.VENUE)
    assert wallet.owed_usd == pytest.approx(49_000)
    assert wallet.own_usd == pytest.approx(300_000, rel=1e-3)


def test_it_is_not_opened_unless_it_is_listed_as_a_strategy(play: Play) -> None:
    book = play(kit.config(("BTC",))).scene("400000", "300000", rate="-0.001", margin_usdt="300000")
    book >> Tick() << moved(source="margin", target="spot") << silence()
    pair = book.state.market.reverse[kit.VENUE, "BTC"]
    (verdict,) = r09_borrow.check(book.state.book, pair)
    assert not verdict.approved
    assert verdict.limit == "strategies"


def test_a_positive_rate_opens_the_spot_side_as_ever(play: Play) -> None:
    book = scene(play, rate="0.0003")
    book >> Tick() << orders("buy spot 0.1992", "sell perp 0.199")
    book.unmet.clear()


def test_closing_buys_back_what_is_owed_with_its_fee_and_interest(play: Play) -> None:
    book = opened(play)
    book >> interest("0.0004", book.market_ms) << saved(Transaction, kind="interest")
    book.state.book.removals[kit.VENUE, "BTC", -1].removed = True
    book >> Tick() << said("risk.forced", rule="R1") << orders("buy margin 0.1996", "sell perp 0.199 reduce")
    book >> both_fill
    while book.unmet:
        book.unmet.clear()
        book >> both_fill
    assert not list(book.state.book.live_hedges())
    left = book.balance("venue:binance:margin", "BTC")
    assert D(0) <= left < D("0.00001"), "the loan is paid to the last digit; less than a lot stays in the wallet"


def test_a_short_perpetual_fill_is_completed_by_buying_more(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("margin") << silence()
    book >> fills("perp", "0.1") << silence()
    book >> expires("perp", "0.1") << said("hedge.unbalanced", coin="BTC") << orders("buy perp 0.099")
    assert book.last("perp").purpose is Purpose.COMPLETE
    book.unmet.clear()


def test_a_short_margin_fill_is_completed_by_borrowing_more(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("perp") << silence()
    book >> fills("margin", "0.1") << silence()
    book >> expires("margin", "0.1") << orders("sell margin 0.099")
    book.unmet.clear()


def test_a_leg_that_is_refused_is_not_waited_for_the_other_one_is_taken_back(play: Play) -> None:
    """Nothing is left to borrow: the long perpetual that filled is sold again."""
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> terms("0.0876", "0") << silence()
    book >> fills("perp") << silence()
    book >> refused("margin", "-3045") << orders("sell perp 0.199 reduce")
    assert book.last("perp").purpose is Purpose.UNWIND
    book.unmet.clear()


def test_coins_sold_without_their_perpetual_are_bought_back_when_time_is_over(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("margin") << silence()
    book >> unanswered("perp") << asked()
    book.wait(4).alive()
    book >> nowhere("perp") << orders("buy perp 0.199")
    book.wait(4).alive()
    book >> expires("perp") << silence()
    book.wait(1).alive()
    book >> Tick() << orders("buy margin 0.19919")
    assert book.last("margin").purpose is Purpose.UNWIND
    book.unmet.clear()


def test_an_unknown_order_on_the_margin_leg_quarantines_the_hedge_until_the_venue_tells(play: Play) -> None:
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book >> fills("perp") << silence()
    book >> unanswered("margin") << said("order.unknown") << asked()
    book >> Tick() << said("hedge.quarantined")
    assert book.hedge.state is HedgeState.QUARANTINED
    book.wait(0.2).alive()
    book >> Tick() << silence()
    lost = book.last("margin")
    book.wait(3).alive()
    book >> Tick() << asked(lost.client_id)
    book >> (lambda b: [fill_of(b, lost), report_of(lost, OrderState.FILLED, lost.quantity_base)])
    assert sum(order.client_id == lost.client_id for order in book.sent) == 1, "it is never sent twice"
    assert book.hedge.imbalance_base == 0
    book.unmet.clear()


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


def test_funding_is_income_of_the_long_side(play: Play) -> None:
    book = opened(play)
    book >> receipt("BTC", "49", book.market_ms, "r1", "-0.001") << said("funding.received", hedge="h1")
    assert book.hedge.funding_usd == 49


def test_collateral_and_margin_come_from_the_spot_wallet_one_at_a_time(play: Play) -> None:
    book = play(config()).scene("1000000", "0", rate="-0.001", margin_usdt="0")
    book.rate = "-0.001"
    book >> Tick() << moved(source="spot", target="perp") << silence()
    perp = next(iter(book.state.transfers.values()))
    book >> TransferSettled(perp.id, "t1") << silence()
    book.wait(2).alive()
    book >> Tick() << moved(source="spot", target="margin") << silence()
    loan = next(iter(book.state.transfers.values()))
    assert D("0.5") * 49_000 < loan.amount < D("0.6") * 49_000, "half of what will be owed, and a little"
    book >> TransferSettled(loan.id, "t2") << said("margin.moved")
    book.wait(0.3).alive()
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    book.unmet.clear()


def test_collateral_goes_back_when_nothing_is_owed(play: Play) -> None:
    book = scene(play, rate="0.00001")
    book.run(2, until=lambda: bool(book.state.transfers))
    back = next(iter(book.state.transfers.values()))
    assert (back.source, back.target, back.amount) == ("margin", "spot", D(300_000))


def test_no_more_is_sold_than_the_collateral_bears(play: Play) -> None:
    """The level after the sale stays at 1.5 at least: 5,000 of own money bear a loan of 10,000."""
    some = play(config()).scene("0", "300000", rate="-0.001", margin_usdt="5000")
    some >> Tick() << moved(source="perp", target="spot") << orders("sell margin 0.099", "buy perp 0.099")
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


def test_a_coin_is_held_in_one_direction_at_a_time(play: Play) -> None:
    book = opened(play)
    pair = book.state.market.pairs[kit.VENUE, "BTC"]
    verdicts = explain(book.state, pair).verdicts
    (direction,) = (each for each in verdicts if each.rule == "direction")
    assert not direction.approved
    assert direction.observed == "reverse_carry"


def settle(book: Playbook, rate: str, days: int) -> None:
    first = book.market_ms // (8 * HOUR_MS) + 1
    for number in range(days * 3):
        at_ms = (first + number) * 8 * HOUR_MS
        book.market_ms = at_ms
        book.feed(SettledRate(kit.perp_id("BTC"), at_ms, D(rate), 8 * 3600))


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


def test_what_the_venue_buys_back_itself_closes_the_perpetual(play: Play) -> None:
    """The loan is liquidated: the coin leg is gone, and its long perpetual is sold at once, no more than there is."""
    book = opened(play)
    lot = book.sent[0]
    book >> (lambda b: [_taken(b, lot)]) << said("position.taken", coin="BTC")
    book >> Tick() << orders("sell perp 0.49 reduce")
    assert book.state.book.removals[kit.VENUE, "BTC", -1].removed
    book.unmet.clear()


def _taken(book: Playbook, lot: OrderIntent) -> Event:
    fill = fill_of(book, lot, D("0.4906"), client_id="autoclose-9", fee=D("0.0005")).fill
    return OrderFilled(replace(fill, side=Side.BUY, fee_asset="BTC"))


def test_the_basis_as_the_long_side_sees_it_guards_its_entry(play: Play) -> None:
    """A perpetual that has become dearer than at the decision is not bought."""
    book = scene(play)
    book >> Tick() << orders("sell margin 0.199", "buy perp 0.199")
    for quote in kit.quotes("BTC", basis_bps="40"):
        book.feed(quote)
    book >> both_fill << silence()
    for quote in kit.quotes("BTC", basis_bps="-40"):
        book.feed(quote)
    assert [order.purpose for order in book.sent] == [Purpose.OPEN] * 4, "cheaper again, it is bought"
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

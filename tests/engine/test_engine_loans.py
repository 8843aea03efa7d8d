"""Loans as they go on: terms, interest and recalls, told to whom they concern and booked to who owed."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import market_kit as kit
import pytest
from playbook import Play, Playbook, said, saved, severity_of, silence
from reverse_kit import config, interest, opened, scene, terms
from test_engine_accepting import reported

from bot.domain.actions import Persist, Severity
from bot.domain.books import Books
from bot.domain.borrowing import unheard_interest
from bot.domain.config import ReverseCarry
from bot.domain.events import AccountReported, CloseCoin, InterestCharged, LoanRecalled, Tick
from bot.domain.guards import Remembered
from bot.domain.hedges import Hedge, HedgeState, Leg
from bot.domain.ledger import Transaction
from bot.domain.orders import Purpose, Side
from bot.domain.time import HOUR_MS, MINUTE_MS
from bot.engine.recovery import restore

D = Decimal
KEY = kit.VENUE, "BTC"


def short_side(play: Play, **more: ReverseCarry) -> Playbook:
    """Coins are held, and none are owed."""
    book = scene(play, rate="0.0003", **more).run(8)
    assert book.hedge.strategy == "cash_and_carry"
    return book


def recall(book: Playbook) -> LoanRecalled:
    return LoanRecalled(kit.VENUE, "BTC", book.market_ms + 9 * HOUR_MS, "delisted")


def test_the_first_terms_are_decided_on_at_once_later_ones_in_their_turn(play: Play) -> None:
    book = scene(play)
    book.state.market.borrow.clear()
    for first in (True, False):
        book.state.decide_due = False
        book.feed(terms("0.0876"))
        assert book.state.decide_due is first


def test_a_rate_beyond_the_alarm_is_told_anew_after_it_was_normal(play: Play) -> None:
    book = opened(play, reverse_carry=ReverseCarry(rate_alarm=0.6))
    for _ in range(2):
        book >> terms("0.7") << said("borrow.rate_high", hedge="h1", observed=0.7)
        book >> terms("0.4") << said("borrow.rate_normal")


def test_what_a_loan_costs_is_no_news_where_nothing_is_owed(play: Play) -> None:
    book = short_side(play, reverse_carry=ReverseCarry(rate_alarm=0.6))
    book >> terms("0.7")
    assert severity_of(book, "borrow.rate_high") is None
    book.wait(601).alive()
    book >> Tick()
    assert severity_of(book, "borrow.terms_lost") is None
    book >> recall(book) << said("loan.recalled", hedge=None, done="nothing is owed")


def test_terms_are_lost_a_moment_after_their_time_and_forgotten_with_the_hedge(play: Play) -> None:
    book = opened(play)
    book.feed(terms("0.0876"))
    book.wait(600).alive()
    book >> Tick()
    assert severity_of(book, "borrow.terms_lost") is None
    book.wait(0.001).alive()
    book >> Tick() << said("borrow.terms_lost")
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    assert not book.state.book.live_hedges()
    assert not book.state.book.guards.terms_lost


def test_a_recall_is_told_hourly_while_something_is_owed(play: Play) -> None:
    book = opened(play)
    done = "buying the coin back, repaying it and closing the perpetual together"
    for _ in range(2):
        book >> recall(book) << saved(Remembered, rule="R9") << said("loan.recalled", hedge="h1", done=done)
        book.market_ms += HOUR_MS


def test_a_recall_is_told_once_where_nothing_is_owed(play: Play) -> None:
    book = scene(play)
    book >> recall(book) << said("loan.recalled", coin="BTC", done="nothing is owed")
    book.market_ms += HOUR_MS
    book >> recall(book) << saved(Remembered, rule="R9")
    assert severity_of(book, "loan.recalled") is None


def test_only_recalls_are_taken_up_as_recalls_after_a_restart(play: Play) -> None:
    others = [Remembered("R5", "binance:BTC", "recalled", D(1), 7), Remembered("R9", "binance:BTC", "else", D(1), 7)]
    assert not restore(Books(epoch=2, remembered=others), config()).book.guards.recalls


def test_interest_is_booked_with_the_hedge_that_owes_in_one_step(play: Play) -> None:
    book = opened(play)
    book.market_ms += HOUR_MS
    (
        book
        >> interest("0.0001", book.market_ms)
        << saved(Transaction, kind="interest", hedge_id="h1")
        << saved(Hedge, id="h1", borrow_usd=D(10))
        << said("borrow.charged", severity=Severity.DEBUG, amount=D("0.0001"))
    )


def test_interest_on_what_the_bot_never_owed_is_booked_as_foreign(play: Play) -> None:
    book = opened(play)
    owed = book.hedge.legs[0].quantity_base
    charged = replace(interest("0.3", book.market_ms + 1).interest, asset="ETH")
    book >> InterestCharged(charged) << saved(Transaction, kind="interest", hedge_id="foreign") << silence()
    assert book.balance("interest:foreign", "ETH") == D("0.3")
    assert book.hedge.legs[0].quantity_base == owed


def test_interest_of_the_time_before_a_hedge_is_the_former_ones(play: Play) -> None:
    book = opened(play)
    hedge, hour_ms = book.hedge, book.hedge.opened_ms // HOUR_MS * HOUR_MS
    hedge.opened_ms = hour_ms + 10 * MINUTE_MS
    former = replace(hedge, id="h0", opened_ms=hedge.opened_ms - HOUR_MS, legs=tuple(map(replace, hedge.legs)))
    book.state.former_hedges[kit.margin_id("BTC")] = [former]
    book.state.openings["opening:binance:margin"] = 0
    book >> interest("0.0001", hedge.opened_ms - 1, "i1") << saved(Transaction, hedge_id="h0")
    book >> interest("0.0001", hedge.opened_ms, "i2") << saved(Transaction, hedge_id="h1")
    of_a_loan = replace(interest("0.0001", hour_ms - 1, "i3").interest, at_borrowing=True)
    book >> InterestCharged(of_a_loan) << saved(Transaction, hedge_id="h0")


def test_interest_told_late_is_not_that_of_a_hedge_which_never_borrowed(play: Play) -> None:
    """It was decided as soon as the former one was closed, filled nothing and was closed as well."""
    book = opened(play)
    hedge, name = book.hedge, kit.margin_id("BTC")
    empty = tuple(Leg(leg.instrument, leg.kind, leg.direction) for leg in hedge.legs)
    closed_ms = hedge.opened_ms + 10 * MINUTE_MS
    idle = replace(hedge, id="h9", legs=empty, fees_usd=D(0), opened_ms=closed_ms, closed_ms=closed_ms + 1)
    idle.state, book.state.openings["opening:binance:margin"] = HedgeState.CLOSED, 0
    book.state.note_last(idle)
    assert book.state.last_hedge[name] is idle
    book >> interest("0.0001", closed_ms + HOUR_MS, "i1") << saved(Transaction, hedge_id="h1")
    made = replace(interest("0.0001", closed_ms, "i2").interest, at_borrowing=True)
    book >> InterestCharged(made) << saved(Transaction, hedge_id="h9"), "a loan may be made for what does not fill"


def test_the_first_interest_of_a_loan_is_its_hedges_though_it_is_stamped_before_the_first_fill(play: Play) -> None:
    """It is charged when the loan is made; the venue's own example bears the beginning of that hour."""
    book = opened(play)
    hedge, hour_ms = book.hedge, book.hedge.opened_ms // HOUR_MS * HOUR_MS
    hedge.opened_ms += 10 * MINUTE_MS
    book.state.openings["opening:binance:margin"] = hedge.opened_ms - MINUTE_MS
    owed = hedge.legs[0].quantity_base
    told = interest("0.0001", hour_ms, "i0").interest
    book >> InterestCharged(told) << silence(Persist)
    assert hedge.legs[0].quantity_base == owed, "what was charged by the hour was charged before the opening balance"
    first = InterestCharged(replace(told, at_borrowing=True))
    book >> first << saved(Transaction, kind="interest", hedge_id="h1") << saved(Hedge, id="h1", borrow_usd=D(10))
    assert hedge.legs[0].quantity_base == owed - D("0.0001"), "and is bought back with the rest"
    book >> first << silence(Persist)
    book.state.openings["opening:binance:margin"] = hedge.opened_ms + 1
    early = InterestCharged(replace(told, at_borrowing=True, venue_id="i1"))
    book >> early << silence(Persist)


def test_interest_that_was_told_is_not_expected_again_whatever_comes_late(play: Play) -> None:
    """Ten hours on, the newest hour's interest is told before an older one's: one running hour is left to come."""
    book = opened(play)
    leg, opened_ms = book.hedge.legs[0], book.hedge.opened_ms
    book.market_ms += 10 * HOUR_MS
    book.alive().feed(terms("0.876"))
    book.state.market.owed_since[KEY] = D(9)
    assert unheard_interest(book.state.market, leg, book.market_ms, opened_ms) == 9 * D("0.0001") * 11
    book.feed(interest("0.0001", book.market_ms, "i10"))
    book.feed(interest("0.0001", book.market_ms - 5 * HOUR_MS, "i5"))
    left = unheard_interest(book.state.market, leg, book.market_ms, opened_ms)
    assert left == D("0.4902") * D("0.0001"), "on what is owed now: what was repaid since was charged"


def test_a_surplus_that_is_sold_again_is_no_reason_to_buy_once_more(play: Play) -> None:
    """What was owed before all was paid back bears no interest any longer, however long none was heard of."""
    book = opened(play)
    book.feed(terms("8.0"))
    book.market_ms += 90 * HOUR_MS
    book.alive()
    book.feed(terms("8.0"))
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    market, leg = book.state.market, book.state.last_hedge[kit.perp_id("BTC")].legs[0]
    assert leg.quantity_base >= 0 or unheard_interest(market, leg, book.market_ms, 0) < D("0.001")
    sides = [order.side for order in book.sent if order.leg == 0 and order.purpose is not Purpose.OPEN]
    assert sides == sorted(sides, key=lambda side: side is Side.SELL), "bought back, and what is too much sold: once"


def test_what_is_sold_again_is_what_was_bought_for_the_running_hour_alone(play: Play) -> None:
    """Interest of a full hour is still to be told when the surplus is sold: the coins for it stay."""
    book = opened(play)
    book.feed(terms("87.6"))
    book.market_ms = book.market_ms // HOUR_MS * HOUR_MS + HOUR_MS + 60_000
    book.alive().feed(terms("87.6"))
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    leg = book.state.last_hedge[kit.perp_id("BTC")].legs[0]
    an_hour = D("0.4902") * D("0.01")
    assert an_hour < leg.quantity_base < an_hour + D("0.001")


@pytest.mark.parametrize(("late", "state"), [("0.00004", HedgeState.CLOSED), ("0.002", HedgeState.UNBALANCED)])
def test_interest_that_is_told_after_the_end_is_bought_back_where_it_can_be(
    play: Play, late: str, state: HedgeState
) -> None:
    """An hour at a rate that nobody knew of costs more than what was bought for it: five dollars are an order."""
    book = opened(play)
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    hedge = book.state.last_hedge[kit.perp_id("BTC")]
    assert hedge.state is HedgeState.CLOSED
    over = hedge.legs[0].quantity_base
    book >> interest(str(D(late) + over), book.market_ms, "late") << saved(Hedge, id=hedge.id, state=state)
    book.run(20)
    assert hedge.state is HedgeState.CLOSED
    left = D(late) if state is HedgeState.CLOSED else D("0.0001")
    assert -left <= hedge.legs[0].quantity_base <= D("0.0001")


def test_coins_bought_for_interest_that_did_not_come_are_sold_once_the_balances_were_looked_at(play: Play) -> None:
    book = opened(play)
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    hedge = book.state.last_hedge[kit.perp_id("BTC")]
    hedge.legs[0].quantity_base = D("0.002")
    looked = AccountReported(kit.VENUE, {}, {}, complete=False)
    book.state.market.repaid_ms[KEY] = book.market_ms
    book >> looked << silence(Persist)
    book.state.market.repaid_ms.clear()
    book >> looked << saved(Hedge, id=hedge.id, state=HedgeState.UNBALANCED)
    book.run(20)
    assert hedge.state is HedgeState.CLOSED
    assert hedge.legs[0].quantity_base < D("0.0001")


def test_such_coins_are_sold_though_dollars_elsewhere_differ(play: Play) -> None:
    book = opened(play)
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    hedge = book.state.last_hedge[kit.perp_id("BTC")]
    hedge.legs[0].quantity_base = D("0.002")
    looked = reported(book, {"USDT": "-5"})
    for owed in ("-0.001", "0"):
        book.state.market.repaid_ms[KEY] = book.market_ms
        margin = {**looked.balances["margin"], "BTC": looked.balances["margin"]["BTC"] + D(owed)}
        book >> replace(looked, balances={**looked.balances, "margin": margin})
        assert (KEY in book.state.market.repaid_ms) is bool(D(owed))
        assert hedge.state is (HedgeState.UNBALANCED if not D(owed) else HedgeState.CLOSED)


def test_such_coins_are_sold_though_another_hedge_of_the_coin_came_and_filled_nothing(play: Play) -> None:
    book = opened(play)
    book.feed(CloseCoin("BTC", "enough"))
    book.run(20)
    hedge = book.state.last_hedge[kit.perp_id("BTC")]
    empty = tuple(Leg(leg.instrument, leg.kind, leg.direction) for leg in hedge.legs)
    book.state.note_last(replace(hedge, id="h9", number=9, legs=empty, order_ids=[]))
    hedge.legs[0].quantity_base = D("0.002")
    book.state.market.repaid_ms.clear()
    looked = AccountReported(kit.VENUE, {}, {}, complete=False)
    book >> looked << saved(Hedge, id=hedge.id, state=HedgeState.UNBALANCED)
    book.run(20)
    assert hedge.state is HedgeState.CLOSED
    assert hedge.legs[0].quantity_base < D("0.0001")


def test_interest_on_a_crumb_is_booked_with_its_hedge_after_a_restart(play: Play) -> None:
    """A loan that was closed leaves a crumb below what can be bought; a new process must know whose it is."""
    crumb = deepcopy(opened(play).hedge)
    crumb.state, crumb.legs[0].quantity_base, crumb.legs[1].quantity_base = HedgeState.CLOSED, D("-0.00001"), D(0)
    books = Books(epoch=2, closed=[crumb], openings={"opening:binance:margin": 0})
    book = play(config(), state=restore(books, config())).scene("400000", "300000", margin_usdt="300000")
    charged = interest("0.00000001", crumb.opened_ms + 9 * HOUR_MS, "late")
    book >> charged << saved(Transaction, kind="interest", hedge_id="h1") << saved(Hedge, id="h1")
    assert book.balance("interest:h1", "BTC") == D("0.00000001")
    assert crumb.legs[0].quantity_base == D("-0.00001001")


def test_coins_that_paid_what_a_closed_hedge_owed_have_not_left(play: Play) -> None:
    """Interest that was told after its end made one hedge owe; the next one of the coin bought for the whole loan."""
    book = opened(play)
    hedge, wallet = book.hedge, ("venue:binance:margin", "BTC")
    owed = tuple(replace(leg, quantity_base=D("-0.01") if leg.kind.is_coin else D(0)) for leg in hedge.legs)
    book.state.note_last(replace(hedge, id="h0", number=0, legs=owed, order_ids=[], state=HedgeState.CLOSED))
    hedge.legs[0].quantity_base = D("0.0100001")
    book.state.ledger.balances[wallet] = D("0.0000001")
    looked = reported(book, {})
    book >> looked
    assert severity_of(book, "hedge.coins_gone") is None
    assert hedge.legs[0].quantity_base == D("0.0100001")
    book.state.ledger.balances[wallet] -= D("0.01")
    book >> reported(book, {}) << said("hedge.coins_gone", quantity_base=D("0.01"))

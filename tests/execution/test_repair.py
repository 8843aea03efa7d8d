"""repair() by example: which leg is completed or taken back, by how much, and when completing is over."""

from dataclasses import replace

import pytest
from plan_kit import PERP, SPOT, D, book, hedge, lending, owing, planned, quoted, relisted

from bot.domain.book import Book
from bot.domain.hedges import Hedge, HedgeState
from bot.domain.orders import Purpose, Side
from bot.domain.time import HOUR_MS
from bot.execution.drafts import TOO_SMALL_NOTE, Plan

LIMIT = D("100.7006")
"""Of a purchase: 60 bps beyond the ask."""


def told(step: Plan) -> str:
    """The one order of a repair in words."""
    assert step.state is HedgeState.UNBALANCED
    (draft,) = step.drafts
    leg = "perp" if draft.instrument == PERP else "coin"
    return f"{draft.purpose.value}: {draft.side.value} {leg} {draft.quantity_base.normalize():f}"


def repaired(found: Book, one: Hedge, *, may_open: bool = True) -> str:
    return told(planned(found, one, may_open=may_open))


def test_a_difference_of_one_lot_is_none() -> None:
    dear = quoted(quoted(book(), SPOT, "999", "1001"), PERP, "999", "1001")
    assert planned(dear, hedge("1.01", "1", "1")) == Plan(HedgeState.HEDGED), "10 USD, which could be traded"


def test_the_leg_that_lags_is_completed_while_the_hedge_grows() -> None:
    assert repaired(book(), hedge("0.5", "0", "0.5")) == "complete: sell perp 0.5"
    assert repaired(book(), hedge("0.5", "1", "1")) == "complete: buy coin 0.501"
    assert repaired(lending(), owing("0.5", "0", "0.5")) == "complete: buy perp 0.5"
    assert repaired(lending(), owing("0", "0.5", "0.5")) == "complete: sell coin 0.5"


def test_the_leg_that_leads_is_taken_back_by_the_difference_while_it_shrinks() -> None:
    assert repaired(book(), hedge("0.25", "0.5", "0.25")) == "unwind: buy perp 0.25"
    assert repaired(book(), hedge("0.5", "0.25", "0.25")) == "unwind: sell coin 0.25"
    assert repaired(book(), hedge("0.004", "0.5", "0.5"), may_open=False) == "unwind: buy perp 0.49", "whole lots"
    assert repaired(lending(), owing("2", "1", "1")) == "unwind: buy coin 1.001"


def test_no_more_is_taken_back_than_the_leg_holds() -> None:
    """Coins are missing where more was sold than there was: the short perpetual is all that can be bought back."""
    assert repaired(book(), hedge("-0.2", "0.5", "0")) == "unwind: buy perp 0.5"
    none = relisted(book(), PERP, quantity_min=D(0))
    step = planned(none, hedge("-0.5", "0", "0"), may_open=False)
    assert (step.drafts, step.note) == ((), TOO_SMALL_NOTE), "and no order of nothing"


def test_coins_left_over_of_a_loan_are_sold_without_owing_a_crumb_again() -> None:
    """More was bought back than was owed. What lacks against a perpetual is still sold to the last lot."""
    assert repaired(lending(), owing("-0.5004", "0", "0")) == "unwind: sell coin 0.5"
    assert repaired(lending(), owing("0.0004", "0.5", "0.5")) == "complete: sell coin 0.5"


@pytest.mark.parametrize("may_open", [True, False])
def test_coins_beyond_a_loan_that_was_repaid_are_sold_and_not_borrowed_anew(may_open: bool) -> None:
    """As where the venue bought them back as well. It makes a leg smaller, and no rule of entries is asked."""
    assert repaired(lending(), owing("-0.5", "0", "0"), may_open=may_open) == "unwind: sell coin 0.5"
    assert repaired(lending(), owing("-0.5", "0.25", "0"), may_open=may_open) == "unwind: sell coin 0.5"
    assert repaired(lending(), owing("-0.04", "0.25", "0"), may_open=False) == "unwind: sell perp 0.25", "more"


@pytest.mark.parametrize(("heard_h", "too_many"), [(0, "0"), (3, "0.3"), (5, "0.5")])
def test_coins_that_were_bought_for_interest_that_is_not_told_yet_are_kept(heard_h: int, too_many: str) -> None:
    """Five hours on a loan of ten at 1 % an hour, of which some were told: half a coin was bought for all of them."""
    found, one = lending(rate_per_h="0.01"), owing("-0.5", "0", "0")
    key, first_h = ("binance", "BTC"), one.opened_ms // HOUR_MS
    found.market.owed_since[key] = D(10)
    found.market.interest_ms[key], found.market.repaid_ms[key] = (
        (first_h + heard_h) * HOUR_MS,
        (first_h + 5) * HOUR_MS,
    )
    step = planned(found, one)
    assert sum(draft.quantity_base for draft in step.drafts) == D(too_many)
    assert step.state is (HedgeState.UNBALANCED if D(too_many) else HedgeState.CLOSED)


def test_without_known_fees_the_coins_are_bought_as_they_are_missing() -> None:
    found = book()
    found.market.fees.clear()
    assert repaired(found, hedge("0", "0.5", "0.5")) == "complete: buy coin 0.5"


def test_coins_are_completed_if_the_wallet_pays_for_them_at_the_limit() -> None:
    exactly = D("0.501") * LIMIT
    assert repaired(book(cash=str(exactly)), hedge("0", "0.5", "0.5")) == "complete: buy coin 0.501"
    assert repaired(book(cash=str(exactly - D("0.01"))), hedge("0", "0.5", "0.5")) == "unwind: buy perp 0.5"


def test_a_perpetual_is_completed_whatever_the_spot_wallet_has() -> None:
    assert repaired(book(cash="0"), hedge("0.5", "0", "0.5")) == "complete: sell perp 0.5"
    assert repaired(lending("0"), owing("0.5", "0", "0.5")) == "complete: buy perp 0.5"


def test_coins_are_sold_on_loan_if_there_is_one() -> None:
    assert repaired(lending("1"), owing("0", "0.5", "0.5")) == "complete: sell coin 0.5"
    assert repaired(lending("0.998"), owing("0", "0.5", "0.5")) == "unwind: sell perp 0.5"


@pytest.mark.parametrize(("since_ms", "purpose"), [(3_000, Purpose.COMPLETE), (3_001, Purpose.UNWIND)])
def test_after_its_time_a_leg_is_completed_no_more(since_ms: int, purpose: Purpose) -> None:
    found, one = book(), hedge("0.5", "0", "0.5")
    one.unbalanced_mono_ms = found.now.mono_ms - since_ms
    assert planned(found, one).drafts[0].purpose is purpose


@pytest.mark.parametrize(("tries", "purpose"), [(1, Purpose.COMPLETE), (2, Purpose.UNWIND)])
def test_half_of_the_tries_are_for_completing(tries: int, purpose: Purpose) -> None:
    found, one = book(), hedge("0.5", "0", "0.5")
    found.config = replace(found.config, execution=replace(found.config.execution, rehedges_max=4))
    one.rehedges = tries
    assert planned(found, one).drafts[0].purpose is purpose


@pytest.mark.parametrize(("bid", "purpose"), [("99.40", Purpose.COMPLETE), ("99.39", Purpose.UNWIND)])
def test_a_perpetual_that_fell_away_from_the_coins_is_sold_no_more(bid: str, purpose: Purpose) -> None:
    """What the coins are asked for says nothing of it: they were bought, and would be sold at the bid."""
    found = quoted(quoted(book(), SPOT, "100", "105"), PERP, bid, "99.7")
    assert planned(found, hedge("0.5", "0", "0.5")).drafts[0].purpose is purpose


@pytest.mark.parametrize(("ask", "purpose"), [("100.6", Purpose.COMPLETE), ("100.7", Purpose.UNWIND)])
def test_coins_that_ran_away_from_the_perpetual_are_bought_no_more(ask: str, purpose: Purpose) -> None:
    found = quoted(quoted(book(), SPOT, "90", ask), PERP, "99.9", "100")
    assert planned(found, hedge("0", "0.5", "0.5")).drafts[0].purpose is purpose


def test_coins_too_few_to_be_sold_are_left_alone() -> None:
    coarse = relisted(book(), SPOT, quantity_min=D(1))
    assert planned(coarse, hedge("1", "0.5", "0.5"), may_open=False) == Plan(HedgeState.HEDGED)


def test_what_the_venue_just_takes_repairs() -> None:
    assert repaired(relisted(book(), PERP, quantity_min=D("0.5")), hedge("0.5", "0", "0.5")).startswith("complete")
    least = D("0.501") * D("99.9")
    assert repaired(relisted(book(), SPOT, notional_min=least), hedge("0", "0.5", "0.5")).startswith("complete")


def test_a_repair_reaches_further_than_an_entry() -> None:
    (draft,) = planned(book(), hedge("0", "0.5", "0.5")).drafts
    assert (draft.side, draft.limit_price) == (Side.BUY, LIMIT)


@pytest.mark.parametrize(("target", "purpose"), [("0.5", "reduce"), ("0.2", "reduce"), ("0", "close")])
def test_a_difference_too_small_to_be_traded_alone_goes_with_a_part_of_both_legs(target: str, purpose: str) -> None:
    """The short is 0.1 too many, the venue trades 0.3 of it at least, and nothing may be opened."""
    coarse = relisted(book(), PERP, quantity_min=D("0.3"))
    step = planned(coarse, hedge("0.4", "0.5", target), may_open=False)
    assert step.state is HedgeState.UNBALANCED
    coin, perp = step.drafts
    assert (coin.side, perp.side, perp.reduce_only, perp.purpose.value) == (Side.SELL, Side.BUY, True, purpose)
    assert D("0.4") - coin.quantity_base == D("0.5") - perp.quantity_base


def test_only_a_completion_that_has_no_alternative_says_so() -> None:
    coarse = relisted(book(), PERP, quantity_min=D("0.3"))
    step = planned(coarse, hedge("0.4", "0.5", "0.2"))
    assert (told(step), step.only_way) == ("complete: buy coin 0.101", True)
    assert not planned(book(), hedge("0", "0.5", "0.5")).only_way

"""plan() the other way round: coins borrowed and sold against a long perpetual, and bought back on the way out."""

from decimal import Decimal

import pytest
from plan_kit import BUY_AT, MARGIN, PERP, SELL_AT, SPOT, D, lending, owing, planned, relisted

from bot.domain.hedges import HedgeState
from bot.domain.orders import Purpose, Side
from bot.execution.drafts import Draft, Plan

NO_LOAN = "nothing to borrow, or no collateral"


def opening(coins: str, quantity: str) -> Plan:
    sold = Draft(0, MARGIN, Side.SELL, D(coins), SELL_AT, False, Purpose.OPEN, D(100))
    return Plan(
        HedgeState.OPENING, (sold, Draft(1, PERP, Side.BUY, D(quantity), BUY_AT, False, Purpose.OPEN, D(100)))
    )


def quantities(step: Plan) -> list[Decimal]:
    return [draft.quantity_base for draft in step.drafts]


def test_both_legs_are_entered_alike_for_a_sale_has_no_fee_in_the_coin() -> None:
    assert planned(lending(), owing("0", "0", "1")) == opening("1.000", "1.00")


def test_what_can_be_borrowed_bounds_the_slice_to_the_last_lot() -> None:
    assert planned(lending("2"), owing("0", "0", "1")) == opening("1.000", "1.00"), "half of it, just enough"
    assert planned(lending("1.999"), owing("0", "0", "1")) == opening("0.990", "0.99")


def test_what_is_owed_beyond_the_perpetual_need_not_be_borrowed() -> None:
    step = planned(lending("1.001"), owing("0.509", "0.50", "1.50"))
    assert step == opening("0.491", "0.50"), "0.500 can be borrowed, whole lots of the perpetual are bought"


@pytest.mark.parametrize(("available", "sent"), [("0.4", True), ("0.398", False), ("0", False)])
def test_a_fifth_of_the_slice_is_the_least_to_borrow(available: str, sent: bool) -> None:
    step = planned(lending(available), owing("0", "0", "1"))
    assert step == (opening("0.200", "0.20") if sent else Plan(HedgeState.OPENING, note=NO_LOAN))


def test_collateral_bounds_the_slice_too() -> None:
    assert quantities(planned(lending(collateral="30"), owing("0", "0", "1"))) == [D("0.58"), D("0.58")]
    assert planned(lending(collateral="0"), owing("0", "0", "1")) == Plan(HedgeState.OPENING, note=NO_LOAN)


def test_what_the_venue_just_takes_is_sent() -> None:
    book = lending()
    for name in (SPOT, MARGIN):
        relisted(book, name, quantity_min=D("0.5"))
    assert planned(book, owing("0", "0", "0.5")) == opening("0.500", "0.50")
    book = lending()
    for name in (SPOT, MARGIN):
        relisted(book, name, notional_min=D("9.99"))
    assert quantities(planned(book, owing("0.51", "0.50", "0.61"))) == [D("0.100"), D("0.11")]


def test_a_close_buys_back_the_interest_that_was_not_told_yet_and_the_fee() -> None:
    step = planned(lending(rate_per_h="0.001"), owing("2", "2", "0"))
    assert quantities(step) == [D("2.005"), D("2.00")], "2 and an hour of 0.002, of which the fee leaves 99.9 %"
    assert [draft.side for draft in step.drafts] == [Side.BUY, Side.SELL]


def test_a_reduction_leaves_the_interest_to_the_close() -> None:
    assert quantities(planned(lending(rate_per_h="0.001"), owing("2", "2", "1"))) == [D("1.002"), D("1.00")]

"""plan() by example: one coin at 100 with a spread of 0.2, spot lot 0.001, perp lot 0.01, taker fee 0.1 %."""

from dataclasses import replace

import pytest
from plan_kit import ASK, BID, BUY_AT, PERP, SELL_AT, SPOT, D, book, hedge, planned, quoted, relisted

from bot.domain.book import Book
from bot.domain.hedges import HedgeState
from bot.domain.market import Mark
from bot.domain.orders import Purpose, Side
from bot.execution.drafts import TOO_SMALL_NOTE, Draft, Plan
from bot.execution.plan import AWRY_NOTE, BASIS_NOTE, NO_QUOTE


def opening(coins: str, quantity: str) -> tuple[Draft, Draft]:
    return (
        Draft(0, SPOT, Side.BUY, D(coins), BUY_AT, False, Purpose.OPEN, D(100)),
        Draft(1, PERP, Side.SELL, D(quantity), SELL_AT, False, Purpose.OPEN, D(100)),
    )


def leaving(coins: str, quantity: str, purpose: Purpose) -> tuple[Draft, Draft]:
    return (
        Draft(0, SPOT, Side.SELL, D(coins), SELL_AT, False, purpose, D(100)),
        Draft(1, PERP, Side.BUY, D(quantity), BUY_AT, True, purpose, D(100)),
    )


def test_both_legs_are_entered_with_the_fee_in_the_coin_on_top() -> None:
    assert planned(book(), hedge("0", "0", "1")) == Plan(HedgeState.OPENING, opening("1.002", "1.00"))


def test_what_is_held_beyond_the_perpetual_counts() -> None:
    step = planned(book(), hedge("0.505", "0.50", "1"))
    assert step == Plan(HedgeState.OPENING, opening("0.496", "0.50"))


@pytest.mark.parametrize(
    ("target", "coins", "quantity"),
    [("200", "50.000", "49.95"), ("50.00", "50.051", "50.00"), ("50.01", "50.000", "49.95")],
)
def test_a_slice_is_a_quarter_of_the_depth_and_takes_a_crumb_along(target: str, coins: str, quantity: str) -> None:
    """5,000 USD at the ask are 49.95; what would be left is less than both legs accept (0.06), or just as much."""
    assert planned(book(depth=20_000), hedge("0", "0", target)).drafts == opening(coins, quantity)


def test_a_slice_without_known_depth_is_the_owners_size() -> None:
    found = book()
    found.market.liquidity.clear()
    assert planned(found, hedge("0", "0", "500")).drafts[1].quantity_base == D("199.80"), "20,000 USD at the ask"


def test_one_order_never_exceeds_what_a_leg_takes() -> None:
    found = book()
    perp = found.market.instruments[PERP]
    found.market.list_instruments((found.market.instruments[SPOT], replace(perp, quantity_max=D(10))))
    step = planned(found, hedge("0", "0", "10.02"))
    assert step.drafts[1].quantity_base < 10


@pytest.mark.parametrize(("held", "state"), [("0", HedgeState.OPENING), ("1", HedgeState.HEDGED)])
def test_a_basis_below_the_guard_waits_where_it_is(held: str, state: HedgeState) -> None:
    edge = BID / ASK - 1
    assert planned(book(), hedge(held, held, "2"), str(edge)).drafts, "just at the guard"
    assert planned(book(), hedge(held, held, "2"), str(edge + D("1e-9"))) == Plan(state, note=BASIS_NOTE)


def test_without_permission_nothing_grows() -> None:
    assert planned(book(), hedge("1", "1", "2"), may_open=False) == Plan(HedgeState.HEDGED)


@pytest.mark.parametrize("missing", [SPOT, PERP])
def test_without_both_quotes_nothing_is_sent(missing: str) -> None:
    found = book()
    quote = found.market.quotes.pop(missing)
    expected = Plan(HedgeState.OPENING, note=NO_QUOTE)
    assert planned(found, hedge("0", "0", "1")) == expected
    found.market.quotes[missing] = replace(quote, bid=D(0))
    assert planned(found, hedge("0", "0", "1")) == expected
    found.market.quotes[missing] = quote
    found.market.pairs.clear()
    assert planned(found, hedge("0", "0", "1")) == expected


def test_cash_bounds_the_slice_to_the_last_lot() -> None:
    exactly = D("1.002") * BUY_AT
    assert planned(book(cash=str(exactly)), hedge("0", "0", "1")).drafts == opening("1.002", "1.00")
    step = planned(book(cash=str(exactly - D("0.01"))), hedge("0", "0", "1"))
    assert step.drafts == opening("0.991", "0.99")


def test_hardly_any_cash_is_no_slice() -> None:
    assert planned(book(cash="3"), hedge("0", "0", "1")) == Plan(HedgeState.OPENING, note="short of cash")
    assert planned(book(cash="3"), hedge("1", "1", "2")) == Plan(HedgeState.HEDGED, note="short of cash")


@pytest.mark.parametrize(("target", "sent"), [("0.05", False), ("0.06", True)])
def test_nothing_is_sent_below_a_legs_minimum(target: str, sent: bool) -> None:
    """5 USD with a tenth of room at the bid are 0.0551: 0.06 on the common step."""
    step = planned(book(), hedge("0", "0", target))
    assert bool(step.drafts) is sent
    assert step.note == ("" if sent else "below a leg's minimum")


def test_a_reduction_takes_both_legs_back_by_the_same() -> None:
    assert planned(book(), hedge("2", "2", "1")) == Plan(
        HedgeState.REDUCING, leaving("1.000", "1.00", Purpose.REDUCE)
    )


def test_a_reduction_in_slices_takes_a_crumb_along() -> None:
    found = book(depth=20_000)
    assert planned(found, hedge("100", "100", "10")).drafts == leaving("49.950", "49.95", Purpose.REDUCE)
    assert planned(found, hedge("100", "100", "50")).drafts == leaving("50.000", "50.00", Purpose.REDUCE)


@pytest.mark.parametrize(("target", "sent"), [("1.95", False), ("1.94", True)])
def test_an_excess_below_a_legs_minimum_stays(target: str, sent: bool) -> None:
    step = planned(book(), hedge("2", "2", target))
    assert bool(step.drafts) is sent
    if not sent:
        assert step == Plan(HedgeState.HEDGED, note="excess below a leg's minimum")


def test_a_close_sells_every_whole_lot_however_small_the_perpetual() -> None:
    assert planned(book(), hedge("2.0004", "2", "0")) == Plan(
        HedgeState.CLOSING, leaving("2.000", "2.00", Purpose.CLOSE)
    )
    (last,) = planned(book(), hedge("0.0504", "0.05", "0")).drafts
    assert (last.instrument, last.quantity_base) == (PERP, D("0.05")), "no minimum on the way out of the perpetual"


def test_a_close_whose_coins_are_too_few_to_sell_closes_the_perpetual_alone() -> None:
    step = planned(book(), hedge("0.04", "0.05", "0"))
    assert [each.instrument for each in step.drafts] == [PERP]


def coarser() -> Book:
    """The venue has raised the perpetual's least quantity to 0.1."""
    found = book()
    spot, perp = found.market.instruments[SPOT], found.market.instruments[PERP]
    found.market.list_instruments((spot, replace(perp, quantity_min=D("0.1"))))
    return found


def test_a_perpetual_that_the_venue_takes_no_order_for_keeps_its_coins() -> None:
    assert planned(coarser(), hedge("0.05", "0.05", "0")) == Plan(HedgeState.HEDGED, note=TOO_SMALL_NOTE)
    assert planned(coarser(), hedge("0.1", "0.1", "0")).drafts == leaving("0.100", "0.10", Purpose.CLOSE)


@pytest.mark.parametrize("may_open", [True, False])
def test_a_naked_perpetual_too_small_to_be_bought_back_gets_coins_or_is_told_of(may_open: bool) -> None:
    step = planned(coarser(), hedge("0", "0.09", "0"), may_open=may_open)
    assert (step.state, step.note) == (HedgeState.UNBALANCED, TOO_SMALL_NOTE)
    if not may_open:
        assert step.drafts == ()
        return
    (coins,) = step.drafts
    assert (coins.side, coins.purpose, coins.quantity_base) == (Side.BUY, Purpose.COMPLETE, D("0.091"))


def test_at_rest_there_is_nothing_to_do() -> None:
    assert planned(book(), hedge("1", "1", "1")) == Plan(HedgeState.HEDGED)
    assert planned(book(), hedge("0.0004", "0", "0")) == Plan(HedgeState.CLOSED)


def test_an_unknown_fee_is_taken_for_a_tenth_of_a_per_cent() -> None:
    found = book()
    found.market.fees.clear()
    assert planned(found, hedge("0", "0", "1")).drafts == opening("1.002", "1.00")


@pytest.mark.parametrize(("target", "quantity"), [("9.90", "9.90"), ("9.91", "9.85")])
def test_a_crumb_is_taken_along_up_to_the_largest_order(target: str, quantity: str) -> None:
    """985.985 USD a slice are 9.85; an order of a leg may have 9.90."""
    found = relisted(book(depth=4 * 985.985), PERP, quantity_max=D(10))
    assert planned(found, hedge("0", "0", target)).drafts[1].quantity_base == D(quantity)
    beyond = str(20 - D(target))
    assert planned(found, hedge("20", "20", beyond)).drafts[1].quantity_base == D(quantity)


def test_what_a_slice_leaves_of_a_reduction_may_be_just_what_both_legs_take() -> None:
    step = planned(book(depth=20_000), hedge("100", "100", "49.99"))
    assert step.drafts == leaving("49.950", "49.95", Purpose.REDUCE)


def test_a_reduction_never_goes_below_its_target() -> None:
    assert planned(book(), hedge("2", "2", "1.005")).drafts == leaving("0.990", "0.99", Purpose.REDUCE)


def test_coins_without_a_perpetual_are_sold_on_the_way_out() -> None:
    dear = quoted(quoted(book(), SPOT, "999", "1001"), PERP, "999", "1001")
    step = planned(dear, hedge("0.01", "0", "0"))
    assert step.state is HedgeState.CLOSING
    assert [(each.instrument, each.quantity_base) for each in step.drafts] == [(SPOT, D("0.01"))]


@pytest.mark.parametrize("facts", [{"quantity_min": D("0.06")}, {"notional_min": D("0.06") * BID}])
def test_coins_that_the_venue_just_takes_are_sold(facts: dict[str, D]) -> None:
    assert planned(relisted(book(), SPOT, **facts), hedge("0.06", "0.06", "0")).drafts == leaving(
        "0.060", "0.06", Purpose.CLOSE
    )


def test_nothing_is_no_order_where_the_venue_names_no_minimum() -> None:
    found = relisted(book(), SPOT, quantity_min=D(0), notional_min=D(0))
    assert [each.instrument for each in planned(found, hedge("0.0004", "0.01", "0")).drafts] == [PERP]


def test_the_least_size_is_by_the_lower_price_and_the_higher_minimum() -> None:
    cheaper = quoted(book(), PERP, "90", "90.2")
    assert planned(cheaper, hedge("0", "0", "0.06")).note == "below a leg's minimum"
    assert planned(cheaper, hedge("0", "0", "0.07")).drafts
    dearer = relisted(book(), PERP, notional_min=D(20))
    assert planned(dearer, hedge("0", "0", "0.22")).note == "below a leg's minimum"
    assert planned(dearer, hedge("0", "0", "0.23")).drafts


def test_cash_counts_on_what_is_held_beyond_the_perpetual() -> None:
    found = book(cash=str(D("0.501") * BUY_AT))
    assert planned(found, hedge("0.505", "0.50", "1.50")).drafts == opening("0.496", "0.50")


def test_a_limit_price_is_on_the_tick_and_within_the_guard() -> None:
    found = relisted(relisted(book(), SPOT, tick=D("0.1")), PERP, tick=D("0.1"))
    coin, perp = planned(found, hedge("0", "0", "1")).drafts
    assert (coin.limit_price, perp.limit_price) == (D("100.2"), D("99.8"))


@pytest.mark.parametrize(
    ("index", "mark", "grows"),
    [
        ("95.3", "95.3", True),
        ("100", "105.2", True),
        ("200", "200", False),
        ("100", "94.9", False),
        ("94.9", "100", False),
    ],
)
def test_nothing_grows_by_a_quote_that_is_far_from_the_mark(index: str, mark: str, grows: bool) -> None:
    """Prices have jumped, and a quote of before is all that was told: by it a slice would be worth twice as much."""
    found = book()
    found.market.marks[PERP] = Mark(PERP, D(mark), D(index), D(0), 0)
    step = planned(found, hedge("0", "0", "1"))
    assert step.note == ("" if grows else AWRY_NOTE)
    assert bool(step.drafts) is grows
    assert planned(found, hedge("0.5", "0.5", "0")).drafts, "what is to be left is left"

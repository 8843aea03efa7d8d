"""Liquidation: the closed forms against the account they describe, brackets, tables and the what-if."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import planning
from bot.domain.instruments import MarginTier
from bot.domain.margin import ShortPosition, buffer_usd, liquidation_distance
from bot.domain.planning import PlanError
from bot.research.planner import liquidation, picture
from bot.research.planner.liquidation import PerpWallet, Unified, brackets, flat_tier
from bot.research.planner.what_if import Shock, run, what_if

D = Decimal
amounts = st.decimals("0.05", "50", places=3)
rates = st.decimals("0.002", "0.1", places=4)


@given(equity=amounts, size=amounts, m1=rates, m2=rates)
def test_the_inverse_closed_form_is_where_equity_meets_what_is_asked(equity, size, m1, m2):
    """The account is built leg by leg, in coin, as a venue would count it."""
    factor = planning.inverse_liquidation_factor(equity, size, m1 + m2)
    loan, short_gain = size / factor, size / factor - size
    held = equity + size - loan + short_gain
    assert abs(held - equity) < D("1e-20")
    assert abs(held - (m1 * loan + m2 * size / factor)) < D("1e-18")


@given(equity=amounts, size=amounts, rate=rates)
def test_split_closed_forms_are_where_equity_meets_what_is_asked(equity, size, rate):
    fall = planning.margin_loan_liquidation_factor(equity, size, rate)
    assert abs(equity + size - size / fall - rate * size / fall) < D("1e-18")
    rise = planning.inverse_short_liquidation_factor(equity, size, rate)
    if rise is None:
        assert size <= equity
    else:
        assert abs(equity + size / rise - size - rate * size / rise) < D("1e-18")


@given(
    wallet=st.decimals(1_000, 900_000, places=0),
    notional=st.decimals(10_000, 1_000_000, places=0),
    widening=st.decimals(0, "0.05", places=3),
)
def test_the_linear_closed_form_agrees_with_the_books_own_margin(wallet, notional, widening):
    """`bot.domain.margin` bisects the same account in floats; rule R7 uses that one."""
    tiers = liquidation.simulated_brackets("SOL")
    position = [ShortPosition(-float(notional), tiers)]
    factor = planning.linear_liquidation_factor(wallet, notional, tiers, widening)
    assert abs(buffer_usd(float(wallet), position, float(factor) - 1, float(widening))) < 1e-3
    distance = liquidation_distance(float(wallet), position, float(widening), limit=200.0)
    assert distance == pytest.approx(max(0.0, float(factor) - 1), abs=2e-4) or factor > 5
    assert abs(planning.linear_wallet_needed_usd(factor, notional, tiers, widening) - wallet) < D("1e-15")


def test_brackets_are_continuous_and_refused_where_they_do_not_rise():
    found = brackets([(D(50_000), D("0.004")), (D(600_000), D("0.005"))])
    assert found[1] == MarginTier(D(50_000), D(600_000), 1, D("0.005"), D(50))
    with pytest.raises(PlanError, match="does not rise"):
        brackets([(D(50_000), D("0.004")), (D(40_000), D("0.005"))])
    with pytest.raises(PlanError, match="brackets end at 600,000 USD"):
        planning.linear_liquidation_factor(D(500_000), D(500_000), found)


def test_what_a_fall_of_a_third_allows_is_liquidated_by_a_little_more():
    leverage = planning.leverage_surviving_fall(D("0.33"), D("0.03467"))
    move = liquidation.unified_move(leverage, D("0.03467"))
    assert move is not None
    assert move == pytest.approx(D("-0.33"), abs=D("1e-20"))
    rise = planning.leverage_surviving_rise(D("0.33"), D("0.025"))
    assert rise is not None
    assert liquidation.wallet_move(rise, D("0.025")) == pytest.approx(D("0.33"), abs=D("1e-20"))


def test_a_liquidation_fee_counts_like_maintenance():
    account = Unified(D("0.2"), D("1.5"), D("0.03467"), liquidation_fee=D("0.01"))
    assert account.factor() == D("1.5") * D("0.04467") / D("0.2")


def test_tables_show_a_dash_where_the_hedge_cannot_be_held():
    table = liquidation.over_leverage(D("0.03467"), D("0.025"), D("0.05"))
    row = next(row for row in table.rows if row["leverage_one_side"] == 15)
    assert row["unified_fall"] == D("-0.47995")
    assert row["unified_fall_widened"] is None
    assert table.cells()[7][3] == "-"


WALLET = PerpWallet(D(30_000), D(100_000), flat_tier(D("0.025")))


def shock(move="0.4", delay_s=120, top_up=None):
    return Shock(D(move), D(600), D("0.25"), D(delay_s), D("0.15"), None if top_up is None else D(top_up))


def test_a_top_up_in_time_saves_and_a_late_one_does_not():
    """Liquidation at 1.3/1.025 of the start: 402 s along a line to 1.4; the warning comes at a fifth less."""
    saved = run(WALLET, shock())
    assert saved.survived
    assert saved.alone_liquidated_s == pytest.approx(D("402.439"), abs=D("0.001"))
    assert saved.warned_s == pytest.approx(D("21.951"), abs=D("0.001"))
    assert saved.longest_delay_s == saved.alone_liquidated_s - saved.warned_s
    assert run(WALLET, shock(delay_s=380)).survived
    late = run(WALLET, shock(delay_s=381))
    assert late.liquidated_s == late.alone_liquidated_s
    assert "late" in what_if(WALLET, shock(delay_s=381)).notes[0]


def test_the_top_up_leaves_the_reserve_and_a_smaller_one_only_delays():
    sheet = what_if(WALLET, shock())
    assert sheet.tables[0].rows[-1]["distance"] == pytest.approx(D("0.15"), abs=D("1e-20"))
    small = run(WALLET, shock(top_up=5_000))
    assert not small.survived
    assert small.liquidated_s > small.alone_liquidated_s
    assert "too small" in what_if(WALLET, shock(top_up=5_000)).notes[0]


def test_the_capital_needed_just_survives():
    needed = run(WALLET, shock()).capital_needed
    enough = PerpWallet(needed, D(100_000), flat_tier(D("0.025")))
    assert run(enough, shock("0.3999")).alone_liquidated_s is None
    assert run(enough, shock("0.4001", top_up="0.000001")).liquidated_s is not None


def test_each_account_is_threatened_from_one_side_only():
    unified = Unified(D("0.2"), D("1.5"), D("0.03467"))
    assert not run(WALLET, shock("-0.4")).threatened
    assert not run(unified, shock("0.4")).threatened
    fallen = run(unified, shock("-0.9"))
    assert fallen.threatened
    assert fallen.alone_liquidated_s == pytest.approx(D(600) * D("0.739975") / D("0.9"), abs=D("1e-9"))


def test_impossible_plans_are_refused():
    with pytest.raises(PlanError, match="a fall of everything"):
        run(WALLET, shock("-1"))
    with pytest.raises(PlanError, match="before any move"):
        run(PerpWallet(D(1_000), D(100_000), flat_tier(D("0.025"))), shock())


def test_pictures_hold_their_lines():
    drawn = picture.over_leverage(D("0.03467"), D("0.025"), D("0.05"), D(25))
    svg = picture.svg_over_leverage(drawn)
    assert svg.count("<polyline") == 3
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    text = picture.text_over_leverage(drawn)
    assert sum("●" in line for line in text) > 3
    course = picture.course(WALLET, shock(), run(WALLET, shock()))
    assert "liquidation over start" in picture.svg_course(course, "t")

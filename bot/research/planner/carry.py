"""Edge, break-even, round trip, a funding payment, and the book's ceiling."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from bot.domain import planning
from bot.domain.planning import PlanError
from bot.research.planner.sheet import Figure, Sheet

ZERO = Decimal(0)
HEDGE_TRADES = 4
"""Two legs, in and out."""


def edge(funding_rate: Decimal, borrow_rate: Decimal, fee_rate: Decimal, trades: int, settlements: int) -> Sheet:
    """What `settlements` leave after `trades`; beside it the same with all four trades of a hedge."""
    left = planning.edge_rate(funding_rate, borrow_rate, fee_rate, trades, settlements)
    whole = planning.edge_rate(funding_rate, borrow_rate, fee_rate, HEDGE_TRADES, settlements)
    figures = [
        Figure("edge_rate", f"edge, {settlements} settlement(s), {trades} trade(s)", left, "signed"),
        Figure("edge_all_trades_rate", f"edge with all {HEDGE_TRADES} trades of a hedge", whole, "signed"),
        Figure("cost_rate", f"fees of {trades} trade(s)", trades * fee_rate, "percent"),
        Figure("carry_rate", "funding less borrow, a settlement", funding_rate - borrow_rate, "signed"),
    ]
    notes = () if whole > 0 else ("closing the hedge again eats the edge: it pays only if more settlements follow",)
    return Sheet("Edge, of one side's notional", tuple(figures), notes=notes)


def break_even(funding_rate: Decimal, borrow_rate: Decimal, cost_rate: Decimal, interval_h: Decimal) -> Sheet:
    """How many settlements pay the way in and out."""
    needed = planning.settlements_to_break_even(funding_rate, borrow_rate, cost_rate)
    hours = None if needed is None else needed * interval_h
    a_year = (funding_rate - borrow_rate) * planning.DAYS_A_YEAR * planning.HOURS_A_DAY / interval_h
    figures = (
        Figure("settlements", "settlements to break even", needed),
        Figure("hours", "hours to break even, at most", hours),
        Figure("cost_rate", "cost in and out", cost_rate, "percent"),
        Figure("annual_rate", "carry a year before the cost", a_year, "signed"),
    )
    notes = (
        ("funding does not exceed the borrow rate: no number of settlements pays the cost",) if needed is None else ()
    )
    return Sheet("Break-even", figures, notes=notes)


def round_trip(
    fee_rates: Sequence[Decimal], slippage_rates: Sequence[Decimal], notional_usd: Decimal | None
) -> Sheet:
    """Fees and slippage of opening and closing both legs."""
    cost = planning.round_trip_rate(fee_rates, slippage_rates)
    figures = [
        Figure("round_trip_rate", "round trip, of one side's notional", cost, "percent"),
        Figure("one_way_rate", "one way", cost / 2, "percent"),
    ]
    if notional_usd is not None:
        figures.append(Figure("round_trip_usd", "round trip", cost * notional_usd, "usd"))
    return Sheet("Round trip", tuple(figures))


def payment(size: Decimal, short_rate: Decimal | None, long_rate: Decimal | None) -> Sheet:
    """What one settlement pays to a short, to a long, or to both together (a cross-venue hedge)."""
    if short_rate is None and long_rate is None:
        raise PlanError("neither a short nor a long leg; give --short-rate, --long-rate or both")
    short = ZERO if short_rate is None else planning.funding_payment(size, short_rate, -1)
    long = ZERO if long_rate is None else planning.funding_payment(size, long_rate, +1)
    figures = (
        Figure("payment_coin", "received a settlement, coins", short + long, "coin"),
        Figure("short_leg_coin", "by the short leg", short, "coin"),
        Figure("long_leg_coin", "by the long leg", long, "coin"),
        Figure("payment_rate", "of one side's notional", (short + long) / size, "signed"),
    )
    return Sheet("One settlement", figures)


def budget(nav_usd: Decimal, ceiling: Decimal, coin_cap: Decimal) -> Sheet:
    """A book at its leverage ceiling: each side, the most of one coin, and how many coins fill it (R2, R3)."""
    side, a_coin = nav_usd * ceiling, nav_usd * coin_cap
    figures = (
        Figure("spot_usd", "spot held", side, "usd"),
        Figure("short_perp_usd", "perp short", side, "usd"),
        Figure("per_coin_usd", "no coin above", a_coin, "usd"),
        Figure("coins", "coins that fill it", int((side / a_coin).to_integral_value(rounding=ROUND_CEILING))),
        Figure("spot_on_loan_usd", "spot beyond own cash, bought on a loan", max(ZERO, side - nav_usd), "usd"),
    )
    return Sheet("A book at its ceiling", figures)

"""The triangle (S5): two fundings, and what of A and B is left over at entry."""

from decimal import Decimal

from bot.domain import planning
from bot.research.planner.sheet import Figure, Sheet


def triangle(
    notional_usd: Decimal,
    rates: tuple[Decimal, Decimal],
    prices_usd: tuple[Decimal, Decimal],
    ratio_size_b: Decimal,
    ratio_rate: Decimal,
    cost_rate: Decimal,
) -> Sheet:
    """Long perp A, short perp B, long B against A; `rates` and `prices_usd` are (A, B), `cost_rate` all trades."""
    found = planning.triangle(notional_usd, rates, prices_usd, ratio_size_b, ratio_rate)
    balanced = notional_usd / prices_usd[1]
    figures = (
        Figure("funding_rate", "funding an interval, of one side", found.funding_rate, "signed"),
        Figure("funding_usd", "funding an interval", found.funding_rate * notional_usd, "usd"),
        Figure("delta_b_coin", "delta of B at entry, coins", found.delta_b, "coin"),
        Figure("delta_a_coin", "delta of A at entry, coins", found.delta_a, "coin"),
        Figure("delta_b_share", "delta of B over one side", found.delta_b_share, "signed"),
        Figure("delta_a_share", "delta of A over one side", found.delta_a_share, "signed"),
        Figure("balanced_ratio_size_b", "coins of B that leave no delta", balanced, "coin"),
        Figure(
            "settlements_to_break_even",
            "intervals that pay for all trades",
            planning.settlements_to_break_even(found.funding_rate, Decimal(0), cost_rate),
        ),
    )
    note = (
        "deltas hold at entry only: an inverse or quanto leg set is short cross-gamma, and re-hedging costs; "
        "on 2019 history it took 0.72 % of 2.90 %"
    )
    return Sheet("Triangle", figures, notes=(note,))

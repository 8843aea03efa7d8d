"""Capital: split accounts against one unified account, and the largest hedge that given leverages carry."""

from dataclasses import dataclass
from decimal import Decimal

from bot.domain import planning
from bot.domain.planning import DailyCosts, MarginSplit, PlanError
from bot.research.planner.sheet import Figure, Sheet, SheetTable, Value


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to count a day's costs, with the words that say which."""

    key: str
    label: str
    costs: DailyCosts


READINGS = (
    Reading(
        "as_published",
        "as published (a tenth of the costs it names)",
        DailyCosts(Decimal("0.00005"), 2, Decimal("0.00005"), 1, each_settlement=False),
    ),
    Reading(
        "printed_formula",
        "the printed formula",
        DailyCosts(Decimal("0.00005"), 2, Decimal("0.00005"), 2, each_settlement=True),
    ),
    Reading(
        "g1_rates",
        "with G1's own rates",
        DailyCosts(Decimal("0.0005"), 1, Decimal("0.0005"), 2, each_settlement=False),
    ),
)
"""The three readings of the source's daily income (G2, G4): 0.015, 0.06 and 0.15 % of one side a day.

As published: borrow 0.005 % twice and one fee of 0.005 % a day. G1's rates: borrow 0.05 % once and a fee of 0.05 %
twice a day, ten times as much. The printed formula's total of 0.06 % is read as borrow 0.005 % twice and a fee of
0.005 % on each of two trades, at each of three settlements.
"""


@dataclass(frozen=True, slots=True)
class Income:
    """A day's income in coin, and over each base of capital (fractions)."""

    label: str
    cost_rate: Decimal
    coin_a_day: Decimal
    on_one: Decimal
    on_all: Decimal


def incomes(
    size: Decimal,
    funding_rate: Decimal,
    settlements: int,
    bases: tuple[Decimal, Decimal],
    readings: tuple[Reading, ...] = READINGS,
) -> tuple[Income, ...]:
    """The day's income under each reading, over `bases` (one account or margin used, the whole capital)."""
    found = []
    for reading in readings:
        coins = planning.income_a_day(size, funding_rate, settlements, reading.costs)
        cost = reading.costs.a_day(settlements)
        found.append(Income(reading.label, cost, coins, coins / bases[0], coins / bases[1]))
    return tuple(found)


def _table(found: tuple[Income, ...], first_base: str, second_base: str, heading: tuple[str, str]) -> SheetTable:
    columns = (
        ("reading", "reading", "text"),
        ("cost_a_day_rate", "cost a day", "percent"),
        ("income_a_day_coin", "coins a day", "coin"),
        (first_base, heading[0], "percent"),
        (second_base, heading[1], "percent"),
    )
    rows: tuple[dict[str, Value], ...] = tuple(
        {
            "reading": each.label,
            "cost_a_day_rate": each.cost_rate,
            "income_a_day_coin": each.coin_a_day,
            first_base: each.on_one,
            second_base: each.on_all,
        }
        for each in found
    )
    return SheetTable("readings", "A day's income", columns, rows)


def split(
    account: Decimal,
    leverage: Decimal,
    funding_rate: Decimal,
    settlements: int,
    maintenance_rate: Decimal,
    readings: tuple[Reading, ...] = READINGS,
) -> Sheet:
    """Two accounts of `account` coins each, one leg in each at the same leverage (G2).

    One buys spot on a USD loan, the other shorts an inverse perp; `maintenance_rate` is that of each account.
    """
    size = account * leverage
    found = incomes(size, funding_rate, settlements, (account, 2 * account), readings)
    fall = planning.margin_loan_liquidation_factor(account, size, maintenance_rate)
    rise = planning.inverse_short_liquidation_factor(account, size, maintenance_rate)
    figures = (
        Figure("size_coin", "hedge, coins a side", size, "coin"),
        Figure("capital_coin", "capital in both accounts, coins", 2 * account, "coin"),
        Figure("size_over_capital", "hedge over capital", size / (2 * account)),
        Figure("fall_to_liquidation", "fall that liquidates the spot account", fall - 1, "signed"),
        Figure("rise_to_liquidation", "rise that liquidates the perp account", rise and rise - 1, "signed"),
    )
    table = _table(found, "on_one_account_rate", "on_both_accounts_rate", ("on one account", "on both"))
    return Sheet("Split accounts", figures, (table,))


def unified_size(
    equity: Decimal, spot_leverage: Decimal, perp_leverage: Decimal, size: Decimal | None
) -> MarginSplit:
    """Margins of a hedge in one account: the largest, or of `size`. Raises PlanError where it does not fit."""
    largest = planning.margin_split(equity, spot_leverage, perp_leverage)
    if size is None:
        return largest
    if size > largest.size:
        raise PlanError(
            f"{size} coins a side need {planning.margin_used(size, spot_leverage, perp_leverage):.6g} coins of "
            f"margin, the account has {equity}; plan at most {largest.size:.6g} a side or give more equity"
        )
    return MarginSplit(size / spot_leverage, size / perp_leverage, size)


def unified(
    equity: Decimal,
    spot_leverage: Decimal,
    perp_leverage: Decimal,
    size: Decimal | None,
    funding_rate: Decimal,
    settlements: int,
    split_leverage: Decimal,
    readings: tuple[Reading, ...] = READINGS,
) -> Sheet:
    """One account that margins both legs (G3, G4), beside split accounts of the same capital at `split_leverage`."""
    largest = planning.margin_split(equity, spot_leverage, perp_leverage)
    taken = unified_size(equity, spot_leverage, perp_leverage, size)
    used = taken.spot_margin + taken.perp_margin
    found = incomes(taken.size, funding_rate, settlements, (used, equity), readings)
    apart = equity / 2 * split_leverage
    split_rate = incomes(apart, funding_rate, settlements, (equity / 2, equity), readings)[0].on_all
    figures = [
        Figure("spot_margin_coin", "margin of the spot leg, coins", taken.spot_margin, "coin"),
        Figure("perp_margin_coin", "margin of the perp leg, coins", taken.perp_margin, "coin"),
        Figure("margin_used_coin", "margin used, coins", used, "coin"),
        Figure("size_coin", "hedge, coins a side", taken.size, "coin"),
        Figure("largest_size_coin", "largest hedge, coins a side", largest.size, "coin"),
        Figure("size_over_split", "hedge over the split accounts' one", taken.size / apart),
    ]
    if split_rate > 0:
        figures.append(Figure("income_over_split", "income over theirs, like for like", found[0].on_all / split_rate))
    table = _table(found, "on_margin_used_rate", "on_account_rate", ("on margin used", "on the account"))
    notes = ("a larger hedge on the same equity is nearer to its liquidation: see `carrybot calc liquidation`",)
    return Sheet("Unified account", tuple(figures), (table,), notes)

"""Formulas of the planner: edge, break-even, capital and margin, liquidation, the triangle.

Rates, moves, maintenance rates and premiums are fractions (0.001 is 0.1 %). A *size* is one side of a hedge in coin,
a *notional* one side in USD. A *price factor* is the price at which something happens over the price now.
Source of the formulas: the specification's worked examples G1 to G9; where one is derived, its docstring derives it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from bot.domain.instruments import MarginTier

ZERO = Decimal(0)
ONE = Decimal(1)
DAYS_A_YEAR = Decimal(365)
HOURS_A_DAY = 24


class PlanError(ValueError):
    """Inputs that no plan can be made of; the message says which and what to change."""


def edge_rate(
    funding_rate: Decimal, borrow_rate: Decimal, fee_rate: Decimal, trades: int, settlements: int = 1
) -> Decimal:
    """Carry left after `settlements`, of one side's notional: (funding - borrow) each, less one fee a trade (G1).

    `borrow_rate` is per settlement. The source counts two trades; a hedge of two legs has four, in and out.
    """
    return settlements * (funding_rate - borrow_rate) - trades * fee_rate


def settlements_to_break_even(funding_rate: Decimal, borrow_rate: Decimal, cost_rate: Decimal) -> int | None:
    """Whole settlements after which the carry has paid `cost_rate`; None where a settlement earns nothing."""
    earned = funding_rate - borrow_rate
    if earned <= 0:
        return None
    return int((cost_rate / earned).to_integral_value(rounding=ROUND_CEILING))


def round_trip_rate(fee_rates: Iterable[Decimal], slippage_rates: Iterable[Decimal] = ()) -> Decimal:
    """Cost of opening and closing every leg, of one side's notional: each leg's fee and slippage, twice (G6)."""
    return 2 * (sum(fee_rates, ZERO) + sum(slippage_rates, ZERO))


def funding_payment(size: Decimal, rate: Decimal, direction: int) -> Decimal:
    """What a perp position of `size` receives at a settlement, in the unit of `size` (G7).

    `direction` is +1 for long and -1 for short: longs pay shorts where the rate is positive.
    """
    return -direction * size * rate


@dataclass(frozen=True, slots=True)
class DailyCosts:
    """Borrow and fees as a day's plan charges them: rate and number of times, per day or per settlement (G2)."""

    borrow_rate: Decimal
    borrow_times: int
    fee_rate: Decimal
    fee_times: int
    each_settlement: bool

    def a_day(self, settlements_a_day: int) -> Decimal:
        """Cost of a day, of one side's size."""
        once = self.borrow_times * self.borrow_rate + self.fee_times * self.fee_rate
        return once * (settlements_a_day if self.each_settlement else 1)


def income_a_day(size: Decimal, funding_rate: Decimal, settlements_a_day: int, costs: DailyCosts) -> Decimal:
    """Funding of a day less its costs, in the unit of `size` (G2, G4)."""
    return size * (settlements_a_day * funding_rate - costs.a_day(settlements_a_day))


def margin_used(size: Decimal, spot_leverage: Decimal, perp_leverage: Decimal) -> Decimal:
    """Initial margin of both legs, in the unit of `size`."""
    return size / spot_leverage + size / perp_leverage


@dataclass(frozen=True, slots=True)
class MarginSplit:
    """How a unified account's equity is divided between the legs, and the hedge it carries (in the equity's unit)."""

    spot_margin: Decimal
    perp_margin: Decimal
    size: Decimal


def margin_split(equity: Decimal, spot_leverage: Decimal, perp_leverage: Decimal) -> MarginSplit:
    """Largest hedge of a unified account: both legs are equal, X·x = Y·y with x + y = equity (G3)."""
    spot_margin = equity * perp_leverage / (spot_leverage + perp_leverage)
    return MarginSplit(spot_margin, equity - spot_margin, spot_margin * spot_leverage)


def inverse_liquidation_factor(
    equity: Decimal,
    size: Decimal,
    maintenance_rate: Decimal,
    widening: Decimal = ZERO,
    liquidation_fee: Decimal = ZERO,
) -> Decimal:
    """P/P0 at which a unified coin-margined hedge is liquidated: n (m1 + m2 + b + fee) / e (G5).

    `equity` e is in coin; `size` n coins are long, bought on a USD margin loan of n·P0, and n·P0 USD of an inverse
    perp are short. The coins are worth n, the loan n·P0/P, the short n·P0/P - n: equity stays e at every price. What
    is asked for, n·(m1 + m2)·P0/P, grows as the price falls. A perp premium that widens by b costs about n·b·P0/P of
    equity, which counts like b more maintenance. A rise never liquidates.
    """
    return size * (maintenance_rate + widening + liquidation_fee) / equity


def inverse_equity_needed(
    factor: Decimal, size: Decimal, maintenance_rate: Decimal, widening: Decimal = ZERO
) -> Decimal:
    """Coins of equity with which `inverse_liquidation_factor` is `factor`; `maintenance_rate` includes the fee."""
    return size * (maintenance_rate + widening) / factor


def leverage_surviving_fall(
    fall: Decimal, maintenance_rate: Decimal, widening: Decimal = ZERO, liquidation_fee: Decimal = ZERO
) -> Decimal:
    """Largest n/e (one side) of G5's hedge that a fall (0.33 is 33 %) does not liquidate. Gross is twice as much."""
    return (ONE - fall) / (maintenance_rate + widening + liquidation_fee)


def linear_liquidation_factor(
    wallet_usd: Decimal, notional_usd: Decimal, tiers: Sequence[MarginTier], widening: Decimal = ZERO
) -> Decimal:
    """P/P0 at which a short linear perp of a split account's wallet is liquidated, by the venue's brackets.

    At a stressed notional q = N·(P/P0)·(1 + b) the wallet holds M + N - q and the bracket asks for q·m - c; equal at
    q = (M + N + c) / (1 + m), true in the bracket that holds q. A fall never liquidates.
    """
    worth = wallet_usd + notional_usd
    for tier in tiers:
        stressed = (worth + tier.cumulative_usd) / (ONE + tier.maintenance_rate)
        if stressed <= tier.cap_usd:
            return stressed / notional_usd / (ONE + widening)
    raise _beyond(tiers)


def linear_wallet_needed_usd(
    factor: Decimal, notional_usd: Decimal, tiers: Sequence[MarginTier], widening: Decimal = ZERO
) -> Decimal:
    """USD of wallet with which `linear_liquidation_factor` is `factor`."""
    stressed = notional_usd * factor * (ONE + widening)
    for tier in tiers:
        if stressed <= tier.cap_usd:
            return stressed * (ONE + tier.maintenance_rate) - tier.cumulative_usd - notional_usd
    raise _beyond(tiers)


def _beyond(tiers: Sequence[MarginTier]) -> PlanError:
    end = f"{tiers[-1].cap_usd:,.0f}" if tiers else "0"
    return PlanError(
        f"the brackets end at {end} USD, below the notional at liquidation; "
        "give the higher brackets or plan a smaller hedge"
    )


def leverage_surviving_rise(rise: Decimal, maintenance_rate: Decimal, widening: Decimal = ZERO) -> Decimal | None:
    """Largest notional over perp wallet of a split account that a rise does not liquidate; None where any does.

    From `linear_liquidation_factor` in one bracket: (1 + rise)(1 + b)(1 + m) = 1 + M/N.
    """
    needed = (ONE + rise) * (ONE + widening) * (ONE + maintenance_rate) - ONE
    return ONE / needed if needed > 0 else None


def margin_loan_liquidation_factor(equity: Decimal, size: Decimal, maintenance_rate: Decimal) -> Decimal:
    """P/P0 at which coins bought on a USD margin loan of a split account are liquidated by a fall.

    e + n coins against a loan of n·P0/P; e + n - n·P0/P = m·n·P0/P gives n (1 + m) / (e + n).
    """
    return size * (ONE + maintenance_rate) / (equity + size)


def inverse_short_liquidation_factor(equity: Decimal, size: Decimal, maintenance_rate: Decimal) -> Decimal | None:
    """P/P0 at which an inverse short in a coin-margined wallet of its own is liquidated by a rise; None if never.

    e + n·P0/P - n = m·n·P0/P gives n (1 - m) / (n - e); with n up to e nothing can happen.
    """
    return size * (ONE - maintenance_rate) / (size - equity) if size > equity else None


@dataclass(frozen=True, slots=True)
class Triangle:
    """S5 at entry: `funding_rate` an interval on one side's notional; deltas in coins, and as shares of one side."""

    funding_rate: Decimal
    delta_a: Decimal
    delta_b: Decimal
    delta_a_share: Decimal
    delta_b_share: Decimal

    @property
    def worst_share(self) -> Decimal:
        return max(abs(self.delta_a_share), abs(self.delta_b_share))


def triangle(
    notional_usd: Decimal,
    rates: tuple[Decimal, Decimal],
    prices_usd: tuple[Decimal, Decimal],
    ratio_size_b: Decimal,
    ratio_rate: Decimal = ZERO,
) -> Triangle:
    """Long perp A, short perp B, long `ratio_size_b` coins of B against A: its two fundings and what is left (G9).

    `rates` and `prices_usd` are (A, B). Each perp is `notional_usd`. Funding: longs receive -rate A, shorts +rate B,
    less what the ratio leg costs an interval (`ratio_rate`, of one side's notional). A's delta: +N/Pa bought by the
    perp, -ratio·Pb/Pa sold by the ratio leg; B's: -N/Pb by the perp, +ratio.
    """
    price_a, price_b = prices_usd
    delta_a = (notional_usd - ratio_size_b * price_b) / price_a
    delta_b = ratio_size_b - notional_usd / price_b
    return Triangle(
        funding_rate=rates[1] - rates[0] - ratio_rate,
        delta_a=delta_a,
        delta_b=delta_b,
        delta_a_share=delta_a * price_a / notional_usd,
        delta_b_share=delta_b * price_b / notional_usd,
    )

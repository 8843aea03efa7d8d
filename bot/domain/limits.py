"""Limits in money, computed in one place for the strategy that aims at them and the rules that guard them."""

from decimal import Decimal

from bot.domain.config import CapOf, CoreConfig, Limits
from bot.domain.numbers import ZERO
from bot.domain.time import YEAR_H


def coin_cap_usd(limits: Limits, coin: str, nav: Decimal) -> Decimal:
    """Rule R2's limit for one coin: one-side notional over all strategies and venues; zero without NAV."""
    share = limits.per_coin_cap_overrides.get(coin, limits.per_coin_cap)
    base = nav * limits.leverage_ceiling if limits.per_coin_cap_of is CapOf.CAPACITY else nav
    return max(ZERO, share * base)


def cash_cost(config: CoreConfig, capital_factor: float) -> float:
    """Rule R14: what the capital of one dollar of notional would earn as cash over the expected holding time."""
    return config.limits.cash_rate * config.strategy.holding_h / YEAR_H * capital_factor


def borrow_cost(config: CoreConfig) -> float:
    """Interest on one dollar of borrowed quote currency over the expected holding time."""
    return config.strategy.quote_borrow_rate * config.strategy.holding_h / YEAR_H

"""Limits in money, computed in one place for the strategy that aims at them and the rules that guard them."""

from decimal import Decimal

from bot.domain.config import CapOf, Limits
from bot.domain.numbers import ZERO


def coin_cap_usd(limits: Limits, coin: str, nav: Decimal) -> Decimal:
    """Rule R2's limit for one coin: one-side notional over all strategies and venues; zero without NAV."""
    share = limits.per_coin_cap_overrides.get(coin, limits.per_coin_cap)
    base = nav * limits.leverage_ceiling if limits.per_coin_cap_of is CapOf.CAPACITY else nav
    return max(ZERO, share * base)

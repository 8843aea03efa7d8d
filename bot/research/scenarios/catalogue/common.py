"""Configurations and coins that several scenarios share."""

from dataclasses import replace
from decimal import Decimal

from bot.domain.config import CoreConfig, Limits, StrategyConfig
from bot.research.scenarios.language import Drawn
from bot.research.scenarios.track import Line, constant

START = "2024-06-01T00:00"
"""A Saturday: where nothing is recorded, days are as good as any."""
PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "SOL": 150.0, "XRP": 0.5, "ADA": 0.4, "LINK": 15.0, "DOGE": 0.15}


def limits(**edits: object) -> CoreConfig:
    """The shipped defaults with these limits; idle cash earns nothing unless said otherwise."""
    return CoreConfig(limits=replace(Limits(cash_rate=0), **edits))  # type: ignore[arg-type]


def deaf(config: CoreConfig | None = None) -> CoreConfig:
    """A strategy that averages rates over months and so does not leave by itself: the rule alone is on trial."""
    slow = StrategyConfig(fast_half_life_h=4_000, slow_half_life_h=4_000)
    return replace(config or limits(), strategy=slow)


def shares(**coins: str) -> dict[str, Decimal]:
    """Per-coin caps of an owner who trusts some coins with more."""
    return {coin: Decimal(share) for coin, share in coins.items()}


def drawn(
    coin: str,
    *moves: tuple[float, float],
    basis: Line | None = None,
    rate: Line | None = None,
    every_h: int = 8,
    volume_usd: Line | None = None,
) -> Drawn:
    """A coin at its usual price; `moves` are (hour, factor of that price)."""
    price = PRICES[coin]
    path = Line(tuple((hour, price * factor) for hour, factor in moves)) if moves else constant(price)
    return Drawn(
        coin,
        path,
        basis or constant(0.0),
        rate or constant(0.0003),
        every_h,
        volume_usd or constant(1e9),
    )

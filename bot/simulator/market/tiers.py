"""Leverage brackets in the shape and the sizes of Binance's USD-M perpetuals.

The venue shows brackets to account holders only, so no public recording has them: BTC and ETH follow what the
venue's brackets were like in 2024, the other ladders are one each for large, middle and small coins by daily
volume. The cumulative amount makes the maintenance margin continuous from one bracket to the next.
"""

from decimal import Decimal

from bot.simulator.model import MarginTier

LARGE_VOLUME_USD = 500e6
MIDDLE_VOLUME_USD = 100e6
_BTC = (
    (50_000, 125, "0.004"), (600_000, 100, "0.005"), (3_000_000, 75, "0.0065"), (12_000_000, 50, "0.01"),
    (70_000_000, 25, "0.02"), (100_000_000, 20, "0.025"), (230_000_000, 10, "0.05"), (480_000_000, 5, "0.1"),
    (600_000_000, 4, "0.125"), (800_000_000, 3, "0.15"), (1_200_000_000, 2, "0.25"), (1_800_000_000, 1, "0.5"),
)  # fmt: skip
_ETH = (
    (50_000, 125, "0.004"), (600_000, 100, "0.005"), (3_000_000, 75, "0.0065"), (12_000_000, 50, "0.01"),
    (50_000_000, 25, "0.02"), (65_000_000, 20, "0.025"), (150_000_000, 10, "0.05"), (320_000_000, 5, "0.1"),
    (400_000_000, 4, "0.125"), (530_000_000, 3, "0.15"), (800_000_000, 2, "0.25"), (1_200_000_000, 1, "0.5"),
)  # fmt: skip
_LARGE = (
    (10_000, 75, "0.005"), (90_000, 75, "0.0065"), (120_000, 50, "0.01"), (650_000, 25, "0.02"),
    (3_000_000, 20, "0.025"), (10_000_000, 10, "0.05"), (25_000_000, 5, "0.1"), (50_000_000, 2, "0.25"),
    (100_000_000, 1, "0.5"),
)  # fmt: skip
_MIDDLE = (
    (5_000, 75, "0.01"), (50_000, 50, "0.015"), (300_000, 25, "0.02"), (1_000_000, 20, "0.025"),
    (3_000_000, 10, "0.05"), (6_000_000, 5, "0.1"), (12_000_000, 2, "0.25"), (20_000_000, 1, "0.5"),
)  # fmt: skip
_SMALL = (
    (5_000, 50, "0.015"), (50_000, 25, "0.025"), (250_000, 10, "0.05"), (600_000, 5, "0.1"),
    (1_500_000, 2, "0.25"), (3_000_000, 1, "0.5"),
)  # fmt: skip


def tiers_for(coin: str, volume_usd: float) -> tuple[MarginTier, ...]:
    """Brackets of a coin whose perpetual trades `volume_usd` a day."""
    if coin == "BTC":
        return _ladder(_BTC)
    if coin == "ETH":
        return _ladder(_ETH)
    if volume_usd >= LARGE_VOLUME_USD:
        return _ladder(_LARGE)
    return _ladder(_MIDDLE if volume_usd >= MIDDLE_VOLUME_USD else _SMALL)


def _ladder(rows: tuple[tuple[int, int, str], ...]) -> tuple[MarginTier, ...]:
    found: list[MarginTier] = []
    floor, cumulative, before = Decimal(0), Decimal(0), Decimal(rows[0][2])
    for cap_usd, leverage, rate_text in rows:
        rate = Decimal(rate_text)
        cumulative += floor * (rate - before)
        found.append(MarginTier(floor, Decimal(cap_usd), leverage, rate, cumulative))
        floor, before = Decimal(cap_usd), rate
    return tuple(found)

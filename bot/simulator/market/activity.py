"""Volumes, trade counts and open interest: plausible figures around each coin's recorded mean daily volume.

A UTC day's volume is the mean times a hashed factor of 0.6 to 1.4, the trailing 24 hours blend the two days
they touch, and a candle has its share of the day times a hashed factor of 0.5 to 1.5. Open interest is half a
mean day's volume in USD, times 0.85 to 1.15, moving in a straight line from one UTC midnight to the next.
"""

from bot.simulator.market.path import uniform
from bot.simulator.market.table import DAY_MS

TRADE_USD_MEAN = 1_500.0
OPEN_INTEREST_SHARE = 0.5
_DAY_SALT, _CANDLE_SALT, _INTEREST_SALT = 1, 2, 3


def day_volume_usd(key: int, mean_usd: float, at_ms: int) -> float:
    """USD traded in the 24 hours up to `at_ms`."""
    day, rest_ms = divmod(at_ms, DAY_MS)
    part = rest_ms / DAY_MS
    today, yesterday = (0.6 + 0.8 * uniform(key, one, _DAY_SALT) for one in (day, day - 1))
    return mean_usd * (today * part + yesterday * (1.0 - part))


def candle_volume_usd(key: int, mean_usd: float, open_ms: int, length_ms: int) -> float:
    """USD traded in a candle."""
    return mean_usd * length_ms / DAY_MS * (0.5 + uniform(key, open_ms, _CANDLE_SALT))


def open_interest_usd(key: int, mean_usd: float, at_ms: int) -> float:
    """USD of open interest of a perpetual that trades `mean_usd` a day."""
    day, rest_ms = divmod(at_ms, DAY_MS)
    part = rest_ms / DAY_MS
    before, after = (0.85 + 0.3 * uniform(key, one, _INTEREST_SALT) for one in (day, day + 1))
    return OPEN_INTEREST_SHARE * mean_usd * (before * (1.0 - part) + after * part)

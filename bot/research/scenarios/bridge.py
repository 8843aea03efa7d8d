"""A seeded path through one candle: from its open by way of both extremes to its close, once a minute.

The spot's path touches all four recorded prices: the extreme that the candle ended away from comes first, at seeded
moments, and between these points runs a Brownian bridge of the candle's own volatility (Parkinson's: the log range
over 1.665), kept inside the candle. The perpetual shares the path. Its basis is the recorded one at the open and at
the close, the two moments at which both legs' prices are known, and a straight line in between: the extremes of the
two legs were not at one moment, and a basis made of them would be fiction.
"""

import math

from bot.domain.time import MINUTE_MS
from bot.research.scenarios.candles import Candle
from bot.simulator.market.path import normals, uniform

PARKINSON = 1.665
FIRST_EXTREME = (0.12, 0.42)
"""Part of the candle in which the first extreme is reached; the second one lies as far before the end."""


def bridge(key: int, open_ms: int, interval_ms: int, spot: Candle, perp: Candle) -> list[tuple[float, float]]:
    """(log spot price, perp over spot less one) at each minute of the candle, both ends included."""
    minutes = interval_ms // MINUTE_MS
    low_first = spot.close >= spot.open
    early, late = FIRST_EXTREME
    first = early + (late - early) * uniform(key, open_ms, 1)
    second = 1 - early - (late - early) * uniform(key, open_ms, 2)
    names = ("low", "high") if low_first else ("high", "low")
    places = (0, round(first * minutes), round(second * minutes), minutes)
    prices = [getattr(spot, name) for name in ("open", *names, "close")]
    at_open, at_close = perp.open / spot.open - 1, perp.close / spot.close - 1
    sigma = math.log(spot.high / spot.low) / PARKINSON / math.sqrt(minutes)
    floor, ceiling = math.log(spot.low), math.log(spot.high)
    path: list[float] = []
    for part in range(3):
        start, end = places[part], places[part + 1]
        logs = _brownian(key, open_ms, part, end - start, math.log(prices[part]), math.log(prices[part + 1]), sigma)
        path += [min(max(value, floor), ceiling) for value in (logs if part == 2 else logs[:-1])]
    return [(value, at_open + (at_close - at_open) * i / minutes) for i, value in enumerate(path)]


def _brownian(key: int, open_ms: int, part: int, steps: int, start: float, end: float, sigma: float) -> list[float]:
    """A walk of so many steps of `sigma` from `start` that is bent to reach `end`."""
    walk = [0.0]
    while len(walk) <= steps:
        for draw in normals(key, open_ms, (part + 1) * 1_000 + len(walk)):
            walk.append(walk[-1] + sigma * draw)
    bend = walk[steps]
    return [start + (end - start) * i / steps + walk[i] - bend * i / steps for i in range(steps + 1)]

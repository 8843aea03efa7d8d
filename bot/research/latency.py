"""The second leg of a pair fills later than the first: at which price, and what that costs.

Where the perpetual's candles are no longer than the latency, it fills at the close that stands by then: the price
that was, for us or against us. Where they are longer nothing is recorded between, and the latency is a stated cost:
the expected size of a move in that time, always against us, from the moves of the trailing day (a random walk's
mean absolute move, sigma x sqrt(time) x sqrt(2 / pi)). Pessimistic on purpose: real moves are as often for us.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.time import DAY_MS, SECOND_MS
from bot.research.recordings import Series

MEAN_ABSOLUTE = math.sqrt(2 / math.pi)
MOVES_MIN = 6
"""With fewer moves in the trailing day, as many before it are used."""


@dataclass(frozen=True, slots=True)
class LateLeg:
    """By bar: the price at which the late leg trades, and the share of it that is charged on top."""

    prices: Sequence[Decimal]
    charged: Sequence[Decimal]


def late_leg(series: Series, prices: Sequence[Decimal], times_ms: range, latency_s: float) -> LateLeg:
    """`prices` are the leg's at the bars' own times."""
    latency_ms = round(latency_s * SECOND_MS)
    if series.interval_ms <= latency_ms:
        later = [_close_by(series, at_ms + latency_ms, price) for at_ms, price in zip(times_ms, prices, strict=True)]
        return LateLeg(later, [Decimal(0)] * len(later))
    moves = [0.0] + [
        math.log(float(after / before)) ** 2 if before > 0 < after else 0.0
        for before, after in zip(series.closes, series.closes[1:], strict=False)
    ]
    sums = [0.0]
    for move in moves:
        sums.append(sums[-1] + move)
    share = math.sqrt(latency_ms / series.interval_ms) * MEAN_ABSOLUTE
    return LateLeg(prices, [Decimal(f"{_sigma(series, sums, at_ms) * share:.8f}") for at_ms in times_ms])


def _close_by(series: Series, at_ms: int, price: Decimal) -> Decimal:
    """The close of the first candle that ends at that time or later; the price itself at the recording's end."""
    place = bisect_left(series.ends_ms, at_ms)
    return series.closes[place] if place < len(series.ends_ms) else price


def _sigma(series: Series, sums: Sequence[float], at_ms: int) -> float:
    """Root mean square move of one candle over the trailing day. Knows nothing after `at_ms`."""
    last = bisect_right(series.ends_ms, at_ms)
    first = max(1, min(bisect_right(series.ends_ms, at_ms - DAY_MS), last - MOVES_MIN))
    return math.sqrt((sums[last] - sums[first]) / (last - first)) if last > first else 0.0

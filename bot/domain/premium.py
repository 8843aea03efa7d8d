"""A funding rate from premiums by the venue's published formula, to see a turn before it settles.

Binance, USD-M: F = (P + clamp(I - P, -0.05 %, +0.05 %)) x hours / 8 within the symbol's cap and floor, where P is
the mean premium index of the interval, in which later minutes weigh more (the n-th observation n times the first),
and I, the interest, is 0.01 % for eight hours.
"""

from collections.abc import Sequence

INTEREST_8H = 0.0001
CLAMP = 0.0005
RATE_MAX = 0.02
"""Cap and floor of most symbols, per interval."""


def rate_of(premium: float, interval_h: float = 8.0, cap: float = RATE_MAX) -> float:
    """The rate of an interval whose mean premium is `premium`, between -`cap` and `cap`; fractions."""
    rate = premium + max(-CLAMP, min(CLAMP, INTEREST_8H - premium))
    return max(-cap, min(cap, rate * interval_h / 8))


def mean_premium(premiums: Sequence[float], *, later_weighs_more: bool = True) -> float:
    """Mean of equally spaced observations, oldest first. Raises ValueError without any."""
    if not premiums:
        raise ValueError("no premium has been observed")
    weights = [number + 0.5 if later_weighs_more else 1.0 for number in range(len(premiums))]
    return sum(w * p for w, p in zip(weights, premiums, strict=True)) / sum(weights)

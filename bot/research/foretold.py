"""The rate that the venue would have announced at a bar: its formula on the premiums seen so far, within its caps.

Caps are terms of a contract and were not recorded. The venue's rule is 0.75 of the maintenance ratio of the smallest
bracket: 0.30 % for BTC, 0.375 % for ETH, 0.4875 to 0.75 % for other coins, which is where recorded rates stood when
they stood at a cap (0.75 % in ATOM, DOGE, AVAX and SOL). The wider one is taken for all but BTC and ETH. A venue may
widen a cap; what has settled beyond it says that it has, and counts from then on. Nothing later does.
"""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

from bot.domain.premium import mean_premium, rate_of
from bot.domain.time import HOUR_MS

CAP_OF_MAINTENANCE = 0.75
MAINTENANCE = {"BTCUSDT": 0.004, "ETHUSDT": 0.005}
MAINTENANCE_OF_OTHERS = 0.01


class RateCaps:
    """Cap and floor of a perpetual's rate per interval, as far as a moment can know them."""

    __slots__ = ("_caps", "_times_ms")

    def __init__(self, symbol: str, rates: Sequence[tuple[int, Decimal]]) -> None:
        """`rates` are (settled at, rate), oldest first."""
        rule = CAP_OF_MAINTENANCE * MAINTENANCE.get(symbol, MAINTENANCE_OF_OTHERS)
        self._times_ms = [at_ms for at_ms, _ in rates]
        self._caps = list(accumulate((abs(float(rate)) for _, rate in rates), max, initial=rule))

    def at(self, at_ms: int) -> float:
        """The rule's, or the largest rate that has settled by then."""
        return self._caps[bisect_right(self._times_ms, at_ms)]


def announced(premiums: Sequence[float], interval_ms: int, cap: float) -> Decimal:
    """The rate on the premiums of the interval so far, oldest first; later ones weigh more, as at the venue."""
    return Decimal(f"{rate_of(mean_premium(premiums), interval_ms / HOUR_MS, cap):.8f}")

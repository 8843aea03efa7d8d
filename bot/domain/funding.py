"""Exponential means of settled funding rates per hour, updated in constant time at each settlement.

Rates are summed with weights 2^(-age / half-life) and divided by the equally weighted hours they were paid for, so
that 8-hour and 1-hour instruments are judged alike and a change of interval in between is nothing special.
"""

from dataclasses import dataclass

from bot.domain.time import HOUR_MS


@dataclass(slots=True)
class RateMean:
    """One mean. Between settlements both sums decay alike, so the mean stays what it is."""

    half_life_h: float
    rates: float = 0.0
    hours: float = 0.0
    settled_ms: int = 0

    def add(self, rate: float, interval_s: int, settled_ms: int) -> None:
        """Count a settlement; earlier ones than the newest are the caller's mistake."""
        decay = self._decay(settled_ms)
        self.rates = self.rates * decay + rate
        self.hours = self.hours * decay + interval_s / 3600
        self.settled_ms = settled_ms

    def per_hour(self, now_ms: int, running_rate: float = 0.0, running_h: float = 0.0) -> float:
        """Mean rate an hour; a running interval counts as far as it has run (its rate so far, hours of it)."""
        decay = self._decay(now_ms) if running_h > 0 else 1.0
        hours = self.hours * decay + running_h
        return (self.rates * decay + running_rate) / hours if hours > 0 else 0.0

    def _decay(self, now_ms: int) -> float:
        if not self.settled_ms:
            return 1.0
        decay: float = 0.5 ** (max(0, now_ms - self.settled_ms) / HOUR_MS / self.half_life_h)
        return decay

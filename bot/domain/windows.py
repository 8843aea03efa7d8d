"""Small bounded memories over trailing market time: extremes of a price, moments of samples, sums by the minute."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from math import sqrt

from bot.domain.numbers import ZERO
from bot.domain.time import HOUR_MS, MINUTE_MS

BUCKETS = 60
"""Parts into which a window is cut: what is kept never exceeds this, and its edge is this exact."""


@dataclass(slots=True)
class PriceWindow:
    """Lowest and highest price of a trailing window, by parts of it. Constant work for a price."""

    parts: deque[tuple[int, float, float]] = field(default_factory=deque)
    """(number of the part, lowest, highest), oldest first."""

    def add(self, price: float, at_ms: int, window_ms: int) -> None:
        part_ms = max(1, window_ms // BUCKETS)
        number = at_ms // part_ms
        if self.parts and self.parts[-1][0] == number:
            _, low, high = self.parts[-1]
            self.parts[-1] = number, min(low, price), max(high, price)
        else:
            self.parts.append((number, price, price))
        while self.parts[0][0] < number - BUCKETS:
            self.parts.popleft()

    def move(self, price: float) -> float:
        """Largest move of the window up to this price, either way, as a fraction of where it began."""
        if not self.parts:
            return 0.0
        low = min(part[1] for part in self.parts)
        high = max(part[2] for part in self.parts)
        return max(price / low - 1, 1 - price / high)


@dataclass(slots=True)
class HourlyMoments:
    """Mean and standard deviation of hourly samples (the last value of each hour) over a trailing window."""

    samples: deque[tuple[int, float]] = field(default_factory=deque)
    """(hour, value), oldest first; the running hour is not among them."""
    total: float = 0.0
    squares: float = 0.0
    hour: int = -1
    latest: float = 0.0

    def add(self, value: float, at_ms: int, window_h: float) -> None:
        hour = at_ms // HOUR_MS
        if self.hour >= 0 and hour > self.hour:
            self._push(self.hour, self.latest)
        self.hour, self.latest = max(hour, self.hour), value
        while self.samples and self.samples[0][0] < self.hour - window_h:
            _, old = self.samples.popleft()
            self.total -= old
            self.squares -= old * old

    def _push(self, hour: int, value: float) -> None:
        self.samples.append((hour, value))
        self.total += value
        self.squares += value * value

    @property
    def mean(self) -> float:
        return self.total / len(self.samples) if self.samples else 0.0

    def mean_and_deviation(self) -> tuple[float, float]:
        """Of the whole hours; zeros where there is nothing to make them of."""
        count = len(self.samples)
        if count < 2:
            return (self.total if count else 0.0), 0.0
        variance = (self.squares - self.total * self.total / count) / (count - 1)
        return self.total / count, sqrt(variance) if variance > 0 else 0.0


@dataclass(slots=True)
class HourlySpending:
    """Orders sent and fees paid within the trailing hour of market time, by the minute."""

    minutes: deque[tuple[int, int, Decimal]] = field(default_factory=deque)
    """(minute, orders, fees in USD), oldest first."""

    def add(self, at_ms: int, orders: int = 0, fees_usd: Decimal = ZERO) -> tuple[int, int, Decimal]:
        """Returns what its minute has come to."""
        minute = at_ms // MINUTE_MS
        if self.minutes and self.minutes[-1][0] >= minute:
            last, before, paid = self.minutes[-1]
            self.minutes[-1] = last, before + orders, paid + fees_usd
        else:
            self.minutes.append((minute, orders, fees_usd))
        self._forget(at_ms)
        return self.minutes[-1]

    def within_hour(self, at_ms: int) -> tuple[int, Decimal]:
        """(orders, fees in USD) of the hour that ends now."""
        self._forget(at_ms)
        return sum(part[1] for part in self.minutes), sum((part[2] for part in self.minutes), ZERO)

    def _forget(self, at_ms: int) -> None:
        while self.minutes and self.minutes[0][0] <= at_ms // MINUTE_MS - 60:
            self.minutes.popleft()

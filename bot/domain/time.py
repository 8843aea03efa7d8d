"""Market time: UTC milliseconds; funding days and nominal settlement times. Nothing here reads a clock."""

from bot.domain.struct import struct

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
YEAR_H = 8_760


@struct(frozen=True, slots=True)
class Stamp:
    """When and in which order something entered the core.

    `market_ms` is the venue's UTC clock, which a simulator may run fast: calendar rules use it.
    `mono_ms` is the monotonic wall clock: leg limits and time-outs use it, and staleness, which begins when something
    was heard: `heard_mono_ms`, where that was not just now.
    """

    seq: int
    market_ms: int
    mono_ms: int
    heard_mono_ms: int | None = None

    @property
    def heard_ms(self) -> int:
        """Monotonic time at which it arrived: before a commit that took long, or while others were handled."""
        return self.mono_ms if self.heard_mono_ms is None else self.heard_mono_ms


def nominal_ms(recorded_ms: int) -> int:
    """Settlement time with the venue's jitter removed: the nearest whole minute (Binance is 0 to 47 ms late)."""
    return (recorded_ms + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS


def funding_day(settled_ms: int) -> int:
    """UTC day number whose carry a settlement counts into: its period's end, so 00:00 closes the day before."""
    return (settled_ms - 1) // DAY_MS

"""The daemon's two clocks: market time from the venue, monotonic time from the machine."""

from collections.abc import Callable

from bot.steady import monotonic_ns


def mono_ms() -> int:
    """Milliseconds of the machine's monotonic clock, suspended time included; its zero means nothing."""
    return monotonic_ns() // 1_000_000


class VenueClock:
    """`ports.Clock` over a venue. Market time never runs backwards here, however the venue corrects itself."""

    def __init__(self, venue_market_ms: Callable[[], int]) -> None:
        self._venue_market_ms = venue_market_ms
        self._newest_ms = 0
        self.before_ms = 0
        """What it says while the venue tells nothing yet: where the books end."""

    def market_ms(self) -> int:
        """UTC milliseconds of market time, never less than an answer given before."""
        self._newest_ms = max(self._newest_ms, self._venue_market_ms())
        return self._newest_ms or self.before_ms

    def mono_ms(self) -> int:
        return mono_ms()

"""The venue's market time: what its streams say, carried on by our own monotonic clock in between."""

from bot.domain.time import DAY_MS
from bot.steady import monotonic

FAR_MS = 30 * DAY_MS
"""A stamp so far ahead of the one before it is believed when the next one says so too."""


class MarketClock:
    """UTC milliseconds of the venue. It never falls, and between two events it runs at the speed of time.

    A simulated venue may run faster than that; then it lags behind by at most the time between two events.
    """

    def __init__(self) -> None:
        self._event_ms = 0
        self._seen_s = 0.0
        self._shown_ms = 0
        self._doubted_ms = 0

    @property
    def known(self) -> bool:
        return self._event_ms > 0

    def observe(self, event_ms: int) -> bool:
        """A market time that the venue stated just now; an older one than known changes nothing.

        False when it is not believed: the clock never falls, and one wrong stamp would be for good. After a silence
        as long as that the second statement is believed.
        """
        if event_ms <= self._event_ms:
            return True
        if self._event_ms and event_ms - self._event_ms > FAR_MS and abs(event_ms - self._doubted_ms) > FAR_MS:
            self._doubted_ms = event_ms
            return False
        self._event_ms, self._seen_s, self._doubted_ms = event_ms, monotonic(), 0
        return True

    def now_ms(self) -> int:
        """0 while nothing is known."""
        if not self._event_ms:
            return 0
        extrapolated_ms = self._event_ms + int((monotonic() - self._seen_s) * 1_000)
        self._shown_ms = max(self._shown_ms, extrapolated_ms)
        return self._shown_ms

"""The order of what a stream tells: an older frame may come after a newer one, and must not replace it."""

from bot.steady import monotonic

RENUMBERED_S = 5.0
"""Lower numbers that come for so long, and no higher one with them, are a new numbering."""


class Newest:
    """The highest number of each symbol: update ids of books, event times of mark prices."""

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}
        self._fell_s: dict[str, float] = {}
        """Symbol -> since when only lower numbers come."""

    def admits(self, symbol: str, number: int) -> bool:
        """Whether nothing newer of the symbol is known; an equal number is the same moment."""
        if number < self._highest.get(symbol, 0) and not self._begins_anew(symbol):
            return False
        self._highest[symbol] = number
        if self._fell_s:
            self._fell_s.pop(symbol, None)
        return True

    def _begins_anew(self, symbol: str) -> bool:
        now_s = monotonic()
        return now_s - self._fell_s.setdefault(symbol, now_s) >= RENUMBERED_S

"""The market clock: a venue's UTC that may run faster than the wall, be paused, and be continued after a restart."""

from collections.abc import Callable

SPEED_MAX = 1_000_000.0


class MarketClock:
    """Market milliseconds as a linear function of monotonic wall time.

    `speed` is market time per wall time: 1 is real time, 14,400 is four hours a second, 0 stands still.
    The clock never runs backwards; time does not pass while no process holds it.
    """

    def __init__(
        self, market_ms: int, speed: float, monotonic_ns: Callable[[], int], *, paused: bool = False
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._anchor_market_ms = float(market_ms)
        self._anchor_ns = monotonic_ns()
        self._speed = _checked(speed)
        self._paused = paused

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def running_speed(self) -> float:
        """The speed at which market time passes now: 0 while paused."""
        return 0.0 if self._paused else self._speed

    def read_ms(self) -> int:
        return int(self._exact_ms())

    def change(self, speed: float | None = None, *, paused: bool | None = None) -> None:
        """Changes speed or pause from this moment on. Raises ValueError for a speed outside 0 .. SPEED_MAX."""
        wanted = self._speed if speed is None else _checked(speed)
        self._anchor_market_ms = self._exact_ms()
        self._anchor_ns = self._monotonic_ns()
        self._speed = wanted
        if paused is not None:
            self._paused = paused

    def _exact_ms(self) -> float:
        if self._paused:
            return self._anchor_market_ms
        elapsed_ms = (self._monotonic_ns() - self._anchor_ns) / 1e6
        return self._anchor_market_ms + max(0.0, elapsed_ms) * self._speed


def _checked(speed: float) -> float:
    if not 0 <= speed <= SPEED_MAX:
        raise ValueError(f"speed must be within 0 and {SPEED_MAX:.0f}, not {speed}")
    return float(speed)

"""One perpetual's funding settlements for ever: recorded ones, the return stretch's, and their repetition."""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

BASE_RATE_8H = Decimal("0.0001")
EIGHT_HOURS_MS = 28_800_000
RATE_QUANTUM = Decimal("1e-8")


class FundingSchedule:
    """Settlements numbered from 0 without end.

    `recorded` are (time in UTC ms, rate). After the last one the perpetual settles the base rate (0.01 % per
    8 h) at its last interval up to `repeat_ms`; then everything after `trading_from_ms` repeats.
    """

    def __init__(self, recorded: Sequence[tuple[int, Decimal]], trading_from_ms: int, repeat_ms: int) -> None:
        self._trading_from_ms = trading_from_ms
        self._repeat_ms = repeat_ms
        self._period_ms = repeat_ms - trading_from_ms
        rows = [row for row in recorded if row[0] <= repeat_ms]
        interval_ms = rows[-1][0] - rows[-2][0]
        rate = (BASE_RATE_8H * interval_ms / EIGHT_HOURS_MS).quantize(RATE_QUANTUM, ROUND_HALF_EVEN)
        rows += [(at_ms, rate) for at_ms in range(rows[-1][0] + interval_ms, repeat_ms + 1, interval_ms)]
        self._first = rows
        self._first_times = [at_ms for at_ms, _ in rows]
        self._loop = [row for row in rows if row[0] > trading_from_ms]
        self._loop_times = [at_ms for at_ms, _ in self._loop]
        self._before_ms = rows[0][0] - (rows[1][0] - rows[0][0])

    def count(self, until_ms: int) -> int:
        """How many settlements there are up to and including `until_ms`."""
        if until_ms < self._repeat_ms:
            return bisect_right(self._first_times, until_ms)
        turns, rest_ms = divmod(until_ms - self._trading_from_ms, self._period_ms)
        in_turn = bisect_right(self._loop_times, self._trading_from_ms + rest_ms)
        return len(self._first) + (turns - 1) * len(self._loop) + in_turn

    def row(self, number: int) -> tuple[int, Decimal]:
        """(time in UTC ms, rate) of a settlement; number -1 is the unrecorded one before the first."""
        if number < 0:
            return self._before_ms, self._first[0][1]
        if number < len(self._first):
            return self._first[number]
        turns, place = divmod(number - len(self._first), len(self._loop))
        at_ms, rate = self._loop[place]
        return at_ms + (turns + 1) * self._period_ms, rate

    def interval_ms(self, number: int) -> int:
        """Length of the funding interval that settlement `number` closes."""
        return self.row(number)[0] - self.row(number - 1)[0]

    def predicted(self, at_ms: int) -> tuple[Decimal, int, int]:
        """(predicted rate, time of the next settlement in ms, interval in ms) of the interval at `at_ms`.

        The venue's prediction is the premium averaged over the interval so far. Here it is the last settled
        rate, scaled to this interval's length, moved toward the next one by the share of the interval that
        has passed: nothing beyond the next settlement is known, and that one only when it is reached.
        """
        number = max(self.count(at_ms), 0)
        next_ms, next_rate = self.row(number)
        last_ms, last_rate = self.row(number - 1)
        interval_ms = next_ms - last_ms
        scaled = last_rate * interval_ms / max(self.interval_ms(number - 1) if number else interval_ms, 1)
        passed = Decimal(min(max(at_ms - last_ms, 0), interval_ms)) / interval_ms
        blended = scaled + (next_rate - scaled) * passed
        return blended.quantize(RATE_QUANTUM, ROUND_HALF_EVEN), next_ms, interval_ms

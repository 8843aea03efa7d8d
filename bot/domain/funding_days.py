"""Rule R1's days: what settled on each, and where the runs of negative and positive days stand."""

from decimal import Decimal

from bot.domain.numbers import ZERO
from bot.domain.struct import struct


@struct(frozen=True, slots=True)
class FundingDay:
    """The settlements of one UTC day: what one direction received, and when they settled."""

    carry: Decimal = ZERO
    settled_ms: tuple[int, ...] = ()
    """Nominal times after the day's first moment, in order; the midnight that ends the day is 86,400,000."""

    def with_one(self, after_ms: int, received: Decimal) -> "FundingDay":
        return FundingDay(self.carry + received, tuple(sorted((*self.settled_ms, after_ms))))


@struct(frozen=True, slots=True)
class Runs:
    """What the days judged so far come to."""

    negative_days: int = 0
    positive_days: int = 0
    removed: bool = False
    removed_ms: int | None = None
    reason: str = ""

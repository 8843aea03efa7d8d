"""Rule R1's days as text in one column: they are read and written together and never searched.

A JSON object: `days` are [day number, carry as text, [settlement in milliseconds after the day's first moment, ...]];
`before` is [negative days, positive days, removed, removed_ms, reason] of what was judged before them, `floor_ms` the
time up to which nothing is counted any more. An empty object is a memory without days.
"""

from decimal import Decimal

import msgspec

from bot.domain.funding_days import FundingDay, Runs
from bot.domain.hedges import Removal
from bot.store.types import money_text


class _Day(msgspec.Struct, array_like=True):
    number: int
    carry: str
    settled_ms: tuple[int, ...]


class _Runs(msgspec.Struct, array_like=True):
    negative_days: int = 0
    positive_days: int = 0
    removed: bool = False
    removed_ms: int | None = None
    reason: str = ""


class _Memory(msgspec.Struct):
    days: list[_Day] = []
    before: _Runs = msgspec.field(default_factory=_Runs)
    floor_ms: int = 0


def encode(removal: Removal) -> str:
    days = [
        _Day(number, money_text(day.carry) or "0", day.settled_ms) for number, day in sorted(removal.days.items())
    ]
    before = removal.before
    runs = _Runs(before.negative_days, before.positive_days, before.removed, before.removed_ms, before.reason)
    return msgspec.json.encode(_Memory(days, runs, removal.floor_ms)).decode()


def decode(text: str) -> tuple[dict[int, FundingDay], Runs, int]:
    """Days by number, what was judged before them, and the floor. msgspec.MsgspecError when it is none of ours."""
    memory = msgspec.json.decode(text, type=_Memory)
    days = {day.number: FundingDay(Decimal(day.carry), day.settled_ms) for day in memory.days}
    return days, Runs(*msgspec.structs.astuple(memory.before)), memory.floor_ms

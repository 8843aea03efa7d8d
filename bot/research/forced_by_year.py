"""Forced reductions by year and rule, and those of ordinary months: in which no core coin moved far within a day.

Rules are there for months like March 2020. What they force in all the others is meant to be rare: a rule that acts
every week does the strategy's own work at a worse moment.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.domain.time import DAY_MS
from bot.research.bars import BarMarket
from bot.research.rule_actions import FORCED, RuleAction

FAR = 0.15
"""A day's move of a core coin, close to close in UTC, that makes its month no ordinary one."""


@dataclass(frozen=True, slots=True)
class FarMove:
    """`month` is YYYY-MM of the day that moved; `move` the day's return as a fraction."""

    month: str
    coin: str
    day: str
    move: float


@dataclass(frozen=True, slots=True)
class ForcedRow:
    """How often `rule` forced a reduction in `year`, and how often of these in its ordinary months."""

    year: int
    rule: str
    count: int
    ordinary: int


def far_moves(market: BarMarket, core: Collection[str], far: float = FAR) -> list[FarMove]:
    """The largest such move of each month and core coin, by the spot's closes at midnight."""
    found: dict[tuple[str, str], FarMove] = {}
    step = DAY_MS // market.grid_ms
    first = -(-market.times_ms.start // DAY_MS) * DAY_MS
    for bars in market.coins.values():
        if bars.coin not in core:
            continue
        start = (first - market.times_ms.start) // market.grid_ms
        for index in range(max(start, bars.first) + step, bars.last + 1, step):
            move = float(bars.spot[index] / bars.spot[index - step]) - 1
            day = datetime.fromtimestamp(market.times_ms[index - step] / 1000, UTC)
            one = FarMove(f"{day:%Y-%m}", bars.coin, f"{day:%Y-%m-%d}", move)
            known = found.get((one.month, one.coin))
            if abs(move) >= far and (known is None or abs(move) > abs(known.move)):
                found[one.month, one.coin] = one
    return [found[key] for key in sorted(found)]


def forced_rows(actions: Iterable[RuleAction], moves: Iterable[FarMove]) -> list[ForcedRow]:
    """One row a year and rule that forced anything, in order."""
    wild = {one.month for one in moves}
    every: Counter[tuple[int, str]] = Counter()
    ordinary: Counter[tuple[int, str]] = Counter()
    for action in actions:
        if action.event != FORCED:
            continue
        at = datetime.fromtimestamp(action.at_ms / 1000, UTC)
        every[at.year, action.rule] += 1
        ordinary[at.year, action.rule] += f"{at:%Y-%m}" not in wild
    return [ForcedRow(year, rule, count, ordinary[year, rule]) for (year, rule), count in sorted(every.items())]


def as_views(rows: Iterable[ForcedRow], moves: Iterable[FarMove]) -> dict[str, Any]:
    return {
        "forced": [
            {"year": row.year, "rule": row.rule, "count": row.count, "ordinary": row.ordinary} for row in rows
        ],
        "far_moves": [{"month": one.month, "coin": one.coin, "day": one.day, "move": one.move} for one in moves],
    }

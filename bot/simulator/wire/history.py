"""Paging of histories as the venue does it: oldest first; from a start the earliest rows, else the newest."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")
WEEK_MS = 7 * 86_400_000


def pick(
    rows: Sequence[Row],
    at_ms: Callable[[Row], int],
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> Sequence[Row]:
    """`rows` are in order of time; both bounds are inclusive."""
    chosen = _within(rows, at_ms, start_ms, end_ms)
    return chosen[:limit] if start_ms is not None else chosen[-limit:]


def pick_recent(
    rows: Sequence[Row],
    at_ms: Callable[[Row], int],
    window_ms: tuple[int | None, int | None],
    limit: int,
    now_ms: int,
) -> Sequence[Row]:
    """USD-M histories: without bounds the newest of the last seven days."""
    start_ms, end_ms = window_ms
    if start_ms is None and end_ms is None:
        return _within(rows, at_ms, now_ms - WEEK_MS, now_ms)[-limit:]
    return pick(rows, at_ms, start_ms, end_ms, limit)


def _within(rows: Sequence[Row], at_ms: Callable[[Row], int], start_ms: int | None, end_ms: int | None) -> list[Row]:
    return [
        row
        for row in rows
        if (start_ms is None or at_ms(row) >= start_ms) and (end_ms is None or at_ms(row) <= end_ms)
    ]

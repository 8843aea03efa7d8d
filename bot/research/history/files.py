"""The files of a data directory as they are written: gzipped CSV, whole or not at all, same bytes for same rows."""

import gzip
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bot.domain.time import HOUR_MS, nominal_ms
from bot.simulator.market.table import HistoryError, integer, rows_of

CANDLES = ("open_time_ms", "open", "high", "low", "close", "volume")
RATES = ("timestamp_ms", "funding_rate", "mark_price")
INTERVAL_H_MAX = 8
Lines = dict[int, tuple[str, ...]]
"""Time of a row (UTC ms) -> its other fields."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing is recorded between two neighbouring rows; times in UTC ms, `missing` in rows."""

    after_ms: int
    before_ms: int
    missing: int


def read_lines(path: Path, columns: Sequence[str]) -> Lines:
    """What the file holds; nothing without a file. Raises HistoryError, also for other columns than these."""
    if not path.exists():
        return {}
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        header = handle.readline().strip()
    if header != ",".join(columns):
        raise HistoryError(
            f"{path} line 1: the columns are {header}, not {','.join(columns)}; "
            "this is not a file of `history download`: choose another --out"
        )
    return {integer(path, line, columns[0], texts[0]): tuple(texts[1:]) for line, texts in rows_of(path, columns)}


def write_lines(path: Path, columns: Sequence[str], lines: Mapping[int, Sequence[str]]) -> None:
    """In order of time; the old file stays until the new one is whole and on disk. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    text.write(",".join(columns) + "\n")
    for at_ms in sorted(lines):
        text.write(f"{at_ms},{','.join(lines[at_ms])}\n")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as handle:
            handle.write(gzip.compress(text.getvalue().encode(), mtime=0))
            handle.flush()
            os.fsync(handle.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def candle_gaps(times_ms: Sequence[int], step_ms: int) -> list[Gap]:
    """Where candles are missing between the first and the last one."""
    return [
        Gap(before, after, (after - before) // step_ms - 1)
        for before, after in pairwise(times_ms)
        if after - before > step_ms
    ]


def rate_gaps(times_ms: Sequence[int]) -> list[Gap]:
    """Where settlements are missing: more than the longest interval lies between two of them."""
    longest_ms = INTERVAL_H_MAX * HOUR_MS
    nominal = [nominal_ms(at_ms) for at_ms in times_ms]
    return [
        Gap(before, after, -(-(after - before) // longest_ms) - 1)
        for before, after in pairwise(nominal)
        if after - before > longest_ms
    ]

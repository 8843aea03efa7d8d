"""Days, runs of negative days, funding intervals, and how long a rate remembers: pure functions of settlements."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.time import DAY_MS, HOUR_MS, funding_day
from bot.research.funding_stats_source import Settlement


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive funding days (UTC day numbers) whose carry for a short was negative, and its sum."""

    first_day: int
    last_day: int
    days: int
    rate_sum: Decimal


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch with one funding interval: its settlements, first and last, and their number."""

    hours: int
    from_ms: int
    until_ms: int
    settlements: int


@dataclass(frozen=True, slots=True)
class Irregular:
    """A settlement that came `hours` after the one before it, where `regular` was expected: a hole, or late."""

    at_ms: int
    hours: int
    regular: int


def daily(settlements: Sequence[Settlement]) -> dict[int, Decimal]:
    """Sum of rates by funding day: the UTC day in which the period ended, so 00:00 closes the day before."""
    days: dict[int, Decimal] = {}
    for each in settlements:
        day = funding_day(each.at_ms)
        days[day] = days.get(day, Decimal(0)) + each.rate
    return days


def negative_runs(days: Mapping[int, Decimal]) -> list[Run]:
    """Runs of negative days, oldest first. A day without a settlement neither extends nor ends a run (rule R1)."""
    runs: list[Run] = []
    open_run: list[int] = []
    for day in sorted(days):
        if days[day] < 0:
            open_run.append(day)
        elif open_run:
            runs.append(_run(open_run, days))
            open_run = []
    if open_run:
        runs.append(_run(open_run, days))
    return runs


def _run(members: Sequence[int], days: Mapping[int, Decimal]) -> Run:
    return Run(members[0], members[-1], len(members), sum((days[day] for day in members), Decimal(0)))


def interval_hours(settlements: Sequence[Settlement]) -> tuple[list[int], list[Irregular]]:
    """The interval in hours that each settlement paid for, and the irregular ones.

    The distance from the settlement before, in whole hours. One distance that is longer than the interval around it
    is a hole or a late payment, two neighbours that together are one or two intervals are a payment at an odd time;
    both count as the interval around them. The first settlement takes the second's.
    """
    gaps = [max(1, round((b.at_ms - a.at_ms) / HOUR_MS)) for a, b in itertools.pairwise(settlements)]
    runs = [(hours, len(list(group))) for hours, group in itertools.groupby(gaps)]
    usual = next((hours for hours, length in runs if length > 1), runs[0][0])
    found: list[int] = []
    strange: list[Irregular] = []
    regular, place = usual, 0
    while place < len(runs):
        hours, length = runs[place]
        alone = length == 1 and hours != regular
        beside = runs[place + 1] if place + 1 < len(runs) else (0, 0)
        taken = [hours] * length
        if alone and beside[1] == 1 and hours + beside[0] in (regular, 2 * regular):
            taken = [hours, beside[0]]
            place += 1
        if alone and (hours > regular or len(taken) == 2):
            for each in taken:
                found.append(regular)
                strange.append(Irregular(settlements[len(found)].at_ms, each, regular))
        else:
            regular = hours
            found += taken
        place += 1
    return [found[0], *found], strange


def intervals(settlements: Sequence[Settlement], hours: Sequence[int]) -> list[Interval]:
    """Stretches of equal interval, oldest first."""
    found = []
    for each, group in itertools.groupby(zip(settlements, hours, strict=True), key=lambda pair: pair[1]):
        members = [settlement for settlement, _ in group]
        found.append(Interval(each, members[0].at_ms, members[-1].at_ms, len(members)))
    return found


def autocorrelation(days: Mapping[int, Decimal], lags: Sequence[int]) -> list[float | None]:
    """Correlation of a day's sum with the one `lag` days earlier, over all pairs of days that both have settlements.

    None where the sums do not vary or no pair is so far apart.
    """
    mean = float(sum(days.values(), Decimal(0))) / len(days)
    offsets = {day: float(value) - mean for day, value in days.items()}
    variance = sum(each * each for each in offsets.values()) / len(offsets)
    found: list[float | None] = []
    for lag in lags:
        products = [value * offsets[day - lag] for day, value in offsets.items() if day - lag in offsets]
        found.append(sum(products) / len(products) / variance if variance > 0 and products else None)
    return found


def half_life_days(first: float | None) -> float | None:
    """Half-life of a first-order autoregression with this correlation from day to day: ln 0.5 / ln rho.

    None where rho is not between 0 and 1: there is no decay to speak of.
    """
    if first is None or not 0 < first < 1:
        return None
    return math.log(0.5) / math.log(first)


def observed_half_life_days(correlations: Sequence[float | None]) -> float | None:
    """First lag at which the correlation (of lags 1, 2, 3 ... days) has fallen to a half, between days linearly."""
    before = 1.0
    for lag, each in enumerate(correlations, start=1):
        if each is None:
            return None
        if each <= 0.5:
            return lag - 1 + (before - 0.5) / (before - each)
        before = each
    return None


def rolling(days: Mapping[int, Decimal], window: int) -> list[tuple[int, float]]:
    """(day, mean daily sum of the `window` days up to it), from the first day that has a whole window behind it."""
    if not days:
        return []
    first, last = min(days), max(days)
    total, count, found = Decimal(0), 0, []
    for day in range(first, last + 1):
        if day in days:
            total, count = total + days[day], count + 1
        gone = day - window
        if gone in days:
            total, count = total - days[gone], count - 1
        if day >= first + window - 1 and count:
            found.append((day, float(total) / count))
    return found


def run_lengths(runs: Sequence[Run]) -> dict[int, int]:
    """How many runs had how many days."""
    return dict(sorted(Counter(run.days for run in runs).items()))


def day_ms(day: int) -> int:
    """The start of a UTC day number."""
    return day * DAY_MS

"""Statistics of one instrument's settled funding rates: what `carrybot funding` reports.

Rates are fractions per funding interval, positive when longs pay shorts: what a short perp earns. Windows are
calendar time over nominal settlement times; days are funding days (a midnight settlement closes the day before).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.domain.time import DAY_MS, YEAR_H
from bot.research import funding_stats_runs as runs_of
from bot.research.funding_fixed_size import FixedSize, fixed_size
from bot.research.funding_stats_runs import Interval, Irregular, Run
from bot.research.funding_stats_source import Rates, Settlement, between, day_text, time_text

LAGS = tuple(range(1, 91))
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
REMOVAL_DAYS = 5
"""Rule R1's default: a run this long would have removed the coin."""
STANDARD_H = 8
DAYS_A_YEAR = YEAR_H / 24
HISTOGRAM_BPS = (-float("inf"), -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 5, 10, 20, float("inf"))
"""Edges in bps per eight hours. The venues' base rate, 1 bps, is the upper edge of its bin."""
EDGE_SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Year:
    """One calendar year of the window."""

    year: int
    settlements: int
    share_positive: float
    rate_sum: float
    mean_annual: float
    longest_negative_days: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Everything that is reported; rates per 8 h are scaled by each settlement's own interval."""

    rates: Rates
    settlements: tuple[Settlement, ...]
    hours: tuple[int, ...]
    share_positive: float
    share_zero: float
    mean_annual: float
    rate_sum: Decimal
    fixed_size: FixedSize | None
    mean_8h: float
    deviation_8h: float
    quantiles_8h: tuple[float, ...]
    least: Settlement
    most: Settlement
    histogram: tuple[int, ...]
    days: dict[int, Decimal]
    runs: tuple[Run, ...]
    intervals: tuple[Interval, ...]
    irregular: tuple[Irregular, ...]
    correlations: tuple[float | None, ...]
    years: tuple[Year, ...]

    @property
    def longest(self) -> Run | None:
        """The longest run of negative days, the earliest of equals."""
        return max(self.runs, key=lambda run: run.days, default=None)

    @property
    def longest_negative_days(self) -> int:
        return self.longest.days if self.longest else 0

    @property
    def negative_days(self) -> int:
        return sum(run.days for run in self.runs)

    @property
    def half_life_days(self) -> float | None:
        return runs_of.half_life_days(self.correlations[0])

    @property
    def observed_half_life_days(self) -> float | None:
        return runs_of.observed_half_life_days(self.correlations)


def statistics(rates: Rates, from_ms: int | None = None, until_ms: int | None = None) -> Statistics:
    """All statistics of [from_ms, until_ms). Raises FundingError where that holds fewer than two settlements."""
    settlements = between(rates, from_ms, until_ms)
    every_h, strange = runs_of.interval_hours(rates.settlements)
    first = rates.settlements.index(settlements[0])
    hours = every_h[first : first + len(settlements)]
    irregular = [each for each in strange if settlements[0].at_ms <= each.at_ms <= settlements[-1].at_ms]
    days = runs_of.daily(settlements)
    scaled = [float(each.rate) * STANDARD_H / paid_h for each, paid_h in zip(settlements, hours, strict=True)]
    count = len(settlements)
    mean = sum(scaled) / count
    return Statistics(
        rates=rates,
        settlements=settlements,
        hours=tuple(hours),
        share_positive=sum(each.rate > 0 for each in settlements) / count,
        share_zero=sum(each.rate == 0 for each in settlements) / count,
        mean_annual=_annual(settlements, hours),
        rate_sum=_sum(settlements),
        fixed_size=fixed_size(rates, settlements),
        mean_8h=mean,
        deviation_8h=math.sqrt(sum((each - mean) ** 2 for each in scaled) / count),
        quantiles_8h=tuple(quantile(sorted(scaled), share) for share in QUANTILES),
        least=min(settlements, key=lambda each: each.rate),
        most=max(settlements, key=lambda each: each.rate),
        histogram=_histogram(scaled),
        days=days,
        runs=tuple(runs_of.negative_runs(days)),
        intervals=tuple(runs_of.intervals(settlements, hours)),
        irregular=tuple(irregular),
        correlations=tuple(runs_of.autocorrelation(days, LAGS)),
        years=tuple(_years(settlements, hours, days)),
    )


def _sum(settlements: Sequence[Settlement]) -> Decimal:
    return sum((each.rate for each in settlements), Decimal(0))


def _annual(settlements: Sequence[Settlement], hours: Sequence[int]) -> float:
    """Sum of rates over the hours they were paid for, a year of 8,760 hours, not compounded."""
    return float(_sum(settlements)) / sum(hours) * YEAR_H


def quantile(ordered: Sequence[float], share: float) -> float:
    """Linear between the neighbouring order statistics."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _histogram(scaled: Sequence[float]) -> tuple[int, ...]:
    """Settlements in each bin: above its lower edge, up to and including its upper one."""
    counts = [0] * (len(HISTOGRAM_BPS) - 1)
    for each in scaled:
        bps = each * 10_000
        counts[next(place for place, edge in enumerate(HISTOGRAM_BPS[1:]) if bps <= edge + EDGE_SLACK)] += 1
    return tuple(counts)


def _years(settlements: Sequence[Settlement], hours: Sequence[int], days: dict[int, Decimal]) -> list[Year]:
    by_year: dict[int, list[tuple[Settlement, int]]] = {}
    for each, paid_h in zip(settlements, hours, strict=True):
        by_year.setdefault(int(day_text(each.at_ms)[:4]), []).append((each, paid_h))
    found = []
    for year, members in sorted(by_year.items()):
        own = [each for each, _ in members]
        own_days = {day: value for day, value in days.items() if int(day_text(day * DAY_MS)[:4]) == year}
        found.append(
            Year(
                year,
                len(own),
                sum(each.rate > 0 for each in own) / len(own),
                float(_sum(own)),
                _annual(own, [paid_h for _, paid_h in members]),
                max((run.days for run in runs_of.negative_runs(own_days)), default=0),
            )
        )
    return found


def as_json(found: Statistics) -> dict[str, Any]:
    """The report for programs: rates and shares are fractions, times ISO 8601 UTC, days UTC dates."""
    count, fixed = len(found.settlements), found.fixed_size
    return {
        "coin": found.rates.coin,
        "symbol": found.rates.symbol,
        "venue": found.rates.venue,
        "source": found.rates.source,
        "from": time_text(found.settlements[0].at_ms),
        "until": time_text(found.settlements[-1].at_ms),
        "settlements": count,
        "share_positive": found.share_positive,
        "share_zero": found.share_zero,
        "share_negative": 1 - sum(each.rate >= 0 for each in found.settlements) / count,
        "sum_rate": float(found.rate_sum),
        "fixed_size_share": None if fixed is None else fixed.share,
        "fixed_size": None if fixed is None else _fixed_size(fixed),
        "mean_annual": found.mean_annual,
        "mean_8h_rate": found.mean_8h,
        "distribution": {
            "deviation_8h_rate": found.deviation_8h,
            "quantiles_8h_rate": {
                f"{share:g}": value for share, value in zip(QUANTILES, found.quantiles_8h, strict=True)
            },
            "least": {"at": time_text(found.least.at_ms), "rate": float(found.least.rate)},
            "most": {"at": time_text(found.most.at_ms), "rate": float(found.most.rate)},
            "histogram_8h_bps": [
                {"above": _edge(low), "up_to": _edge(high), "settlements": number}
                for low, high, number in zip(HISTOGRAM_BPS, HISTOGRAM_BPS[1:], found.histogram, strict=False)
            ],
        },
        "days": len(found.days),
        "negative_days": found.negative_days,
        "longest_negative_days": found.longest_negative_days,
        "removals": sum(run.days >= REMOVAL_DAYS for run in found.runs),
        "negative_runs": [_run(run) for run in found.runs],
        "run_lengths": {str(days): number for days, number in runs_of.run_lengths(found.runs).items()},
        "intervals": [
            {
                "hours": each.hours,
                "from": time_text(each.from_ms),
                "until": time_text(each.until_ms),
                "settlements": each.settlements,
            }
            for each in found.intervals
        ],
        "irregular": [
            {"at": time_text(each.at_ms), "hours": each.hours, "expected_hours": each.regular}
            for each in found.irregular
        ],
        "autocorrelation": [
            {"lag_days": lag, "value": value} for lag, value in zip(LAGS, found.correlations, strict=True)
        ],
        "half_life_days": found.half_life_days,
        "observed_half_life_days": found.observed_half_life_days,
        "years": [
            {
                "year": each.year,
                "settlements": each.settlements,
                "share_positive": each.share_positive,
                "sum_rate": each.rate_sum,
                "mean_annual": each.mean_annual,
                "longest_negative_days": each.longest_negative_days,
            }
            for each in found.years
        ],
    }


def _edge(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _fixed_size(found: FixedSize) -> dict[str, Any]:
    return {
        "entry_at": time_text(found.entry_ms),
        "entry_price": found.entry_price,
        "share": found.share,
        "share_from_first": found.share_from_first,
        "prices": found.prices,
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "days": run.days,
        "from": day_text(runs_of.day_ms(run.first_day)),
        "until": day_text(runs_of.day_ms(run.last_day)),
        "sum_rate": float(run.rate_sum),
    }

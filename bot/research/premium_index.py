"""How well a funding rate is known before it settles: the venue's formula on recorded premiums against the rate.

    DIR/klines/binance/um-premium-index/<SYMBOL>-1h.csv.gz   open_time_ms,open,close[,...]
    DIR/funding/binance-usdm/<SYMBOL>.csv.gz                 timestamp_ms,funding_rate[,...]

After h hours of an interval the premium of those hours is known (open and close of each hour, averaged) and the
rate before. Three forecasts from the premium (its hours alike; later ones more, as the venue does; and the premium
for the hours that have run with the rate before for those to come) stand beside two that need none: the rate before
and the venue's interest rate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import Any

from bot.domain.premium import INTEREST_8H, mean_premium, rate_of
from bot.domain.time import HOUR_MS, MINUTE_MS
from bot.simulator.market.table import HistoryError, integer, rows_of

INTERVAL_H = 8
HOURS = (1, 2, 4, 6, 8)


@dataclass(frozen=True, slots=True)
class Interval:
    """One 8-hour interval: its hourly premiums oldest first, the rate settled before it and its own, fractions."""

    settled_ms: int
    premiums: tuple[float, ...]
    before: float
    rate: float


@dataclass(frozen=True, slots=True)
class Row:
    """Errors of one forecast after `hours`: mean absolute and root mean square (fractions), R2, and signs right."""

    forecast: str
    hours: int
    intervals: int
    mean_error: float
    rms_error: float
    r2: float
    sign_right: float


Forecast = Callable[[Interval, int], float]


def _blend(one: Interval, hours: int) -> float:
    known = rate_of(mean_premium(one.premiums[:hours], later_weighs_more=False))
    return (known * hours + one.before * (INTERVAL_H - hours)) / INTERVAL_H


FORECASTS: Mapping[str, Forecast] = {
    "premium so far": lambda one, hours: rate_of(mean_premium(one.premiums[:hours], later_weighs_more=False)),
    "premium so far, later hours more": lambda one, hours: rate_of(mean_premium(one.premiums[:hours])),
    "premium so far, the rate before for the rest": _blend,
    "the rate before": lambda one, _: one.before,
    "the interest rate": lambda _one, _hours: INTEREST_8H,
}


def read_intervals(directory: Path, symbol: str) -> list[Interval]:
    """All 8-hour intervals with every hour recorded. Raises HistoryError for a missing or unreadable file."""
    premium = directory / f"klines/binance/um-premium-index/{symbol}-1h.csv.gz"
    funding = directory / f"funding/binance-usdm/{symbol}.csv.gz"
    for path in (premium, funding):
        if not path.is_file():
            raise HistoryError(f"{path}: no such file; the hourly premium index of {symbol} and its rates are needed")
    hourly: dict[int, float] = {}
    for line, (open_ms, opened, closed) in rows_of(premium, ("open_time_ms", "open", "close")):
        at_ms = integer(premium, line, "open_time_ms", open_ms)
        hourly[at_ms] = (_number(premium, line, opened) + _number(premium, line, closed)) / 2
    rates = {
        integer(funding, line, "timestamp_ms", at) // MINUTE_MS * MINUTE_MS: _number(funding, line, rate)
        for line, (at, rate) in rows_of(funding, ("timestamp_ms", "funding_rate"))
    }
    found = []
    for settled_ms, rate in sorted(rates.items()):
        hours = [hourly.get(settled_ms - (INTERVAL_H - hour) * HOUR_MS) for hour in range(INTERVAL_H)]
        before = rates.get(settled_ms - INTERVAL_H * HOUR_MS)
        known = tuple(hour for hour in hours if hour is not None)
        if before is not None and len(known) == INTERVAL_H:
            found.append(Interval(settled_ms, known, before, rate))
    if not found:
        raise HistoryError(f"{premium}: no whole 8-hour interval with its settled rate")
    return found


def _number(path: Path, line: int, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise HistoryError(f"{path} line {line}: {text!r} is no number; correct the row") from None


def errors(intervals: Sequence[Interval]) -> list[Row]:
    """Each forecast after each of `HOURS`, in that order."""
    mean = fsum(one.rate for one in intervals) / len(intervals)
    spread = fsum((one.rate - mean) ** 2 for one in intervals)
    rows = []
    for name, forecast in FORECASTS.items():
        for hours in HOURS:
            wrong = [forecast(one, hours) - one.rate for one in intervals]
            squares = fsum(error * error for error in wrong)
            right = sum(forecast(one, hours) * one.rate > 0 for one in intervals)
            rows.append(
                Row(
                    name,
                    hours,
                    len(intervals),
                    fsum(abs(error) for error in wrong) / len(wrong),
                    (squares / len(wrong)) ** 0.5,
                    1 - squares / spread if spread else 0.0,
                    right / len(intervals),
                )
            )
    return rows


def as_views(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "forecast": row.forecast,
            "hours": row.hours,
            "intervals": row.intervals,
            "mean_error_bps": row.mean_error * 1e4,
            "rms_error_bps": row.rms_error * 1e4,
            "r2": row.r2,
            "sign_right": row.sign_right,
        }
        for row in rows
    ]

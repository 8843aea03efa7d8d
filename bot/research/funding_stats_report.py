"""The funding statistics for people: lines for a terminal, and one self-contained HTML file."""

import itertools
import math
from collections.abc import Sequence
from html import escape

from bot.domain.time import DAY_MS
from bot.research import chart_svg, chart_text, html_page
from bot.research import funding_stats_runs as runs_of
from bot.research.chart_svg import Frame
from bot.research.chart_text import Line
from bot.research.funding_stats import DAYS_A_YEAR, HISTOGRAM_BPS, LAGS, REMOVAL_DAYS, Statistics
from bot.research.funding_stats_source import day_text, time_text

ROLLING_DAYS = 30
RUNS_SHOWN = 10
LAGS_SHOWN = (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90)


def percent(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def days_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} days"


def title(found: Statistics) -> str:
    return f"{found.rates.symbol} at {found.rates.venue}: funding"


def facts(found: Statistics) -> list[tuple[str, str]]:
    """Names and values, the headline first."""
    longest = found.longest
    span = f"{time_text(found.settlements[0].at_ms)} to {time_text(found.settlements[-1].at_ms)}"
    removals = sum(run.days >= REMOVAL_DAYS for run in found.runs)
    middle = found.quantiles_8h[len(found.quantiles_8h) // 2]
    per_8h = (
        f"mean {percent(found.mean_8h, 4)}, median {percent(middle, 4)}, deviation {percent(found.deviation_8h, 4)}"
    )
    memory = (
        f"{days_text(found.half_life_days)} by the first day's correlation, "
        f"{days_text(found.observed_half_life_days)} until it is a half"
    )
    return [
        ("settlements", f"{len(found.settlements):,} from {span}"),
        ("share positive", f"{percent(found.share_positive)} (exactly zero: {percent(found.share_zero)})"),
        ("mean a year", percent(found.mean_annual)),
        ("sum of rates", percent(float(found.rate_sum), 4)),
        *_fixed_size(found),
        ("per 8 h", per_8h),
        ("5 % to 95 %", f"{percent(found.quantiles_8h[1], 4)} to {percent(found.quantiles_8h[5], 4)} per 8 h"),
        ("lowest", f"{percent(float(found.least.rate), 4)} at {time_text(found.least.at_ms)}"),
        ("highest", f"{percent(float(found.most.rate), 4)} at {time_text(found.most.at_ms)}"),
        ("negative days", f"{found.negative_days:,} of {len(found.days):,}"),
        ("longest run", "none" if longest is None else
         f"{longest.days} negative days from {_day(longest.first_day)}, {percent(float(longest.rate_sum), 3)}"),
        (f"runs of {REMOVAL_DAYS} days or more", f"{removals} (each removes the coin under rule R1)"),
        ("half-life", memory),
    ]  # fmt: skip


def _fixed_size(found: Statistics) -> list[tuple[str, str]]:
    fixed = found.fixed_size
    if fixed is None:
        return []
    text = (
        f"{percent(fixed.share, 4)} of its notional at {time_text(fixed.entry_ms)} ({fixed.entry_price:,.10g}); "
        f"{percent(fixed.share_from_first, 4)} of the first settlement's ({fixed.prices})"
    )
    return [("short of fixed size", text)]


def _day(day: int) -> str:
    return day_text(day * DAY_MS)


def bin_names() -> list[str]:
    """Words for the histogram's bins, bps per 8 h."""
    names = []
    for low, high in itertools.pairwise(HISTOGRAM_BPS):
        if not math.isfinite(low):
            names.append(f"up to {high:g}")
        elif not math.isfinite(high):
            names.append(f"above {low:g}")
        else:
            names.append(f"{low:g} to {high:g}")
    return names


Table = tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]


def tables(found: Statistics) -> list[Table]:
    """(title, headings, rows) of years, the longest runs, and the funding intervals."""
    years = [
        (
            str(each.year), f"{each.settlements:,}", percent(each.share_positive), percent(each.rate_sum),
            percent(each.mean_annual), str(each.longest_negative_days),
        )
        for each in found.years
    ]  # fmt: skip
    worst = sorted(found.runs, key=lambda run: (-run.days, run.first_day))[:RUNS_SHOWN]
    runs = [
        (str(run.days), _day(run.first_day), _day(run.last_day), percent(float(run.rate_sum), 3)) for run in worst
    ]
    stretches = [
        (f"{each.hours} h", time_text(each.from_ms), time_text(each.until_ms), f"{each.settlements:,}")
        for each in found.intervals
    ]
    result: list[Table] = [
        ("Years", ("year", "settlements", "positive", "sum", "a year", "longest negative run, days"), years),
        ("Longest runs of negative days", ("days", "from", "until", "sum"), runs),
        ("Funding intervals", ("interval", "from", "until", "settlements"), stretches),
    ]
    if found.irregular:
        strange = [(time_text(each.at_ms), f"{each.hours} h", f"{each.regular} h") for each in found.irregular]
        result.append(("Holes and odd times", ("settled", "after", "expected"), strange[:RUNS_SHOWN]))
    return [each for each in result if each[2]]


def rolling_annual(found: Statistics) -> list[tuple[int, float]]:
    """(day, mean of the window up to it as a rate a year); a shorter window where the recording is shorter."""
    window = min(ROLLING_DAYS, max(1, len(found.days) // 2))
    return [(day, value * DAYS_A_YEAR) for day, value in runs_of.rolling(found.days, window)]


def _correlation_rows(found: Statistics) -> list[tuple[int, float]]:
    known = dict(zip(LAGS, found.correlations, strict=True))
    return [(lag, value) for lag in LAGS_SHOWN if (value := known[lag]) is not None]


def terminal_charts(found: Statistics) -> list[str]:
    """Course, distribution, runs and memory as plain text."""
    course = rolling_annual(found)
    lines = [f"Mean of {ROLLING_DAYS} days as a rate a year, {_day(course[0][0])} to {_day(course[-1][0])}"]
    lines += chart_text.profile([value for _, value in course], lambda value: percent(value, 1))
    total = len(found.settlements)
    lines += ["", "Distribution, bps per 8 h"]
    bins = zip(bin_names(), found.histogram, strict=True)
    lines += chart_text.bars([(name, number, f"{number:,} ({percent(number / total, 1)})") for name, number in bins])
    if found.runs:
        lengths = runs_of.run_lengths(found.runs).items()
        lines += ["", "Runs of negative days: how many had how many days"]
        lines += chart_text.bars([(f"{days} d", number, str(number)) for days, number in lengths])
    lines += ["", "Autocorrelation of the daily sums, by lag in days"]
    lines += chart_text.signed_bars([(f"{lag} d", value, f"{value:+.2f}") for lag, value in _correlation_rows(found)])
    return lines


def html(found: Statistics) -> str:
    """The report as one file: no script, nothing fetched."""
    name = title(found)
    longest = found.longest_negative_days
    cards = [
        ("share positive", percent(found.share_positive)),
        ("mean a year", percent(found.mean_annual)),
        ("longest negative run", f"{longest} days"),
        ("half-life", days_text(found.half_life_days)),
    ]
    parts = [
        f"<h1>{escape(name)}</h1>",
        html_page.note(f"Source: {found.rates.source}. Positive rates are paid by longs to shorts; not compounded."),
        html_page.cards(cards),
        html_page.section("Figures", html_page.table(("", ""), facts(found), wrapped=(1,))),
        html_page.section("Charts", *map(chart_svg.themed, _svgs(found))),
        *(html_page.section(heading, html_page.table(columns, rows)) for heading, columns, rows in tables(found)),
    ]
    return html_page.page(name, parts)


def _svgs(found: Statistics) -> list[str]:
    ordered = sorted(found.days)
    total, sums = 0.0, []
    for day in ordered:
        total += float(found.days[day])
        sums.append((float(day), 100 * total))
    course = tuple((float(day), 100 * value) for day, value in rolling_annual(found))
    marks = _date_ticks(ordered[0], ordered[-1])
    whole = [(float(place), place + 1.0, float(number)) for place, number in enumerate(found.histogram)]
    names, lags = bin_names(), zip(LAGS, found.correlations, strict=True)
    return [
        chart_svg.line_chart(Frame("Sum of rates", y_label="%"), [Line("sum", tuple(sums))], _date, _plain, marks),
        chart_svg.line_chart(
            Frame(f"Mean of {ROLLING_DAYS} days as a rate a year", y_label="%"),
            [Line("mean", course)], _date, _plain, [each for each in marks if course[0][0] <= each <= course[-1][0]],
        ),
        chart_svg.bar_chart(
            Frame("Sum of rates by month", y_label="%"), _months(found), _date, _plain, marks
        ),
        chart_svg.bar_chart(
            Frame("Distribution of settlements", "bps per 8 h", "settlements", width=1100), whole,
            lambda value: names[int(value)], _plain, [place + 0.5 for place in range(len(names))],
        ),
        chart_svg.bar_chart(
            Frame("Runs of negative days", "days", "runs"),
            [(days - 0.5, days + 0.5, float(number)) for days, number in runs_of.run_lengths(found.runs).items()],
            _plain, _plain,
        ),
        chart_svg.bar_chart(
            Frame("Autocorrelation of the daily sums", "lag, days"),
            [(lag - 0.5, lag + 0.5, each) for lag, each in lags if each is not None],
            _plain, _plain,
        ),
    ]  # fmt: skip


def _months(found: Statistics) -> list[tuple[float, float, float]]:
    """(first day, day after the last, sum in per cent) of each month."""
    months: dict[str, list[int]] = {}
    for day in sorted(found.days):
        months.setdefault(_day(day)[:7], []).append(day)
    return [
        (float(days[0]), days[-1] + 1.0, 100 * float(sum(found.days[day] for day in days)))
        for days in months.values()
    ]


def _date_ticks(first: int, last: int) -> list[float]:
    """Days to write under a time axis: the first of every n-th month, at most ten."""
    starts = [day for day in range(first, last + 1) if _day(day).endswith("-01")]
    step = max(1, math.ceil(len(starts) / 10))
    return [float(day) for day in starts[::step]] or [float(first), float(last)]


def _date(value: float) -> str:
    return _day(int(value))[:7]


def _plain(value: float) -> str:
    return f"{value:,.10g}"

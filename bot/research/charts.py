"""Inline SVG pictures for HTML reports: lines, stacked bars, a map of holdings. No script, no font, no network.

Colours are the page's own (`bot/research/html_page.py`), light or dark with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from bot.research.chart_svg import ticks

WIDTH, HEIGHT = 1000, 270
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 26
COLOURS = tuple(f"var(--c{number})" for number in range(6))
POINTS_MAX = 1_000
STRIP, STRIPS = 17, 300
SHADES = 5
Series = Mapping[str, tuple[Sequence[int], Sequence[float]]]
"""Name -> (UTC ms, values as fractions)."""


def thinned(count: int, most: int = POINTS_MAX) -> list[int]:
    """Indices of at most `most` places, evenly spread, the last one among them."""
    if count <= most:
        return list(range(count))
    step = count / most
    return [*(int(place * step) for place in range(most)), count - 1]


def lines(title: str, series: Series, *, area: bool = False) -> str:
    """One line a series over time, shown as per cent. `area` fills below the first one."""
    drawable = {name: one for name, one in series.items() if one[0]}
    if not drawable:
        return ""
    values = [value for _, found in drawable.values() for value in found]
    frame = _Frame(
        min(times[0] for times, _ in drawable.values()),
        max(times[-1] for times, _ in drawable.values()),
        min(0.0, *values),
        max(0.0, *values),
    )
    drawn = []
    for number, (name, (times, found)) in enumerate(drawable.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = thinned(len(times))
        points = " ".join(f"{frame.x(times[i]):.1f},{frame.y(found[i]):.1f}" for i in places)
        if area and number == 0:
            base, last = frame.y(0.0), frame.x(times[-1])
            shape = f"{frame.x(times[0]):.1f},{base:.1f} {points} {last:.1f},{base:.1f}"
            drawn.append(f'<polygon points="{shape}" fill="{colour}" fill-opacity="0.14"/>')
        tip = f"<title>{escape(name)}: {found[-1]:.2%} at the end</title>"
        wide = 2 if number == 0 else 1.3
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{wide}">{tip}</polyline>'
        )
    drawn.reverse()  # the first line lies on top
    return _figure(title, frame.grid() + "".join(drawn), list(drawable))


def stacked(title: str, labels: Sequence[str], parts: Mapping[str, Sequence[float]]) -> str:
    """Bars of parts, positive ones upwards and negative ones downwards from zero; fractions shown as per cent."""
    if not labels:
        return ""
    ups = [sum(max(0.0, values[i]) for values in parts.values()) for i in range(len(labels))]
    downs = [sum(min(0.0, values[i]) for values in parts.values()) for i in range(len(labels))]
    frame = _Frame(0, len(labels), min(downs), max(ups))
    wide = max(1.0, (WIDTH - LEFT - RIGHT) / len(labels) - 1.5)
    drawn = []
    for i, label in enumerate(labels):
        ends = {True: 0.0, False: 0.0}
        for number, (name, values) in enumerate(parts.items()):
            value = values[i]
            start = ends[value >= 0]
            ends[value >= 0] = start + value
            top, base = sorted((frame.y(start), frame.y(start + value)))
            tip = escape(f"{label} {name} {value:.3%}")
            drawn.append(
                f'<rect x="{frame.x(i):.1f}" y="{top:.1f}" width="{wide:.1f}" height="{base - top:.1f}" '
                f'fill="{COLOURS[number % len(COLOURS)]}"><title>{tip}</title></rect>'
            )
    every = max(1, len(labels) // 10)
    names = "".join(
        f'<text x="{frame.x(i):.1f}" y="{HEIGHT - 8}" class="t">{escape(labels[i])}</text>'
        for i in range(0, len(labels), every)
    )
    return _figure(title, frame.grid(times=False) + "".join(drawn) + names, list(parts))


def strips(title: str, times_ms: Sequence[int], rows: Mapping[str, Sequence[float]], full: float) -> str:
    """One strip a row: the darker the more is held (`full` is darkest)."""
    if not times_ms or not rows:
        return ""
    places = thinned(len(times_ms), STRIPS)
    height = TOP + BOTTOM + STRIP * len(rows)
    wide = (WIDTH - LEFT - RIGHT) / len(places)
    drawn = []
    for number, (name, values) in enumerate(rows.items()):
        y = TOP + number * STRIP
        drawn.append(f'<text x="{LEFT - 8}" y="{y + 12}" class="t" text-anchor="end">{escape(name)}</text>')
        for begun, ended, shade in _runs([_shade(values[place], full) for place in places]):
            drawn.append(
                f'<rect x="{LEFT + begun * wide:.1f}" y="{y + 1}" width="{(ended - begun) * wide:.1f}" '
                f'height="{STRIP - 2}" fill="{COLOURS[0]}" fill-opacity="{shade / SHADES:.1f}"/>'
            )
    frame = _Frame(times_ms[0], times_ms[-1], 0.0, 1.0)
    return _figure(title, "".join(drawn) + frame.years(height), [], height)


def _shade(value: float, full: float) -> int:
    return min(SHADES, round(SHADES * value / full)) if full > 0 else 0


def _runs(shades: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(begin, end, shade) of each run of equal shades that can be seen."""
    begun = 0
    for place in range(1, len(shades) + 1):
        if place == len(shades) or shades[place] != shades[begun]:
            if shades[begun] > 0:
                yield begun, place, shades[begun]
            begun = place


class _Frame:
    """From values to places on the page, and the grid behind them."""

    def __init__(self, first: int, last: int, low: float, high: float) -> None:
        self.first, self.span = first, max(1, last - first)
        self.low, self.high = low, high if high > low else low + 1e-9

    def x(self, value: float) -> float:
        return LEFT + (value - self.first) / self.span * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + (self.high - value) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def grid(self, *, times: bool = True) -> str:
        levels = ticks(self.low, self.high, 5)
        step = levels[1] - levels[0] if len(levels) > 1 else 1.0
        digits = next(count for count in (0, 1, 2, 3, 4) if step * 100 * 10**count > 0.999 or count == 4)
        marks = []
        for value in levels:
            y = self.y(value)
            kind = "z" if abs(value) < step / 1000 else "g"
            marks.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="{kind}"/>')
            shown = f"{value + 0.0:.{digits}%}"
            marks.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" class="t" text-anchor="end">{shown}</text>')
        return "".join(marks) + (self.years(HEIGHT) if times else "")

    def years(self, height: int) -> str:
        """Ticks at the starts of years; of months or days where the span is short."""
        first, last = (datetime.fromtimestamp(at / 1000, UTC) for at in (self.first, self.first + self.span))
        days = (last - first).days
        form = "%Y" if days > 500 else "%Y-%m" if days > 100 else "%m-%d"
        moments = [
            datetime(year, month, day, tzinfo=UTC)
            for year in range(first.year, last.year + 1)
            for month in ((1,) if days > 500 else range(1, 13))
            for day in ((1,) if days > 100 else range(1, 29, 7 if days > 30 else 3))
        ]
        return "".join(
            f'<text x="{self.x(at.timestamp() * 1000):.1f}" y="{height - 8}" class="t">{at.strftime(form)}</text>'
            for at in moments
            if first <= at <= last
        )


def _figure(title: str, inside: str, names: Sequence[str], height: int = HEIGHT) -> str:
    legend = "".join(
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return (
        f"<figure><figcaption>{escape(title)} {legend}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{inside}</svg></figure>'
    )

"""Inline SVG pictures for reports: lines, stacked bars, a map of holdings. No script, no font, no network."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 14, 24
COLOURS = ("#1f6feb", "#d29922", "#3fb950", "#a371f7", "#f85149", "#8b949e")
POINTS_MAX = 1_000


def thinned(count: int, most: int = POINTS_MAX) -> list[int]:
    """Indices of at most `most` places, evenly spread, the last one among them."""
    if count <= most:
        return list(range(count))
    step = count / most
    return [*(int(place * step) for place in range(most)), count - 1]


def lines(title: str, times_ms: Sequence[int], series: Mapping[str, Sequence[float]], *, area: bool = False) -> str:
    """One line a series over time; values are fractions, shown as per cent. `area` fills below the first one."""
    if not times_ms:
        return ""
    places = thinned(len(times_ms))
    low = min(0.0, *(min(values) for values in series.values()))
    high = max(0.0, *(max(values) for values in series.values()))
    frame = _Frame(times_ms[0], times_ms[-1], low, high)
    drawn = []
    for number, (_, values) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{frame.x(times_ms[i]):.1f},{frame.y(values[i]):.1f}" for i in places)
        if area and number == 0:
            base = frame.y(0.0)
            shape = f"{LEFT:.1f},{base:.1f} {points} {WIDTH - RIGHT:.1f},{base:.1f}"
            drawn.append(f'<polygon points="{shape}" fill="{colour}" fill-opacity="0.15"/>')
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
    return _figure(title, frame.grid() + "".join(drawn), list(series))


def stacked(title: str, labels: Sequence[str], parts: Mapping[str, Sequence[float]]) -> str:
    """Bars of parts, positive ones upwards and negative ones downwards from zero; fractions shown as per cent."""
    if not labels:
        return ""
    ups = [sum(max(0.0, values[i]) for values in parts.values()) for i in range(len(labels))]
    downs = [sum(min(0.0, values[i]) for values in parts.values()) for i in range(len(labels))]
    frame = _Frame(0, len(labels), min(downs), max(ups))
    wide = max(1.0, (WIDTH - LEFT - RIGHT) / len(labels) - 1)
    drawn = []
    for i, label in enumerate(labels):
        up = down = 0.0
        for number, (name, values) in enumerate(parts.items()):
            value = values[i]
            start = up if value >= 0 else down
            one, other = frame.y(start), frame.y(start + value)
            if value >= 0:
                up += value
            else:
                down += value
            tip = escape(f"{label} {name} {value:.3%}")
            drawn.append(
                f'<rect x="{frame.x(i):.1f}" y="{min(one, other):.1f}" width="{wide:.1f}" '
                f'height="{abs(one - other):.1f}" fill="{COLOURS[number % len(COLOURS)]}"><title>{tip}</title></rect>'
            )
    every = max(1, len(labels) // 10)
    names = "".join(
        f'<text x="{frame.x(i):.1f}" y="{HEIGHT - 6}" class="t">{escape(labels[i])}</text>'
        for i in range(0, len(labels), every)
    )
    return _figure(title, frame.grid(times=False) + "".join(drawn) + names, list(parts))


def strips(title: str, times_ms: Sequence[int], rows: Mapping[str, Sequence[float]], full: float) -> str:
    """One strip a row: the darker the more is held (`full` is darkest)."""
    if not times_ms or not rows:
        return ""
    places = thinned(len(times_ms), 300)
    tall = 16
    height = TOP + BOTTOM + tall * len(rows)
    wide = (WIDTH - LEFT - RIGHT) / len(places)
    drawn = []
    for number, (name, values) in enumerate(rows.items()):
        y = TOP + number * tall
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 12}" class="t" text-anchor="end">{escape(name)}</text>')
        begun, shade = 0, _shade(values[places[0]], full)
        for column in range(1, len(places) + 1):
            now = _shade(values[places[column]], full) if column < len(places) else -1
            if now == shade:
                continue
            if shade > 0:
                drawn.append(
                    f'<rect x="{LEFT + begun * wide:.1f}" y="{y + 1}" width="{(column - begun) * wide:.1f}" '
                    f'height="{tall - 2}" fill="{COLOURS[0]}" fill-opacity="{shade / 5:.1f}"/>'
                )
            begun, shade = column, now
    frame = _Frame(times_ms[0], times_ms[-1], 0.0, 1.0)
    return _figure(title, "".join(drawn) + frame.years(height), [], height)


def _shade(value: float, full: float) -> int:
    return min(5, round(5 * value / full)) if full > 0 else 0


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
        marks = []
        for part in range(5):
            value = self.low + (self.high - self.low) * part / 4
            y = self.y(value)
            marks.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="g"/>')
            marks.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="t" text-anchor="end">{value:.2%}</text>')
        zero = self.y(0.0)
        marks.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{zero:.1f}" y2="{zero:.1f}" class="z"/>')
        return "".join(marks) + (self.years(HEIGHT) if times else "")

    def years(self, height: int) -> str:
        """Ticks at the starts of years, or of months where the span is short."""
        first, last = (_day(at_ms) for at_ms in (self.first, self.first + self.span))
        long = (last - first).days > 500
        moments = [
            datetime(year, month, 1, tzinfo=UTC)
            for year in range(first.year, last.year + 1)
            for month in ((1,) if long else range(1, 13))
        ]
        return "".join(
            f'<text x="{self.x(at.timestamp() * 1000):.1f}" y="{height - 6}" class="t">'
            f"{at.year if long else at.strftime('%Y-%m')}</text>"
            for at in moments
            if first <= at <= last
        )


def _day(at_ms: float) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _figure(title: str, inside: str, names: Sequence[str], height: int = HEIGHT) -> str:
    legend = "".join(
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return (
        f"<figure><figcaption>{escape(title)} {legend}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{inside}</svg></figure>'
    )

"""Charts as self-contained SVG: no script, no font, no reference to anything outside the text."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from bot.research.chart_text import Line

COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")
INK, FAINT, DARK, BACK = "#57606a", "#d0d7de", "#1f2328", "#ffffff"
LEFT, RIGHT, TOP, BOTTOM = 70, 15, 34, 40
THEME = ("c0", "c4", "c2", "c1", "c3", "c5")
"""The page's names of `COLOURS`."""
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Frame:
    """Title, axes and size of a chart in pixels."""

    title: str
    x_label: str = ""
    y_label: str = ""
    width: int = 860
    height: int = 300


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round values between two ends: multiples of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [step * each for each in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(
    frame: Frame, drawn: Sequence[Line], x_form: Format, y_form: Format, x_ticks: Sequence[float] = ()
) -> str:
    """Lines with a legend; zero is drawn stronger where it lies inside."""
    points = [(x, y) for line in drawn for x, y in line.points if y is not None]
    if not points:
        return _wrap(frame, [f'<text x="{LEFT}" y="{TOP + 30}">no data</text>'])
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x = _Scale(min(xs), max(xs), LEFT, frame.width - RIGHT)
    y = _Scale(min(ys), max(ys), frame.height - BOTTOM, TOP)
    parts = _axes(frame, x, y, x_form, y_form, x_ticks)
    for line, colour in zip(drawn, COLOURS, strict=False):
        parts += [
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>'
            for path in _paths(line, x, y)
        ]
    return _wrap(frame, parts + _legend(frame, [line.name for line in drawn]))


def bar_chart(
    frame: Frame,
    rows: Sequence[tuple[float, float, float]],
    x_form: Format,
    y_form: Format,
    x_ticks: Sequence[float] = (),
) -> str:
    """Bars from x to x with a height; negative ones hang, in the second colour."""
    if not rows:
        return _wrap(frame, [f'<text x="{LEFT}" y="{TOP + 30}">no data</text>'])
    heights = [0.0, *(height for _, _, height in rows)]
    x = _Scale(min(a for a, _, _ in rows), max(b for _, b, _ in rows), LEFT, frame.width - RIGHT)
    y = _Scale(min(heights), max(heights), frame.height - BOTTOM, TOP)
    parts = _axes(frame, x, y, x_form, y_form, x_ticks)
    for start, end, height in rows:
        top, base = sorted((y(height), y(0.0)))
        wide = max(0.6, x(end) - x(start) - 0.5)
        colour = COLOURS[0] if height >= 0 else COLOURS[1]
        parts.append(
            f'<rect x="{x(start):.1f}" y="{top:.1f}" width="{wide:.1f}" height="{base - top:.1f}" fill="{colour}"/>'
        )
    return _wrap(frame, parts)


def themed(svg: str) -> str:
    """The chart in the colours of the HTML page that it stands in; as a file by itself it has its own."""
    own = {**dict(zip(COLOURS, THEME, strict=True)), DARK: "ink", INK: "soft", FAINT: "line", BACK: "card"}
    for colour, name in own.items():
        svg = svg.replace(f'"{colour}"', f'"var(--{name})"')
    return svg


def _axes(frame: Frame, x: _Scale, y: _Scale, x_form: Format, y_form: Format, x_ticks: Sequence[float]) -> list[str]:
    parts = []
    for value in ticks(y.low, y.high, 5):
        colour = INK if abs(value) < 1e-12 else FAINT
        at = f"{y(value):.1f}"
        parts.append(f'<line x1="{LEFT}" x2="{frame.width - RIGHT}" y1="{at}" y2="{at}" stroke="{colour}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at}" dy="4" text-anchor="end">{escape(y_form(value))}</text>')
    base = frame.height - BOTTOM
    for value in x_ticks or ticks(x.low, x.high, 8):
        at = f"{x(value):.1f}"
        parts.append(f'<line x1="{at}" x2="{at}" y1="{base}" y2="{base + 4}" stroke="{INK}"/>')
        parts.append(f'<text x="{at}" y="{base + 17}" text-anchor="middle">{escape(x_form(value))}</text>')
    if frame.x_label:
        middle = (LEFT + frame.width - RIGHT) / 2
        parts.append(
            f'<text x="{middle:.0f}" y="{frame.height - 6}" text-anchor="middle">{escape(frame.x_label)}</text>'
        )
    if frame.y_label:
        parts.append(f'<text x="{frame.width - RIGHT}" y="20" text-anchor="end">{escape(frame.y_label)}</text>')
    return parts


def _paths(line: Line, x: _Scale, y: _Scale) -> list[str]:
    """The line's unbroken stretches."""
    found: list[list[str]] = [[]]
    for px, py in line.points:
        if py is None:
            found.append([])
        else:
            found[-1].append(f"{x(px):.1f},{y(py):.1f}")
    return [" ".join(each) for each in found if len(each) > 1]


def _legend(frame: Frame, names: Sequence[str]) -> list[str]:
    if len(names) < 2:
        return []
    parts = []
    for place, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        at = TOP + 14 + 16 * place
        right = frame.width - RIGHT - 20
        parts.append(f'<rect x="{right}" y="{at - 9}" width="14" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{right - 6}" y="{at}" text-anchor="end">{escape(name)}</text>')
    return parts


def _wrap(frame: Frame, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {frame.width} {frame.height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
    )
    back = f'<rect width="{frame.width}" height="{frame.height}" fill="{BACK}"/>'
    title = f'<text x="{LEFT}" y="20" font-size="14" font-weight="600" fill="{DARK}">{escape(frame.title)}</text>'
    return "\n".join([head, back, title, *parts, "</svg>"])

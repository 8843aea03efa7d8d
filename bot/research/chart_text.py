"""Charts for a terminal, as lines of plain text. Nothing here depends on its width or colours."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

BLOCKS = " ▁▂▃▄▅▆▇█"
MARKS = "●○◆◇■□"
Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A named sequence of points (x, y); y of None is a hole."""

    name: str
    points: tuple[tuple[float, float | None], ...]


def bars(rows: Sequence[tuple[str, float, str]], width: int = 50) -> list[str]:
    """One horizontal bar a row: label, non-negative amount, and the text behind it."""
    most = max((amount for _, amount, _ in rows), default=0.0) or 1.0
    label_width = max((len(label) for label, _, _ in rows), default=0)
    return [
        f"{label:>{label_width}} {'█' * round(width * amount / most):<{width}} {behind}".rstrip()
        for label, amount, behind in rows
    ]


def signed_bars(rows: Sequence[tuple[str, float, str]], width: int = 25) -> list[str]:
    """Bars that grow left or right of an axis by their sign."""
    most = max((abs(amount) for _, amount, _ in rows), default=0.0) or 1.0
    label_width = max((len(label) for label, _, _ in rows), default=0)
    lines = []
    for label, amount, behind in rows:
        size = round(width * abs(amount) / most)
        left, right = ("█" * size, "") if amount < 0 else ("", "█" * size)
        lines.append(f"{label:>{label_width}} {left:>{width}}│{right:<{width}} {behind}".rstrip())
    return lines


def profile(values: Sequence[float], form: Format, width: int = 100, height: int = 8) -> list[str]:
    """A time series as columns around zero, each the mean of its stretch; the axis shows highest, zero and lowest."""
    cells = _resampled(values, width)
    high, low = max([0.0, *cells]), min([0.0, *cells])
    span = (high - low) or 1.0
    up = max(1, round(height * high / span)) if high > 0 else 0
    down = max(1, round(height * -low / span)) if low < 0 else 0
    labels = {0: form(high), up + down - 1: form(low) if down else form(0.0)}
    wide = max(len(each) for each in labels.values())
    lines = []
    for row in range(up + down):
        rising = row < up
        line = ""
        for cell in cells:
            share = (
                (cell / high * up - (up - 1 - row) if rising else -cell / -low * down - (row - up)) if cell else 0.0
            )
            line += _block(share) if rising else _hanging(share)
        lines.append(f"{labels.get(row, ''):>{wide}} {'┤' if row in labels else '│'}{line}".rstrip())
    return lines


def _block(share: float) -> str:
    return BLOCKS[max(0, min(8, math.ceil(share * 8)))]


def _hanging(share: float) -> str:
    """Below the axis: full, upper half or nothing; text has no finer blocks that hang."""
    return "█" if share >= 0.75 else "▀" if share > 0.1 else " "


def _resampled(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    edges = [len(values) * place // width for place in range(width + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]


def lines(drawn: Sequence[Line], x_form: Format, y_form: Format, width: int = 72, height: int = 16) -> list[str]:
    """Lines over a common pair of axes, a mark for each; where two meet the first one is seen."""
    points = [(x, y) for line in drawn for x, y in line.points if y is not None]
    if not points:
        return ["(nothing to draw)"]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    grid = [[" "] * width for _ in range(height)]
    for line, mark in reversed(list(zip(drawn, MARKS, strict=False))):
        for column in range(width):
            y = _between(line.points, left + (right - left) * column / (width - 1))
            if y is not None:
                grid[round((height - 1) * (high - y) / ((high - low) or 1.0))][column] = mark
    labels = {0: y_form(high), height // 2: y_form((high + low) / 2), height - 1: y_form(low)}
    wide = max(len(each) for each in labels.values())
    drawn_rows = [
        f"{labels.get(row, ''):>{wide}} {'┤' if row in labels else '│'}{''.join(cells)}".rstrip()
        for row, cells in enumerate(grid)
    ]
    end = x_form(right)
    axis = f"{'':>{wide}} └{'─' * width}"
    scale = f"{'':>{wide}}  {x_form(left):<{width - len(end)}}{end}"
    legend = [f"{'':>{wide}}  {mark} {line.name}" for line, mark in zip(drawn, MARKS, strict=False)]
    return [*drawn_rows, axis, scale, *legend]


def _between(points: Sequence[tuple[float, float | None]], x: float) -> float | None:
    """The line's height at x: linear between its neighbours, None outside or beside a hole."""
    for (xa, ya), (xb, yb) in itertools.pairwise(points):
        if xa <= x <= xb and ya is not None and yb is not None:
            return ya if xb == xa else ya + (yb - ya) * (x - xa) / (xb - xa)
    return None

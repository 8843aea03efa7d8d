"""A sweep as one self-contained HTML page: heat maps, the best cell by year, every cell, or the folds of a walk."""

from collections.abc import Sequence
from html import escape

from bot.research import html_page
from bot.research.sweep import views
from bot.research.sweep.run import Cell, Fold, Plan, best

CELL_H, LEFT, TOP, WIDTH = 34, 150, 30, 960
LOW, MIDDLE, HIGH = (207, 34, 46), (240, 200, 80), (26, 127, 55)


def page(plan: Plan, cells: Sequence[Cell]) -> str:
    """The page of a plain sweep."""
    top = best(cells)
    return html_page.page(
        "carrybot sweep",
        [
            *_head(plan, f"{len(cells)} cells"),
            "" if top is None else _best(plan, top),
            html_page.section(
                f"Heat maps: {plan.objective.value}",
                html_page.note("Each field is the mean over the axes that the map does not show."),
                *(heat_map(plan, each) for each in views.heat_maps(plan.axes, cells)),
            ),
            html_page.section("Every cell, best first", _cells(plan, views.ranked(cells))),
            *_errors(cells),
        ],
    )


def walk_page(plan: Plan, folds: Sequence[Fold]) -> str:
    """The page of a walk forward."""
    heads = ("choose from", "judge from", "until", "chosen", "when chosen", "judged net", "unchanged net")
    rows = [
        [
            views.day(each.choose_from_ms),
            views.day(each.judge_from_ms),
            views.day(each.until_ms),
            "-" if each.chosen is None else views.said(each.chosen.changes),
            "-" if each.chosen is None else views.shown(each.chosen.score, plan.objective),
            _net(each.judged),
            _net(each.unchanged),
        ]
        for each in folds
    ]
    judged, unchanged = (views.summed(cells) for cells in _judged(folds))
    rows.append(["all", "", "", "", "", f"{judged:.2%}", f"{unchanged:.2%}"])
    parts = [
        *_head(plan, f"{len(folds)} folds"),
        html_page.cards(
            [
                ("chosen, judged on unseen windows", f"{judged:.2%}"),
                ("unchanged settings, same windows", f"{unchanged:.2%}"),
            ]
        ),
        html_page.section("Folds", html_page.table(heads, rows, text=(0, 1, 2), wrapped=(3,), last_is_sum=True)),
    ]
    parts += [
        html_page.section(
            f"Chosen on {views.day(each.choose_from_ms)} to {views.day(each.judge_from_ms)}",
            *(heat_map(plan, one) for one in views.heat_maps(plan.axes, each.cells)),
        )
        for each in folds
    ]
    every = [cell for each in folds for cell in (*each.cells, each.judged, each.unchanged) if cell is not None]
    return html_page.page("carrybot sweep, walking forward", [*parts, *_errors(every)])


def _judged(folds: Sequence[Fold]) -> tuple[list[Cell | None], list[Cell | None]]:
    return [each.judged for each in folds], [each.unchanged for each in folds]


def heat_map(plan: Plan, found: views.HeatMap) -> str:
    """Fields coloured from the worst to the best score, with their values."""
    known = [value for line in found.values for value in line if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    wide = (WIDTH - LEFT) / len(found.columns.values)
    drawn = [
        f'<text x="{LEFT + (column + 0.5) * wide:.1f}" y="{TOP - 9}" class="t" text-anchor="middle">'
        f"{escape(name)}</text>"
        for column, name in enumerate(found.columns.values)
    ]
    rows = found.rows.values if found.rows is not None else ("",)
    for number, (name, line) in enumerate(zip(rows, found.values, strict=True)):
        y = TOP + number * CELL_H
        middle = y + CELL_H / 2 + 4
        drawn.append(f'<text x="{LEFT - 8}" y="{middle:.1f}" class="t" text-anchor="end">{escape(name)}</text>')
        for column, value in enumerate(line):
            x = LEFT + column * wide
            drawn.append(
                f'<rect x="{x + 1:.1f}" y="{y + 1}" width="{wide - 2:.1f}" height="{CELL_H - 2}" rx="4" '
                f'fill="{_colour(value, low, high)}"/><text x="{x + wide / 2:.1f}" y="{middle:.1f}" class="m" '
                f'fill="#101418" text-anchor="middle">{views.shown(value, plan.objective)}</text>'
            )
    down = f"{found.rows.key} (down) over " if found.rows is not None else ""
    title = escape(f"{down}{found.columns.key}")
    height = TOP + CELL_H * len(rows) + 4
    return (
        f'<figure><figcaption>{title}</figcaption><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{title}">{"".join(drawn)}</svg></figure>'
    )


def shade(value: float | None, low: float, high: float) -> tuple[int, int, int]:
    """Red, yellow, green from the worst to the best; grey for none."""
    if value is None:
        return 160, 160, 160
    part = 0.5 if high <= low else (value - low) / (high - low)
    start, end, along = (LOW, MIDDLE, part * 2) if part < 0.5 else (MIDDLE, HIGH, part * 2 - 1)
    red, green, blue = (round(one + (other - one) * along) for one, other in zip(start, end, strict=True))
    return red, green, blue


def _colour(value: float | None, low: float, high: float) -> str:
    mixed = (round(255 - (255 - one) * 0.75) for one in shade(value, low, high))
    return "#" + "".join(f"{one:02x}" for one in mixed)


def _head(plan: Plan, what: str) -> list[str]:
    base = "the shipped defaults" if plan.config is None else str(plan.config)
    text = f"{what} on {base}, judged by {plan.objective.value}. Fractions of NAV, arithmetic, net of every cost."
    return [f"<h1>Sweep {views.day(plan.from_ms)} to {views.day(plan.until_ms - 1)}</h1>", html_page.note(text)]


def _best(plan: Plan, cell: Cell) -> str:
    total = cell.outcome.total or {}
    facts = [
        (key, "-" if total[key] is None else f"{total[key]:.2%}") for key in ("net", "drawdown", "deployed", "share")
    ]
    rows = [
        [str(row["year"]), *("-" if row[key] is None else f"{row[key]:.2%}" for key in views.FIGURES)]
        for row in cell.outcome.years
    ]
    return html_page.section(
        f"Best by {plan.objective.value}: {views.said(cell.changes)}",
        html_page.cards(facts),
        html_page.table(("year", *views.FIGURES), rows),
    )


def _cells(plan: Plan, cells: Sequence[Cell]) -> str:
    own_column = plan.objective.value not in views.FIGURES
    heads = [*views.names(plan.axes).values(), *([plan.objective.value] if own_column else []), *views.FIGURES]
    rows = []
    for each in cells:
        total = each.outcome.total
        figures = ["-"] * len(views.FIGURES)
        if total is not None:
            figures = ["-" if total[key] is None else f"{total[key]:.2%}" for key in views.FIGURES]
        values = [each.changes[axis.key] for axis in plan.axes]
        score = [views.shown(each.score, plan.objective)] if own_column else []
        rows.append([*values, *score, *figures])
    return html_page.table(heads, rows, text=range(len(plan.axes)), box=True)


def _errors(cells: Sequence[Cell]) -> list[str]:
    rows = [
        ("; ".join(views.said(each.changes) for each in failed), error)
        for error, failed in views.failures(cells).items()
    ]
    if not rows:
        return []
    return [html_page.section("Failed", html_page.table(("cells", "why"), rows, wrapped=(0, 1)))]


def _net(cell: Cell | None) -> str:
    total = cell.outcome.total if cell is not None else None
    return "-" if total is None else f"{float(total['net']):.2%}"

"""A sweep's heat map on a terminal: fields coloured from the worst to the best."""

from typing import TYPE_CHECKING

from bot.cli.output import console, say

if TYPE_CHECKING:
    from bot.research.sweep.run import Plan
    from bot.research.sweep.views import HeatMap


def show_map(plan: "Plan", found: "HeatMap") -> None:
    """Where the output is no terminal, the numbers without their colours."""
    from rich.table import Table
    from rich.text import Text

    from bot.research.sweep.report import shade
    from bot.research.sweep.views import shown

    known = [value for line in found.values for value in line if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    down = f"{found.rows.key} (down) over " if found.rows is not None else ""
    title = f"{plan.objective.value}: {down}{found.columns.key}"
    say(title)
    table = Table(box=None, pad_edge=False, padding=(0, 0))
    table.add_column("", style="bold")
    for value in found.columns.values:
        table.add_column(f" {value} ", justify="center")
    names = found.rows.values if found.rows is not None else ("",)
    for name, line in zip(names, found.values, strict=True):
        fields = [
            Text(f" {shown(value, plan.objective)} ", style=f"black on rgb{_rgb(shade(value, low, high))}")
            for value in line
        ]
        table.add_row(f"{name} ", *fields)
    console().print(table)


def _rgb(colour: tuple[int, int, int]) -> str:
    return f"({colour[0]},{colour[1]},{colour[2]})"

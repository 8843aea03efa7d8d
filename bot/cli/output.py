"""What commands print: JSON for programs, tables for people, errors on standard error."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.cli.failure import Failure

Row = Mapping[str, Any]
WIDE = 200
"""Columns of a table that does not go to a terminal."""


@dataclass(frozen=True, slots=True)
class Column:
    """`key` of the row, its heading, and how a value is shown: text, usd, number, percent or time."""

    key: str
    heading: str
    form: str = "text"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def show_json(view: Any) -> None:
    say(json.dumps(view, indent=2))


def show_table(title: str, columns: Sequence[Column], rows: Sequence[Row], empty: str) -> None:
    """A table, or the sentence `empty` when there are no rows."""
    if not rows:
        say(empty)
        return
    console().print(table_of(title, columns, rows))


def table_of(
    title: str, columns: Sequence[Column], rows: Sequence[Row], style: Callable[[Row], str] | None = None
) -> Any:
    """A rich table; `style` colours a row."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify="left" if column.form in ("text", "time") else "right")
    for row in rows:
        cells = (shown(row.get(column.key), column.form) for column in columns)
        table.add_row(*cells, style=style(row) if style is not None else None)
    return table


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line, values aligned."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        say(f"{name:<{width}}  {value}")


def complain(failure: Failure) -> None:
    sys.stderr.write("\n".join([f"carrybot: {failure.lines[0]}", *failure.lines[1:]]) + "\n")


def shown(value: Any, form: str) -> str:
    """A value in a cell."""
    if value is None:
        return "-"
    if form == "time":
        return str(value).replace("T", " ")[:16]
    if form == "text":
        return str(value)
    amount = float(value)
    if form == "usd":
        return f"{amount:,.2f}"
    if form == "percent":
        return f"{100 * amount:.2f} %"
    return f"{amount:,.8g}"


def console() -> Any:
    """Rich's console on standard output, wide where that is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False)

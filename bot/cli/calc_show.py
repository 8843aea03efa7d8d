"""How a planner's sheet is printed, and how its errors end a command."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from bot.cli.failure import FAILED, USAGE, Failure
from bot.cli.output import Column, say, show_facts, show_json, show_table
from bot.domain.planning import PlanError
from bot.research.planner.sheet import Sheet, SheetTable

Answer = TypeVar("Answer")


def planned(make: Callable[[], Answer]) -> Answer:
    """The answer; inputs that no plan can be made of end with exit code 2."""
    try:
        return make()
    except PlanError as error:
        what, _, remedy = str(error).partition("; ")
        raise Failure(USAGE, what, remedy) from None


def show_sheet(make: Callable[[], Sheet], as_json: bool, picture: Sequence[str] | None = None) -> None:
    """JSON, or figures, tables, picture and notes."""
    sheet = planned(make)
    if as_json:
        show_json(sheet.json())
        return
    say(sheet.title)
    show_facts(sheet.facts())
    for table in sheet.tables:
        say("")
        print_table(table)
    if picture:
        say("\n" + "\n".join(picture))
    for note in sheet.notes:
        say(f"note: {note}")


def print_table(table: SheetTable) -> None:
    """A planner's table; its cells are already text."""
    rows = [dict(zip((key for key, _, _ in table.columns), cells, strict=True)) for cells in table.cells()]
    show_table(table.title, [Column(key, heading) for key, heading, _ in table.columns], rows, "nothing")


def write_file(path: Path | None, content: str) -> None:
    """Write a picture or a report where one was asked for. Failure where that cannot be done."""
    if path is None:
        return
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise Failure(
            FAILED, f"{path}: {error.strerror}", "name a file in a folder that exists and can be written"
        ) from None

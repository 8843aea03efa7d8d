"""`carrybot calc what-if`: both directions of a move, each with its timeline and, where it threatens, its picture."""

from collections.abc import Sequence
from pathlib import Path

from bot.cli.calc_show import planned, show_sheet, write_file
from bot.cli.output import say, show_json
from bot.research.planner import picture
from bot.research.planner.liquidation import Account
from bot.research.planner.what_if import Shock, run, what_if


def show(account: Account, shocks: Sequence[Shock], svg: Path | None, as_json: bool) -> None:
    """JSON: `moves`, a list with `move` and the figures and timeline of each; else the same as text."""
    outcomes = [planned(lambda shock=shock: run(account, shock)) for shock in shocks]  # type: ignore[misc]
    sheets = [what_if(account, shock) for shock in shocks]
    drawn = [picture.course(account, shock, outcome) for shock, outcome in zip(shocks, outcomes, strict=True)]
    threat = next((place for place, outcome in enumerate(outcomes) if outcome.threatened), 0)
    write_file(svg, picture.svg_course(drawn[threat], sheets[threat].title))
    if as_json:
        moves = [{"move": float(shock.move), **sheet.json()} for shock, sheet in zip(shocks, sheets, strict=True)]
        show_json({"moves": moves})
        return
    for place, (sheet, outcome) in enumerate(zip(sheets, outcomes, strict=True)):
        if place:
            say("")
        if outcome.threatened:
            show_sheet(lambda sheet=sheet: sheet, False, picture.text_course(drawn[place]))  # type: ignore[misc]
        else:
            say(f"{sheet.title}\n{sheet.notes[0]}")

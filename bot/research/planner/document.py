"""The computed parts of docs/planner.md, between marks; a test holds the document and the program together.

Write them again with `python -m bot.research.planner.document docs/planner.md`: also the picture beside it.
"""

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from bot.research.planner import liquidation, picture
from bot.research.planner.examples import MAINTENANCE, examples
from bot.research.planner.liquidation import PerpWallet, flat_tier
from bot.research.planner.sheet import SheetTable
from bot.research.planner.what_if import Shock, what_if

PERP_MAINTENANCE = Decimal("0.025")
STRESS = Decimal("0.05")
LEVERAGE_MAX = Decimal(25)
PICTURE = "planner-liquidation.svg"


def _examples() -> str:
    lines = ["| id | inputs | figure | result |", "|---|---|---|---|"]
    for example in examples():
        for place, each in enumerate(example.results):
            head = f"{example.id} | {example.inputs}" if place == 0 else " | "
            lines.append(f"| {head} | {each.label} | {each.printed} |")
    notes = [f"* {example.id}: {example.note}." for example in examples() if example.note]
    return "\n".join([*lines, "", *notes])


def _markdown(table: SheetTable) -> str:
    heads = [heading for _, heading, _ in table.columns]
    rows = [heads, ["---"] * len(heads), *table.cells()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _liquidation() -> str:
    drawn = picture.over_leverage(MAINTENANCE, PERP_MAINTENANCE, STRESS, LEVERAGE_MAX)
    return "\n".join(
        [
            _markdown(liquidation.over_leverage(MAINTENANCE, PERP_MAINTENANCE, STRESS)),
            "",
            f"![Move to liquidation over leverage]({PICTURE})",
            "",
            "```",
            *picture.text_over_leverage(drawn),
            "```",
        ]
    )


def _moves() -> str:
    return _markdown(liquidation.over_moves(MAINTENANCE, PERP_MAINTENANCE, STRESS))


def _what_if() -> str:
    account = PerpWallet(Decimal(30_000), Decimal(100_000), flat_tier(PERP_MAINTENANCE))
    lines = []
    for delay_s in (120, 600):
        shock = Shock(Decimal("0.4"), Decimal(600), Decimal("0.25"), Decimal(delay_s), Decimal("0.15"))
        sheet = what_if(account, shock)
        lines += [f"**{sheet.title}**: {sheet.notes[0]}.", "", _markdown(sheet.tables[0]), ""]
    return "\n".join(lines).rstrip()


PARTS: dict[str, Callable[[], str]] = {
    "examples": _examples,
    "liquidation": _liquidation,
    "moves": _moves,
    "what-if": _what_if,
}


def svg() -> str:
    """The picture of the document."""
    return (
        picture.svg_over_leverage(picture.over_leverage(MAINTENANCE, PERP_MAINTENANCE, STRESS, LEVERAGE_MAX)) + "\n"
    )


def inserted(text: str) -> str:
    """The document with its computed parts renewed. Raises ValueError where a mark is missing."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: computed -->", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the marks {begin} and {end} are not in the document")
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(inserted(document.read_text(encoding="utf-8")), encoding="utf-8")
    document.with_name(PICTURE).write_text(svg(), encoding="utf-8")

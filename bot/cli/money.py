"""Whose money a data folder is about. Books of play money and of a real account must never be mixed."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.failure import FAILED, Failure

if TYPE_CHECKING:
    from bot.settings import Settings

MARK = "money"
"""File in the data folder that holds the kind."""


class Money(StrEnum):
    REAL = "real"
    PAPER = "paper"
    SIMULATED = "simulated"


def money_of(settings: "Settings") -> Money:
    """What the configured venue trades with."""
    (venue,) = settings.venues.values()
    if venue.on_paper:
        return Money.PAPER
    return Money.SIMULATED if venue.embedded or venue.transport is not None else Money.REAL


def claim(settings: "Settings") -> Money:
    """Marks a new data folder. Failure when its books are about another kind of money."""
    wanted = money_of(settings)
    mark = settings.data_dir / MARK
    found = _found(settings.data_dir, mark)
    if found is None:
        mark.write_text(f"{wanted}\n", encoding="ascii")
    elif found != wanted:
        raise Failure(
            FAILED,
            f"the books in {settings.data_dir} are of {found} money, {settings.source.name} trades {wanted} money",
            "give each its own folder: data_dir in the file, or CARRYBOT_DATA",
        )
    return wanted


def _found(folder: Path, mark: Path) -> str | None:
    """The kind that a folder is marked with; one from before there were marks tells by what else is in it."""
    written = mark.read_text(encoding="ascii", errors="replace").strip() if mark.exists() else ""
    # A first start on a full disk leaves an empty mark.
    if written:
        return written
    return Money.SIMULATED if (folder / "simulator").is_dir() else None

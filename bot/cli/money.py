"""Whose money a data folder is about. Books of play money and of a real account must never be mixed, nor those of two
accounts: what is paid is told apart by the names of venue and account."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    return _money(paper=venue.on_paper, simulated=venue.embedded or venue.transport is not None)


def _money(*, paper: bool, simulated: bool) -> Money:
    if paper:
        return Money.PAPER
    return Money.SIMULATED if simulated else Money.REAL


def must_be_of(settings: "Settings", before: str | None) -> None:
    """Failure when the books were kept for another account than that of these settings.

    `before` are the settings of their last daemon, as the books keep them: they go with the books through backups,
    moves, and a database that lies elsewhere. Under another name of the venue its hedges would be nobody's, and under
    another name of the account each payment of the last days would be booked once more.
    """
    from bot.settings import redacted

    was, wanted = _accounts(before), _accounts(json.dumps(redacted(settings)))
    if was and was != wanted:
        raise Failure(
            FAILED,
            f"the books are of {', '.join(was)}, {settings.source.name} names {', '.join(wanted)}",
            "name it as before; give another account its own folder: data_dir in the file, or CARRYBOT_DATA",
        )


def _accounts(content: str | None) -> list[str]:
    """`binance: account main of binance, real money` for each venue; empty where the settings cannot be read."""
    try:
        venues = json.loads(content or "{}")["venues"]
        return [
            f"{name}: account {one['account']} of {one['adapter']}, {_money_in(one)} money"
            for name, one in venues.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _money_in(venue: Mapping[str, Any]) -> Money:
    paper, simulator = venue.get("paper"), venue.get("simulator")
    return _money(
        paper=bool(paper and paper.get("enabled", True)),
        simulated=bool((simulator and simulator.get("embedded", True)) or venue.get("transport")),
    )


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


def epoch_min(money: Money) -> int:
    """At a real account the second of the start: it may have orders of books that are lost or lie elsewhere, and a
    client id that comes twice has the venue tell of the earlier order. Simulated accounts begin with their books."""
    from bot.store.database import wall_ms

    return wall_ms() // 1_000 if money is Money.REAL else 1

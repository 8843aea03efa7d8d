"""`carrybot verdicts`: every refusal and forced action of the risk manager, listed or counted."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import context
from bot.cli.failure import USAGE, Failure
from bot.cli.output import Column, show_json, show_table
from bot.cli.questions import books_of, rows_kept

if TYPE_CHECKING:
    from bot.settings import Settings

VERDICTS = (
    Column("at", "market time", "time"),
    Column("rule", "rule"),
    Column("coin", "coin"),
    Column("hedge", "hedge"),
    Column("observed", "observed"),
    Column("limit", "limit"),
    Column("detail", "of what"),
)
COUNTS = (
    Column("rule", "rule"),
    Column("coin", "coin"),
    Column("times", "times"),
    Column("last", "last", "time"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted, as the owner wrote it."""

    coin: str | None
    rule: str | None
    since: str | None

    @property
    def query(self) -> dict[str, str | None]:
        """Names as the books have them. Raises Failure (2) for a day that is none."""
        since_ms = None if self.since is None else str(_day_ms(self.since))
        coin, rule = (None if given is None else given.strip() for given in (self.coin, self.rule))
        return {
            "coin": None if coin is None else coin.upper(),
            "rule": None if rule is None else rule[:1].upper() + rule[1:],
            "since_ms": since_ms,
        }


def verdicts(config: Path | None, asked: Asked, limit: int | None, *, count: bool, as_json: bool) -> None:
    """Out of the books, whether the daemon runs or not."""
    query = asked.query
    since_ms = None if query["since_ms"] is None else int(query["since_ms"])
    kept = rows_kept(limit, as_json)

    async def offline(settings: "Settings") -> Any:
        books = await books_of(settings)
        if count:
            return await books.verdict_counts(query["coin"], query["rule"], since_ms)
        return await books.verdicts(query["coin"], query["rule"], since_ms, kept)

    if count:
        view = context.question(config, "verdict-counts", offline, **query)
    else:
        view = context.listing(config, "verdicts", offline, kept, **query)
    if as_json:
        show_json(view)
    elif count:
        show_table("Refused or forced, most frequent first", COUNTS, view, "nothing was refused or forced")
    else:
        show_table("Refused or forced, newest last", VERDICTS, view, "nothing was refused or forced")


def _day_ms(text: str) -> int:
    try:
        return int(datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise Failure(USAGE, f"{text!r} is not a day", "write it like 2026-11-26") from None

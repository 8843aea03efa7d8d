"""What each event means to the owner: what happened, what the daemon did, what the owner should do.

Every event that the engine, the shell or a venue emits as a warning or worse has an entry in `words_trading.py` or
`words_running.py` (a test looks). Events that are emitted as information have one when a channel may want to hear of
them. `{field}` is a field of the event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.actions import Emit
from bot.domain.numbers import text
from bot.observe.words import Wording
from bot.observe.words_running import BOOKS, DAEMON, VENUES
from bot.observe.words_trading import HEDGES, LOANS, MARKET, ORDERS, RULES

VALUE_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Said:
    """The sentences of one event with its values in them."""

    happened: str
    did: str
    todo: str

    @property
    def text(self) -> str:
        return f"{self.happened} {self.did} {self.todo}"


WORDINGS: Mapping[str, Wording] = {**ORDERS, **HEDGES, **MARKET, **RULES, **LOANS, **BOOKS, **VENUES, **DAEMON}


class _Values(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def said(emit: Emit) -> Said:
    """The event in words. An event without an entry is told by its name and fields."""
    values = _Values({name: _shown(value) for name, value in emit.fields.items() if value is not None})
    wording = WORDINGS.get(emit.name)
    if wording is None:
        facts = ", ".join(f"{name} {value}" for name, value in values.items())
        return Said(f"{emit.name}: {facts or 'no details'}.", "It was logged.", "Look at the log around it.")
    happened, did, todo = (part.format_map(values) for part in (wording.happened, wording.did, wording.todo))
    return Said(happened, did, todo)


def describe(emit: Emit) -> str:
    """One line for the books: all three sentences."""
    return said(emit).text


def _shown(value: object) -> str:
    """One printable line without a full stop of its own: a venue's text must not steer the owner's screen."""
    words = text(value) if isinstance(value, Decimal) else str(value)
    flat = "".join(each for each in " ".join(words.split()) if each.isprintable()).rstrip(".")
    return flat if len(flat) <= VALUE_CHARS_MAX else flat[:VALUE_CHARS_MAX] + "…"

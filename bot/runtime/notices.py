"""Emitted lines on their way out: to the log at once, and from warning on into the owner's alerts.

An alert never needs the database to be seen: it is logged and handed to the sink first, and its record is
committed with the next batch that can be.
"""

from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal

from bot.domain.actions import Alert, Emit, Persist, Severity
from bot.domain.numbers import text
from bot.domain.time import Stamp
from bot.ports import Clock

Sink = Callable[[Emit, Stamp], None]
REPEAT_MS = 60_000
"""The same alert is recorded once in this much wall time."""
REMEMBERED_MAX = 1_000
_ALERTING = (Severity.WARNING, Severity.CRITICAL)
Field = str | int | float | Decimal | bool | None


class Notices:
    """Turns emitted lines into log lines and alert records. `sink` logs, counts and alerts."""

    def __init__(self, clock: Clock, sink: Sink, in_words: Callable[[Emit], str] | None = None) -> None:
        self._clock = clock
        self._sink = sink
        self._in_words = in_words or describe
        self._records: list[Persist] = []
        self._recent: OrderedDict[tuple[str, str], int] = OrderedDict()

    def tell(self, emit: Emit, at: Stamp) -> None:
        """A line of the core, after its step was committed."""
        self._sink(emit, at)

    def report(self, severity: Severity, name: str, **fields: Field) -> None:
        """A line of the shell itself, at once."""
        at = Stamp(0, self._clock.market_ms(), self._clock.mono_ms())
        emit = Emit(severity, name, fields)
        self._sink(emit, at)
        self.keep(emit, at)

    def keep(self, emit: Emit, at: Stamp) -> None:
        """Record a line of the shell that has been told already."""
        alert = self.alert_for(emit, at)
        if alert is not None and len(self._records) < REMEMBERED_MAX:
            self._records.append(alert)

    def alert_for(self, emit: Emit, at: Stamp) -> Persist | None:
        """The alert record of a line that deserves one; None for quiet lines and repeats."""
        if emit.severity not in _ALERTING:
            return None
        said = self._in_words(emit)
        seen_ms = self._recent.get((emit.name, said))
        if seen_ms is not None and at.mono_ms - seen_ms < REPEAT_MS:
            return None
        self._recent[emit.name, said] = at.mono_ms
        self._recent.move_to_end((emit.name, said))
        while len(self._recent) > REMEMBERED_MAX:
            self._recent.popitem(last=False)
        return Persist(Alert(at.market_ms, emit.severity, emit.name, said))

    def take_records(self) -> list[Persist]:
        """Alert records of the shell's own lines that wait for a commit."""
        records, self._records = self._records, []
        return records


def describe(emit: Emit) -> str:
    """One line of text out of an emitted line's fields."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in emit.fields.items() if value is not None)


def _shown(value: Field) -> str:
    return text(value) if isinstance(value, Decimal) else str(value)

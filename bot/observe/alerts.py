"""The owner's alerts: what happened, what the daemon did, what to do. They never need the database.

Warnings and worse are kept in memory for `carrybot alerts` and counted for the metrics; their records reach the
books by the runtime. The log line is written first of all.
"""

from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from bot.domain.actions import Alert, Emit, Severity
from bot.domain.numbers import text
from bot.domain.time import Stamp
from bot.observe.wording import describe

KEPT_MAX = 500
Writer = Callable[..., None]
"""writer(level, name, **fields): one log line."""

_LEVELS = {
    Severity.DEBUG: "debug",
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}


def clock_text(market_ms: int) -> str:
    """`2024-12-14 02:23:05`, UTC."""
    return datetime.fromtimestamp(market_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


class Announcer:
    """The sink of everything that is emitted: log, counts, the latest alerts, and `tell`, which sends them."""

    def __init__(self, write: Writer, tell: Callable[[Emit], None] | None = None) -> None:
        self._write = write
        self._tell = tell
        self.latest: deque[Alert] = deque(maxlen=KEPT_MAX)
        self.counts: Counter[tuple[str, str]] = Counter()
        """Emitted lines by (severity, name)."""
        self.rules: Counter[tuple[str, str]] = Counter()
        """Lines that name a rule of the book by (rule, name): what it refused, forced or set off."""

    def __call__(self, emit: Emit, at: Stamp) -> None:
        fields = {name: text(value) if isinstance(value, Decimal) else value for name, value in emit.fields.items()}
        for taken in ("event", "market_time"):
            fields.pop(taken, None)
        when = {"market_time": clock_text(at.market_ms)} if at.market_ms else {}
        self._write(_LEVELS[emit.severity], emit.name, **when, **fields)
        self.counts[emit.severity.value, emit.name] += 1
        if "rule" in emit.fields:
            self.rules[str(emit.fields["rule"]), emit.name] += 1
        if emit.severity in (Severity.WARNING, Severity.CRITICAL):
            self.latest.append(Alert(at.market_ms, emit.severity, emit.name, describe(emit)))
        if self._tell is not None:
            self._tell(emit)

"""The language of scenarios: what the market does, what goes wrong, what the owner does, and which rule must act.

Times are hours from the scenario's start, or ISO texts (UTC) where the day is a recorded one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.domain.config import CoreConfig, Limits
from bot.domain.time import HOUR_MS
from bot.research.scenarios.track import Line, constant

if TYPE_CHECKING:
    from bot.research.scenarios.session import StagedSession

When = float | str
Edit = Callable[[CoreConfig], CoreConfig]
CASH = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A coin from recorded history: both legs' candles and its settled rates."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A coin whose prices (USDT), basis (bps), rates and day's volume (USD) are drawn by hand."""

    coin: str
    price: Line
    basis_bps: Line = field(default_factory=lambda: constant(0.0))
    rate: Line = field(default_factory=lambda: constant(0.0003))
    """Rate per interval at each settlement."""
    every_h: int = 8
    volume_usd: Line = field(default_factory=lambda: constant(1e9))


@dataclass(frozen=True, slots=True)
class Stage:
    """Until a time the market is looked at every `step_s` of market time, which take `wall_s` of wall time.

    The two are the same unless said otherwise: a venue that runs as fast as the world.
    """

    until: When
    step_s: float
    wall_s: float | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """At a time something is done to the session; `skip_off` leaves it out where the rule's counterfactual is run."""

    at: When
    text: str
    do: "Callable[[StagedSession], None]"
    skip_off: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """How a coin's books (or all, "") are for a while: spread, depth, or a spot that stands still."""

    at: When
    until: When
    coin: str = ""
    half_spread_bps: float = 1.0
    depth_usd: float | None = None
    spot_halted: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """What a rule must do in a scenario: an event of the audit record, with these fields, and by when.

    `off` disarms the rule by an edit of its limits when the book stands (`judged_from`); None takes the rule's own
    from `disarm.OFF`.
    """

    rule: str
    event: str
    where: tuple[tuple[str, str], ...] = ()
    after: When | None = None
    by: When | None = None
    off: Edit | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story. `judged_from` is when drawdown begins to count: before it the book is built."""

    name: str
    title: str
    start: str
    coins: tuple[Recorded | Drawn, ...]
    stages: tuple[Stage, ...]
    acts: tuple[Act, ...]
    judged_from: When
    never: tuple[str, ...] = ()
    """Events that must not be heard once the book stands: false alarms."""
    happenings: tuple[Happening, ...] = ()
    books: tuple[Books, ...] = ()
    config: CoreConfig = field(default_factory=lambda: CoreConfig(limits=Limits(cash_rate=0)))
    halts_from: str = ""
    """A recorded spot by the hour: hours without a trade of it are halts of every spot."""
    cash: Decimal = CASH
    chosen_on: bool = False
    """Whether the defaults were chosen with these days in view (2020 to 2022)."""
    did_not_hold: str = ""
    """Days that the defaults had not seen and on which a rule made the drawdown deeper: why, and why it stays.

    Such a row is reported as not held up instead of failing the command. That the rule acts and that the books stay
    right is asked all the same.
    """
    restarts: bool = False
    """Whether the daemon is started again on the way: what it writes is kept for that."""
    unhedged_by_design: bool = False
    """The scenario itself stops a leg from trading: the time limit of an imbalance is not the daemon's to keep."""

    @property
    def start_ms(self) -> int:
        return iso_ms(self.start)

    @property
    def end_ms(self) -> int:
        return self.ms(self.stages[-1].until)

    def ms(self, when: When) -> int:
        """UTC ms of a time of this scenario."""
        return iso_ms(when) if isinstance(when, str) else self.start_ms + round(when * HOUR_MS)

    @property
    def recorded(self) -> bool:
        return any(isinstance(coin, Recorded) for coin in self.coins)


def iso_ms(text: str) -> int:
    """UTC ms of 2020-03-12T10:40."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)

"""What the rules of the book remember between events, and what of it must survive a restart."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum

from bot.domain.market import SettledRate
from bot.domain.numbers import ZERO
from bot.domain.struct import struct
from bot.domain.windows import HourlyMoments, HourlySpending, PriceWindow


@struct(frozen=True, slots=True)
class Remembered:
    """One figure that a rule must not forget in a restart; the newest of each (rule, subject, name) holds.

    `subject` is a hedge's id, `venue:coin`, or empty for the whole book. A value of zero means forgotten.
    """

    rule: str
    subject: str
    name: str
    value: Decimal
    market_ms: int


@struct(frozen=True, slots=True)
class Received:
    """Rule R1c: the sum of the settled rates after a moment, good for every moment in [before_ms, first_ms)."""

    newest: SettledRate
    """The latest of them: another one asks for another sum."""
    before_ms: int
    """Settlement before the first that is counted; 0 where there is none."""
    first_ms: int
    rates: Decimal


class Breach(IntEnum):
    """How deep the portfolio's drawdown is: none, beyond the soft limit, or beyond the hard one."""

    NONE = 0
    SOFT = 1
    HARD = 2


@dataclass(slots=True)
class Drawdown:
    """Rule R5. Figures are USD, shares are fractions of the high-water mark."""

    high_usd: Decimal | None = None
    saved_usd: Decimal | None = None
    """The high-water mark as the books have it; None while they have none."""
    share: Decimal = ZERO
    """Latest drawdown; negative never."""
    level: Breach = Breach.NONE
    deeper_mono_ms: int | None = None
    """Monotonic time since which a deeper level than `level` has been seen without a break."""
    stepped_ms: int = 0
    """Market time of the latest reduction beyond the soft limit."""
    stepped_share: Decimal = ZERO
    """Drawdown at that reduction: only a deeper one asks for another."""
    targets: dict[str, Decimal] = field(default_factory=dict)
    """Hedge -> what the latest reduction leaves of it (base units)."""
    entry_costs: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    """Hedge -> fees and slippage of what it holds (USD), and their cost-weighted mean market time."""


@dataclass(slots=True)
class Spread:
    """Rule R4 for one pair. The basis is the perp's mark over its index less one, as the direction sees it."""

    direction: int = 1
    """-1 for the pair with a long perpetual, whose basis has the sign turned."""
    moments: HourlyMoments = field(default_factory=HourlyMoments)
    now: float = 0.0
    extreme: float | None = None
    """Widest basis since it went beyond the second threshold; None while it has not."""
    acted_ms: int = 0
    """Market time of the latest reduction or addition: the cool-down runs from here."""
    held_back: bool = False
    """Reduced, and the spread has not come back: the strategy may not fill it up again."""
    granted_base: Decimal = ZERO
    """What R4 itself lets the hedge grow to, at the turn."""


@dataclass(slots=True)
class Extreme:
    """Rule R6. Moves run on market time, outages on monotonic wall time."""

    windows: dict[str, PriceWindow] = field(default_factory=dict)
    """Core perpetual -> its index over the trailing window."""
    asked_mono_ms: dict[str, int] = field(default_factory=dict)
    """Venue -> when the oldest request for its truth that has no answer yet was made."""
    watched_mono_ms: int | None = None
    """When the engine first looked: silence before that is nobody's."""
    active: bool = False
    ran: bool = False
    """Prices have run in this event: after a restart what is not cut yet may still be."""
    reason: str = ""
    began_ms: int = 0
    moved_ms: int | None = None
    """Market time at which a core coin's move was last beyond the limit."""
    silent_mono_ms: int | None = None
    """Monotonic time at which a venue was last found silent."""
    silent: dict[str, str] = field(default_factory=dict)
    """Venues that are silent now -> what of them is."""
    cut: dict[str, Decimal] = field(default_factory=dict)
    """Hedge -> what the running event leaves of it (base units)."""
    left: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    """Hedge -> what an event that is over left of it (base units), and when it ended (market time)."""
    returning: bool = False
    """Hedges are on their way back to target: the widest favourable basis is worked first."""


@dataclass(slots=True)
class Guards:
    drawdown: Drawdown = field(default_factory=Drawdown)
    spreads: dict[tuple[str, str], Spread] = field(default_factory=dict)
    """By (venue, coin): of pairs with a short perpetual."""
    mirrored: dict[tuple[str, str], Spread] = field(default_factory=dict)
    """By (venue, coin): of pairs with a long perpetual, where there are any."""
    recalls: dict[tuple[str, str], int] = field(default_factory=dict)
    """R9: (venue, asset) -> market time at which the venue last wanted back what it lent."""
    rates_high: set[tuple[str, str]] = field(default_factory=set)
    """R9: (venue, asset) whose borrow rate is beyond the alarm and of which the owner was told."""
    collateral_told: dict[str, float] = field(default_factory=dict)
    """R7: venue -> the collateral ratio of which its owner was last told; 1 before."""
    terms_lost: set[tuple[str, str]] = field(default_factory=set)
    """R9: (venue, asset) that is owed, whose terms are no longer heard, and of which the owner was told."""
    basis_peaks: dict[str, Decimal] = field(default_factory=dict)
    """Hedge -> highest basis P&L seen (USD), at least zero."""
    received: dict[str, Received] = field(default_factory=dict)
    """By perpetual."""
    extreme: Extreme = field(default_factory=Extreme)
    spent: HourlySpending = field(default_factory=HourlySpending)

    def spreads_of(self, direction: int) -> dict[tuple[str, str], Spread]:
        return self.spreads if direction > 0 else self.mirrored

    def spread_of(self, venue: str, coin: str, direction: int = 1) -> Spread:
        spreads = self.spreads_of(direction)
        found = spreads.get((venue, coin))
        if found is None:
            found = spreads[venue, coin] = Spread(direction)
        return found

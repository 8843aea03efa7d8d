"""A hedge: legs whose exposures cancel, its life, and what it has earned and cost."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bot.domain.funding_days import FundingDay, Runs
from bot.domain.instruments import Kind
from bot.domain.numbers import ZERO
from bot.domain.struct import struct
from bot.domain.structures import COIN, STRUCTURES, Structure


class HedgeState(StrEnum):
    OPENING = "opening"
    HEDGED = "hedged"
    UNBALANCED = "unbalanced"
    REDUCING = "reducing"
    CLOSING = "closing"
    CLOSED = "closed"
    QUARANTINED = "quarantined"


@dataclass(slots=True)
class Leg:
    """One instrument's part. Quantities are signed base units (short is negative), net of fees taken in coin."""

    instrument: str
    kind: Kind
    direction: int
    quantity_base: Decimal = ZERO
    cost_quote: Decimal = ZERO
    """Signed cost of what is open: quantity x average entry price."""
    realized_quote: Decimal = ZERO
    """Price P&L of what has been closed, before fees."""

    @property
    def entry_price(self) -> Decimal | None:
        return self.cost_quote / self.quantity_base if self.quantity_base else None


@dataclass(slots=True)
class Hedge:
    """A live structure. `target_base` is what one side shall hold, in base units, never negative."""

    id: str
    number: int
    strategy: str
    coin: str
    venue: str
    state: HedgeState
    legs: tuple[Leg, ...]
    target_base: Decimal
    opened_ms: int
    """When it was decided, until its first fill; then that one's time at the venue."""
    closed_ms: int | None = None
    orders_made: int = 0
    funding_usd: Decimal = ZERO
    fees_usd: Decimal = ZERO
    slippage_usd: Decimal = ZERO
    borrow_usd: Decimal = ZERO
    """Interest paid on what was borrowed, at the prices of its time."""
    reason: str = ""
    """Why the hedge is in its state: the rule or command that asked for it."""
    last_funding_ms: int = 0
    unbalanced_mono_ms: int | None = None
    """Monotonic time since which the legs do not cancel; None while they do."""
    rehedges: int = 0
    """Repairs tried since the legs last cancelled."""
    wait_until_mono_ms: int = 0
    order_ids: list[str] = field(default_factory=list)
    """Client ids of orders that are not settled yet."""

    @property
    def structure(self) -> Structure:
        return STRUCTURES[self.legs[COIN].direction]

    @property
    def direction(self) -> int:
        """+1 for coins against a short perpetual, -1 for owed coins against a long one."""
        return self.legs[COIN].direction

    @property
    def size_base(self) -> Decimal:
        """The larger side, in base units."""
        return max([abs(leg.quantity_base) for leg in self.legs], default=ZERO)

    @property
    def imbalance_base(self) -> Decimal:
        """Exposure left over when the legs do not cancel: signed base units (linear legs)."""
        return sum([leg.quantity_base for leg in self.legs], ZERO)

    @property
    def live(self) -> bool:
        return self.state is not HedgeState.CLOSED

    @property
    def traded(self) -> bool:
        """Whether anything was ever filled."""
        return bool(self.fees_usd) or any(leg.quantity_base or leg.realized_quote for leg in self.legs)


@struct(frozen=True, slots=True)
class Receipt:
    """One funding payment (positive) or charge booked by the venue; unique by venue, account, instrument and id."""

    venue: str
    account: str
    instrument: str
    coin: str
    settled_ms: int
    rate: Decimal | None
    quantity_base: Decimal | None
    mark_price: Decimal | None
    payment: Decimal
    asset: str
    venue_id: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.venue, self.account, self.instrument, self.venue_id


@struct(frozen=True, slots=True)
class Interest:
    """Interest on a loan as the venue charged it (positive, in the borrowed asset); unique by venue, account,
    asset and id.

    `at_borrowing`: the first one of a loan, charged when it is made and stamped no later than that, by some venues
    with the beginning of its hour.
    """

    venue: str
    account: str
    asset: str
    amount: Decimal
    rate_per_h: Decimal | None
    charged_ms: int
    venue_id: str
    at_borrowing: bool = False


@struct(frozen=True, slots=True)
class LiquidationCharge:
    """What a liquidation itself cost: the venue's fee for it (negative), or what its fund for losses put in.

    Unique by venue, account, instrument and id. A venue may name no instrument; then it is None.
    """

    venue: str
    account: str
    wallet: str
    instrument: str | None
    asset: str
    amount: Decimal
    charged_ms: int
    venue_id: str


@struct(frozen=True, slots=True)
class TransferIntent:
    """A move of margin between the wallets of a split account, decided and committed before it is asked for."""

    id: str
    venue: str
    asset: str
    amount: Decimal
    source: str
    target: str
    created_ms: int


class Control(StrEnum):
    """What the owner allows: everything, only what reduces, or closing everything."""

    RUNNING = "running"
    HALTED = "halted"
    FLATTENING = "flattening"


@dataclass(slots=True)
class Removal:
    """State of rule R1 for one direction of one coin at one venue."""

    venue: str
    coin: str
    direction: int
    """+1 for the short perpetual (it receives +rate), -1 for the long one."""
    counted_until_ms: int = 0
    """Newest settlement counted: one before it is late."""
    day: int | None = None
    """The day that is not judged yet, if its first settlement is here."""
    negative_days: int = 0
    positive_days: int = 0
    removed: bool = False
    removed_ms: int | None = None
    reason: str = ""
    days: dict[int, FundingDay] = field(default_factory=dict)
    """What settled on the latest days, by number: late settlements find their place, repeated ones count once."""
    before: Runs = field(default_factory=Runs)
    """What was judged before the first of `days`."""
    floor_ms: int = 0
    """Settlements up to here are judged for good and count no more."""

    @property
    def day_carry(self) -> Decimal:
        """What the day that is not judged yet has brought so far."""
        return ZERO if self.day is None else self.days[self.day].carry

    @property
    def runs(self) -> Runs:
        return Runs(self.negative_days, self.positive_days, self.removed, self.removed_ms, self.reason)

    def stand(self, runs: Runs) -> None:
        """Take over what the days were judged to come to."""
        self.negative_days, self.positive_days = runs.negative_days, runs.positive_days
        self.removed, self.removed_ms, self.reason = runs.removed, runs.removed_ms, runs.reason

"""Everything that can enter the core: facts in the past tense, and the owner's commands in the imperative.

Market facts are `Quote`, `Mark`, `SettledRate`, `Liquidity`, `BorrowTerms` and `CollateralRatio` themselves
(`bot.domain.market`).
"""

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal

from bot.domain.config import CoreConfig
from bot.domain.hedges import Interest, LiquidationCharge, Receipt
from bot.domain.instruments import FeeRates, Instrument, MarginTier
from bot.domain.market import BorrowTerms, CollateralRatio, Liquidity, Mark, Quote, SettledRate
from bot.domain.orders import Fill, OrderState
from bot.domain.struct import struct


@struct(frozen=True, slots=True)
class VenueListed:
    """A venue's instruments with the account's own fees and the margin tiers; replaces what was known."""

    venue: str
    instruments: tuple[Instrument, ...]
    fees: Mapping[str, FeeRates]
    tiers: Mapping[str, tuple[MarginTier, ...]]


@struct(frozen=True, slots=True)
class FeedAlive:
    """Any frame or pong arrived on a feed; sent at most a few times a second."""

    feed: str


@struct(frozen=True, slots=True)
class FeedLost:
    """A feed's connection ended. Its quotes are stale from now on and its venue must be reconciled.

    `planned`: we ended it ourselves, to make it anew at once.
    """

    feed: str
    reason: str
    planned: bool = False


@struct(frozen=True, slots=True)
class OrderReported:
    """The venue's word on one of our orders: its state and the cumulative filled quantity (base units)."""

    client_id: str
    state: OrderState
    filled_base: Decimal
    venue_order_id: str | None = None
    reason: str | None = None
    short: bool = False
    """Rejected because the account has not the money for it."""
    misfit: bool = False
    """Rejected by the instrument's filters: the listing that is known may be old."""


@struct(frozen=True, slots=True)
class OrderOutcomeUnknown:
    """A request about an order got no answer that can be trusted (time-out, reset, 5xx, unreadable reply)."""

    client_id: str
    reason: str


@struct(frozen=True, slots=True)
class OrderNotFound:
    """The venue answered that it knows no such order; `sources` says how many independent views agree.

    `asked_mono_ms`: when the first of them was asked; None: just now.
    """

    client_id: str
    sources: int
    asked_mono_ms: int | None = None


@struct(frozen=True, slots=True)
class OrderFilled:
    """A trade of ours, from the private stream or a query; repeats are expected and harmless."""

    fill: Fill


@struct(frozen=True, slots=True)
class FundingReceived:
    """A funding payment or charge, from the venue's history; repeats are expected and harmless."""

    receipt: Receipt


@struct(frozen=True, slots=True)
class InterestCharged:
    """Interest on a loan, from the venue's history; repeats are expected and harmless."""

    interest: Interest


@struct(frozen=True, slots=True)
class LiquidationCharged:
    """The fee of a liquidation, from the venue's history; repeats are expected and harmless."""

    charge: LiquidationCharge


@struct(frozen=True, slots=True)
class LoanRecalled:
    """The venue wants what it lent of an asset back by `due_ms` (market time); after that it buys it back itself."""

    venue: str
    asset: str
    due_ms: int
    reason: str


@struct(frozen=True, slots=True)
class TransferSettled:
    """The venue moved margin between wallets; `transfer_id` is ours, `venue_id` the venue's."""

    transfer_id: str
    venue_id: str


@struct(frozen=True, slots=True)
class TransferFailed:
    """The venue refused a transfer with a code that is known to mean refused; or else it was never made at all."""

    transfer_id: str
    reason: str
    refused: bool = True


@struct(frozen=True, slots=True)
class TransferUnknown:
    """A transfer got no answer that can be trusted; the wallets are reconciled before the next one."""

    transfer_id: str
    reason: str


@struct(frozen=True, slots=True)
class CapitalMoved:
    """A deposit (positive) or withdrawal by the venue's own record; repeats are expected and harmless."""

    venue: str
    wallet: str
    asset: str
    amount: Decimal
    venue_id: str
    at_ms: int
    internal: bool = False
    """One side of a move between two wallets of the account: what the account is worth stays the same."""


@struct(frozen=True, slots=True)
class PositionRisk:
    """How a position weighs on its wallet by the venue's word: signed notional at the mark, P&L not booked yet."""

    notional_usd: Decimal
    unrealized_usd: Decimal
    maintenance_usd: Decimal


@struct(frozen=True, slots=True)
class AccountReported:
    """The venue's truth at one moment: wallet -> asset -> total, and signed base quantity by instrument.

    Perp wallet balances exclude unrealised P&L. `complete` says that all fills and receipts up to that moment
    were delivered as events before this one, so a difference from the ledger is a real one. `risks` are those of
    positions, by instrument, where the venue tells them; `at_ms` is the moment, by market time, None: just now.
    """

    venue: str
    balances: Mapping[str, Mapping[str, Decimal]]
    positions: Mapping[str, Decimal]
    complete: bool
    risks: Mapping[str, PositionRisk] = field(default_factory=dict)
    at_ms: int | None = None


@struct(frozen=True, slots=True)
class Reconciled:
    """Orders, fills, receipts, transfers and balances of a venue were all fetched and delivered.

    `began_mono_ms` is when the first of it was asked for; None: just now.
    """

    venue: str
    began_mono_ms: int | None = None


@struct(frozen=True, slots=True)
class Tick:
    """The shell's heartbeat, a few times a second of wall time."""


@struct(frozen=True, slots=True)
class Halt:
    reason: str


@struct(frozen=True, slots=True)
class Resume:
    reason: str


@struct(frozen=True, slots=True)
class Flatten:
    reason: str


@struct(frozen=True, slots=True)
class CloseCoin:
    coin: str
    reason: str


@struct(frozen=True, slots=True)
class Readmit:
    coin: str
    reason: str


@struct(frozen=True, slots=True)
class AcceptDifference:
    """The owner's word for a difference, venue less ledger, that no record of the venue explains."""

    venue: str
    wallet: str
    asset: str
    amount: Decimal
    reason: str


@struct(frozen=True, slots=True)
class Reconfigure:
    """The owner's edit of the YAML, already validated."""

    config: CoreConfig


@struct(frozen=True, slots=True)
class Stop:
    """The daemon is about to end: start nothing new, let what is in flight come home."""

    last: bool = False
    """No order leaves any more, not even one that reduces: nobody would hear what became of it."""


Event = (
    Quote
    | Mark
    | SettledRate
    | Liquidity
    | BorrowTerms
    | CollateralRatio
    | VenueListed
    | FeedAlive
    | FeedLost
    | OrderReported
    | OrderOutcomeUnknown
    | OrderNotFound
    | OrderFilled
    | FundingReceived
    | InterestCharged
    | LiquidationCharged
    | LoanRecalled
    | TransferSettled
    | TransferFailed
    | TransferUnknown
    | CapitalMoved
    | AccountReported
    | Reconciled
    | Tick
    | Halt
    | Resume
    | Flatten
    | CloseCoin
    | Readmit
    | AcceptDifference
    | Reconfigure
    | Stop
)

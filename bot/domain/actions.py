"""Everything the core can ask for. The shell commits all `Persist` records of a step before it does the rest."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from bot.domain.guards import Remembered
from bot.domain.hedges import Control, Hedge, Receipt, Removal, TransferIntent
from bot.domain.ledger import Transaction
from bot.domain.market import SettledRate
from bot.domain.orders import Fill, OrderIntent, OrderRecord
from bot.domain.struct import struct


class Severity(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@struct(frozen=True, slots=True)
class Verdict:
    """One rule's judgement: what was asked, the limit and what was observed, in the rule's own unit."""

    rule: str
    approved: bool
    limit: str
    observed: str
    detail: str = ""


@struct(frozen=True, slots=True)
class NavPoint:
    """Net asset value at a market time (USD), with what it stands on."""

    market_ms: int
    nav_usd: Decimal
    leverage: Decimal
    deployed_usd: Decimal
    unhedged_usd: Decimal


@struct(frozen=True, slots=True)
class LastPrice:
    """Latest price of an instrument we hold, so that the books can be valued while the daemon is down."""

    instrument: str
    price: Decimal
    market_ms: int


@struct(frozen=True, slots=True)
class Alert:
    """What happened, what the daemon did, what the owner should do."""

    market_ms: int
    severity: Severity
    name: str
    text: str


@struct(frozen=True, slots=True)
class ControlSet:
    control: Control
    reason: str
    market_ms: int


@struct(frozen=True, slots=True)
class TransferEnded:
    """How a transfer ended: settled (with the venue's id) or failed."""

    transfer_id: str
    settled: bool
    venue_id: str | None
    reason: str


@struct(frozen=True, slots=True)
class VerdictGiven:
    """A refusal or a forced action, kept so that it can be counted and explained."""

    market_ms: int
    hedge_id: str | None
    coin: str
    verdict: Verdict


Record = (
    OrderIntent
    | OrderRecord
    | Fill
    | Hedge
    | Receipt
    | TransferIntent
    | TransferEnded
    | Transaction
    | Removal
    | SettledRate
    | NavPoint
    | LastPrice
    | Alert
    | ControlSet
    | VerdictGiven
    | Remembered
)


@struct(frozen=True, slots=True)
class Persist:
    """Write or overwrite one record; all of a step's records are one database transaction.

    `OrderIntent`, `Fill`, `Receipt`, `TransferIntent`, `Transaction`, `VerdictGiven` and `Alert` are only ever
    inserted; `OrderRecord` (by client id), `Hedge` (by id), `Removal` (by venue, coin, direction), `SettledRate`,
    `LastPrice` and `Remembered` (by rule, subject, name) are upserts.
    Mutable records must be read before the next step.
    """

    record: Record


@struct(frozen=True, slots=True)
class PlaceOrders:
    """Send these orders together, as close in time as possible. Their intents are already committed."""

    intents: tuple[OrderIntent, ...]
    reducing: bool


@struct(frozen=True, slots=True)
class CancelOrder:
    client_id: str
    instrument: str


@struct(frozen=True, slots=True)
class QueryOrder:
    """Ask for an order by client id, in every view that the venue has; answer with reports and fills."""

    client_id: str
    instrument: str
    venue_order_id: str | None
    since_ms: int


@struct(frozen=True, slots=True)
class MoveMargin:
    """Ask the venue for this transfer. Its intent is already committed."""

    intent: TransferIntent


@struct(frozen=True, slots=True)
class FetchRates:
    """Fetch public settlements since a market time; the shell coalesces repeats."""

    venue: str
    since_ms: int


@struct(frozen=True, slots=True)
class FetchReceipts:
    """Fetch our own funding history since a market time; the shell coalesces repeats."""

    venue: str
    since_ms: int


@struct(frozen=True, slots=True)
class Reconcile:
    """Fetch the venue's truth (orders, fills, receipts, transfers, balances, positions), then say Reconciled."""

    venue: str
    reason: str


@struct(frozen=True, slots=True)
class Emit:
    """A structured log line; `name` is `area.happened`. Warnings and worse also reach the owner's alerts."""

    severity: Severity
    name: str
    fields: Mapping[str, str | int | float | Decimal | bool | None]


Action = Persist | PlaceOrders | CancelOrder | QueryOrder | MoveMargin | FetchRates | FetchReceipts | Reconcile | Emit

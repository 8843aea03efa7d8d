"""Orders: the intent that is committed before anything is sent, and what the venue said of it since."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from bot.domain.numbers import ZERO
from bot.domain.struct import struct


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def other(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class TimeInForce(StrEnum):
    IOC = "ioc"
    GTC = "gtc"
    POST_ONLY = "post_only"


class Purpose(StrEnum):
    """Why an order is sent; `complete` and `unwind` repair an imbalance, `reduce` and `close` shrink both legs."""

    OPEN = "open"
    COMPLETE = "complete"
    UNWIND = "unwind"
    REDUCE = "reduce"
    CLOSE = "close"


class OrderState(StrEnum):
    INTENDED = "intended"
    """Committed to the books; may or may not have reached the venue."""
    LIVE = "live"
    FILLED = "filled"
    CANCELLED = "cancelled"
    """Cancelled or expired; whatever had filled stays filled."""
    REJECTED = "rejected"
    """Refused by a venue code that is known to mean refused."""
    UNKNOWN = "unknown"
    """Sent, and no answer that can be trusted: ends only on the venue's evidence."""
    NEVER_SENT = "never_sent"
    """The venue's evidence, twice and after the settle window, is that it never arrived."""

    @property
    def ended(self) -> bool:
        return self in _ENDED


_ENDED = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.NEVER_SENT})


@struct(frozen=True, slots=True)
class OrderIntent:
    """What we decided to send. `quantity_base` in base units, `limit_price` in quote per base unit."""

    client_id: str
    hedge_id: str
    leg: int
    venue: str
    instrument: str
    side: Side
    quantity_base: Decimal
    limit_price: Decimal
    time_in_force: TimeInForce
    reduce_only: bool
    purpose: Purpose
    created_ms: int
    decided_price: Decimal
    """Mid at the decision: slippage is counted against it."""


@struct(frozen=True, slots=True)
class Fill:
    """One trade of an order as the venue booked it; unique by venue, instrument and trade id.

    `fee` is positive when paid, in `fee_asset`; `realized_pnl` is the perp wallet's own figure (quote).
    """

    venue: str
    instrument: str
    trade_id: str
    client_id: str
    venue_order_id: str
    side: Side
    price: Decimal
    quantity_base: Decimal
    fee: Decimal
    fee_asset: str
    realized_pnl: Decimal
    maker: bool
    traded_ms: int

    @property
    def key(self) -> tuple[str, str, str]:
        return self.venue, self.instrument, self.trade_id


@dataclass(slots=True)
class OrderRecord:
    """An order's life. `filled_base` is the larger of what reports and fills say and never falls."""

    intent: OrderIntent
    state: OrderState = OrderState.INTENDED
    venue_order_id: str | None = None
    filled_base: Decimal = ZERO
    fills_base: Decimal = ZERO
    """Sum of the fills that are booked; the order is settled when it equals filled_base and state is ended."""
    reason: str | None = None
    sent_mono_ms: int = 0
    asked_mono_ms: int = 0
    asked_count: int = 0
    fill_keys: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def settled(self) -> bool:
        return self.state.ended and self.fills_base >= self.filled_base

    @property
    def open_base(self) -> Decimal:
        """Worst case that is not in its leg yet: all of the order until the venue says that it ended, then what it
        says was filled, less the fills that are booked."""
        reach = self.filled_base if self.state.ended else self.intent.quantity_base
        return max(ZERO, reach - self.fills_base)

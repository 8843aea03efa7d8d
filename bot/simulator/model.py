"""What the simulated exchange's three rooms share: the market's facts and the exchange's records.

`market` says what prices, depth and funding rates are at a market time; `exchange` keeps accounts, orders,
positions and funding as a pure state machine on top of it; `wire` serves both in a venue's own protocol.

Units: prices are quote per one venue unit (`1000PEPEUSDT` is quoted per 1000 PEPE, as the venue does),
quantities are venue units, times are UTC milliseconds of market time. Everything that is money is Decimal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from bot.domain.struct import struct


class Book(StrEnum):
    """The two order books a coin has at the simulated Binance, and the wallet that each settles in."""

    SPOT = "spot"
    PERP = "perp"


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    POST_ONLY = "GTX"


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


@struct(frozen=True, slots=True)
class MarginTier:
    """One row of the leverage brackets; the maintenance margin is notional x rate - cumulative (USD)."""

    floor_usd: Decimal
    cap_usd: Decimal
    leverage_max: int
    maintenance_rate: Decimal
    cumulative_usd: Decimal


SETTLING_MS = 12 * 3_600_000
"""How long a market that has ended is still listed, as settling (perpetual) or in a break (spot)."""


@struct(frozen=True, slots=True)
class Listing:
    """One tradable symbol of one book, with the filters that the venue publishes for it."""

    book: Book
    symbol: str
    base_asset: str
    quote_asset: str
    coin: str
    multiplier: Decimal
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    notional_min: Decimal
    band_up: Decimal
    band_down: Decimal
    listed_ms: int
    funding_cap: Decimal = Decimal(0)
    funding_floor: Decimal = Decimal(0)
    tiers: tuple[MarginTier, ...] = ()
    ends_ms: int = 0
    """When trading ends, as was announced; 0: no end."""
    trades: bool = True
    """Whether orders are taken; False: the venue has closed this market."""

    def ended_at(self, at_ms: int) -> bool:
        return 0 < self.ends_ms <= at_ms

    def open_at(self, at_ms: int) -> bool:
        """Whether orders are taken at this market time."""
        return self.trades and not self.ended_at(at_ms)

    def gone_at(self, at_ms: int) -> bool:
        """Whether the exchange information lists it no more."""
        return self.ended_at(at_ms - SETTLING_MS)


@struct(frozen=True, slots=True)
class Top:
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal


@struct(frozen=True, slots=True)
class Level:
    price: Decimal
    size: Decimal


@struct(frozen=True, slots=True)
class Mark:
    """Mark and index price with the running prediction of the next funding rate."""

    mark: Decimal
    index: Decimal
    predicted_rate: Decimal
    next_funding_ms: int
    interval_s: int


@struct(frozen=True, slots=True)
class Settlement:
    """One funding settlement of one perpetual: longs pay `rate` x mark x quantity to shorts."""

    symbol: str
    at_ms: int
    rate: Decimal
    mark: Decimal
    interval_s: int


@struct(frozen=True, slots=True)
class DayStats:
    """The trailing 24 hours of one symbol."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    volume_base: Decimal
    volume_quote: Decimal
    trades: int


@struct(frozen=True, slots=True)
class Candle:
    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume_base: Decimal


class Prices(Protocol):
    """What orders are matched, valued and charged with: all that the exchange core asks of a market."""

    @property
    def listings(self) -> Mapping[tuple[Book, str], Listing]: ...
    def top(self, book: Book, symbol: str, at_ms: int) -> Top: ...
    def depth(self, book: Book, symbol: str, at_ms: int, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        """Bids (best first) and asks (best first)."""
        ...

    def mark(self, symbol: str, at_ms: int) -> Mark: ...
    def mark_price(self, symbol: str, at_ms: int) -> Decimal:
        """`mark(...).mark` alone, for the margin of every position at every look."""
        ...

    def settlements(self, after_ms: int, until_ms: int) -> Sequence[Settlement]:
        """All settlements with after_ms < at_ms <= until_ms, in order of time, then symbol."""
        ...


class Market(Prices, Protocol):
    """Prices, depth and rates as a pure function of market time: the same time gives the same answer."""

    @property
    def start_ms(self) -> int: ...
    def day_stats(self, book: Book, symbol: str, at_ms: int) -> DayStats: ...
    def candles(self, book: Book, symbol: str, interval_s: int, from_ms: int, until_ms: int) -> Sequence[Candle]: ...
    def open_interest(self, symbol: str, at_ms: int) -> Decimal:
        """Open interest in base units of the perpetual."""
        ...


@struct(frozen=True, slots=True)
class OrderRequest:
    book: Book
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    reduce_only: bool
    client_id: str
    margin: bool = False
    """Trades on the spot book for the margin wallet, which borrows what it sells and repays with what it buys."""


@dataclass(slots=True)
class Order:
    """An order as the venue knows it; mutable, owned by the exchange core."""

    id: int
    request: OrderRequest
    status: Status
    created_ms: int
    updated_ms: int
    filled: Decimal = Decimal(0)
    filled_quote: Decimal = Decimal(0)
    trade_ids: list[int] = field(default_factory=list)


@struct(frozen=True, slots=True)
class Trade:
    """`id` counts within one book and symbol, as the venue's do; `number` is unique at the exchange."""

    id: int
    order_id: int
    client_id: str
    book: Book
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    realized_pnl: Decimal
    maker: bool
    at_ms: int
    quote_quantity: Decimal = Decimal(0)  # what changed hands in quote: price x quantity to 8 decimals
    margin: bool = False
    number: int = 0


INSURANCE_CLEAR = "INSURANCE_CLEAR"
"""Kind of the income row of a liquidation's fee, and of what the insurance fund pays."""


@struct(frozen=True, slots=True)
class Income:
    """One row of the perp wallet's history.

    Kinds as the venue names them: FUNDING_FEE, REALIZED_PNL, COMMISSION, TRANSFER, INSURANCE_CLEAR (negative
    with a symbol: the fee of a liquidation; positive without: the insurance fund covers a bankruptcy).
    """

    id: int
    kind: str
    symbol: str
    asset: str
    amount: Decimal
    at_ms: int
    trade_id: int | None = None
    rate: Decimal | None = None
    mark: Decimal | None = None
    quantity: Decimal | None = None


@struct(frozen=True, slots=True)
class LoanEntry:
    """One row of the margin wallet's history: BORROW, REPAY, INTEREST (with its rate an hour), TRANSFER (negative:
    out), INSURANCE (the fund pays what the wallet lacks), RECALL (what is owed; `at_ms` is when it must be back)."""

    id: int
    kind: str
    asset: str
    amount: Decimal
    at_ms: int
    rate: Decimal | None = None


@struct(frozen=True, slots=True)
class Position:
    symbol: str
    quantity: Decimal
    entry_price: Decimal


@struct(frozen=True, slots=True)
class Happening:
    """Something an account's private stream must be told. Exactly one group of fields is set, by kind:

    ORDER (order, trade or None), FUNDING (income), CHARGE (income: of a
    liquidation; the wire tells of it by its BALANCE alone), BALANCE (asset, delta, free, locked, reason),
    LIQUIDATION (order, trade or None: first the order without, then each trade; as ORDER otherwise),
    LOAN (loan: interest charged), RECALL (loan: what the venue wants back, and when).
    The order is a copy taken at that step, so a NEW that was filled at once still reads NEW, filled 0.
    BALANCE follows the steps of one call, one per asset whose free or locked part changed; `free` and
    `locked` are the amounts afterwards (perp: free is the wallet balance, locked 0), `delta` is the change of
    their sum, `reason` is ORDER, FUNDING_FEE, TRANSFER or INSURANCE_CLEAR.
    """

    kind: str
    at_ms: int
    book: Book
    order: Order | None = None
    trade: Trade | None = None
    income: Income | None = None
    asset: str | None = None
    delta: Decimal | None = None
    free: Decimal | None = None
    locked: Decimal | None = None
    reason: str | None = None
    loan: LoanEntry | None = None


class VenueError(Exception):
    """A refusal in the venue's own words: its negative code, its message and the HTTP status."""

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status

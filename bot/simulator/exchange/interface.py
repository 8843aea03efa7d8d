"""The exchange core as its servers and the fault campaign see it: pure, synchronous, on market time.

One `Exchange` holds one account per API key. Every method takes the market time at which it happens and
never looks at a clock; the same calls in the same order give the same state, ids included.

Time. `now_ms` is how far the core has been settled. `advance` moves it; `place`, `cancel`, `cancel_all` and
`transfer` first settle up to their own `at_ms` when that is later, and what this makes happen is handed out
by the next `advance` call (also one with an older `to_ms`). An `at_ms` before `now_ms` counts as `now_ms`.

Persistence. Either `snapshot()` (everything, grows with the history) or, cheaper, `checkpoint()` each second:
it gives the records that are new or changed since the last checkpoint, and the small live state; both must be
committed in one transaction. Records are upserted by (table, api_key, id); a changed order comes again.

    exchange = Exchange(market, accounts, start_ms, seed)            # first start
    records, state = exchange.checkpoint()                           # each second, and before exit
    exchange = Exchange.restore(market, state, records_of_all_time)  # restart; any order of records
    exchange = Exchange.restore(market, exchange.snapshot())         # or with one document

Faults. `exchange.faults` is a `FaultPlan` (faults.py). The core itself applies `reject`, `partial_fill` and
`not_found`; the wire asks `faults.transport(...)` once per HTTP request and `faults.stream(...)` once per
websocket message, and applies what they return.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from bot.simulator.exchange.faults import FaultPlan
from bot.simulator.model import (
    Book,
    Happening,
    Income,
    LoanEntry,
    Order,
    OrderRequest,
    Position,
    Settlement,
    Side,
    Trade,
)


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One row of history: `table` is orders, trades, incomes, transfers, loans or capital; `row` is JSON-ready.

    The key is (table, api_key, id): an order that changed since the last checkpoint comes again, whole.
    """

    table: str
    api_key: str
    id: int
    at_ms: int
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    records: Sequence[JournalRecord]
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PositionRisk:
    """An open position valued on the mark; USD amounts; `liquidation_price` None when none is above zero.

    `liquidation_price` is the mark of this symbol at which the account reaches maintenance, others unmoved.
    """

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    notional_usd: Decimal
    unrealized_usd: Decimal
    initial_usd: Decimal
    maintenance_usd: Decimal
    liquidation_price: Decimal | None
    leverage: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Transfer:
    id: int
    asset: str
    quantity: Decimal
    source: Book
    target: Book
    at_ms: int


@dataclass(frozen=True, slots=True)
class CapitalMove:
    """A deposit (positive) or withdrawal of the spot wallet; a withdrawal takes `fee` as well."""

    id: int
    asset: str
    quantity: Decimal
    fee: Decimal
    at_ms: int


class ExchangeCore(Protocol):
    @property
    def now_ms(self) -> int: ...
    @property
    def faults(self) -> FaultPlan: ...
    @property
    def api_keys(self) -> Sequence[str]: ...

    def advance(self, to_ms: int) -> Sequence[tuple[str, Happening]]:
        """Settle funding, match resting orders and liquidate up to `to_ms`; returns (api_key, happening)."""
        ...

    def place(
        self, api_key: str, request: OrderRequest, at_ms: int
    ) -> tuple[Order, Sequence[Trade], Sequence[Happening]]:
        """Check filters, margin and client id, match, book. Raises VenueError with the venue's own code.

        A spot LIMIT_MAKER is a LIMIT request with `TimeInForce.POST_ONLY`. For MARKET the time in force is
        ignored. An empty client id is replaced by one made from the order id.
        """
        ...

    def cancel(
        self, api_key: str, book: Book, symbol: str, order_id: int | None, client_id: str | None, at_ms: int
    ) -> tuple[Order, Sequence[Happening]]:
        """Raises VenueError -2011 when no such order is open."""
        ...

    def cancel_all(
        self, api_key: str, book: Book, symbol: str, at_ms: int
    ) -> tuple[Sequence[Order], Sequence[Happening]]:
        """All open orders of one symbol; none is no error here (spot answers -2011 then: the wire's job)."""
        ...

    def fund(self, settlements: Sequence[Settlement]) -> Sequence[Happening]:
        """Pays settlements that became known after their time, on what was held then; each once."""
        ...

    def quantity_at(self, api_key: str, symbol: str, at_ms: int) -> Decimal: ...
    def order(self, api_key: str, book: Book, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """The order, the newest where a client id was used again. Raises VenueError -2013: there is none."""
        ...

    def open_orders(self, api_key: str, book: Book, symbol: str | None) -> Sequence[Order]: ...
    def all_orders(self, api_key: str, book: Book, symbol: str) -> Sequence[Order]: ...
    def trades(self, api_key: str, book: Book, symbol: str | None) -> Sequence[Trade]: ...
    def income(self, api_key: str) -> Sequence[Income]: ...
    def transfers(self, api_key: str) -> Sequence[Transfer]: ...
    def capital(self, api_key: str) -> Sequence[CapitalMove]: ...
    def positions(self, api_key: str) -> Sequence[Position]: ...
    def position_risk(self, api_key: str, at_ms: int) -> Sequence[PositionRisk]:
        """The open positions valued at `at_ms`, in order of symbol."""
        ...

    def wallet(self, api_key: str, book: Book) -> dict[str, tuple[Decimal, Decimal]]:
        """Asset -> (free, locked); of the perp wallet free is the wallet balance without unrealised P&L."""
        ...

    def margin_usd(self, api_key: str, at_ms: int) -> dict[str, Decimal]:
        """wallet_balance, unrealized, margin_balance, initial (position_initial + order_initial),
        maintenance, available (for new positions), withdrawable (for transfers): of the perp wallet."""
        ...

    def transfer(
        self, api_key: str, asset: str, quantity: Decimal, source: Book, target: Book, at_ms: int
    ) -> tuple[int, Sequence[Happening]]:
        """Returns the transaction id. Raises VenueError when the source cannot spare it."""
        ...

    def margin_wallet(self, api_key: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Asset -> (what is there, what is owed with its interest) in the margin wallet."""
        ...

    def loans(self, api_key: str) -> Sequence[LoanEntry]: ...
    def lending_terms(self, asset: str, at_ms: int) -> tuple[Decimal, Decimal]:
        """(interest an hour, units that can be borrowed now)."""
        ...

    def collateral_ratio(self, asset: str, at_ms: int) -> Decimal:
        """The share of its worth at which an asset counts in the margin wallet."""
        ...

    def set_lending(self, asset: str, rate_per_h: Decimal, pool: Decimal) -> None: ...
    def move_collateral(self, api_key: str, quantity: Decimal, at_ms: int) -> tuple[int, Sequence[Happening]]:
        """USDT from the spot wallet into the margin wallet, or out of it where negative. Raises VenueError."""
        ...

    def move_capital(
        self, api_key: str, asset: str, quantity: Decimal, fee: Decimal, at_ms: int, *, told: bool = True
    ) -> tuple[int, Sequence[Happening]]:
        """A deposit or (negative) withdrawal by the owner; without `told` no record says why. Returns its id."""
        ...

    def grant(self, api_key: str, kind: str, quantity: Decimal, at_ms: int) -> tuple[int, Sequence[Happening]]:
        """USDT that the venue pays into the perp wallet, as an income row of this kind. Returns the row's id."""
        ...

    def fee_rates(self, api_key: str, book: Book, symbol: str) -> tuple[Decimal, Decimal]:
        """(maker, taker) as fractions."""
        ...

    def set_fee_rates(self, api_key: str, book: Book, maker: Decimal, taker: Decimal) -> None: ...
    def leverage(self, api_key: str, symbol: str) -> int: ...
    def set_leverage(self, api_key: str, symbol: str, leverage: int) -> None:
        """Raises VenueError -4028 outside the brackets, -2027 or -2028 where position or margin forbid it."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """The whole state as JSON-ready values (Decimals as text); `restore` of it continues exactly."""
        ...

    def checkpoint(self) -> Checkpoint:
        """`drain_journal()` and `live_state()` together: commit both in one transaction."""
        ...

    def drain_journal(self) -> Sequence[JournalRecord]:
        """Records that are new or changed since the last call; forgets them."""
        ...

    def live_state(self) -> dict[str, Any]:
        """Balances, positions, open orders, counters, faults: JSON-ready, of a size free of the history's."""
        ...

    def truth(self, api_key: str, at_ms: int) -> dict[str, Any]:
        """Balances, positions, orders, trades, receipts, transfers of an account as JSON-ready values."""
        ...


class ExchangeFactory(Protocol):
    """What the class `bot.simulator.exchange.core.Exchange` offers besides its instances' methods."""

    @classmethod
    def restore(cls, market: Any, state: Mapping[str, Any], records: Sequence[JournalRecord] = ()) -> ExchangeCore:
        """From a `snapshot()`, or from a `live_state()` and all records of all time (the newest of each key).

        Raises ValueError for a state of another version or without the records that it refers to.
        """
        ...


__all__ = [
    "Checkpoint",
    "ExchangeCore",
    "ExchangeFactory",
    "FaultPlan",
    "JournalRecord",
    "PositionRisk",
    "Side",
    "Transfer",
]

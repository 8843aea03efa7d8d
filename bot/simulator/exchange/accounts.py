"""One account's money, positions, orders and history. Plain records: the rules live in the other modules."""

from dataclasses import dataclass, field
from decimal import Decimal

from bot.simulator.exchange.interface import CapitalMove, Transfer
from bot.simulator.exchange.money import ZERO, average_price
from bot.simulator.model import Book, Income, LoanEntry, Order, Position, Side, Status, Trade

MARGIN_ASSET = "USDT"
LEVERAGE_DEFAULT = 20
# Fees of the venue's regular tier (VIP 0): (maker, taker) as fractions.
FEES_DEFAULT = {
    Book.SPOT: (Decimal("0.001"), Decimal("0.001")),
    Book.PERP: (Decimal("0.0002"), Decimal("0.0005")),
}
OPEN_STATUSES = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


@dataclass(slots=True)
class Balance:
    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True)
class Holding:
    """A one-way perp position. `cost` is the exact entry notional (>= 0), so that realised amounts add up."""

    symbol: str
    quantity: Decimal
    cost: Decimal
    updated_ms: int

    def public(self) -> Position:
        return Position(self.symbol, self.quantity, average_price(self.cost, abs(self.quantity)))

    def unrealized(self, mark: Decimal) -> Decimal:
        value = self.quantity * mark
        return value - self.cost if self.quantity > 0 else value + self.cost


@dataclass(slots=True)
class MarginWallet:
    """Cross margin, by asset: what is there, what is owed (interest included), and recalls with their due time."""

    free: dict[str, Decimal] = field(default_factory=dict)
    owed: dict[str, Decimal] = field(default_factory=dict)
    recalls: dict[str, int] = field(default_factory=dict)
    entries: list[LoanEntry] = field(default_factory=list)

    def net(self) -> dict[str, Decimal]:
        """Asset -> what is there less what is owed; assets that were ever there are listed."""
        assets = sorted(self.free.keys() | self.owed.keys())
        return {asset: self.free.get(asset, ZERO) - self.owed.get(asset, ZERO) for asset in assets}


SymbolKey = tuple[Book, str]


@dataclass(slots=True)
class Account:
    api_key: str
    spot: dict[str, Balance] = field(default_factory=dict)
    perp_wallet: Decimal = ZERO
    margin: MarginWallet = field(default_factory=MarginWallet)
    holdings: dict[str, Holding] = field(default_factory=dict)
    leverages: dict[str, int] = field(default_factory=dict)
    fees: dict[Book, tuple[Decimal, Decimal]] = field(default_factory=lambda: dict(FEES_DEFAULT))
    # When the margin must be looked at next; moved to "now" by everything that changes it.
    check_at_ms: int = 0
    open: dict[int, Order] = field(default_factory=dict)
    open_clients: dict[tuple[Book, str], int] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    orders_by_symbol: dict[SymbolKey, list[Order]] = field(default_factory=dict)
    newest_by_client: dict[tuple[Book, str, str], int] = field(default_factory=dict)
    trades: dict[SymbolKey, list[Trade]] = field(default_factory=dict)
    incomes: list[Income] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    capital: list[CapitalMove] = field(default_factory=list)
    # (book, asset) -> (free, locked) before the current call, for BALANCE happenings.
    touched: dict[tuple[Book, str], tuple[Decimal, Decimal]] = field(default_factory=dict)

    def balance(self, asset: str) -> Balance:
        """The spot balance for writing; remembers what it was before."""
        entry = self.spot.get(asset)
        if entry is None:
            entry = self.spot[asset] = Balance()
        key = (Book.SPOT, asset)
        if key not in self.touched:
            self.touched[key] = (entry.free, entry.locked)
        return entry

    def add_perp(self, amount: Decimal) -> None:
        key = (Book.PERP, MARGIN_ASSET)
        if key not in self.touched:
            self.touched[key] = (self.perp_wallet, ZERO)
        self.perp_wallet += amount

    def amounts(self, book: Book, asset: str) -> tuple[Decimal, Decimal]:
        """(free, locked) now."""
        if book is Book.PERP:
            return (self.perp_wallet, ZERO)
        entry = self.spot.get(asset)
        return (entry.free, entry.locked) if entry else (ZERO, ZERO)

    def remember(self, order: Order) -> None:
        """Files an order that is new here, open or not; the caller keeps ids unique."""
        request = order.request
        self.orders[order.id] = order
        self.orders_by_symbol.setdefault((request.book, request.symbol), []).append(order)
        self.newest_by_client[(request.book, request.symbol, request.client_id)] = order.id
        if order.status in OPEN_STATUSES:
            self.open[order.id] = order
            self.open_clients[(request.book, request.client_id)] = order.id

    def close(self, order: Order) -> None:
        """Takes an order out of the open ones."""
        del self.open[order.id]
        del self.open_clients[(order.request.book, order.request.client_id)]

    def leverage(self, symbol: str) -> int:
        return self.leverages.get(symbol, LEVERAGE_DEFAULT)

    def position_quantity(self, symbol: str) -> Decimal:
        holding = self.holdings.get(symbol)
        return holding.quantity if holding else ZERO

    def reducing_open(self, symbol: str, side: Side) -> Decimal:
        """What open reduce-only orders of this side still want to close."""
        return sum(
            (
                order.request.quantity - order.filled
                for order in self.open.values()
                if order.request.reduce_only and order.request.symbol == symbol and order.request.side is side
            ),
            ZERO,
        )

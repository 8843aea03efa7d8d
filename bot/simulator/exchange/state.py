"""The exchange's whole state, and the few things that every part does with it: marks, ids, happenings."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bot.simulator.exchange.accounts import MARGIN_ASSET, Account
from bot.simulator.exchange.faults import FaultPlan
from bot.simulator.exchange.journal import Journal
from bot.simulator.exchange.matching import Consumption
from bot.simulator.model import (
    INSURANCE_CLEAR,
    Book,
    Happening,
    Income,
    Listing,
    Order,
    Prices,
    Settlement,
    Trade,
    VenueError,
)

_HOUR_MS = 3_600_000
LOOK_MS = 60_000
FIRST_TRADE = 2_000_000_001


@dataclass(slots=True)
class Counters:
    """The next number of each kind. The ranges do not meet, so a number tells what it is of."""

    order: int = 1_000_000_001
    trade: int = FIRST_TRADE
    transaction: int = 3_000_000_001


@dataclass(slots=True)
class Lending:
    """What the venue lends: a rate an hour and units in its pool, for all assets but those that are named.

    The default is 10 % a year of a million units.
    """

    rate_per_h: Decimal = Decimal("0.00001142")
    pool: Decimal = Decimal(1_000_000)
    assets: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    market: Prices
    listings: Mapping[tuple[Book, str], Listing]
    accounts: dict[str, Account]
    now_ms: int
    faults: FaultPlan
    counters: Counters = field(default_factory=Counters)
    trade_ids: dict[tuple[Book, str], int] = field(default_factory=dict)
    """The newest trade's id of each book and symbol."""
    consumption: Consumption = field(default_factory=Consumption)
    journal: Journal = field(default_factory=Journal)
    lending: Lending = field(default_factory=Lending)
    # Happenings of the call under way, and those of implied settling that wait for `advance`.
    happenings: list[tuple[str, Happening]] = field(default_factory=list)
    waiting: list[tuple[str, Happening]] = field(default_factory=list)
    look_ms: int = LOOK_MS
    """Shortest market time between two looks at an account's margin."""
    _marks: dict[str, Decimal] = field(default_factory=dict)
    _marks_ms: int = -1
    _upcoming: deque[Settlement] = field(default_factory=deque)
    _fetched_ms: int = -1

    def account(self, api_key: str) -> Account:
        """Raises VenueError -2015 for a key that does not exist."""
        account = self.accounts.get(api_key)
        if account is None:
            raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return account

    def listing(self, book: Book, symbol: str) -> Listing:
        """Raises VenueError -1121 for a symbol that the book does not have, or not yet."""
        listing = self.listings.get((book, symbol))
        if listing is None or listing.listed_ms > self.now_ms:
            raise VenueError(-1121, "Invalid symbol.")
        return listing

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        if at_ms != self._marks_ms:
            self._marks.clear()
            self._marks_ms = at_ms
        mark = self._marks.get(symbol)
        if mark is None:
            mark = self._marks[symbol] = self.market.mark_price(symbol, at_ms)
        return mark

    def next_settlement(self, until_ms: int) -> Settlement | None:
        """The first settlement after `now_ms` and not after `until_ms`; does not take it away."""
        if self._fetched_ms < self.now_ms:
            self._upcoming.clear()
            self._fetched_ms = self.now_ms
        upcoming = self._upcoming
        while upcoming and upcoming[0].at_ms <= self.now_ms:
            upcoming.popleft()
        if not upcoming and self._fetched_ms < until_ms:
            end_ms = max(until_ms, self._fetched_ms + _HOUR_MS)
            upcoming.extend(self.market.settlements(self._fetched_ms, end_ms))
            self._fetched_ms = end_ms
        return upcoming[0] if upcoming and upcoming[0].at_ms <= until_ms else None

    def settlements_at(self, at_ms: int) -> list[Settlement]:
        """Takes the settlements of exactly this time from the queue that `next_settlement` filled."""
        due = []
        while self._upcoming and self._upcoming[0].at_ms <= at_ms:
            due.append(self._upcoming.popleft())
        return due

    def next_order_id(self) -> int:
        self.counters.order += 1
        return self.counters.order - 1

    def next_trade_number(self) -> int:
        self.counters.trade += 1
        return self.counters.trade - 1

    def next_trade_id(self, book: Book, symbol: str) -> int:
        """Two symbols have trades of the same id."""
        self.trade_ids[book, symbol] = self.trade_ids.get((book, symbol), FIRST_TRADE - 1) + 1
        return self.trade_ids[book, symbol]

    def next_transaction_id(self) -> int:
        self.counters.transaction += 1
        return self.counters.transaction - 1

    def tell(self, account: Account, happening: Happening) -> None:
        self.happenings.append((account.api_key, happening))

    def tell_order(
        self, account: Account, order: Order, at_ms: int, trade: Trade | None = None, kind: str = "ORDER"
    ) -> None:
        copy = Order(
            order.id,
            order.request,
            order.status,
            order.created_ms,
            order.updated_ms,
            order.filled,
            order.filled_quote,
            list(order.trade_ids),
        )
        self.tell(account, Happening(kind, at_ms, order.request.book, order=copy, trade=trade))

    def tell_balances(self, account: Account, reason: str, at_ms: int) -> None:
        """One BALANCE for each balance that changed since the last call of this method."""
        for (book, asset), (free_before, locked_before) in account.touched.items():
            free, locked = account.amounts(book, asset)
            if free == free_before and locked == locked_before:
                continue
            delta = free + locked - free_before - locked_before
            self.tell(
                account,
                Happening("BALANCE", at_ms, book, asset=asset, delta=delta, free=free, locked=locked, reason=reason),
            )
        account.touched.clear()

    def pay(self, account: Account, income: Income) -> None:
        """Books an income row to the perp wallet."""
        account.add_perp(income.amount)
        account.incomes.append(income)
        self.journal.incomes.append((account.api_key, income))

    def pay_new(
        self,
        account: Account,
        kind: str,
        symbol: str,
        amount: Decimal,
        at_ms: int,
        trade_id: int | None = None,
    ) -> Income:
        income = Income(self.next_transaction_id(), kind, symbol, MARGIN_ASSET, amount, at_ms, trade_id=trade_id)
        self.pay(account, income)
        if kind == INSURANCE_CLEAR:
            self.tell(account, Happening("CHARGE", at_ms, Book.PERP, income=income))
        return income

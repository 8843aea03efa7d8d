"""The exchange: accounts at a simulated Binance with spot and USD-M books, pure and on market time.

Split wallets, one-way positions, cross margin, USDT the only margin asset. See interface.py for the contract;
this module only strings the parts together.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.simulator.exchange import lending
from bot.simulator.exchange import snapshot as snapshots
from bot.simulator.exchange.accounts import MARGIN_ASSET, Account, Balance
from bot.simulator.exchange.booking import end_order
from bot.simulator.exchange.capital import convert, grant, move_capital
from bot.simulator.exchange.faults import FaultPlan
from bot.simulator.exchange.interface import CapitalMove, Checkpoint, JournalRecord, PositionRisk, Transfer
from bot.simulator.exchange.margin import notional_max, open_notionals, position_risk, tier_of, value
from bot.simulator.exchange.money import ZERO, divide, half_even
from bot.simulator.exchange.placing import place
from bot.simulator.exchange.settling import pay_late, quantity_at, settle
from bot.simulator.exchange.state import LOOK_MS, State
from bot.simulator.exchange.transfers import move
from bot.simulator.exchange.truth import truth
from bot.simulator.model import (
    Book,
    Happening,
    Income,
    LoanEntry,
    Order,
    OrderRequest,
    Position,
    Prices,
    Settlement,
    Status,
    Trade,
    VenueError,
)


class Exchange:
    """Implements `interface.ExchangeCore`."""

    def __init__(
        self,
        market: Prices,
        accounts: Mapping[str, Mapping[Book, Mapping[str, Decimal]]],
        start_ms: int,
        seed: int,
        *,
        state: State | None = None,
        look_ms: int = LOOK_MS,
    ) -> None:
        """`accounts`: API key -> book -> asset -> amount. Raises ValueError for another perp asset than USDT.

        Margin is looked at every `look_ms` of market time at the soonest: a market whose prices stand still for
        hours needs no look each minute.

        With a `state` (see `restore`) that is taken over and the rest, but the market, is ignored.
        """
        self._state = state or State(
            market=market,
            listings=market.listings,
            accounts={key: _account(key, books) for key, books in accounts.items()},
            now_ms=start_ms,
            faults=FaultPlan(seed),
            look_ms=look_ms,
        )

    @classmethod
    def restore(cls, market: Prices, state: Mapping[str, Any], records: Sequence[JournalRecord] = ()) -> "Exchange":
        """From a `snapshot()`, or from a `live_state()` and all records. Raises ValueError: see `snapshot.py`."""
        if "live" in state:
            records = [snapshots.record_of(document) for document in state["records"]]
            state = state["live"]
        return cls(market, {}, 0, 0, state=snapshots.restored(market, state, records))

    @property
    def now_ms(self) -> int:
        return self._state.now_ms

    @property
    def faults(self) -> FaultPlan:
        return self._state.faults

    @property
    def api_keys(self) -> Sequence[str]:
        return list(self._state.accounts)

    def advance(self, to_ms: int) -> Sequence[tuple[str, Happening]]:
        state = self._state
        if to_ms > state.now_ms:
            settle(state, to_ms)
        if not state.happenings and not state.waiting:
            return []
        happened = state.waiting + state.happenings
        state.waiting, state.happenings = [], []
        return happened

    def place(
        self, api_key: str, request: OrderRequest, at_ms: int
    ) -> tuple[Order, Sequence[Trade], Sequence[Happening]]:
        account = self._state.account(api_key)
        order, trades = place(self._state, account, request, self._catch_up(at_ms))
        return order, trades, self._told()

    def fund(self, settlements: Sequence[Settlement]) -> Sequence[Happening]:
        """Pays settlements that became known after their time: a live market tells its rates afterwards."""
        for settlement in settlements:
            pay_late(self._state, settlement)
        return self._told()

    def quantity_at(self, api_key: str, symbol: str, at_ms: int) -> Decimal:
        """The perp position that was held at a past time."""
        return quantity_at(self._state.account(api_key), symbol, at_ms)

    def cancel(
        self, api_key: str, book: Book, symbol: str, order_id: int | None, client_id: str | None, at_ms: int
    ) -> tuple[Order, Sequence[Happening]]:
        account = self._state.account(api_key)
        now_ms = self._catch_up(at_ms)
        self._state.listing(book, symbol)
        order = _find(account, book, symbol, order_id, client_id)
        if order is None or order.id not in account.open:
            raise VenueError(-2011, "Unknown order sent.")
        end_order(self._state, account, order, Status.CANCELED, now_ms)
        self._state.tell_balances(account, "ORDER", now_ms)
        return order, self._told()

    def cancel_all(
        self, api_key: str, book: Book, symbol: str, at_ms: int
    ) -> tuple[Sequence[Order], Sequence[Happening]]:
        account = self._state.account(api_key)
        now_ms = self._catch_up(at_ms)
        self._state.listing(book, symbol)
        doomed = self.open_orders(api_key, book, symbol)
        for order in doomed:
            end_order(self._state, account, order, Status.CANCELED, now_ms)
        self._state.tell_balances(account, "ORDER", now_ms)
        return doomed, self._told()

    def order(self, api_key: str, book: Book, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        state = self._state
        account = state.account(api_key)
        state.listing(book, symbol)
        order = _find(account, book, symbol, order_id, client_id)
        if order is None or state.faults.querying(api_key, book, symbol, state.now_ms):
            raise VenueError(-2013, "Order does not exist.")
        return order

    def open_orders(self, api_key: str, book: Book, symbol: str | None) -> Sequence[Order]:
        opened = self._state.account(api_key).open.values()
        return [o for o in opened if o.request.book is book and symbol in (None, o.request.symbol)]

    def all_orders(self, api_key: str, book: Book, symbol: str) -> Sequence[Order]:
        account = self._state.account(api_key)
        self._state.listing(book, symbol)
        return list(account.orders_by_symbol.get((book, symbol), ()))

    def trades(self, api_key: str, book: Book, symbol: str | None) -> Sequence[Trade]:
        account = self._state.account(api_key)
        if symbol is not None:
            self._state.listing(book, symbol)
            return list(account.trades.get((book, symbol), ()))
        listed = [t for (of_book, _), trades in account.trades.items() if of_book is book for t in trades]
        return sorted(listed, key=lambda trade: trade.number)

    def income(self, api_key: str) -> Sequence[Income]:
        return list(self._state.account(api_key).incomes)

    def transfers(self, api_key: str) -> Sequence[Transfer]:
        return list(self._state.account(api_key).transfers)

    def capital(self, api_key: str) -> Sequence[CapitalMove]:
        return list(self._state.account(api_key).capital)

    def positions(self, api_key: str) -> Sequence[Position]:
        holdings = self._state.account(api_key).holdings
        return [holdings[symbol].public() for symbol in sorted(holdings)]

    def position_risk(self, api_key: str, at_ms: int) -> Sequence[PositionRisk]:
        account = self._state.account(api_key)
        return position_risk(self._state, account, self._reading_time(at_ms))

    def wallet(self, api_key: str, book: Book) -> dict[str, tuple[Decimal, Decimal]]:
        account = self._state.account(api_key)
        if book is Book.PERP:
            return {MARGIN_ASSET: account.amounts(Book.PERP, MARGIN_ASSET)}
        return {asset: (b.free, b.locked) for asset, b in account.spot.items()}

    def margin_usd(self, api_key: str, at_ms: int) -> dict[str, Decimal]:
        account = self._state.account(api_key)
        valuation = value(self._state, account, self._reading_time(at_ms))
        return {
            "wallet_balance": valuation.wallet,
            "unrealized": half_even(valuation.unrealized),
            "margin_balance": half_even(valuation.margin_balance),
            "initial": half_even(valuation.required),
            "position_initial": half_even(valuation.initial),
            "order_initial": half_even(valuation.required - valuation.initial),
            "maintenance": half_even(valuation.maintenance),
            "available": half_even(valuation.available),
            "withdrawable": half_even(valuation.withdrawable),
        }

    def transfer(
        self, api_key: str, asset: str, quantity: Decimal, source: Book, target: Book, at_ms: int
    ) -> tuple[int, Sequence[Happening]]:
        account = self._state.account(api_key)
        now_ms = self._catch_up(at_ms)
        transaction_id = move(self._state, account, asset, quantity, source, target, now_ms)
        return transaction_id, self._told()

    def margin_wallet(self, api_key: str) -> dict[str, tuple[Decimal, Decimal]]:
        wallet = self._state.account(api_key).margin
        return {asset: (wallet.free.get(asset, ZERO), wallet.owed.get(asset, ZERO)) for asset in wallet.net()}

    def loans(self, api_key: str) -> Sequence[LoanEntry]:
        return list(self._state.account(api_key).margin.entries)

    def lending_terms(self, asset: str, at_ms: int) -> tuple[Decimal, Decimal]:
        return lending.terms(self._state, asset, self._reading_time(at_ms))

    def collateral_ratio(self, asset: str, at_ms: int) -> Decimal:
        return lending.collateral_ratio(self._state, asset, self._reading_time(at_ms))

    def set_lending(self, asset: str, rate_per_h: Decimal, pool: Decimal) -> None:
        self._state.lending.assets[asset] = (rate_per_h, pool)

    def move_collateral(self, api_key: str, quantity: Decimal, at_ms: int) -> tuple[int, Sequence[Happening]]:
        account = self._state.account(api_key)
        now_ms = self._catch_up(at_ms)
        return lending.move_collateral(self._state, account, quantity, now_ms), self._told()

    def move_capital(
        self, api_key: str, asset: str, quantity: Decimal, fee: Decimal, at_ms: int, *, told: bool = True
    ) -> tuple[int, Sequence[Happening]]:
        account = self._state.account(api_key)
        now_ms = self._catch_up(at_ms)
        number = move_capital(self._state, account, asset, quantity, fee, now_ms, told=told)
        return number, self._told()

    def grant(self, api_key: str, kind: str, quantity: Decimal, at_ms: int) -> tuple[int, Sequence[Happening]]:
        account = self._state.account(api_key)
        now_ms = self._catch_up(at_ms)
        return grant(self._state, account, kind, quantity, now_ms), self._told()

    def convert(self, api_key: str, asset: str, into: str, ratio: Decimal, at_ms: int) -> Decimal:
        """A coin of which the spot has ended becomes another one; see `capital.convert`."""
        account = self._state.account(api_key)
        return convert(self._state, account, asset, into, ratio, self._catch_up(at_ms))

    def fee_rates(self, api_key: str, book: Book, symbol: str) -> tuple[Decimal, Decimal]:
        account = self._state.account(api_key)
        self._state.listing(book, symbol)
        return account.fees[book]

    def set_fee_rates(self, api_key: str, book: Book, maker: Decimal, taker: Decimal) -> None:
        """Fractions, 0 <= rate < 1. Raises ValueError otherwise."""
        if not (0 <= maker < 1 and 0 <= taker < 1):
            raise ValueError(f"fee rates {maker} and {taker} must be fractions from 0 to below 1")
        self._state.account(api_key).fees[book] = (maker, taker)

    def leverage(self, api_key: str, symbol: str) -> int:
        account = self._state.account(api_key)
        self._state.listing(Book.PERP, symbol)
        return account.leverage(symbol)

    def set_leverage(self, api_key: str, symbol: str, leverage: int) -> None:
        state = self._state
        account = state.account(api_key)
        listing = state.listing(Book.PERP, symbol)
        if not 1 <= leverage <= tier_of(listing, ZERO).leverage_max:
            raise VenueError(-4028, f"Leverage {leverage} is not valid")
        notional = abs(account.position_quantity(symbol)) * state.mark(symbol, state.now_ms)
        worth = notional + sum(open_notionals(account, symbol), ZERO)
        if worth > notional_max(listing, leverage):
            raise VenueError(-2027, "Exceeded the maximum allowable position at current leverage.")
        before = account.leverage(symbol)
        more = divide(worth, Decimal(leverage)) - divide(worth, Decimal(before))
        if more > 0 and more > value(state, account, state.now_ms).available:
            raise VenueError(-2028, "Leverage is smaller than permitted: insufficient margin balance.")
        account.leverages[symbol] = leverage

    def snapshot(self) -> dict[str, Any]:
        records = [snapshots.record_document(record) for record in snapshots.history(self._state)]
        return {"live": self.live_state(), "records": records}

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.drain_journal(), self.live_state())

    def drain_journal(self) -> Sequence[JournalRecord]:
        return self._state.journal.drain()

    def live_state(self) -> dict[str, Any]:
        return snapshots.live_state(self._state)

    def truth(self, api_key: str, at_ms: int) -> dict[str, Any]:
        account = self._state.account(api_key)
        return truth(self._state, account, self._reading_time(at_ms))

    def _reading_time(self, at_ms: int) -> int:
        """Reading does not settle: values are of the asked time, money is as of `now_ms`."""
        return max(at_ms, self._state.now_ms)

    def _catch_up(self, at_ms: int) -> int:
        """Settles up to a later `at_ms`, keeping what happens for `advance`; returns the time that counts."""
        state = self._state
        if at_ms > state.now_ms:
            settle(state, at_ms)
            state.waiting += state.happenings
            state.happenings = []
        return state.now_ms

    def _told(self) -> list[Happening]:
        told = [happening for _, happening in self._state.happenings]
        self._state.happenings = []
        return told


def _account(api_key: str, books: Mapping[Book, Mapping[str, Decimal]]) -> Account:
    account = Account(api_key)
    account.spot = {asset: Balance(free=amount) for asset, amount in books.get(Book.SPOT, {}).items()}
    for asset, amount in books.get(Book.PERP, {}).items():
        if asset != MARGIN_ASSET:
            raise ValueError(f"account {api_key!r}: the perp wallet holds {MARGIN_ASSET} only, not {asset}")
        account.perp_wallet = amount
    if account.perp_wallet < 0 or any(b.free < 0 for b in account.spot.values()):
        raise ValueError(f"account {api_key!r}: a negative starting balance")
    return account


def _find(account: Account, book: Book, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
    """By id where given, else by client id (the newest); None when it is not of this book and symbol."""
    if order_id is None and client_id is not None:
        order_id = account.newest_by_client.get((book, symbol, client_id))
    if order_id is None:
        return None
    order = account.orders.get(order_id)
    if order is None or order.request.book is not book or order.request.symbol != symbol:
        return None
    return order

"""The paper account: the exchange core over live prices, durable in one file, answering in base units."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.domain.events import AccountReported, OrderFilled, OrderReported
from bot.domain.hedges import LiquidationCharge, Receipt, TransferIntent
from bot.domain.instruments import FeeRates, Instrument, Kind, Wallet, margin_twin
from bot.domain.numbers import ZERO
from bot.domain.orders import Fill, OrderIntent
from bot.ports import FundingSettled, OrderBook, TransferBooked, VenueError
from bot.simulator.base_units import BOOKS, STATES, charge_of, fill_of, receipt_of, request_of
from bot.simulator.exchange.core import Exchange
from bot.simulator.exchange.interface import Checkpoint
from bot.simulator.exchange.settling import FUNDING_FEE
from bot.simulator.loan_model import LoanModel
from bot.simulator.loans import Loans, spots_of
from bot.simulator.model import INSURANCE_CLEAR, Book, Happening, Income, Order, Settlement, Trade
from bot.simulator.model import VenueError as Refusal
from bot.simulator.paper.market import LivePrices
from bot.simulator.wire.persistence import StateStore

KEY = "paper"


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """How a new account opens and what it pays; fees are fractions of notional, `loans` what coins cost to borrow."""

    cash: Decimal
    spot: FeeRates
    perp: FeeRates
    loans: LoanModel = field(default_factory=LoanModel)


class PaperAccount:
    """One account in one file. Changes are in memory until `save`, which says whether they are durable.

    Methods that change it raise `Refusal`, a venue's own refusal, and then nothing has changed.
    """

    def __init__(self, venue: str, account: str, file: Path, terms: PaperTerms, now_ms: int) -> None:
        """The stored account, or a new one. Raises VenueError."""
        self.venue = venue
        self.prices = LivePrices()
        self.instruments: dict[str, Instrument] = {}
        self.refused: str | None = None
        """Why the disk refused the last save."""
        self._account = account
        self._ids: dict[tuple[Book, str], str] = {}
        self._unsaved: Checkpoint | None = None
        try:
            self._store = StateStore(file)
            live = self._store.load_state("exchange")
            self.prices.restore(self._store.load_state("paper") or {})
            self.existed = live is not None
            if live is None:
                opening = {KEY: {Book.SPOT: {"USDT": terms.cash}, Book.PERP: {"USDT": ZERO}}}
                self._core = Exchange(self.prices, opening, now_ms, seed=0)
            else:
                self._core = Exchange.restore(self.prices, live, self._store.load_records())
        except (sqlite3.Error, ValueError, OSError) as error:
            raise VenueError(f"the paper account in {file} cannot be read: {error}") from None
        for book, fee in ((Book.SPOT, terms.spot), (Book.PERP, terms.perp)):
            self._core.set_fee_rates(KEY, book, fee.maker, fee.taker)
        self.loans = Loans(self._core, KEY, venue, {}, account)
        """Its margin account; nothing can be borrowed before `admit_loans`."""

    def close(self) -> None:
        self._store.close()

    def save(self) -> bool:
        """All of it on disk; False when the disk refused: then it is tried again with the next."""
        made = self._core.checkpoint()
        if self._unsaved is not None:
            made = Checkpoint([*self._unsaved.records, *made.records], made.state)
        held = [position.symbol for position in self._core.positions(KEY)]
        try:
            self._store.save(made, {"paper": self.prices.state(held)})
        except sqlite3.Error as error:
            self._unsaved, self.refused = made, str(error)
            return False
        self._unsaved = self.refused = None
        return True

    def admit(self, instruments: Sequence[Instrument]) -> None:
        self.prices.admit(instruments)
        for instrument in instruments:
            self.instruments[instrument.id] = instrument
            self._ids[BOOKS[instrument.kind], instrument.symbol] = instrument.id

    def admit_loans(self) -> tuple[Instrument, ...]:
        """From now on every coin can be sold on loan. Returns the margin spot of each."""
        self.loans.admit(spots_of(self.instruments))
        twins = tuple(self.loans.twins.values())
        self.prices.admit(twins)
        self.instruments.update((twin.id, twin) for twin in twins)
        return twins

    def spot_of(self, instrument: str) -> str:
        """Whose order book an instrument trades on: margin spot on the spot's."""
        return self._ids[self._place_of(instrument)]

    def lend(self, asset: str, rate_per_h: Decimal, pool: Decimal) -> None:
        """What a coin costs to borrow from now on, and how much of it there is in all."""
        self._core.set_lending(asset, rate_per_h, pool)

    # -- what changes it ----------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> list[Happening]:
        """Resting orders and liquidations up to now; funding comes by `fund`."""
        try:
            return [happening for _, happening in self._core.advance(now_ms)]
        except Refusal:
            return []  # nothing can be valued before the first frames

    def place(self, intent: OrderIntent, book: OrderBook, now_ms: int) -> list[OrderFilled | OrderReported]:
        """Fill what the order book gives; an order that may rest stays for `advance`."""
        instrument = self.instruments[intent.instrument]
        listing = self.prices.listings[BOOKS[instrument.kind], instrument.symbol]
        self.prices.show(intent.instrument, book)
        try:
            order, trades, _ = self._core.place(KEY, request_of(intent, listing, instrument.multiplier), now_ms)
        finally:
            self.prices.show(intent.instrument, None)
        return [*(OrderFilled(self.fill(trade)) for trade in trades), self.report(order)]

    def cancel(self, client_id: str, instrument: str, now_ms: int) -> None:
        self._core.cancel(KEY, *self._place_of(instrument), None, client_id, now_ms)

    def transfer(self, intent: TransferIntent, now_ms: int) -> str:
        """The venue's id of the transfer. Raises ValueError for wallets that there are not."""
        if {intent.source, intent.target} == {Wallet.SPOT.value, Wallet.MARGIN.value}:
            return str(self.loans.move(intent, now_ms))
        source, target = Book(intent.source), Book(intent.target)
        return str(self._core.transfer(KEY, intent.asset, intent.amount, source, target, now_ms)[0])

    def fund(self, settled: Iterable[FundingSettled]) -> Sequence[Happening]:
        """Charge settlements on what was held at their time; each is charged once, however often it is told."""
        opened_ms = min((trade.at_ms for trade in self._core.trades(KEY, Book.PERP, None)), default=self.now_ms)
        return self._core.fund([self._settlement(one) for one in settled if one.settled_ms >= opened_ms])

    def _settlement(self, one: FundingSettled) -> Settlement:
        instrument = self.instruments[one.instrument]
        newest = self.prices.mark(instrument.symbol, 0).mark
        mark = newest if one.mark_price is None else one.mark_price * instrument.multiplier
        return Settlement(instrument.symbol, one.settled_ms, one.rate, mark, 0)

    # -- what it says -------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Market time up to which it is settled."""
        return self._core.now_ms

    def held_at(self, instrument: str, at_ms: int) -> bool:
        """Whether a perpetual was held at a past time."""
        return bool(self._core.quantity_at(KEY, self.instruments[instrument].symbol, at_ms))

    def held_since(self, since_ms: int) -> list[str]:
        """Perpetuals that are held, or were traded since."""
        symbols = {position.symbol for position in self._core.positions(KEY)}
        symbols |= {trade.symbol for trade in self._core.trades(KEY, Book.PERP, None) if trade.at_ms >= since_ms}
        return sorted(self._ids[Book.PERP, s] for s in symbols if (Book.PERP, s) in self._ids)

    def order(self, client_id: str, instrument: str) -> list[OrderFilled | OrderReported]:
        """An order's fills, then its state."""
        place = self._place_of(instrument)
        order = self._core.order(KEY, *place, None, client_id)
        fills = [OrderFilled(self.fill(t)) for t in self._core.trades(KEY, *place) if t.order_id == order.id]
        return [*fills, self.report(order)]

    def open_orders(self) -> list[tuple[str, str, str]]:
        return [
            (order.request.client_id, self._ids[book, order.request.symbol], str(order.id))
            for book in Book
            for order in self._core.open_orders(KEY, book, None)
            if (book, order.request.symbol) in self._ids
        ]

    def reported(self) -> AccountReported:
        balances = {
            book.value: {
                asset: free + locked
                for asset, (free, locked) in self._core.wallet(KEY, book).items()
                if free or locked
            }
            for book in Book
        }
        if self.loans.twins:
            balances[Wallet.MARGIN.value] = {asset: net for asset, net in self.loans.balances().items() if net}
        positions = {}
        for position in self._core.positions(KEY):
            name = self._ids.get((Book.PERP, position.symbol), f"{self.venue}:{position.symbol}:perp")
            scale = self.instruments[name].multiplier if name in self.instruments else 1
            positions[name] = position.quantity * scale
        return AccountReported(self.venue, balances, positions, complete=False)

    def receipts(self, since_ms: int) -> list[Receipt]:
        rows = [i for i in self._core.income(KEY) if i.kind == FUNDING_FEE and i.at_ms >= since_ms]
        known = [i for i in rows if (Book.PERP, i.symbol) in self._ids]
        return [self.receipt(income) for income in sorted(known, key=lambda i: (i.at_ms, i.id))]

    def charges(self, since_ms: int) -> list[LiquidationCharge]:
        rows = [i for i in self._core.income(KEY) if i.kind == INSURANCE_CLEAR and i.at_ms >= since_ms]
        return [self.charge(row) for row in rows]

    def charge(self, income: Income) -> LiquidationCharge:
        instrument = self.instruments.get(self._ids.get((Book.PERP, income.symbol), ""))
        return charge_of(income, self.venue, self._account, instrument)

    def fills(self, since_ms: int, instruments: Sequence[str]) -> list[Fill]:
        wanted = [self.instruments[name] for name in instruments if name in self.instruments]
        trades = [
            trade
            for one in wanted
            for trade in self._core.trades(KEY, BOOKS[one.kind], one.symbol)
            if trade.at_ms >= since_ms and trade.margin == (one.kind is Kind.MARGIN)
        ]
        return [self.fill(trade) for trade in sorted(trades, key=lambda t: (t.at_ms, t.id))]

    def transfers(self, since_ms: int) -> list[TransferBooked]:
        moved = [
            TransferBooked(str(t.id), t.asset, t.quantity, t.source.value, t.target.value, t.at_ms)
            for t in self._core.transfers(KEY)
        ]
        return [one for one in [*moved, *self.loans.moves()] if one.at_ms >= since_ms]

    def truth(self, now_ms: int) -> dict[str, Any]:
        """The account's own record, as the simulated exchange tells it."""
        return self._core.truth(KEY, now_ms)

    def fill(self, trade: Trade) -> Fill:
        spot = self.instruments[self._ids[trade.book, trade.symbol]]
        return fill_of(trade, margin_twin(spot) if trade.margin else spot)

    def receipt(self, income: Income) -> Receipt:
        return receipt_of(income, self.instruments[self._ids[Book.PERP, income.symbol]], self._account)

    def report(self, order: Order) -> OrderReported:
        request = order.request
        scale = self.instruments[self._ids[request.book, request.symbol]].multiplier
        return OrderReported(request.client_id, STATES[order.status], order.filled * scale, str(order.id))

    def _place_of(self, instrument: str) -> tuple[Book, str]:
        found = self.instruments[instrument]
        return BOOKS[found.kind], found.symbol

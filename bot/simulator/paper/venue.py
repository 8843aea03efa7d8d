"""Paper trading as a `ports.Venue`: a live venue's public side, and an account that is simulated beside it.

An order meets the order book as the venue shows it when the order arrives, one request later, and pays the taker
fee for what it takes. Funding is charged on the venue's own settlements, rates and marks, as soon as it tells them,
on what was held at their time; what settled while the daemon was down is charged at the next start. The account is
durable before an outcome is told. Limits: the live market does not feel us, price bands are not checked, a
liquidation while the daemon is down is found at the next start, and without a key the fees are those of the settings,
the margin tiers a model by volume, and the rates of loans a model by funding.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.domain.actions import Severity
from bot.domain.events import (
    AccountReported,
    Event,
    FeedAlive,
    FundingReceived,
    LiquidationCharged,
    OrderFilled,
    OrderNotFound,
    OrderOutcomeUnknown,
    OrderReported,
    TransferFailed,
    TransferSettled,
    TransferUnknown,
    VenueListed,
)
from bot.domain.hedges import Receipt, TransferIntent
from bot.domain.instruments import Kind
from bot.domain.market import Liquidity, Mark, Quote, SettledRate
from bot.domain.numbers import ZERO, ceil_to, floor_to
from bot.domain.orders import OrderIntent, OrderState, Side
from bot.domain.time import DAY_MS
from bot.ports import CapitalBooked, Deliver, KeyRights, Lender, LiveMarket, OrderBook, VenueError, VenueHistory
from bot.simulator.base_units import rejected
from bot.simulator.model import Book, Happening
from bot.simulator.model import VenueError as Refusal
from bot.simulator.paper.account import PaperAccount, PaperTerms
from bot.simulator.paper.lending import PaperLender

BEAT_S = 0.25
SAVE_EVERY_S = 5.0
"""How often a quiet account is saved: its marks and the time up to which it is settled."""
FUND_RETRY_S = (1.0, 15.0)
"""Pause between two questions for a settlement that the venue does not tell yet: the first and the longest."""
VIEWS = 3
NOT_SAVED = "the paper account could not be saved"


Fields = Mapping[str, str | int | float | Decimal | bool | None]
Log = Callable[[Severity, str, Fields], None]


class PaperVenue:
    """`source` gives the market and is opened and closed with it; `file` holds the account."""

    def __init__(
        self,
        source: LiveMarket,
        account: str,
        file: Path,
        terms: PaperTerms,
        log: Log,
        *,
        borrows: bool = False,
        looks: bool = False,
    ) -> None:
        """With `borrows` coins are sold on loan, at modelled rates. One who only `looks` changes nothing: the account
        is a daemon's, and is told as that one last saved it."""
        self.name = source.name
        self._source = source
        self._account = account
        self._file = file
        self._terms = terms
        self._log = log
        self._borrows, self._looks = borrows, looks
        self._opened: PaperAccount | None = None
        self._kept = False
        """Whether the account is to stay: a question before the first run opens none."""
        self._owed: set[tuple[str, int]] = set()
        """(perpetual, time) of settlements that passed while it was held and that the venue did not tell yet."""

    @property
    def account(self) -> PaperAccount:
        """Raises VenueError before `connect`."""
        if self._opened is None:
            raise VenueError("not connected")
        return self._opened

    @property
    def lender(self) -> Lender | None:
        return PaperLender(self._opened, self._terms.loans) if self._borrows and self._opened is not None else None

    # -- life -------------------------------------------------------------------------------------------------

    def keep_listed(self, instruments: Iterable[str]) -> None:
        """Coins of the live venue are lent as long as they are traded."""

    async def connect(self) -> None:
        """The live venue's clock and listing; the account as it was, with what settled meanwhile."""
        try:
            await self._source.connect()
            if self._opened is None:
                self._opened = self._open()
                self._kept = self._opened.existed and not self._looks
            await self.fetch_listing()
            if not self._looks:
                since_ms = self.account.now_ms - DAY_MS
                await self._fund(since_ms, self.account.held_since(since_ms))
            if self._kept:
                self._save()  # durable before any history tells of it
        except BaseException:
            await self.close()
            raise

    def _open(self) -> PaperAccount:
        return PaperAccount(self.name, self._account, self._file, self._terms, self.market_ms())

    def _seen(self) -> PaperAccount:
        """The account as it is now; for one who only looks, as it stands in the file by now."""
        if self._looks:
            before, self._opened = self.account, self._open()
            self._opened.admit([one for one in before.instruments.values() if one.kind is not Kind.MARGIN])
            if self._borrows:
                self._opened.admit_loans()
            before.close()
        return self.account

    async def close(self) -> None:
        if self._opened is not None:
            if self._kept:
                self._save()
            self._opened.close()
            self._opened = None
        await self._source.close()

    @property
    def clock_offset_ms(self) -> int:
        """The live venue's wall clock less this machine's, as last measured."""
        return self._source.clock_offset_ms

    def market_ms(self) -> int:
        return self._source.market_ms()

    def widen(self, coins: Iterable[str], exclude: Iterable[str], *, borrows: bool = False) -> bool:
        """List also what these admit, from the next listing on; False when nothing is added."""
        more = borrows and not self._borrows
        self._borrows |= borrows
        return self._source.widen(coins, exclude) or more

    async def run(self, deliver: Deliver) -> None:
        """The live streams, and the account's own time beside them."""

        def take(event: Event) -> None:
            if isinstance(event, Quote):
                self.account.prices.note_quote(event)
            elif isinstance(event, Mark):
                self._note_mark(event)
            deliver(event)

        if not self._kept:
            self._kept = True
            fields: Fields = {"venue": self.name, "cash": self._terms.cash, "file": str(self._file)}
            self._log(Severity.INFO, "paper.account_opened", fields)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._source.run(take))
            group.create_task(self._beat(deliver))
            group.create_task(self._fund_often(deliver))

    async def _beat(self, deliver: Deliver) -> None:
        """Resting orders, liquidations, and a sign of life: the account's private stream."""
        beats = 0
        while True:
            self._tell(self.account.advance(self.market_ms()), deliver)
            beats += 1
            if beats * BEAT_S >= SAVE_EVERY_S:
                beats = 0
                self._save()
            for wallet in Book:
                deliver(FeedAlive(f"{self.name}:user-{wallet.value}"))
            await asyncio.sleep(BEAT_S)

    def _tell(self, happened: Sequence[Happening], deliver: Deliver) -> None:
        """Durable first, then told; what could not be saved is found by reconciliation."""
        if not happened or not self._save():
            return
        account = self.account
        for happening in happened:
            if happening.income is not None and happening.kind == "CHARGE":
                deliver(LiquidationCharged(account.charge(happening.income)))
            elif happening.income is not None:
                deliver(FundingReceived(account.receipt(happening.income)))
            if (told := account.loans.event_of(happening)) is not None:
                deliver(told)
            if happening.trade is not None:
                deliver(OrderFilled(account.fill(happening.trade)))
            if happening.order is not None and happening.kind == "ORDER":
                deliver(account.report(happening.order))

    def _save(self) -> bool:
        if self.account.save():
            return True
        fields: Fields = {"venue": self.name, "file": str(self._file), "reason": self.account.refused}
        self._log(Severity.WARNING, "paper.not_saved", fields)
        return False

    # -- funding ----------------------------------------------------------------------------------------------

    def _note_mark(self, mark: Mark) -> None:
        passed_ms = self.account.prices.note_mark(mark)
        if passed_ms is not None and self.account.held_at(mark.instrument, passed_ms):
            self._owed.add((mark.instrument, passed_ms))

    async def _fund_often(self, deliver: Deliver) -> None:
        first_s, longest_s = FUND_RETRY_S
        pause_s = first_s
        while True:
            await asyncio.sleep(pause_s)
            self._give_up()
            before = set(self._owed)
            try:
                if before:
                    names = sorted({name for name, _ in before})
                    self._tell(await self._fund(min(at_ms for _, at_ms in before), names), deliver)
            except VenueError as error:
                self._log(Severity.INFO, "paper.funding_unknown", {"venue": self.name, "reason": str(error)})
            waiting = bool(before) and before <= self._owed
            pause_s = min(2 * pause_s, longest_s) if waiting else first_s

    def _give_up(self) -> None:
        for name, at_ms in [owed for owed in self._owed if self.market_ms() - owed[1] > DAY_MS]:
            self._owed.discard((name, at_ms))
            fields: Fields = {"venue": self.name, "instrument": name, "settled_ms": at_ms}
            self._log(Severity.WARNING, "paper.funding_untold", fields)

    async def _fund(self, since_ms: int, names: Sequence[str]) -> Sequence[Happening]:
        """Charge what the venue says has settled since."""
        found = await self._source.fetch_settlements(since_ms, names) if names else ()
        self._owed -= {(one.instrument, one.settled_ms) for one in found}
        return self.account.fund(found)

    # -- orders and transfers ---------------------------------------------------------------------------------

    async def place(self, intents: Sequence[OrderIntent], *, reducing: bool, deliver: Deliver) -> None:
        """Fetches the order books of all, then fills all at one moment."""
        del reducing
        books = await asyncio.gather(*(self._book(intent) for intent in intents))
        for intent, book in zip(intents, books, strict=True):
            self._place_one(intent, book, deliver)

    async def _book(self, intent: OrderIntent) -> OrderBook | str:
        """The live order book, or why the order cannot be sent."""
        instrument = self.account.instruments.get(intent.instrument)
        if instrument is None:
            return "instrument is not listed"
        if floor_to(intent.quantity_base, instrument.lot) != intent.quantity_base:
            return "quantity is not on the lot grid"
        try:
            book = await self._source.fetch_order_book(self.account.spot_of(intent.instrument))
        except VenueError as error:
            return f"no live order book: {error}"
        return book if book.bids and book.asks else "the live order book has an empty side"

    def _place_one(self, intent: OrderIntent, book: OrderBook | str, deliver: Deliver) -> None:
        if isinstance(book, str):
            deliver(OrderReported(intent.client_id, OrderState.REJECTED, ZERO, reason=f"not sent: {book}"))
            return
        to_tick = floor_to if intent.side is Side.BUY else ceil_to
        tick = self.account.instruments[intent.instrument].tick
        intent = replace(intent, limit_price=to_tick(intent.limit_price, tick))
        before = self.account.advance(self.market_ms())
        try:
            outcome = self.account.place(intent, book, self.market_ms())
        except Refusal as refused:
            self._tell(before, deliver)
            if "uplicate" in refused.message:  # an order of this id is open: it is that one that is asked about
                deliver(OrderOutcomeUnknown(intent.client_id, str(refused)))
            else:
                deliver(rejected(intent.client_id, refused))
            return
        if not self._save():
            deliver(OrderOutcomeUnknown(intent.client_id, NOT_SAVED))
            return
        self._tell(before, deliver)
        for event in outcome:
            deliver(event)

    async def cancel(self, client_id: str, instrument: str, deliver: Deliver) -> None:
        try:
            if instrument in self.account.instruments:
                self.account.cancel(client_id, instrument, self.market_ms())
        except Refusal:
            pass  # it is no longer open: the question tells what became of it
        await self.query(client_id, instrument, None, 0, deliver)

    async def query(
        self, client_id: str, instrument: str, venue_order_id: str | None, since_ms: int, deliver: Deliver
    ) -> None:
        del venue_order_id, since_ms
        unlisted = instrument not in self.account.instruments
        if unlisted or not self._save():
            why = "instrument is not listed" if unlisted else NOT_SAVED
            deliver(OrderOutcomeUnknown(client_id, f"query: {why}"))
            return
        try:
            found = self.account.order(client_id, instrument)
        except Refusal:
            deliver(OrderNotFound(client_id, VIEWS))
            return
        for event in found:
            deliver(event)

    async def transfer(self, intent: TransferIntent, deliver: Deliver) -> None:
        try:
            venue_id = self.account.transfer(intent, self.market_ms())
        except (Refusal, ValueError) as refused:
            deliver(TransferFailed(intent.id, str(refused)))
            return
        if self._save():
            deliver(TransferSettled(intent.id, venue_id))
        else:
            deliver(TransferUnknown(intent.id, NOT_SAVED))

    # -- fetching ---------------------------------------------------------------------------------------------

    async def fetch_listing(self) -> VenueListed:
        """The live listing, with the fees of the settings and modelled margin tiers."""
        listed = await self._source.fetch_listing()
        self.account.admit(listed.instruments)
        instruments = (*listed.instruments, *(self.account.admit_loans() if self._borrows else ()))
        fees = {i.id: self._terms.spot if i.kind.is_coin else self._terms.perp for i in instruments}
        tiers = {i.id: self.account.prices.tiers(i) for i in instruments if i.kind is Kind.PERP}
        return replace(listed, instruments=instruments, fees=fees, tiers=tiers)

    async def fetch_rates(self, since_ms: int, instruments: Sequence[str] | None = None) -> Sequence[SettledRate]:
        return await self._source.fetch_rates(since_ms, instruments)

    async def fetch_liquidity(self, instruments: Sequence[str]) -> Sequence[Liquidity]:
        found = await self._source.fetch_liquidity(instruments)
        self.account.prices.volumes.update({one.instrument: one.volume_usd for one in found})
        return found

    async def fetch_account(self) -> AccountReported:
        return self._seen().reported()

    async def fetch_receipts(self, since_ms: int) -> Sequence[Receipt]:
        return self._seen().receipts(since_ms)

    async def fetch_history(self, since_ms: int, instruments: Sequence[str]) -> VenueHistory:
        account = self._seen()
        return VenueHistory(
            fills=tuple(account.fills(since_ms, instruments)),
            receipts=tuple(account.receipts(since_ms)),
            transfers=tuple(account.transfers(since_ms)),
            until_ms=self.market_ms(),
            charges=tuple(account.charges(since_ms)),
            interest=tuple(one for one in account.loans.charged() if one.charged_ms >= since_ms),
        )

    async def fetch_capital(self, since_ms: int) -> Sequence[CapitalBooked]:
        """Nobody pays play money in."""
        del since_ms
        return ()

    async def fetch_open_orders(self) -> Sequence[tuple[str, str, str]]:
        return self.account.open_orders()

    async def key_rights(self) -> KeyRights:
        """There is no key: nothing can be withdrawn, and nobody else can trade."""
        return KeyRights(True, True, True, can_withdraw=False, ip_restricted=True, can_borrow=True)

    def truth(self) -> dict[str, Any]:
        """The account's own record, as the simulated exchange tells it."""
        return self.account.truth(self.market_ms())

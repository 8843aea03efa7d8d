"""Fetches a venue's truth and delivers it in the order that lets the core compare: facts first, balances last.

A pass asks for every order that is not settled and then looks at the balances. When they are exactly those of
the books, nothing was missed and the pass is done. When only money or what is owed differs, receipts and interest are
fetched; otherwise the whole history since the books' end (with an overlap; repeats are recognised by their ids), and
the balances again.
They are delivered as `complete` when they then agree with the books, or when they held still around the history,
so that a difference is a real one; and only if nothing was sent meanwhile and no order or transfer is undecided.
A pass that cannot be complete is tried again a bounded number of times.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bot.domain.actions import Severity
from bot.domain.events import (
    AccountReported,
    CapitalMoved,
    LiquidationCharged,
    OrderFilled,
    Reconciled,
    TransferFailed,
    TransferSettled,
)
from bot.domain.instruments import Wallet
from bot.domain.orders import OrderState
from bot.domain.time import DAY_MS
from bot.ports import Clock, Deliver, TransferBooked, Venue, VenueError, VenueHistory
from bot.runtime.account import StateView
from bot.runtime.moves import explains, half_booked, sides_to_book
from bot.runtime.payments import Payment, of_interest, of_receipt, split
from bot.runtime.vitals import Report, Vitals

START_OVERLAP_MS = 3 * DAY_MS
OVERLAP_MS = DAY_MS
TRIES = 3
START_TRIES = 6
TRY_PAUSE_S = 0.3
SUSPECTS_TRIES = 3
"""Tries at the instruments that a difference points at, before the trades of all of them are fetched."""
WHOLE_AFTER = 2
"""Passes in a row that money alone kept from being complete, after which trades are fetched as well."""
CAPITAL_EVERY_S = 10.0
LAG_S = 3.0
"""A venue's trades may be seen so much later than what they changed."""
CAPITAL_OVERLAP_MS = 7 * DAY_MS
"""A deposit may be told this much later than its time."""
BACKOFF_S_MAX = 10.0


@dataclass(slots=True)
class BooksEnd:
    """Where the books of a venue begin and how far they are known to be complete (market time)."""

    floor_ms: int
    """The opening balance was taken here: nothing older is ever booked. 0: the books are empty."""
    complete_ms: int
    """Everything up to here was fetched and delivered."""
    transfers_seen: set[str]
    """Venue ids of transfers that are booked."""


class Reconciler:
    """Runs passes for one venue, one at a time."""

    def __init__(
        self,
        venue: Venue,
        view: StateView,
        books: BooksEnd,
        clock: Clock,
        deliver: Deliver,
        flush: Callable[[], Awaitable[None]],
        traffic: Callable[[], tuple[int, int]],
        settle_window_s: float,
        vitals: Vitals,
        report: Report,
    ) -> None:
        self._venue = venue
        self._view = view
        self._books = books
        self._clock = clock
        self._deliver = deliver
        self._flush = flush
        self._traffic = traffic
        """(requests in flight that change the account, orders sent since start)"""
        self.settle_ms = int(settle_window_s * 1000)
        """How long the venue's `not found` is not believed."""
        self._vitals = vitals
        self._report = report
        self._asked = asyncio.Event()
        self._reason = ""
        self._missing: dict[str, int] = {}
        self._capital_s = self._looked_s = -CAPITAL_EVERY_S
        """When the owner's moves were last asked for, and when last with an answer."""
        self._gap: tuple[Mapping[tuple[str, str], Decimal], float] = {}, -math.inf
        self._left: tuple[Mapping[tuple[str, str], Decimal], float] = {}, -math.inf
        """What the history did not explain, and since when."""
        self._short = 0
        """Passes in a row that could not be complete."""
        self.passes = 0
        self.failures = 0

    @property
    def name(self) -> str:
        return f"reconcile:{self._venue.name}"

    def request(self, reason: str) -> None:
        """Ask for a pass; several requests before it begins are one."""
        self._reason = reason
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled: one pass for each request, with back-off while the venue does not answer."""
        failures = 0
        await self._name_strangers()
        while True:
            await self._wait()
            self._asked.clear()
            try:
                with self._vitals.attending(self.name):
                    await self.once(self._reason)
                failures = 0
            except VenueError as error:
                failures += 1
                self.failures += 1
                pause_s = min(0.5 * 2**failures, BACKOFF_S_MAX)
                severity = Severity.WARNING if failures >= 2 else Severity.INFO
                self._report(severity, "reconcile.failed", venue=self._venue.name, reason=str(error))
                self.request(self._reason)
                await self._vitals.sleep(self.name, pause_s)

    async def _name_strangers(self) -> None:
        """Once, when there is time for a dear question."""
        try:
            with self._vitals.attending(self.name):
                await self.look_for_foreign_orders()
        except VenueError as error:
            self._report(Severity.INFO, "orders.foreign_unknown", venue=self._venue.name, reason=str(error))

    async def once(self, reason: str, tries: int = TRIES) -> bool:
        """One pass; True when the delivered balances are complete. Raises VenueError."""
        self.passes += 1
        began_mono_ms = self._clock.mono_ms()
        await self._ask_for_orders()
        complete = False
        report: AccountReported | None = None
        for attempt in range(tries):
            if attempt:
                await asyncio.sleep(TRY_PAUSE_S)
            whole = attempt >= SUSPECTS_TRIES or self._short >= WHOLE_AFTER
            report, complete = await self._compare(whole=whole, lasting=bool(attempt or self._short))
            if complete:
                break
        assert report is not None
        if not complete:
            self._deliver(replace(report, complete=False))
        self._deliver(Reconciled(self._venue.name, began_mono_ms))
        self._short = 0 if complete and self._agreed(report) else self._short + 1
        if not complete and self._quiet() and self._short <= WHOLE_AFTER:
            self.request(reason)  # only money differs, and it stays so: look closer, and at once
        self._report(Severity.DEBUG, "reconcile.done", venue=self._venue.name, reason=reason, complete=complete)
        return complete

    async def _ask_for_orders(self) -> None:
        # One whose own request has not ended is told of by that.
        for record in [one for one in self._view.unsettled() if one.state is not OrderState.INTENDED]:
            self._vitals.beat(self.name)
            intent = record.intent
            await self._venue.query(
                intent.client_id, intent.instrument, record.venue_order_id, intent.created_ms, self._deliver
            )

    async def look_for_foreign_orders(self) -> None:
        """Open orders that bear no id of the books are left alone, and named. Raises VenueError."""
        known = {record.intent.client_id for record in self._view.unsettled()}
        strangers = [found for found in await self._venue.fetch_open_orders() if found[0] not in known]
        if strangers:
            shown = ", ".join(f"{client_id} ({instrument})" for client_id, instrument, _ in strangers[:5])
            self._report(
                Severity.WARNING,
                "orders.foreign",
                venue=self._venue.name,
                count=len(strangers),
                orders=shown,
                done="left alone",
            )

    async def _compare(self, *, whole: bool, lasting: bool) -> tuple[AccountReported, bool]:
        """One try, as cheap as it can be: balances alone, then what was paid and charged, then (where the difference
        is `lasting`) what the owner moved, then (`whole`) all of the history. True: delivered as complete.
        """
        began_ms = self._clock.market_ms()
        report = await self._venue.fetch_account()
        if self._too_soon(report):
            return report, False
        if not self._agreed(report) and self._only_money(report):
            payments = await self._unbooked(report, self._since_ms(began_ms))
            await self._flush()
            if self._explained(report, payments):
                self._books.complete_ms = max(self._books.complete_ms, began_ms)
                return report, True
        if lasting and not self._agreed(report):
            await self._ask_for_capital(report)
        if self._agreed(report):
            self._books.complete_ms = max(self._books.complete_ms, began_ms)
            self._deliver(replace(report, complete=True))
            return report, True
        if not whole and self._only_money(report):
            return report, False
        # Suspects are also of what is closed: the venue may take what was left of it.
        instruments = {*self._view.suspects(report), *(self._view.instruments() if whole else ())}
        return await self._compare_history(report, sorted(instruments), began_ms)

    async def _ask_for_capital(self, report: AccountReported) -> None:
        """Deliver charges of liquidations, deposits, withdrawals and moves that are not ours; seldom: it is dear."""
        if not (self._books.floor_ms and self._rested() and self._quiet()):
            return
        self._capital_s = began_s = time.monotonic()
        since_ms = max(self._books.floor_ms, self._books.complete_ms - CAPITAL_OVERLAP_MS)
        asked_ms = self._clock.mono_ms()
        history = await self._venue.fetch_history(since_ms, ())
        if self._only_money(report):
            self._tell_charges(history)
        self._match(history.transfers, asked_ms)
        for one in await self._venue.fetch_capital(since_ms):
            if self._view.in_opening(one.wallet, one.at_ms):
                continue
            known = self._view.knows_capital(one.venue_id)
            if one.returned and known:
                self._move_capital(f"{one.venue_id}:returned", one.wallet, one.asset, -one.amount, one.at_ms)
            elif not one.returned and not known:
                self._move_capital(one.venue_id, one.wallet, one.asset, one.amount, one.at_ms)
        self._looked_s = began_s
        await self._flush()

    def _note_gap(self, report: AccountReported) -> None:
        """Since when the money, and all of it, differs as it does."""
        gap, difference = self._view.money_gap(report), self._view.difference(report)
        if gap != self._gap[0]:
            self._gap = gap, time.monotonic() if gap else -math.inf
        if difference != self._left[0]:
            self._left = difference, time.monotonic()

    def _rested(self) -> bool:
        return time.monotonic() - self._capital_s >= CAPITAL_EVERY_S

    def _too_soon(self, report: AccountReported) -> bool:
        """Whether the history left this very difference, and the owner's moves, which may explain it, must wait."""
        difference, since_s = self._left
        if self._rested() or self._looked_s >= self._gap[1] or not self._quiet():
            return False
        known = self._only_money(report) or time.monotonic() - since_s >= LAG_S
        return known and self._view.difference(report) == difference

    def _move_capital(
        self, venue_id: str, wallet: str, asset: str, amount: Decimal, at_ms: int, *, internal: bool = False
    ) -> None:
        self._deliver(CapitalMoved(self._venue.name, wallet, asset, amount, venue_id, at_ms, internal))

    async def _unbooked(self, report: AccountReported, since_ms: int) -> list[Payment]:
        """Funding, and interest where the margin wallet differs, that the books do not have yet."""
        receipts = await self._venue.fetch_receipts(since_ms)
        payments = [of_receipt(one) for one in receipts if not self._view.booked(one)]
        lender, gaps = self._venue.lender, self._view.money_gap(report)
        if lender is not None and any(wallet == Wallet.MARGIN for wallet, _ in gaps):
            charged = await lender.fetch_interest(since_ms)
            payments += [of_interest(one) for one in charged if not self._view.charged(one)]
        return payments

    def _explained(self, report: AccountReported, payments: Sequence[Payment]) -> bool:
        """Deliver the payments, and the balances at the very place among them where they agree with the books.

        The balances were read before the payments, so the newest of them may not be in them yet. Everything is
        delivered without a pause: nothing can come between.
        """
        found = split(self._view.money_gap(report), payments)
        agreed = found.explained and self._only_money(report) and not self._traffic()[0]
        for payment in found.before:
            self._deliver(payment.event)
        if agreed:
            self._deliver(replace(report, complete=True))
        for payment in found.after:
            self._deliver(payment.event)
        return agreed

    async def _compare_history(
        self, before: AccountReported, instruments: Sequence[str], began_ms: int
    ) -> tuple[AccountReported, bool]:
        """Fetch everything; complete when the balances held still around it, or agree with the books after it."""
        traffic = self._traffic()
        asked_ms = self._clock.mono_ms()
        history = await self._venue.fetch_history(self._since_ms(began_ms), instruments)
        after = await self._venue.fetch_account()
        waiting = await self._hand_over(history, asked_ms)
        still = before.balances == after.balances and before.positions == after.positions
        quiet = traffic == self._traffic() and traffic[0] == 0
        settled = not self._view.unsettled() and not waiting
        if still and quiet and settled and not self._agreed(after):
            self._note_gap(after)
            await self._ask_for_capital(after)
        fresh = not self._books.floor_ms
        looked = fresh or self._looked_s >= self._gap[1]  # else it may be a deposit: no alarm yet
        empty = not any((history.fills, history.receipts, history.charges, history.interest, history.transfers))
        complete = self._agreed(after) or (still and quiet and settled and looked and (empty or not fresh))
        if complete:
            self._deliver(replace(after, complete=True))
            self._books.complete_ms = max(self._books.complete_ms, began_ms)
            if fresh:
                self._books.floor_ms = max(began_ms, history.until_ms)
        return after, complete

    def _agreed(self, report: AccountReported) -> bool:
        """Nothing is in flight and the venue agrees with the books."""
        return self._quiet() and bool(self._books.floor_ms) and self._view.agrees(report)

    def _quiet(self) -> bool:
        """Nothing is being sent, and no order or transfer is undecided."""
        return not (self._traffic()[0] or self._view.unsettled() or self._view.pending_transfers())

    def _only_money(self, report: AccountReported) -> bool:
        """Whether funding and interest alone can explain the difference: positions and coins are as booked."""
        in_flight = self._view.unsettled() or self._view.pending_transfers()
        return not in_flight and bool(self._books.floor_ms) and self._view.agrees(report, money=False)

    def _since_ms(self, now_ms: int) -> int:
        if not self._books.floor_ms:
            return now_ms
        overlap_ms = OVERLAP_MS if self.passes > 1 else START_OVERLAP_MS
        return max(self._books.floor_ms, self._books.complete_ms - overlap_ms)

    async def _hand_over(self, history: VenueHistory, asked_ms: int) -> bool:
        """Deliver the history and wait until the core has it; True when a transfer is still unexplained."""
        if not self._books.floor_ms:
            return False
        for fill in sorted(history.fills, key=lambda f: (f.traded_ms, f.trade_id)):
            self._deliver(OrderFilled(fill))
        payments = [*map(of_receipt, history.receipts), *map(of_interest, history.interest)]
        for payment in sorted(payments, key=lambda p: (p.at_ms, p.venue_id)):
            self._deliver(payment.event)
        self._tell_charges(history)
        waiting = self._match(history.transfers, asked_ms)
        await self._flush()
        return waiting

    def _tell_charges(self, history: VenueHistory) -> None:
        """What liquidations cost: after their fills, which say whose they are."""
        for charge in sorted(history.charges, key=lambda c: (c.charged_ms, c.venue_id)):
            self._deliver(LiquidationCharged(charge))

    def _match(self, booked: Sequence[TransferBooked], asked_ms: int) -> bool:
        """Explain our transfers by what was booked when it was asked for; True while one is undecided."""
        free = [entry for entry in booked if entry.venue_id not in self._books.transfers_seen]
        undecided = False
        for intent in self._view.pending_transfers():
            found = next((entry for entry in free if explains(entry, intent)), None)
            if found is not None:
                free.remove(found)
                self._books.transfers_seen.add(found.venue_id)
                self._missing.pop(intent.id, None)
                self._deliver(TransferSettled(intent.id, found.venue_id))
                continue
            if not self._view.unanswered(intent.id):
                undecided = True  # its request has not ended: it may still be made
                continue
            first_ms = self._missing.setdefault(intent.id, self._clock.mono_ms())
            if asked_ms - first_ms >= self.settle_ms and self._traffic()[0] == 0:
                del self._missing[intent.id]
                self._deliver(TransferFailed(intent.id, "the venue has no record of it, twice", refused=False))
            else:
                undecided = True
        if not undecided and not self._traffic()[0]:
            self._take_foreign([one for one in booked if one in free or half_booked(one, self._view.knows_capital)])
        return undecided

    def _take_foreign(self, free: Sequence[TransferBooked]) -> None:
        """Moves between the wallets that nobody here decided: the owner made them on the venue's page."""
        for entry in free:
            self._books.transfers_seen.add(entry.venue_id)
            if any(self._view.in_opening(wallet, entry.at_ms) for wallet in (entry.source, entry.target)):
                continue
            sides = sides_to_book(entry, told=self._view.knows_capital(entry.capital_id))
            for wallet, amount in sides.items():
                name = f"{entry.venue_id}:{wallet}"
                if not self._view.knows_capital(name):
                    internal = len(sides) > 1
                    self._move_capital(name, wallet, entry.asset, amount, entry.at_ms, internal=internal)

    async def _wait(self) -> None:
        while not self._asked.is_set():
            self._vitals.beat(self.name)
            try:
                async with asyncio.timeout(2.0):
                    await self._asked.wait()
            except TimeoutError:
                continue

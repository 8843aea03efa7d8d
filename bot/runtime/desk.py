"""Everything the shell keeps running for one venue."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.domain.events import FundingReceived, VenueListed
from bot.ports import Clock, Deliver, Venue
from bot.runtime.account import StateView
from bot.runtime.counters import Counters
from bot.runtime.fetching import SpacedFetch
from bot.runtime.payments import of_interest, of_receipt
from bot.runtime.pollers import Pollers, Rhythm
from bot.runtime.reconcile import BooksEnd, Reconciler
from bot.runtime.vitals import Report, Vitals

Named = tuple[str, Callable[[], Awaitable[None]]]


@dataclass(slots=True)
class Desk:
    """A venue with its fetchers, its reconciler and its timers."""

    venue: Venue
    view: StateView
    books: BooksEnd
    clock: Clock
    deliver: Deliver
    flush: Callable[[], Awaitable[None]]
    traffic: Callable[[], tuple[int, int]]
    settle_window_s: float
    rhythm: Rhythm
    vitals: Vitals
    report: Report
    counters: Counters
    rates: SpacedFetch = field(init=False)
    receipts: SpacedFetch = field(init=False)
    reconciler: Reconciler = field(init=False)
    pollers: Pollers = field(init=False)

    def __post_init__(self) -> None:
        name, rhythm, vitals, report = self.venue.name, self.rhythm, self.vitals, self.report
        self.rates = SpacedFetch(
            f"rates:{name}", self._fetch_rates, rhythm.rates_spacing_s, vitals, report, self._failed
        )
        self.receipts = SpacedFetch(
            f"funding:{name}", self._fetch_receipts, rhythm.receipts_spacing_s, vitals, report, self._failed
        )
        self.reconciler = Reconciler(
            self.venue,
            self.view,
            self.books,
            self.clock,
            self.deliver,
            self.flush,
            self.traffic,
            self.settle_window_s,
            vitals,
            report,
        )
        self.pollers = Pollers(self.venue, self.clock, rhythm, self.deliver, vitals, report, self._failed)

    def first_tasks(self) -> list[Named]:
        """What runs before the venue is reconciled: its streams and what is public."""
        return [
            (f"streams:{self.venue.name}", lambda: self.venue.run(self.deliver)),
            (self.rates.name, self.rates.run),
        ]

    def liquidity_task(self) -> Named:
        """Fills the venue's request budget for some seconds: before the first pass only when nothing is at risk."""
        return f"liquidity:{self.venue.name}", lambda: self.pollers.liquidity(self.view.listed)

    def later_tasks(self, listed: VenueListed) -> list[Named]:
        """What runs once the books agree with the venue."""
        name, pollers = self.venue.name, self.pollers
        return [
            (self.reconciler.name, self.reconciler.run),
            (self.receipts.name, self.receipts.run),
            (f"listing:{name}", lambda: pollers.listing(listed)),
            (f"receipts:{name}", lambda: pollers.receipts(self.receipts.request)),
            (f"loans:{name}", lambda: pollers.loans(self.view.lent)),
        ]

    async def _fetch_rates(self, since_ms: int) -> None:
        rates = await self.venue.fetch_rates(since_ms)
        for rate in sorted(rates, key=lambda r: (r.settled_ms, r.instrument)):
            if not self.view.old_news(rate):
                self.deliver(rate)

    async def _fetch_receipts(self, since_ms: int) -> None:
        floor_ms = self.books.floor_ms
        if not floor_ms:
            return
        since_ms = max(since_ms, floor_ms)
        payments = [*map(of_receipt, await self.venue.fetch_receipts(since_ms))]
        if self.venue.lender is not None and self.view.lent():
            payments += map(of_interest, await self.venue.lender.fetch_interest(since_ms))
        for payment in sorted(payments, key=lambda p: (p.at_ms, p.venue_id)):
            if not (isinstance(payment.event, FundingReceived) and self.view.old_news(payment.event)):
                self.deliver(payment.event)

    def _failed(self) -> None:
        self.counters.fetch_failures += 1

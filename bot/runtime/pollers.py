"""The daemon's timers: tick, liquidity, listing, receipts, loans. The core asks for reconciliation itself."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.actions import Severity
from bot.domain.events import Tick, VenueListed
from bot.domain.instruments import Kind
from bot.domain.time import HOUR_MS
from bot.ports import Clock, Deliver, Lender, Venue, VenueError
from bot.runtime.vitals import Report, Vitals

DOUBTED_S = 5.0
"""Least pause between two listings that are fetched because an order did not fit."""
CLOSED_S = 15.0
"""After how long the listing is fetched again when a market of it has closed, and after twice that each time it still
is: a halt of minutes must not keep a hedge from being managed until the next hour."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the shell asks. All of it wall time, except `listing_market_ms`.

    A venue counts request weight by the minute whatever the speed of its market: at 14,400 times real time a
    funding question each 2.5 s takes a third of Binance's 2,400 a minute, which leaves room for commands.
    """

    tick_s: float = 0.2
    liquidity_s: float = 60.0
    """Pause between batches, once every instrument was seen."""
    liquidity_batch: int = 16
    listing_market_ms: int = HOUR_MS
    listing_s_min: float = 30.0
    listing_s_max: float = 3600.0
    receipts_s: float = 20.0
    loans_s: float = 20.0
    rates_spacing_s: float = 1.5
    receipts_spacing_s: float = 2.5


class Pollers:
    """The timers of one venue. Each method is a long task; failures are reported and retried."""

    def __init__(
        self,
        venue: Venue,
        clock: Clock,
        rhythm: Rhythm,
        deliver: Deliver,
        vitals: Vitals,
        report: Report,
        failed: Callable[[], None],
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._rhythm = rhythm
        self._deliver = deliver
        self._vitals = vitals
        self._report = report
        self._failed = failed
        self.liquidity_known = asyncio.Event()
        """Set once every instrument's liquidity was delivered."""
        self.relist = asyncio.Event()
        """Set it to have the listing fetched at once."""
        self.listing_doubted = False
        """An order did not fit the venue's filters: the listing is fetched soon."""
        self.on_new: Callable[[], None] = lambda: None
        """Called after instruments were added: their history is to be fetched."""

    async def liquidity(self, instruments: Callable[[], Sequence[str]]) -> None:
        """All instruments at once at first, then batch by batch: volumes come for all, depth one by one."""
        name, rhythm = f"liquidity:{self._venue.name}", self._rhythm
        failures, start = 0, 0
        while True:
            every = list(instruments())
            first = not self.liquidity_known.is_set()
            batch = every if first else every[start : start + rhythm.liquidity_batch]
            try:
                with self._vitals.attending(name):
                    found = await self._venue.fetch_liquidity(batch)
                for fact in found:
                    self._deliver(fact)
                failures = 0
                start = 0 if first or start + len(batch) >= len(every) else start + len(batch)
                if every:
                    self.liquidity_known.set()
            except VenueError as error:
                failures += 1
                self._complain(name, error, failures)
            pause_s = min(0.5 * 2**failures, 15.0) if failures else rhythm.liquidity_s
            await self._vitals.sleep(name, pause_s if every else 0.5)

    async def listing(self, known: VenueListed) -> None:
        """Instruments, fees, tiers and intervals: hourly by market time, delivered when they changed."""
        name, failures = f"listing:{self._venue.name}", 0
        closed, pause_s = _closed(known), CLOSED_S
        while True:
            await self._wait_listing(name, pause_s if closed else math.inf)
            self.relist.clear()
            self.listing_doubted = False
            try:
                with self._vitals.attending(name):
                    listed = await self._venue.fetch_listing()
                    added = self._tell(known, listed)
                    known, before, closed = listed, closed, _closed(listed)
                    pause_s = min(pause_s * 2, self._rhythm.listing_s_max) if closed <= before else CLOSED_S
                    if added:
                        for fact in await self._venue.fetch_liquidity(added):
                            self._deliver(fact)
                failures = 0
            except VenueError as error:
                failures += 1
                self._complain(name, error, failures)
                self.relist.set()
                await self._vitals.sleep(name, min(2.0 * 2 ** min(failures, 4), 30.0))

    def _tell(self, known: VenueListed, listed: VenueListed) -> list[str]:
        """Deliver a changed listing at once: streams of new instruments may speak from now on.

        Returns new ids whose liquidity is to be asked for: margin spot has that of the spot.
        """
        if listed == known:
            return []
        self._deliver(listed)
        self._report(Severity.INFO, "venue.listing_changed", venue=listed.venue, instruments=len(listed.instruments))
        before = {instrument.id for instrument in known.instruments}
        added = [instrument for instrument in listed.instruments if instrument.id not in before]
        if added:
            self.on_new()
        return [instrument.id for instrument in added if instrument.kind is not Kind.MARGIN]

    async def receipts(self, request: Callable[[int], None]) -> None:
        """Ask for the funding history again and again, whatever the core asks for: none may be missed."""
        name = f"receipts:{self._venue.name}"
        since_ms = self._clock.market_ms()
        while True:
            now_ms = self._clock.market_ms()
            request(since_ms - HOUR_MS)
            await self._vitals.sleep(name, self._rhythm.receipts_s)
            since_ms = now_ms

    async def loans(self, assets: Callable[[], Sequence[str]]) -> None:
        """What these cost to borrow, what counts behind it, what the venue wants back; idle while nothing is lent."""
        name, failures = f"loans:{self._venue.name}", 0
        while True:
            lender, wanted = self._venue.lender, list(assets())
            if lender is None or not wanted:
                await self._vitals.sleep(name, 1.0)
                continue
            with self._vitals.attending(name):
                error = await self._ask_lender(lender, wanted)
            failures = 0 if error is None else failures + 1
            if error is not None:
                self._complain(name, error, failures)
            await self._vitals.sleep(name, min(0.5 * 2**failures, 15.0) if failures else self._rhythm.loans_s)

    async def _ask_lender(self, lender: Lender, wanted: Sequence[str]) -> VenueError | None:
        """Each is asked for whatever becomes of the others; terms first: closing a loan asks what it may have cost.

        What went wrong, or None.
        """
        wrong: VenueError | None = None
        try:
            async for terms in lender.fetch_terms(wanted):
                self._deliver(terms)
        except VenueError as error:
            wrong = error
        for ask in (lender.fetch_collateral, lender.fetch_recalls):
            try:
                for fact in await ask():
                    self._deliver(fact)
            except VenueError as error:
                wrong = wrong or error
        return wrong

    async def _wait_listing(self, name: str, pause_s: float) -> None:
        began_ms, began_s = self._clock.market_ms(), time.monotonic()
        while not self.relist.is_set():
            await self._vitals.sleep(name, 1.0)
            passed_s = time.monotonic() - began_s
            if passed_s >= pause_s or (self.listing_doubted and passed_s >= DOUBTED_S):
                return
            due = self._clock.market_ms() - began_ms >= self._rhythm.listing_market_ms
            if passed_s >= self._rhythm.listing_s_max or (due and passed_s >= self._rhythm.listing_s_min):
                return

    def _complain(self, task: str, error: VenueError, failures: int) -> None:
        self._failed()
        severity = Severity.WARNING if failures == 3 else Severity.INFO
        self._report(severity, "fetch.failed", what=task, reason=str(error), failures=failures)


def _closed(listed: VenueListed) -> frozenset[str]:
    """Instruments whose market takes no orders."""
    return frozenset(instrument.id for instrument in listed.instruments if not instrument.trades)


async def tick(deliver: Deliver, vitals: Vitals, every_s: float) -> None:
    """The core's sense of passing time."""
    while True:
        deliver(Tick())
        await vitals.sleep("tick", every_s)

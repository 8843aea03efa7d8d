"""The daemon's timers: tick, account, liquidity, listing, receipts. The core asks for reconciliation itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.actions import Severity
from bot.domain.events import Tick, VenueListed
from bot.domain.time import HOUR_MS
from bot.ports import Clock, Deliver, Venue, VenueError
from bot.runtime.vitals import Report, Vitals


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the shell asks. All of it wall time, except `listing_market_ms`."""

    tick_s: float = 0.2
    account_s: float = 2.0
    liquidity_first_s: float = 0.1
    """Pause between batches until every instrument was seen once."""
    liquidity_s: float = 1.0
    liquidity_batch: int = 8
    listing_market_ms: int = HOUR_MS
    listing_s_min: float = 5.0
    listing_s_max: float = 3600.0
    receipts_s: float = 3.0
    rates_spacing_s: float = 1.0
    receipts_spacing_s: float = 1.0


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

    async def account(self) -> None:
        """Balances and positions, for margin and for what the owner sees."""
        name, failures = f"account:{self._venue.name}", 0
        while True:
            try:
                self._deliver(await self._venue.fetch_account())
                failures = 0
            except VenueError as error:
                failures += 1
                self._complain(name, error, failures)
            await self._vitals.sleep(name, min(self._rhythm.account_s * 2 ** min(failures, 4), 15.0))

    async def liquidity(self, instruments: Callable[[], Sequence[str]]) -> None:
        """Cycle through the instruments: quickly until each was seen once, then slowly."""
        name = f"liquidity:{self._venue.name}"
        seen: set[str] = set()
        failures = 0
        while True:
            every = list(instruments())
            if not every:
                await self._vitals.sleep(name, 0.5)
            size = self._rhythm.liquidity_batch
            for start in range(0, len(every), size):
                batch = every[start : start + size]
                try:
                    for fact in await self._venue.fetch_liquidity(batch):
                        self._deliver(fact)
                    seen.update(batch)
                    failures = 0
                except VenueError as error:
                    failures += 1
                    self._complain(name, error, failures)
                first = failures == 0 and not seen.issuperset(every)
                pause_s = self._rhythm.liquidity_first_s if first else self._rhythm.liquidity_s
                await self._vitals.sleep(name, min(pause_s * 2 ** min(failures, 4), 15.0))

    async def listing(self, known: VenueListed) -> None:
        """Instruments, fees, tiers and intervals: hourly by market time, delivered when they changed."""
        name, failures = f"listing:{self._venue.name}", 0
        while True:
            await self._wait_listing(name)
            try:
                listed = await self._venue.fetch_listing()
                failures = 0
            except VenueError as error:
                failures += 1
                self._complain(name, error, failures)
                await self._vitals.sleep(name, min(2.0 * 2 ** min(failures, 4), 30.0))
                continue
            if listed != known:
                known = listed
                self._deliver(listed)
                self._report(
                    Severity.INFO, "venue.listing_changed", venue=listed.venue, instruments=len(listed.instruments)
                )

    async def receipts(self, request: Callable[[int], None]) -> None:
        """Ask for the funding history again and again, whatever the core asks for: none may be missed."""
        name = f"receipts:{self._venue.name}"
        since_ms = self._clock.market_ms()
        while True:
            now_ms = self._clock.market_ms()
            request(since_ms - HOUR_MS)
            await self._vitals.sleep(name, self._rhythm.receipts_s)
            since_ms = now_ms

    async def _wait_listing(self, name: str) -> None:
        began_ms, began_s = self._clock.market_ms(), time.monotonic()
        while True:
            await self._vitals.sleep(name, 1.0)
            passed_s = time.monotonic() - began_s
            due = self._clock.market_ms() - began_ms >= self._rhythm.listing_market_ms
            if passed_s >= self._rhythm.listing_s_max or (due and passed_s >= self._rhythm.listing_s_min):
                return

    def _complain(self, task: str, error: VenueError, failures: int) -> None:
        self._failed()
        severity = Severity.WARNING if failures == 3 else Severity.INFO
        self._report(severity, "fetch.failed", what=task, reason=str(error), failures=failures)


async def tick(deliver: Deliver, vitals: Vitals, every_s: float) -> None:
    """The core's sense of passing time."""
    while True:
        deliver(Tick())
        await vitals.sleep("tick", every_s)

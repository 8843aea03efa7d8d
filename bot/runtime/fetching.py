"""A fetch that is asked for often and done seldom: one at a time, spaced, retried with back-off."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bot.domain.actions import Severity
from bot.ports import VenueError
from bot.runtime.vitals import Report, Vitals

BACKOFF_S_MAX = 15.0


class SpacedFetch:
    """Coalesces requests "since a market time" into the oldest one, and runs them no closer than `spacing_s`."""

    def __init__(
        self,
        name: str,
        fetch: Callable[[int], Awaitable[None]],
        spacing_s: float,
        vitals: Vitals,
        report: Report,
        failed: Callable[[], None],
    ) -> None:
        self.name = name
        self._fetch = fetch
        self._spacing_s = spacing_s
        self._vitals = vitals
        self._report = report
        self._failed = failed
        self._since_ms: int | None = None
        self._asked = asyncio.Event()

    def request(self, since_ms: int) -> None:
        """Ask for everything since a market time; never blocks."""
        self._since_ms = since_ms if self._since_ms is None else min(self._since_ms, since_ms)
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            await self._wait()
            since_ms, self._since_ms = self._since_ms, None
            self._asked.clear()
            if since_ms is None:
                continue
            began = time.monotonic()
            try:
                with self._vitals.attending(self.name):
                    await self._fetch(since_ms)
                failures = 0
                pause_s = self._spacing_s
            except VenueError as error:
                failures += 1
                self._failed()
                pause_s = min(self._spacing_s * 2**failures, BACKOFF_S_MAX)
                severity = Severity.WARNING if failures == 3 else Severity.INFO
                self._report(severity, "fetch.failed", what=self.name, reason=str(error), retry_s=pause_s)
                self.request(since_ms)
            await self._vitals.sleep(self.name, max(0.0, began + pause_s - time.monotonic()))

    async def _wait(self) -> None:
        while not self._asked.is_set():
            self._vitals.beat(self.name)
            try:
                async with asyncio.timeout(2.0):
                    await self._asked.wait()
            except TimeoutError:
                continue

"""When a request may go out: order limits, used weight, Retry-After, and what reduces before what opens.

Binance counts request weight per IP address and minute, separately for the spot API, the wallet API (sapi) and
the USD-M API, and orders per account and window. Anyone who goes on after HTTP 429 is banned (418), so nothing
is sent to an API before its Retry-After has passed. Above 80 % of the weight only what reduces goes on.
"""

import asyncio
import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from time import monotonic, time_ns
from typing import Any

from asyncio_throttle.throttler import Throttler

from bot.venues.binance.outcomes import NotSentError

WEIGHT_SHARE_OPENING = 0.8
POLL_S = 0.005
RETRY_AFTER_UNKNOWN_S = 60.0
_MINUTE_NS = 60_000_000_000


class Priority(IntEnum):
    REDUCING = 0
    ASKING = 1
    """Queries and transfers: they end doubts or bring margin."""
    OPENING = 2


class Api:
    """The three APIs with weight counters of their own."""

    SPOT = "spot"
    SAPI = "sapi"
    PERP = "perp"


@dataclass(slots=True)
class WeightBudget:
    """Used weight of one API in the running minute, as its replies report it, and its ban if there is one."""

    limit: int
    used: int = 0
    minute: int = 0
    blocked_until_s: float = 0.0
    """Monotonic seconds."""

    def observe(self, headers: Mapping[str, str], status: int) -> None:
        """`headers` with lower-case names."""
        for name in ("x-mbx-used-weight-1m", "x-sapi-used-ip-weight-1m"):
            if name in headers and headers[name].isdigit():
                self.used, self.minute = int(headers[name]), time_ns() // _MINUTE_NS
        if status in {418, 429}:
            self.blocked_until_s = max(self.blocked_until_s, monotonic() + retry_after_s(headers))

    def pause_s(self, *, reserved: bool) -> float:
        """How long to wait before a request; 0 when it may go. `reserved` requests may use the last fifth."""
        blocked_s = self.blocked_until_s - monotonic()
        if blocked_s > 0:
            return blocked_s
        now_ns = time_ns()
        if reserved or self.minute != now_ns // _MINUTE_NS or self.used <= self.limit * WEIGHT_SHARE_OPENING:
            return 0.0
        return (_MINUTE_NS - now_ns % _MINUTE_NS) / 1e9

    async def admit(self, *, reserved: bool, within_s: float) -> None:
        """Wait until a request may go. Raises NotSentError when that takes longer than `within_s`."""
        deadline_s = monotonic() + within_s
        while (pause_s := self.pause_s(reserved=reserved)) > 0:
            if monotonic() + pause_s > deadline_s:
                raise NotSentError(f"rate limit: {pause_s:.1f} s to wait")
            await asyncio.sleep(min(pause_s, 0.5))


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds of the Retry-After header; a minute when there is none that can be read."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return RETRY_AFTER_UNKNOWN_S


@dataclass(slots=True)
class OrderGate:
    """The queue in front of one API's order endpoints: by priority, then first come first served.

    `limits` are (orders, seconds) windows of the account; what opens may use four fifths of each.
    """

    budget: WeightBudget
    limits: tuple[tuple[int, float], ...]
    _all: list[Any] = field(init=False)
    _opening: list[Any] = field(init=False)
    _waiting: list[tuple[int, int]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._all = [Throttler(count, period) for count, period in self.limits]
        self._opening = [Throttler(int(count * WEIGHT_SHARE_OPENING), period) for count, period in self.limits]

    async def enter(self, priority: Priority, *, within_s: float, counted: bool) -> None:
        """Returns when the request may be sent. Raises NotSentError when that takes longer than `within_s`.

        `counted` requests are new orders: they count against the order limits.
        """
        ticket = (int(priority), next(self._numbers))
        heapq.heappush(self._waiting, ticket)
        try:
            async with asyncio.timeout(within_s):
                await self._wait(ticket, priority, counted=counted)
        except TimeoutError:
            raise NotSentError(f"rate limit: not admitted within {within_s:.0f} s") from None
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)

    async def _wait(self, ticket: tuple[int, int], priority: Priority, *, counted: bool) -> None:
        reserved = priority is not Priority.OPENING
        # polled like the throttlers themselves: what is waited for is mostly the passing of time
        while self._waiting[0] != ticket or self.budget.pause_s(reserved=reserved) > 0:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        if not counted:
            return
        if priority is Priority.OPENING:
            for throttler in self._opening:
                await throttler.acquire()
        for throttler in self._all:
            await throttler.acquire()

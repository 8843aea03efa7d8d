"""When a request may go out: order limits, used weight, Retry-After, and what reduces before what opens.

Binance counts request weight per IP address and minute, separately for the spot API, the wallet API (sapi) and
the USD-M API, and orders per account and window. Anyone who goes on after HTTP 429 is banned (418), so nothing
is sent to an API before its Retry-After has passed. Above 80 % of the weight nothing opens and nothing public is
asked for, above 90 % no history, above 95 % only orders and questions about them go on: what reduces, completes a
hedge or ends a doubt.
"""

import asyncio
import heapq
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from time import time_ns
from typing import Any

from asyncio_throttle.throttler import Throttler

from bot.steady import monotonic
from bot.venues.binance.outcomes import NotSentError

WEIGHT_SHARE_OPENING = 0.8
"""Of a limit, for what opens and for public data."""
WEIGHT_SHARE_HISTORY = 0.9
"""For what was traded, paid and moved: dear questions, which must not cost the view of what is held now."""
WEIGHT_SHARE_ACCOUNT = 0.95
"""For questions about the account: while a reconciliation waits for its answers, nothing at its venue is repaired."""
WEIGHT_SHARE_ALL = 1.0
BLUR_S = 2.0
"""So early in a minute a reply may still count the minute before: it was on its way, and clocks differ."""
EDGE_S = 0.1
"""So late a new minute is believed at the earliest: the venue's clock is known by an estimate."""
POLL_S = 0.005
RETRY_AFTER_UNKNOWN_S = 60.0
BAN_S_MAX = 3 * 86_400.0
"""Binance bans for no longer."""
_MINUTE_S = 60.0
_BANNED_UNTIL = re.compile(r"banned until (\d{13})\b")


class Priority(IntEnum):
    REDUCING = 0
    COMPLETING = 1
    """A hedge's missing leg: it may use what is reserved, and like all that opens it must not leave late."""
    ASKING = 2
    """Queries and transfers: they end doubts or bring margin."""
    OPENING = 3

    @property
    def share(self) -> float:
        """How much of the weight may be used when it goes out."""
        return WEIGHT_SHARE_OPENING if self is Priority.OPENING else WEIGHT_SHARE_ALL


class Api:
    """The three APIs with weight counters of their own."""

    SPOT = "spot"
    SAPI = "sapi"
    PERP = "perp"


@dataclass(slots=True)
class WeightBudget:
    """Used weight of one API in the venue's running minute, as its replies report it, and its ban if there is one."""

    limit: int
    used: int = 0
    seen_s: float = -_MINUTE_S
    """When that was reported, and until when nothing is sent: monotonic seconds."""
    blocked_until_s: float = 0.0
    clock_offset_s: float | None = None
    """Venue's wall clock less our monotonic one, which never jumps: the minute is the venue's. None while unknown."""
    clock_error_s: float = 0.0
    """How far that may be wrong."""

    def tell_clock(self, offset_s: float, error_s: float) -> None:
        """Some machines' monotonic clock stands still in their sleep. What allows the offset that is known, and says
        less, changes nothing."""
        known_s = self.clock_offset_s
        if known_s is None or error_s <= self.clock_error_s or abs(offset_s - known_s) > error_s:
            self.clock_offset_s, self.clock_error_s = offset_s, error_s

    def observe(self, headers: Mapping[str, str], status: int, message: str = "", code: int | None = None) -> None:
        """`headers` with lower-case names; `message` and `code` are an error's text and the venue's code of it."""
        for name in ("x-mbx-used-weight-1m", "x-sapi-used-ip-weight-1m"):
            if name in headers and headers[name].isdigit():
                self.used, self.seen_s = int(headers[name]), monotonic()
        if stops(status, code):
            self.blocked_until_s = max(self.blocked_until_s, monotonic() + self.wait_s(headers, message))

    def wait_s(self, headers: Mapping[str, str], message: str) -> float:
        """How long an answer with 418 or 429 asks to wait. The USD-M API promises no Retry-After: there the end of a
        ban is in the text alone, and whoever asks before it is banned for longer."""
        told = _BANNED_UNTIL.search(message)
        if "retry-after" in headers or told is None:
            return retry_after_s(headers)
        return min(BAN_S_MAX, max(0.0, int(told[1]) / 1e3 - self._venue_s()))

    def _venue_s(self) -> float:
        """The venue's wall clock, or ours while it is not known."""
        return time_ns() / 1e9 if self.clock_offset_s is None else monotonic() + self.clock_offset_s

    def heed_ban(self) -> None:
        """Raises NotSentError while nothing at all may be sent."""
        blocked_s = self.blocked_until_s - monotonic()
        if blocked_s > 0:
            raise NotSentError(f"rate limit: {blocked_s:.1f} s to wait", blocked_s)

    def pause_s(self, share: float) -> float:
        """How long to wait before a request that may use this share of the limit; 0 when it may go."""
        blocked_s = self.blocked_until_s - monotonic()
        if blocked_s > 0:
            return blocked_s
        edge_s = max(EDGE_S, self.clock_error_s)
        into_minute_s = (self._venue_s() - edge_s) % _MINUTE_S
        of_this_minute = monotonic() - self.seen_s <= into_minute_s - BLUR_S
        if self.used <= self.limit * share or not of_this_minute:
            return 0.0
        return _MINUTE_S - into_minute_s

    async def admit(self, share: float, *, within_s: float) -> None:
        """Wait until a request may go. Raises NotSentError when that takes longer than `within_s`."""
        deadline_s = monotonic() + within_s
        while (pause_s := self.pause_s(share)) > 0:
            if monotonic() + pause_s > deadline_s:
                raise NotSentError(f"rate limit: {pause_s:.1f} s to wait", pause_s)
            await asyncio.sleep(min(pause_s, 0.5))


def stops(status: int, code: int | None) -> bool:
    """Whether nothing more may be asked for a while: by the API's limits, or (403 without a code of the venue's) by
    the firewall before it, which counts on as long as it is asked."""
    return status in {418, 429} or (status == 403 and code is None)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds of the Retry-After header; a minute when there is none that can be read."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return RETRY_AFTER_UNKNOWN_S


@dataclass(slots=True)
class OrderGate:
    """The queue in front of one API's order endpoints: by priority, then first come first served.

    `limits` are (orders, seconds) windows of the account; what opens may use four fifths of each, and all of each of
    `opening_limits`.
    """

    budget: WeightBudget
    limits: tuple[tuple[int, float], ...]
    opening_limits: tuple[tuple[int, float], ...] = ()
    _all: list[Any] = field(init=False)
    _opening: list[Any] = field(init=False)
    _waiting: list[tuple[int, int]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._all = [Throttler(count, period) for count, period in self.limits]
        opening = [(int(count * WEIGHT_SHARE_OPENING), period) for count, period in self.limits]
        self._opening = [Throttler(count, period) for count, period in (*opening, *self.opening_limits)]

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
        # polled like the throttlers themselves: what is waited for is mostly the passing of time
        while self._waiting[0] != ticket or self.budget.pause_s(priority.share) > 0:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        if not counted:
            return
        if priority is Priority.OPENING:
            for throttler in self._opening:
                await throttler.acquire()
        for throttler in self._all:
            await throttler.acquire()

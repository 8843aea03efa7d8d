"""Request weights and order counts, per wall-time window as the venue counts them; 429, then 418.

Weights count per client address, orders per account. A client that goes on after a 429 in the same minute
is banned: 2 minutes first, doubling with each ban up to 3 days, as the venue documents.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

MINUTE_MS = 60_000
BAN_AFTER_REFUSALS = 10
BAN_FIRST_S = 120
BAN_MAX_S = 3 * 86_400


@dataclass(frozen=True, slots=True)
class OrderWindow:
    """`label` is the header's suffix: X-MBX-ORDER-COUNT-<label>."""

    label: str
    length_ms: int
    limit: int
    words: str


@dataclass(frozen=True, slots=True)
class LimitPlan:
    """One API's limits; `weight_header` is the name of the header that reports the used weight."""

    weight_limit: int
    weight_header: str
    orders: tuple[OrderWindow, ...] = ()


SPOT_PLAN = LimitPlan(
    6_000,
    "X-MBX-USED-WEIGHT-1M",
    (
        OrderWindow("10S", 10_000, 100, "10 SECOND"),
        OrderWindow("1D", 86_400_000, 200_000, "1 DAY"),
    ),
)
FUTURES_PLAN = LimitPlan(
    2_400,
    "X-MBX-USED-WEIGHT-1M",
    (
        OrderWindow("10S", 10_000, 300, "10 SECOND"),
        OrderWindow("1M", MINUTE_MS, 1_200, "1 MINUTE"),
    ),
)
SAPI_PLAN = LimitPlan(12_000, "X-SAPI-USED-IP-WEIGHT-1M")


class LimitExceededError(Exception):
    """The answer to a client over its limit: HTTP status, the venue's code and text, Retry-After seconds."""

    def __init__(self, http_status: int, code: int, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Window:
    index: int = -1
    used: int = 0
    refused: int = 0

    def roll(self, index: int) -> None:
        if index != self.index:
            self.index, self.used, self.refused = index, 0, 0


@dataclass(slots=True)
class _Client:
    window: _Window = field(default_factory=_Window)
    banned_until_ms: int = 0
    bans: int = 0


class Limiter:
    """The counters of one API (spot, sapi or futures)."""

    def __init__(self, plan: LimitPlan, wall_ms: Callable[[], int]) -> None:
        self.plan = plan
        self._wall_ms = wall_ms
        self._clients: dict[str, _Client] = {}
        self._orders: dict[tuple[str, str], _Window] = {}

    def charge(self, address: str, weight: int) -> int:
        """Counts a request; returns the weight used in this minute. Raises LimitExceededError."""
        now_ms = self._wall_ms()
        client = self._clients.setdefault(address, _Client())
        client.window.roll(now_ms // MINUTE_MS)
        if now_ms < client.banned_until_ms:
            raise self._banned(client, now_ms)
        client.window.used += weight
        if client.window.used <= self.plan.weight_limit:
            return client.window.used
        client.window.refused += 1
        if client.window.refused > BAN_AFTER_REFUSALS:
            length_s = min(BAN_MAX_S, BAN_FIRST_S << min(client.bans, 16))
            client.bans += 1
            client.banned_until_ms = now_ms + length_s * 1_000
            raise self._banned(client, now_ms)
        raise LimitExceededError(
            429,
            -1003,
            f"Too much request weight used; current limit is {self.plan.weight_limit} request weight per "
            "1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
            _seconds(MINUTE_MS - now_ms % MINUTE_MS),
        )

    def weight_headers(self, used: int) -> dict[str, str]:
        """The venue's header, and on spot the older name beside it."""
        headers = {self.plan.weight_header: str(used)}
        if self.plan is SPOT_PLAN:
            headers["X-MBX-USED-WEIGHT"] = str(used)
        return headers

    def used(self, address: str) -> int:
        client = self._clients.get(address)
        if client is None or client.window.index != self._wall_ms() // MINUTE_MS:
            return 0
        return client.window.used

    def charge_order(self, account: str) -> None:
        """Counts one new order against every order window. Raises LimitExceededError."""
        now_ms = self._wall_ms()
        windows = []
        for rule in self.plan.orders:
            window = self._orders.setdefault((account, rule.label), _Window())
            window.roll(now_ms // rule.length_ms)
            if window.used >= rule.limit:
                raise LimitExceededError(
                    429,
                    -1015,
                    f"Too many new orders; current limit is {rule.limit} orders per {rule.words}.",
                    _seconds(rule.length_ms - now_ms % rule.length_ms),
                )
            windows.append(window)
        for window in windows:
            window.used += 1

    def order_headers(self, account: str) -> dict[str, str]:
        now_ms = self._wall_ms()
        headers = {}
        for rule in self.plan.orders:
            window = self._orders.setdefault((account, rule.label), _Window())
            window.roll(now_ms // rule.length_ms)
            headers[f"X-MBX-ORDER-COUNT-{rule.label}"] = str(window.used)
        return headers

    @staticmethod
    def _banned(client: _Client, now_ms: int) -> LimitExceededError:
        return LimitExceededError(
            418,
            -1003,
            f"Way too much request weight used; IP banned until {client.banned_until_ms}. Please use "
            "WebSocket Streams for live updates to avoid bans.",
            _seconds(client.banned_until_ms - now_ms),
        )


def _seconds(duration_ms: int) -> int:
    return max(1, -(-duration_ms // 1_000))

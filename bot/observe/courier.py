"""One channel's own task: a bounded queue, sending in a thread with a time-out, and retries with growing pauses.

Nothing here waits for trading and trading waits for nothing here: `put` never blocks, and a service that hangs
holds up its own channel alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

from bot.domain.actions import Severity
from bot.observe.gate import RANKS, Message
from bot.settings import Channel

QUEUE_MAX = 100
SEND_S = 15.0
"""How long one attempt may take."""
THREADS_MAX = 3
"""Attempts that were given up while their threads still hang; at most so many at a time."""
PAUSE_S_FIRST, PAUSE_S_MAX = 2.0, 300.0
KEPT_S = 24 * 3600.0
"""A message older than this is not worth sending."""
COMPLAIN_AFTER = 3
TOGETHER = 3
"""More messages than this in the queue are sent as one."""
BODY_CHARS_MAX = 3_000
MORE_CHARS = 100
"""Room for the line that counts what is not shown."""

_KINDS = {
    Severity.DEBUG: "info",
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
}
Complain = Callable[[str, int, int], None]
"""complain(channel, failures in a row, messages that wait)"""


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Message
    since_s: float


class Courier:
    """Sends to one channel. `run` until cancelled; `put` from the same event loop."""

    def __init__(self, name: str, channel: Channel, complain: Complain, pause_s_first: float = PAUSE_S_FIRST) -> None:
        self.name = name
        """Number and scheme, such as `1:tgram`: the URL itself may bear a secret."""
        self.channel = channel
        self._complain = complain
        self._pause_s_first = pause_s_first
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._threads = 0
        self.sent = 0
        self.failures = 0
        """Attempts in a row that failed."""
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue)

    def wants(self, message: Message) -> bool:
        least = Severity(self.channel.min_severity.value)
        return message.everyone or RANKS[message.severity] >= RANKS[least]

    def put(self, message: Message) -> None:
        """Queue a message; the oldest of the least severe makes room in a full queue, where that is not this one."""
        if len(self._queue) >= QUEUE_MAX:
            least = min(self._queue, key=lambda each: RANKS[each.message.severity])
            self.dropped += 1
            if RANKS[message.severity] < RANKS[least.message.severity]:
                return
            self._queue.remove(least)
        self._queue.append(_Waiting(message, time.monotonic()))
        self._wake.set()
        if message.severity is Severity.CRITICAL:
            self.hurry()  # the service may have come back long before the pause is over

    def memory(self) -> list[dict[str, Any]]:
        """What waits, as JSON, for the next process: it counts as told."""
        now_s = time.monotonic()
        return [
            {
                "ago_s": now_s - each.since_s,
                "severity": each.message.severity.value,
                "title": each.message.title,
                "body": each.message.body,
                "everyone": each.message.everyone,
            }
            for each in self._queue
        ]

    def recall(self, waiting: Sequence[Mapping[str, Any]], down_s: float) -> None:
        """Take over what waited when an earlier process ended, `down_s` ago. ValueError, KeyError or TypeError."""
        for one in waiting[-QUEUE_MAX:]:
            text = Message(Severity(one["severity"]), str(one["title"]), str(one["body"]), bool(one["everyone"]))
            self._queue.append(_Waiting(text, time.monotonic() - down_s - float(one["ago_s"])))

    def hurry(self) -> None:
        """Try again now, whatever the pause."""
        self._hurry.set()

    async def run(self) -> None:
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            while self._queue and time.monotonic() - self._queue[0].since_s > KEPT_S:
                self._queue.popleft()
                self.dropped += 1
            if self._queue:
                await self._next()

    async def _next(self) -> None:
        taken = self._taken()
        self._hurry.clear()
        if await self._deliver(taken):
            self._arrived(taken)
            return
        self.failures += 1
        if self.failures == COMPLAIN_AFTER:
            self._complain(self.name, self.failures, len(self._queue))
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._pause_s_first * 2.0 ** min(self.failures - 1, 12), PAUSE_S_MAX)):
                await self._hurry.wait()

    def _taken(self) -> list[_Waiting]:
        """What is tried next: the oldest, or all of many; after some failures in a row also each by itself, since it
        may be one message that the service refuses, whatever else it would take."""
        waiting, turn = list(self._queue), self.failures // 2
        if self.failures >= COMPLAIN_AFTER and self.failures % 2:
            return [waiting[turn % len(waiting)]]
        return waiting if len(waiting) > TOGETHER else waiting[:1]

    def _arrived(self, taken: list[_Waiting]) -> None:
        self.failures = self.dropped = 0
        left = [each for each in taken if each in self._queue]
        self.sent += len(left)
        for each in left:
            self._queue.remove(each)

    async def _deliver(self, taken: list[_Waiting]) -> bool:
        message = _together([each.message for each in taken], self.dropped)
        if self._threads >= THREADS_MAX:
            return False
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def settle(*, well: bool) -> None:
            self._threads -= 1
            if not done.done():
                done.set_result(well)
            elif well:  # the service took it all the same, only slowly: it must not be sent again and again
                self._arrived(taken)
                self.hurry()

        def work() -> None:
            well = send(self.channel, message)
            try:
                loop.call_soon_threadsafe(lambda: settle(well=well))
            except RuntimeError:
                return  # the loop has ended; nobody waits any more

        self._threads += 1
        # A daemon thread: one that hangs must not keep the process from ending.
        Thread(target=work, name=f"alert {self.name}", daemon=True).start()
        try:
            async with asyncio.timeout(SEND_S):
                return await done
        except TimeoutError:
            return False


def send(channel: Channel, message: Message) -> bool:
    """One attempt, in the caller's thread; False when the service did not take it. Raises nothing."""
    from apprise import Apprise

    assert channel.url is not None, "settings resolve the URL"
    try:
        service = Apprise()
        if not service.add(channel.url.get_secret_value()):
            return False
        kind = _KINDS[message.severity]
        return bool(service.notify(body=message.body[:BODY_CHARS_MAX], title=message.title, notify_type=kind))
    except Exception:  # noqa: BLE001 - a service's plug-in may raise anything; its text may hold the URL
        return False


def name_of(number: int, channel: Channel) -> str:
    """Number and scheme of a channel, which hold no secret."""
    assert channel.url is not None, "settings resolve the URL"
    return f"{number}:{channel.url.get_secret_value().partition('://')[0][:20]}"


def _together(messages: list[Message], dropped: int) -> Message:
    """One message out of several: the worst first, of these the newest; what it has no room for is counted."""
    note = f"({dropped} earlier messages could not be delivered; `carrybot alerts` lists them.)\n" if dropped else ""
    if len(messages) == 1:
        return replace(messages[0], body=note + messages[0].body)
    order = messages[::-1]
    order.sort(key=lambda each: -RANKS[each.severity])
    worst, parts, left = order[0].severity, list[str](), BODY_CHARS_MAX - len(note) - MORE_CHARS
    for each in order:
        part = f"{each.title}\n{each.body}"
        if parts and len(part) + 2 > left:
            break
        parts.append(part[:left])
        left -= len(part) + 2
    rest = len(order) - len(parts)
    more = [f"({rest} more, none of them worse; `carrybot alerts` lists them.)"] if rest else []
    title = f"carrybot {worst.value}: {len(messages)} alerts waited"
    return Message(worst, title, note + "\n\n".join([*parts, *more]))

"""Which alerts leave at once, which are counted, which wait: repeats, the hourly rate and quiet hours. Pure.

Time comes in: `now_s` is monotonic wall time, `minute` the minute of the UTC day. Nothing is lost here without being
counted, and what was held back comes later as one message that counts it.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.actions import Emit, Severity
from bot.observe.wording import said
from bot.settings import Alerts

SUBJECTS = (
    *("coin", "hedge", "venue", "instrument", "symbol", "wallet", "asset", "rule"),
    *("task", "feed", "line", "what", "file", "problems", "keys", "channel"),
)
"""Fields that say what an alert is about: alerts of one name on different subjects are different alerts."""
REMEMBERED_MAX = 1_000
RESERVED = 4
"""One part in so many of the hourly rate is kept for critical alerts."""
DIGEST_EVERY_S = 300.0
LAST_DIGEST_EVERY_S = 3600.0
"""Least pause before one at the end of a process: it may end each minute."""
NAMES_SHOWN = 12
LAST_WORDS = ("daemon.failed",)
"""Nothing comes after them that could count them: the hourly rate does not hold them back."""
RANKS = {Severity.DEBUG: 0, Severity.INFO: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is sent. `everyone`: whatever the channel's least severity is."""

    severity: Severity
    title: str
    body: str
    everyone: bool = False


@dataclass(slots=True)
class _Seen:
    since_s: float
    message: Message
    name: str
    repeats: int = 0
    earlier: bool = False
    """An earlier process told it."""


class Gate:
    """The policy of one `alerts:` section, which may be replaced at any time."""

    def __init__(self, policy: Alerts, now_s: float) -> None:
        self.policy = policy
        self._seen: OrderedDict[tuple[str, ...], _Seen] = OrderedDict()
        self._tokens = float(policy.rate_per_hour)
        self._counted_s = now_s
        self._held: Counter[str] = Counter()
        self._held_worst = Severity.DEBUG
        self._digest_s = now_s
        self._summed_s = -math.inf
        """When the latest digest was sent."""

    def offer(self, emit: Emit, now_s: float, minute: int) -> Message | None:
        """The message to send at once; None when the alert is a repeat or has to wait."""
        key = (emit.name, *(str(emit.fields[each]) for each in SUBJECTS if emit.fields.get(each) is not None))
        message = message_of(emit)
        seen = self._seen.get(key)
        fresh = seen is not None and now_s - seen.since_s < self.policy.dedupe_s
        if seen is not None and fresh and RANKS[message.severity] <= RANKS[seen.message.severity]:
            seen.repeats += 1
            seen.message = Message(seen.message.severity, message.title, message.body)
            return None
        repeats = seen.repeats if seen is not None else 0
        self._seen[key] = _Seen(now_s, message, emit.name)
        self._seen.move_to_end(key)
        while len(self._seen) > REMEMBERED_MAX:
            _, oldest = self._seen.popitem(last=False)
            self._hold(oldest.name, oldest.message.severity, oldest.repeats)
        return self._admit(_repeated(message, repeats), emit.name, 1 + repeats, now_s, minute)

    def due(self, now_s: float, minute: int) -> list[Message]:
        """What has waited long enough: repeats whose window ended, and the sum of what was held back."""
        found = []
        for key, seen in list(self._seen.items()):
            if now_s - seen.since_s < self.policy.dedupe_s:
                continue
            if not seen.repeats:
                del self._seen[key]
                continue
            repeats, seen.repeats, seen.since_s, seen.earlier = seen.repeats, 0, now_s, False
            again = self._admit(_repeated(seen.message, repeats), seen.name, repeats, now_s, minute)
            if again is not None:
                found.append(again)
        digest = self._digest(now_s, minute)
        return [*found, digest] if digest is not None else found

    def last(self, now_s: float, minute: int) -> list[Message]:
        """What still waits when the process ends, whatever windows and rate say; the rest is for the next process."""
        own = [seen for seen in self._seen.values() if seen.repeats and not seen.earlier]
        waiting = [seen for seen in own if not self.quiet(seen.message.severity, minute)]
        found = [_repeated(seen.message, seen.repeats) for seen in waiting]
        for seen in waiting:
            seen.repeats = 0
        if not self._held or self.quiet(self._held_worst, minute) or now_s - self._summed_s < LAST_DIGEST_EVERY_S:
            return found
        return [*found, self._summed(now_s)]

    def memory(self, now_s: float, clean: Callable[[str], str]) -> dict[str, Any]:
        """What the next process has to know, as JSON, so that one which dies again and again is no flood."""
        seen = [
            {
                "key": list(key),
                "ago_s": now_s - one.since_s,
                "severity": one.message.severity.value,
                "title": clean(one.message.title),
                "body": clean(one.message.body),
                "repeats": one.repeats,
            }
            for key, one in self._seen.items()
        ]
        summed_ago_s = None if self._summed_s == -math.inf else now_s - self._summed_s
        held = {"held": dict(self._held), "worst": self._held_worst.value, "summed_ago_s": summed_ago_s}
        return {"seen": seen, "tokens": self._tokens, "tokens_ago_s": now_s - self._counted_s, **held}

    def recall(self, memory: Mapping[str, Any], now_s: float, down_s: float) -> None:
        """Take over what an earlier process remembered, `down_s` ago. Raises ValueError, KeyError or TypeError."""
        found = OrderedDict[tuple[str, ...], _Seen]()
        for one in memory["seen"]:
            message = Message(Severity(one["severity"]), str(one["title"]), str(one["body"]))
            key = tuple(map(str, one["key"]))
            since_s = now_s - down_s - float(one["ago_s"])
            found[key] = _Seen(since_s, message, key[0], int(one["repeats"]), earlier=True)
        held = Counter({str(name): int(count) for name, count in memory["held"].items()})
        worst, tokens = Severity(memory["worst"]), float(memory["tokens"])
        summed_ago_s = math.inf if memory["summed_ago_s"] is None else float(memory["summed_ago_s"])
        self._counted_s = now_s - down_s - float(memory["tokens_ago_s"])
        self._summed_s = now_s - down_s - summed_ago_s
        self._seen, self._held, self._held_worst, self._tokens = found, held, worst, tokens

    def quiet(self, severity: Severity, minute: int) -> bool:
        """Whether an alert of this severity has to wait at this minute of the UTC day."""
        hours = self.policy.quiet_hours
        if not hours.start or RANKS[severity] >= RANKS[Severity(hours.below.value)]:
            return False
        start, end = _minute(hours.start), _minute(hours.end)
        return start <= minute < end if start < end else minute >= start or minute < end

    def _admit(self, message: Message, name: str, count: int, now_s: float, minute: int) -> Message | None:
        if self.quiet(message.severity, minute) or not (self._spend(message.severity, now_s) or name in LAST_WORDS):
            self._hold(name, message.severity, count)
            return None
        return message

    def _spend(self, severity: Severity, now_s: float) -> bool:
        rate = self.policy.rate_per_hour
        self._tokens = min(float(rate), self._tokens + (now_s - self._counted_s) * rate / 3600)
        self._counted_s = now_s
        reserve = 0 if severity is Severity.CRITICAL else rate // RESERVED
        if self._tokens < 1 + reserve:
            return False
        self._tokens -= 1
        return True

    def _hold(self, name: str, severity: Severity, count: int) -> None:
        if count:
            self._held[name] += count
            self._held_worst = max(self._held_worst, severity, key=RANKS.__getitem__)

    def _digest(self, now_s: float, minute: int) -> Message | None:
        worst = self._held_worst
        if not self._held or self.quiet(worst, minute) or now_s - self._digest_s < DIGEST_EVERY_S:
            return None
        if not self._spend(worst, now_s):
            return None
        self._digest_s = now_s
        return self._summed(now_s)

    def _summed(self, now_s: float) -> Message:
        """One message that counts what was held back."""
        worst = self._held_worst
        total, names = self._held.total(), self._held.most_common(NAMES_SHOWN)
        rest = total - sum(count for _, count in names)
        counts = ", ".join(f"{count} x {name}" for name, count in names) + (f", {rest} others" if rest else "")
        self._held.clear()
        self._held_worst, self._summed_s = Severity.DEBUG, now_s
        body = (
            f"{total} alerts were held back by quiet hours or the hourly rate: {counts}. "
            "They are in the books. `carrybot alerts` lists them."
        )
        return Message(worst, f"carrybot {worst.value}: {total} alerts were held back", body)


def message_of(emit: Emit) -> Message:
    words = said(emit)
    body = f"{words.happened}\nThe daemon: {words.did}\nYou: {words.todo}"
    return Message(emit.severity, f"carrybot {emit.severity.value}: {emit.name}", body)


def _repeated(message: Message, repeats: int) -> Message:
    if not repeats:
        return message
    body = f"{message.body}\n(This is the latest of {repeats} repeats since the last message about it.)"
    return Message(message.severity, message.title, body)


def _minute(time_of_day: str) -> int:
    hours, _, minutes = time_of_day.partition(":")
    return int(hours) * 60 + int(minutes)

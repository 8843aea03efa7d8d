"""The fault plan on a wall clock: removes rules with `wall_s` when their wall seconds are over."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bot.simulator.exchange.faults import Fault, FaultPlan
from bot.simulator.model import Book


class WallFaults:
    def __init__(self, plan: FaultPlan, monotonic_ns: Callable[[], int]) -> None:
        self.plan = plan
        self._monotonic_ns = monotonic_ns
        self._ends_ns: dict[int, int] = {}
        self._watch()

    def add(self, documents: Sequence[Mapping[str, Any]]) -> list[int]:
        """Returns the new rules' ids. Raises FaultRuleError."""
        added = self.plan.add(documents)
        self._watch()
        return [rule.id for rule in added]

    def clear(self, rule_ids: Iterable[int] | None = None) -> int:
        return self.plan.clear(rule_ids)

    def expire(self) -> None:
        if not self._ends_ns:
            return
        now_ns = self._monotonic_ns()
        ended = [rule_id for rule_id, end_ns in self._ends_ns.items() if now_ns >= end_ns]
        for rule_id in ended:
            del self._ends_ns[rule_id]
        self.plan.clear(ended)

    def of_request(
        self, path: str, now_ms: int, method: str, api_key: str, book: Book | None, symbol: str | None
    ) -> list[Fault]:
        return self.plan.transport(path, now_ms, method=method, api_key=api_key, book=book, symbol=symbol)

    def of_message(
        self, name: str, now_ms: int, api_key: str = "", book: Book | None = None, symbol: str | None = None
    ) -> list[Fault]:
        return self.plan.stream(name, now_ms, api_key=api_key, book=book, symbol=symbol)

    def pongs_are_silent(self) -> bool:
        """True while a `silent_feed` rule names the stream `pong`: a half-open connection."""
        return any(rule.kind == "silent_feed" and rule.document.get("stream") == "pong" for rule in self.plan.rules())

    def describe(self) -> dict[str, Any]:
        return {"rules": self.plan.describe(), "fired": self.plan.counters()}

    def _watch(self) -> None:
        for rule in self.plan.rules():
            if rule.wall_s is not None and rule.id not in self._ends_ns:
                self._ends_ns[rule.id] = self._monotonic_ns() + int(rule.wall_s * 1e9)

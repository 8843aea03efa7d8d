"""Faults on demand: what goes wrong, where and how often, decided purely from a seed and counters.

A rule is a JSON object. Every kind takes the filters and limits below; a filter that is left out matches all.

    kind          delay reply_lost reset rate_limit_429 maintenance   (transport: asked once per request)
                  silent_feed duplicate_event late_event reset        (stream: asked once per message)
                  reject partial_fill not_found                       (order: applied by the core itself)
                  borrow_rate borrow_limit loan_recall                (loans of one `asset`: a state while in force)
                  collateral_ratio                                    (what one `asset` counts for: the same)
    path, stream  shell patterns for the request path or the stream name ("/fapi/v1/order*", "*@bookTicker")
    method        GET, POST, PUT or DELETE
    book, symbol, api_key
    probability   0..1 for each match, 1 when left out
    skip, count   let the first `skip` matches pass; fire at most `count` times
    from_ms, until_ms   market time, from_ms <= t < until_ms
    wall_s        how long the rule lives in wall seconds; the core has no clock, so the wire removes it then

Parameters by kind: see `_PARAMETERS`. `reset` is a stream fault when it has a `stream`, else a transport one.
The n-th draw of a rule depends on the seed, the rule's id and n alone, so rules do not disturb each other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from bot.simulator.model import Book, OrderRequest

_DRAW_RANGE = 1 << 64


class FaultKind(StrEnum):
    DELAY = "delay"
    REPLY_LOST = "reply_lost"
    RESET = "reset"
    RATE_LIMIT_429 = "rate_limit_429"
    MAINTENANCE = "maintenance"
    SILENT_FEED = "silent_feed"
    DUPLICATE_EVENT = "duplicate_event"
    LATE_EVENT = "late_event"
    REJECT = "reject"
    PARTIAL_FILL = "partial_fill"
    NOT_FOUND = "not_found"
    BORROW_RATE = "borrow_rate"
    BORROW_LIMIT = "borrow_limit"
    LOAN_RECALL = "loan_recall"
    COLLATERAL_RATIO = "collateral_ratio"


_TRANSPORT = frozenset(
    {FaultKind.DELAY, FaultKind.REPLY_LOST, FaultKind.RESET, FaultKind.RATE_LIMIT_429, FaultKind.MAINTENANCE}
)
_STREAM = frozenset({FaultKind.SILENT_FEED, FaultKind.DUPLICATE_EVENT, FaultKind.LATE_EVENT, FaultKind.RESET})
_ORDER = frozenset({FaultKind.REJECT, FaultKind.PARTIAL_FILL})
_QUERY = frozenset({FaultKind.NOT_FOUND})


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _one_of(*allowed: str) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, str) and v in allowed


def _not_negative(value: Any) -> bool:
    return value == 0 or _positive(value)


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1e9


# kind -> parameter -> (check, what it must be, default; None: must be given)
_PARAMETERS: dict[FaultKind, dict[str, tuple[Callable[[Any], bool], str, Any]]] = {
    FaultKind.DELAY: {
        "delay_ms": (_whole(0, 600_000), "wall milliseconds 0..600000", 1_000),
        "when": (_one_of("before", "after"), "'before' or 'after' (the request is applied)", "before"),
    },
    FaultKind.REPLY_LOST: {
        "how": (_one_of("hang", "reset", "5xx", "unknown"), "'hang', 'reset', '5xx' or 'unknown'", "hang"),
        "hang_s": (_positive, "wall seconds above 0", 60),
    },
    FaultKind.RESET: {},
    FaultKind.RATE_LIMIT_429: {
        "retry_after_s": (_whole(0, 86_400), "wall seconds 0..86400", 5),
        "http_status": (lambda v: v in (418, 429), "429 or 418", 429),
    },
    FaultKind.MAINTENANCE: {"http_status": (_whole(500, 599), "500..599", 503)},
    FaultKind.SILENT_FEED: {},
    FaultKind.DUPLICATE_EVENT: {"copies": (_whole(1, 100), "1..100", 1)},
    FaultKind.LATE_EVENT: {"delay_ms": (_whole(0, 600_000), "wall milliseconds 0..600000", 1_000)},
    FaultKind.REJECT: {
        "code": (_whole(-99_999, -1), "a venue's code, -99999..-1", None),
        "message": (_text, "text", "Order was rejected by an injected fault."),
        "http_status": (_whole(400, 599), "400..599", 400),
    },
    FaultKind.PARTIAL_FILL: {"fraction": (_share, "0..1", 0.5)},
    FaultKind.NOT_FOUND: {},
    FaultKind.BORROW_RATE: {
        "asset": (_text, "an asset such as SOL", None),
        "rate_year": (_positive, "interest a year above 0", None),
    },
    FaultKind.BORROW_LIMIT: {
        "asset": (_text, "an asset such as SOL", None),
        "available": (_not_negative, "units that the pool has, from 0", 0),
    },
    FaultKind.LOAN_RECALL: {
        "asset": (_text, "an asset such as SOL", None),
        "grace_s": (_whole(0, 31_536_000), "market seconds 0..31536000 until it is due", 3_600),
    },
    FaultKind.COLLATERAL_RATIO: {
        "asset": (_text, "an asset such as USDT", None),
        "ratio": (_share, "0..1, the share of its worth that counts", None),
    },
}

_COMMON: dict[str, tuple[Callable[[Any], bool], str]] = {
    "path": (_text, "a shell pattern"),
    "stream": (_text, "a shell pattern"),
    "method": (_one_of("GET", "POST", "PUT", "DELETE"), "GET, POST, PUT or DELETE"),
    "book": (_one_of(*(b.value for b in Book)), "'spot' or 'perp'"),
    "symbol": (_text, "a symbol"),
    "api_key": (_text, "an API key"),
    "probability": (_share, "0..1"),
    "skip": (_whole(0, 10**9), "a whole number from 0"),
    "count": (_whole(1, 10**9), "a whole number from 1"),
    "from_ms": (_whole(0, 10**14), "UTC milliseconds"),
    "until_ms": (_whole(0, 10**14), "UTC milliseconds"),
    "wall_s": (_positive, "wall seconds above 0"),
}


class FaultRuleError(ValueError):
    """A rule that cannot be used; the text names the rule's position, the key and what it must be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that fires now. `parameters` holds every parameter of its kind, defaults filled in."""

    rule_id: int
    kind: FaultKind
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class FaultRule:
    id: int
    kind: FaultKind
    document: dict[str, Any]
    parameters: Mapping[str, Any]
    matched: int = 0
    fired: int = 0

    @property
    def wall_s(self) -> float | None:
        value = self.document.get("wall_s")
        return None if value is None else float(value)

    def spent(self) -> bool:
        count = self.document.get("count")
        return count is not None and self.fired >= count

    def in_window(self, now_ms: int) -> bool:
        until_ms = self.document.get("until_ms")
        return now_ms >= self.document.get("from_ms", 0) and (until_ms is None or now_ms < until_ms)


@dataclass(slots=True)
class FaultPlan:
    """The rules in force. Asking counts as a match, so ask exactly once per request, message or order."""

    seed: int
    _rules: dict[int, FaultRule] = field(default_factory=dict)
    _next_id: int = 1
    _fired: dict[str, int] = field(default_factory=dict)

    def add(self, documents: Sequence[Mapping[str, Any]]) -> list[FaultRule]:
        """Adds rules, all or none. Raises FaultRuleError."""
        checked = [_parse(position, document) for position, document in enumerate(documents)]
        added = []
        for kind, document, parameters in checked:
            rule = FaultRule(self._next_id, kind, document, MappingProxyType(parameters))
            self._next_id += 1
            self._rules[rule.id] = rule
            added.append(rule)
        return added

    def clear(self, rule_ids: Iterable[int] | None = None) -> int:
        """Removes the given rules, or all; returns how many there were. Counters of fired faults stay."""
        doomed = [i for i in (list(self._rules) if rule_ids is None else rule_ids) if i in self._rules]
        for rule_id in doomed:
            del self._rules[rule_id]
        return len(doomed)

    def rules(self) -> list[FaultRule]:
        return list(self._rules.values())

    def counters(self) -> dict[str, int]:
        """Kind -> faults fired since the start, by rules in force and by removed ones."""
        return dict(self._fired)

    def describe(self) -> list[dict[str, Any]]:
        """The rules in force as JSON-ready values, with `id`, `matched` and `fired`."""
        return [{**r.document, "id": r.id, "matched": r.matched, "fired": r.fired} for r in self._rules.values()]

    def transport(
        self,
        path: str,
        now_ms: int,
        *,
        method: str = "",
        api_key: str = "",
        book: Book | None = None,
        symbol: str | None = None,
    ) -> list[Fault]:
        """The faults of one HTTP request, in order of rule id."""
        if not self._rules:
            return []
        facts = {"path": path, "method": method, "api_key": api_key, "book": book, "symbol": symbol}
        return self._ask(_TRANSPORT, facts, now_ms)

    def stream(
        self,
        name: str,
        now_ms: int,
        *,
        api_key: str = "",
        book: Book | None = None,
        symbol: str | None = None,
    ) -> list[Fault]:
        """The faults of one websocket message of the stream `name`, in order of rule id."""
        if not self._rules:
            return []
        return self._ask(_STREAM, {"stream": name, "api_key": api_key, "book": book, "symbol": symbol}, now_ms)

    def placing(self, api_key: str, request: OrderRequest, now_ms: int) -> list[Fault]:
        """`reject` and `partial_fill` for one order (the core asks)."""
        if not self._rules:
            return []
        facts = {"api_key": api_key, "book": request.book, "symbol": request.symbol}
        return self._ask(_ORDER, facts, now_ms)

    def querying(self, api_key: str, book: Book, symbol: str, now_ms: int) -> list[Fault]:
        """`not_found` for one order query (the core asks): a read view that lags behind."""
        if not self._rules:
            return []
        return self._ask(_QUERY, {"api_key": api_key, "book": book, "symbol": symbol}, now_ms)

    def in_force(self, kind: FaultKind, asset: str, now_ms: int) -> Mapping[str, Any] | None:
        """The parameters of the newest rule of a loan's kind for an asset at this time. Asking counts nothing."""
        if not self._rules:
            return None
        for rule in reversed(self._rules.values()):
            if rule.kind is kind and rule.parameters["asset"] == asset and rule.in_window(now_ms):
                return rule.parameters
        return None

    def state(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "next_id": self._next_id,
            "fired": dict(self._fired),
            "rules": self.describe(),
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "FaultPlan":
        plan = cls(seed=int(state["seed"]))
        for row in state["rules"]:
            document = {k: v for k, v in row.items() if k not in {"id", "matched", "fired"}}
            kind, document, parameters = _parse(0, document)
            plan._rules[row["id"]] = FaultRule(
                row["id"], kind, document, MappingProxyType(parameters), row["matched"], row["fired"]
            )
        plan._next_id = int(state["next_id"])
        plan._fired = {str(k): int(v) for k, v in state["fired"].items()}
        return plan

    def _ask(self, kinds: frozenset[FaultKind], facts: Mapping[str, Any], now_ms: int) -> list[Fault]:
        faults = []
        for rule in self._rules.values():
            if rule.kind not in kinds or rule.spent() or not rule.in_window(now_ms):
                continue
            if not _matches(rule.document, facts):
                continue
            rule.matched += 1
            if rule.matched <= rule.document.get("skip", 0) or not self._drawn(rule):
                continue
            rule.fired += 1
            self._fired[rule.kind.value] = self._fired.get(rule.kind.value, 0) + 1
            faults.append(Fault(rule.id, rule.kind, rule.parameters))
        return faults

    def _drawn(self, rule: FaultRule) -> bool:
        probability = rule.document.get("probability", 1)
        if probability >= 1:
            return True
        digest = blake2b(f"{self.seed}:{rule.id}:{rule.matched}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < int(probability * _DRAW_RANGE)


def _matches(document: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    if ("stream" in document) != ("stream" in facts) and document["kind"] == FaultKind.RESET.value:
        return False
    for key in ("path", "stream"):
        if key in document and key in facts and not fnmatchcase(str(facts[key]), document[key]):
            return False
    return all(
        key not in document or key not in facts or facts[key] == document[key]
        for key in ("method", "book", "symbol", "api_key")
    )


def _parse(position: int, document: Mapping[str, Any]) -> tuple[FaultKind, dict[str, Any], dict[str, Any]]:
    where = f"rule {position}"
    if not isinstance(document, Mapping):
        raise FaultRuleError(f"{where}: must be an object, not {type(document).__name__}")
    try:
        kind = FaultKind(document.get("kind", ""))
    except ValueError:
        names = ", ".join(k.value for k in FaultKind)
        raise FaultRuleError(f"{where}: kind {document.get('kind')!r} is none of {names}") from None
    own = _PARAMETERS[kind]
    for key, value in document.items():
        if key == "kind":
            continue
        check, meaning = _COMMON[key] if key in _COMMON else own.get(key, (None, ""))[:2]
        if check is None:
            allowed = ", ".join([*own, *_COMMON])
            raise FaultRuleError(f"{where} ({kind}): unknown key {key!r}; known are {allowed}")
        if not check(value):
            raise FaultRuleError(f"{where} ({kind}): {key} is {value!r} but must be {meaning}")
    if document.get("until_ms", 10**14) <= document.get("from_ms", 0):
        raise FaultRuleError(f"{where} ({kind}): until_ms must be above from_ms")
    missing = [key for key, (_, _, default) in own.items() if default is None and key not in document]
    if missing:
        raise FaultRuleError(f"{where} ({kind}): {missing[0]} is missing; it must be {own[missing[0]][1]}")
    return kind, dict(document), {key: document.get(key, default) for key, (_, _, default) in own.items()}

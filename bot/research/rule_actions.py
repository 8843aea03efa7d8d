"""What the rules did in a backtest: every event of the engine that names a rule, in order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.domain import actions as act
from bot.observe.views import iso

FORCED, REFUSED = "risk.forced", "risk.refused"


@dataclass(frozen=True, slots=True)
class RuleAction:
    """`event` is the engine's own name for it; `coin` is empty for what concerns the whole book."""

    at_ms: int
    rule: str
    event: str
    coin: str
    observed: str
    limit: str


def rule_action(emit: act.Emit, at_ms: int) -> RuleAction | None:
    """None for an event that no rule set off."""
    said = emit.fields
    if not said.get("rule"):
        return None
    observed = said.get("observed", said.get("reason"))
    return RuleAction(
        at_ms, str(said["rule"]), emit.name, str(said.get("coin") or ""), _text(observed), _text(said.get("limit"))
    )


def counts(found: Iterable[RuleAction]) -> dict[str, dict[str, int]]:
    """Rule -> how often it forced a change, how often it refused, and how often it did something else."""
    rules: dict[str, dict[str, int]] = {}
    for each in found:
        row = rules.setdefault(each.rule, {"forced": 0, "refused": 0, "other": 0})
        row[{FORCED: "forced", REFUSED: "refused"}.get(each.event, "other")] += 1
    return dict(sorted(rules.items()))


def action_view(one: RuleAction) -> dict[str, Any]:
    return {
        "at": iso(one.at_ms),
        "rule": one.rule,
        "event": one.event,
        "coin": one.coin or None,
        "observed": one.observed,
        "limit": one.limit,
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)

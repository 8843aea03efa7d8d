"""The judgement: did the rule that should act do so, when and how, and is it not worse with it than without."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.research.scenarios.disarm import HOW
from bot.research.scenarios.language import Act, Scenario
from bot.research.scenarios.record import Heard, Record
from bot.research.scenarios.run import Outcome

SAME = Decimal("0.00005")
"""Drawdowns that differ by less than this share of NAV (half a basis point) are the same: a few trades' spread."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: a rule in a scenario. Money in USD; drawdowns and results are fractions of NAV, signed as P&L."""

    scenario: str
    rule: str
    must: str
    at: str | None
    action: str
    times: int
    exposure_before: Decimal
    exposure_after: Decimal
    exposure_of: str
    unhedged_usd: Decimal
    unhedged_s: float
    drawdown: Decimal
    result: Decimal
    off: str
    off_unhedged_usd: Decimal
    off_unhedged_s: float
    off_drawdown: Decimal
    off_result: Decimal
    chosen_on: bool
    """Whether the defaults were chosen with these days in view."""
    also: tuple[str, ...]
    """Other rules that spoke, with how often and since when."""
    did_not_hold: str
    """How much deeper the drawdown was with the rule, and why that stays; see `Scenario.did_not_hold`."""
    failures: tuple[str, ...]


def judge(outcome: Outcome) -> list[Judged]:
    """A row for each act that the scenario asks for, in its order."""
    return [_row(outcome, act) for act in outcome.scenario.acts]


def _row(outcome: Outcome, act: Act) -> Judged:
    scenario, base = outcome.scenario, outcome.base.record
    without = outcome.without[act].record
    found = acts(scenario, base, act)
    failures = list(outcome.base.invariants.broken)
    if not found:
        failures.append(f"{act.rule} never acted: no {act.event} {dict(act.where)} in the record")
    harm = ""
    if base.drawdown > without.drawdown + SAME:
        harm = f"{act.rule}: drawdown {base.drawdown:.4%} with the rule, {without.drawdown:.4%} without"
    if harm and not scenario.did_not_hold:
        failures.append(harm)
    cries = {one.name for one in base.heard if one.name in scenario.never and one.at_ms >= base.judged_ms}
    failures += [f"without {act.rule}: {text}" for text in outcome.without[act].invariants.broken]
    failures += [f"{name} was heard and must not be" for name in sorted(cries)]
    first = found[0] if found else None
    before = after = Decimal(0)
    if first is not None:
        before, after = base.exposure(first.at_ms, first.coin)
    return Judged(
        scenario.name,
        act.rule,
        act.event,
        None if first is None else utc(first.at_ms),
        "-" if first is None else told(first),
        len(found),
        before,
        after,
        (first.coin if first is not None else None) or "all",
        base.naked.worst_usd,
        base.naked.longest_ms / 1000,
        base.drawdown,
        base.result,
        HOW.get(act.rule, ""),
        without.naked.worst_usd,
        without.naked.longest_ms / 1000,
        without.drawdown,
        without.result,
        scenario.chosen_on,
        tuple(f"{rule} x{times} since {at}" for rule, (times, at) in sorted(others(outcome).items())),
        f"{harm}. {scenario.did_not_hold}" if harm and scenario.did_not_hold else "",
        tuple(failures),
    )


def acts(scenario: Scenario, record: Record, act: Act) -> list[Heard]:
    """What the rule did, of what the scenario waits for, in order."""
    after_ms = scenario.ms(act.after if act.after is not None else scenario.judged_from)
    by_ms = scenario.end_ms if act.by is None else scenario.ms(act.by)
    return [
        one
        for one in record.heard
        if one.name == act.event
        and after_ms <= one.at_ms <= by_ms
        and (not one.rule or one.rule == act.rule)
        and all(str(one.fields.get(key)) == value for key, value in act.where)
    ]


def told(one: Heard) -> str:
    """What was done, in the engine's own words."""
    fields = one.fields
    if one.name == "risk.forced":
        return f"{one.coin} cut to {fields['target_base']} (limit {fields['limit']}, observed {fields['observed']})"
    if one.name == "risk.refused":
        return f"{one.coin or 'order'} refused: {fields['detail']} {fields['observed']}, limit {fields['limit']}"
    parts = [str(fields[key]) for key in ("reason", "done") if fields.get(key)]
    shown = "; ".join(parts) or ", ".join(f"{key} {value}" for key, value in fields.items() if key != "rule")
    return f"{one.name}: {shown}"


def utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def others(outcome: Outcome) -> dict[str, tuple[int, str]]:
    """Rules that also did or refused something once the book stood: how often, and when first."""
    asked = {act.rule for act in outcome.scenario.acts}
    found: dict[str, tuple[int, str]] = {}
    for one in outcome.base.record.heard:
        if one.rule and one.rule not in asked and one.at_ms >= outcome.base.record.judged_ms:
            times, first = found.get(one.rule, (0, utc(one.at_ms)))
            found[one.rule] = times + 1, first
    return found


def as_json(rows: list[Judged], scenarios: list[Scenario]) -> dict[str, Any]:
    """Figures as numbers, times as UTC text."""
    return {
        "scenarios": [
            {
                "name": s.name,
                "title": s.title,
                "recorded": s.recorded,
                "chosen_on": s.chosen_on,
                "happenings": [
                    {"at": utc(s.ms(one.at)), "text": one.text}
                    for one in sorted(s.happenings, key=lambda h: s.ms(h.at))
                ],
            }
            for s in scenarios
        ],
        "rows": [_json(row) for row in rows],
        "failed": sorted({row.scenario for row in rows if row.failures}),
    }


def _happened(scenario: Scenario) -> list[tuple[int, str]]:
    return sorted((scenario.ms(one.at), one.text) for one in scenario.happenings)


def _json(row: Judged) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in Judged.__dataclass_fields__:
        value = getattr(row, name)
        shown[name] = (
            float(value) if isinstance(value, Decimal) else list(value) if isinstance(value, tuple) else value
        )
    return shown

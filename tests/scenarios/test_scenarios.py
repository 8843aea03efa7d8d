"""Scenarios in the suite: the audit record of the quick ones, and that each of their safeguards can fail."""

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.research.scenarios.bridge import bridge
from bot.research.scenarios.candles import Candle
from bot.research.scenarios.catalogue import ALL
from bot.research.scenarios.disarm import HOW, OFF
from bot.research.scenarios.judge import acts, judge, utc
from bot.research.scenarios.language import Act, Scenario
from bot.research.scenarios.run import Outcome, Run, play, run, stage

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"
SCENARIOS = {one.name: one for one in ALL}
HOUR_MS = 3_600_000

FIRST = [
    ("late_receipt", "R12", "funding.missing", "2024-06-01T16:15:20Z"),
    ("unexplained_balance", "R12", "venue.unexplained", "2024-06-01T03:00:40Z"),
    ("stale_feed", "R11", "risk.refused", "2024-06-01T01:00:16Z"),
    ("halt_over_a_restart", "R15", "control.halted", "2024-06-01T00:00:00Z"),
    ("flatten_over_a_restart", "R15", "control.halted", "2024-06-02T00:06:10Z"),
    ("margin_reduction", "R7", "risk.forced", "2024-06-02T02:37:01Z"),
    ("nav_under_ceiling", "R3", "risk.forced", "2024-06-02T01:30:10Z"),
    ("cut_due_in_a_halt", "R6", "risk.refused", "2024-06-02T00:16:05Z"),
]
"""Scenario, rule, event of the audit record, and when it is first there."""


def alone(scenario: Scenario, data: Path = Path()) -> Run:
    return run(scenario, stage(scenario, data), None)


@pytest.fixture(scope="module")
def late() -> Run:
    """The quickest one, for the tests that look at one record."""
    return alone(SCENARIOS["late_receipt"])


def clean(outcome: Run) -> None:
    assert outcome.invariants.broken == []
    assert outcome.invariants.checks["ledger equals wallets"] > 50


@pytest.mark.parametrize(("name", "rule", "event", "at"), FIRST)
def test_the_rule_acts_when_it_must_and_the_books_stay_right(name: str, rule: str, event: str, at: str) -> None:
    scenario = SCENARIOS[name]
    act = next(one for one in scenario.acts if (one.rule, one.event) == (rule, event))
    outcome = alone(scenario)
    found = acts(scenario, outcome.record, act)
    assert [utc(one.at_ms) for one in found[:1]] == [at]
    clean(outcome)


def test_five_negative_days_end_to_the_hour() -> None:
    if not (RECORDED / "funding" / "binance-usdm").is_dir():
        pytest.skip("the recorded data is not at ../shared/data")
    scenario = SCENARIOS["five_negative_days"]
    outcome = alone(scenario, RECORDED)
    (removed,) = acts(scenario, outcome.record, scenario.acts[0])
    assert (utc(removed.at_ms), removed.fields["observed"]) == ("2022-08-31T00:00:00Z", 5)
    assert outcome.record.exposure(removed.at_ms, "ETH")[1] == 0
    clean(outcome)


def test_a_leg_that_does_not_fill_is_naked_for_less_than_a_second() -> None:
    scenario = SCENARIOS["leg_refused"]
    with_rule, without = alone(scenario), run(scenario, stage(scenario, Path()), scenario.acts[0])
    assert with_rule.record.naked.longest_ms <= 1_000
    assert without.record.naked.longest_ms > 60_000
    assert with_rule.record.drawdown < without.record.drawdown
    clean(with_rule)


def test_the_same_scenario_gives_the_same_record(late: Run) -> None:
    first, again = late.record, alone(SCENARIOS["late_receipt"]).record
    assert [(one.at_ms, one.name, dict(one.fields)) for one in first.heard] == [
        (one.at_ms, one.name, dict(one.fields)) for one in again.heard
    ]
    assert first.result == again.result


def test_a_rule_that_never_acts_has_failed() -> None:
    scenario = SCENARIOS["late_receipt"]
    quiet = replace(scenario, config=OFF["R12"](scenario.config))
    (row,) = judge(play(quiet, Path()))
    assert any("never acted" in text for text in row.failures)
    assert row.at is None


def test_a_rule_that_does_harm_has_failed(late: Run) -> None:
    scenario = SCENARIOS["late_receipt"]
    worse = replace_drawdown(late, Decimal("0.01"))
    (row,) = judge(Outcome(scenario, worse, {scenario.acts[0]: late}))
    assert any("drawdown" in text for text in row.failures)


def test_days_that_the_defaults_had_not_seen_are_reported_instead(late: Run) -> None:
    scenario = replace(SCENARIOS["late_receipt"], did_not_hold="because")
    worse = replace_drawdown(late, Decimal("0.01"))
    (row,) = judge(Outcome(scenario, worse, {scenario.acts[0]: late}))
    assert row.failures == ()
    assert "0.0000% without" in row.did_not_hold
    assert not [one.name for one in ALL if one.did_not_hold and (one.chosen_on or not one.recorded)]


def replace_drawdown(outcome: Run, drawdown: Decimal) -> Run:
    return Run(replace(outcome.record, drawdown=drawdown), outcome.invariants)


def test_a_false_alarm_has_failed(late: Run) -> None:
    scenario = replace(SCENARIOS["late_receipt"], never=("funding.missing",))
    (row,) = judge(Outcome(scenario, late, {scenario.acts[0]: late}))
    assert "funding.missing was heard and must not be" in row.failures


def test_the_invariants_find_money_that_the_books_do_not_know() -> None:
    scenario = SCENARIOS["unexplained_balance"]
    known = replace(
        scenario,
        happenings=tuple(
            replace(one, do=_unnoticed(one.do)) if "by hand" in one.text else one for one in scenario.happenings
        ),
    )
    assert any("ledger equals wallets" in text for text in alone(known).invariants.broken)


def _unnoticed(do):
    def done(session):
        do(session)
        session.foreign = False

    return done


def test_the_bridge_touches_every_recorded_price_of_the_spot_and_stays_inside() -> None:
    spot, perp = Candle(100, 104, 80, 90, 1.0), Candle(101, 105, 79, 90.9, 1.0)
    path = bridge(7, 0, HOUR_MS, spot, perp)

    prices = [math.exp(price) for price, _ in path]
    assert len(path) == 61
    assert prices[0] == pytest.approx(100)
    assert prices[-1] == pytest.approx(90)
    assert max(prices) == pytest.approx(104)
    assert min(prices) == pytest.approx(80)
    assert prices.index(max(prices)) < prices.index(min(prices)), "it ended low, so the high came first"
    assert path[0][1] == pytest.approx(0.01)
    assert path[-1][1] == pytest.approx(0.01)
    assert bridge(8, 0, HOUR_MS, spot, perp) != path


def test_every_rule_of_the_book_has_a_scenario() -> None:
    asked = {act.rule for one in ALL for act in one.acts}
    book = {"R1", "R1b", "R1c", *(f"R{number}" for number in range(2, 16)), "budget"}
    assert asked >= book
    assert asked <= HOW.keys()
    assert len({one.name for one in ALL}) == len(ALL)


def test_an_act_is_matched_by_rule_event_and_time(late: Run) -> None:
    scenario, outcome = SCENARIOS["late_receipt"], late
    assert not acts(scenario, outcome.record, Act("R12", "funding.missing", by=16.2))
    assert not acts(scenario, outcome.record, Act("R6", "funding.missing"))
    assert not acts(scenario, outcome.record, Act("R12", "funding.missing", (("coin", "SOL"),)))
    assert acts(scenario, outcome.record, Act("R12", "funding.missing", (("coin", "ETH"),)))


def test_shorts_and_longs_are_built_together_and_collateral_comes_home_once() -> None:
    scenario = SCENARIOS["borrow_rate_spikes"]
    outcome = alone(scenario)
    heard = outcome.record.heard
    opened = {one.coin: utc(one.at_ms) for one in reversed(heard) if one.name == "hedge.opened"}
    assert max(opened.values()) < "2024-06-01T04:00:00Z", "neither waits for the other's margin"
    assert [one for one in heard if one.name == "margin.refused"] == []
    (forced,) = acts(scenario, outcome.record, scenario.acts[0])
    assert utc(forced.at_ms) == "2024-06-02T06:00:00Z"
    clean(outcome)

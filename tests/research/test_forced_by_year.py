"""Forced reductions by year: counted by rule, and apart those of months in which a core coin moved far."""

from decimal import Decimal
from pathlib import Path

import recorded_kit as kit

from bot.domain.config import CoreConfig, Limits
from bot.domain.time import DAY_MS
from bot.research.backtest import Question, as_json, run
from bot.research.bars import BarMarket
from bot.research.forced_by_year import FarMove, ForcedRow, far_moves, forced_rows
from bot.research.recordings import read_recordings
from bot.research.rule_actions import RuleAction

JANUARY_10 = kit.START_MS + 9 * DAY_MS
"""2023-01-10 00:00, after the recording's own small moves."""


def steps(coin: str, at_ms: int, price: float) -> float:
    """BTC jumps by a fifth within 10 January, ADA within 10 February."""
    jump = JANUARY_10 if coin == "BTC" else JANUARY_10 + 31 * DAY_MS
    return (100.0 if coin == "BTC" else 1.0) * (1.2 if at_ms > jump + DAY_MS // 2 else 1.0)


def test_only_core_coins_make_a_month_no_ordinary_one(tmp_path: Path) -> None:
    folder = kit.make(tmp_path, coins=("BTC", "ADA"), price=steps)
    market = BarMarket(read_recordings(folder), kit.START_MS, kit.START_MS + 55 * DAY_MS)
    (only,) = far_moves(market, ("BTC", "ETH"))
    assert (only.month, only.coin, only.day) == ("2023-01", "BTC", "2023-01-10")
    assert abs(only.move - 0.2) < 1e-9
    assert [one.month for one in far_moves(market, ("ADA",))] == ["2023-02"]
    assert far_moves(market, ("BTC",), far=0.21) == []


def test_forced_actions_are_counted_by_year_and_rule_and_refusals_are_not() -> None:
    def action(day: int, rule: str, event: str = "risk.forced") -> RuleAction:
        return RuleAction(kit.START_MS + day * DAY_MS, rule, event, "ADA", "", "")

    found = forced_rows(
        [action(0, "R2"), action(40, "R2"), action(40, "R1"), action(40, "R8", "risk.refused"), action(400, "R2")],
        [FarMove("2023-01", "BTC", "2023-01-10", 0.2)],
    )
    assert found == [ForcedRow(2023, "R1", 1, 1), ForcedRow(2023, "R2", 2, 1), ForcedRow(2024, "R2", 1, 1)]


def test_a_backtest_tells_what_was_forced_and_what_the_strategy_trimmed_itself(tmp_path: Path) -> None:
    """ADA doubles slowly: its trims are the strategy's own. Then rates turn, and R1 takes the coins out."""

    def rising(coin: str, at_ms: int, price: float) -> float:
        return price * (1 + max(0, at_ms - kit.START_MS) / (30 * DAY_MS)) if coin == "ADA" else price

    def turning(_coin: str, at_ms: int, rate: float) -> float:
        return 0.0003 if at_ms < kit.START_MS + 30 * DAY_MS else -0.00001

    folder = kit.make(tmp_path, price=rising, rate=turning)
    config = CoreConfig(limits=Limits(cash_rate=0))
    question = Question(kit.START_MS, kit.START_MS + 50 * DAY_MS, config, cash_usd=Decimal(1_000_000))
    view = as_json(run(read_recordings(folder), question))
    assert view["trims"][0]["year"] == 2023
    assert view["trims"][0]["count"] > 3
    assert {row["rule"] for row in view["forced"]} <= {"R1"}

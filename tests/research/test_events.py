"""SOL in November 2022 on the recorded data: what the book lost, and what the rules are for (docs/events.md)."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.config import CoreConfig, ExtremeLimits, FundingStop, Limits, SpreadLimits, StrategyConfig
from bot.research.backtest import Question, run
from bot.research.recordings import Recording, read_recordings
from bot.research.trace import trace

SHIPPED = CoreConfig(limits=Limits(cash_rate=0))
STUBBORN = replace(SHIPPED, strategy=StrategyConfig(fast_h=0, slow_h=0, base_h=2000))
R1_ALONE = replace(
    STUBBORN,
    limits=Limits(
        cash_rate=0,
        funding_stop=FundingStop(share=Decimal(1)),
        spread=SpreadLimits(reduce_z=90, add_z=100, reduce_drawdown=Decimal(1)),
        extreme=ExtremeLimits(move=0.99),
    ),
)


@pytest.fixture(scope="module")
def sol(recorded: Path) -> list[Recording]:
    return read_recordings(recorded, ("SOL",))


def lost(recordings: list[Recording], config: CoreConfig) -> tuple[float, float, str]:
    """(net, funding) of 8 to 18 November as shares of NAV, and what the rules did then."""
    first, last = (int(datetime(2022, 11, day, tzinfo=UTC).timestamp() * 1000) for day in (1, 21))
    answer = run(recordings, Question(first, last, config))
    rows = [row for row in trace(answer, "SOL") if "2022-11-08" <= row["day"] <= "2022-11-18"]
    rules = " ".join(text for row in rows for text in row["rules"])
    return sum(row["net"] for row in rows), sum(row["funding"] for row in rows), rules


def test_the_shipped_book_loses_next_to_nothing(sol: list[Recording]) -> None:
    net, funding, _ = lost(sol, SHIPPED)
    assert net > -0.0003
    assert funding > -0.0002


def test_a_book_that_expects_the_base_rate_is_stopped_by_r1c(sol: list[Recording]) -> None:
    net, funding, rules = lost(sol, STUBBORN)
    """Not before it has paid what R1c bears: the venue's cap held the prediction below that."""
    assert "R1c coin.removed" in rules
    assert net > 0
    assert -0.002 < funding < -0.0005


def test_without_r1c_five_days_are_too_slow(sol: list[Recording]) -> None:
    net, funding, rules = lost(sol, R1_ALONE)
    assert "00:00 R1 coin.removed: 5 against 5" in rules
    assert net < -0.002
    assert funding < -0.004

"""Settings with some keys changed: judged as the file's own, and wrong ones named by the change."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.config import CoreConfig, Limits
from bot.settings import SettingsError, load
from bot.settings.variants import check_changes, core_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("venues: {binance: {adapter: binance}}\nlimits: {stale_s: 4, per_coin_cap: 0.07}\n")
    return path


def refused(path: Path | None, changes: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        core_of(path, changes, {})
    return str(caught.value)


def test_without_a_file_they_are_the_defaults_at_no_cash_rate() -> None:
    assert core_of(None, {}) == CoreConfig(limits=Limits(cash_rate=0))


def test_the_file_then_the_environment_then_the_changes(file: Path) -> None:
    environ = {"CARRYBOT_LIMITS__PER_COIN_CAP": "0.08", "CARRYBOT_LIMITS__CASH_RATE": "0.01"}
    assert core_of(file, {}, environ) == load(file, environ).core
    found = core_of(file, {"limits.per_coin_cap": "0.09", "universe.coins": "BTC,ETH"}, environ)
    assert (found.limits.per_coin_cap, found.limits.cash_rate, found.limits.stale_s) == (Decimal("0.09"), 0.01, 4)
    assert found.universe.coins == ("BTC", "ETH")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"limits.per_coin_kap": "0.1"}, "did you mean 'per_coin_cap'?"),
        ({"limit.per_coin_cap": "0.1"}, "did you mean 'limits'?"),
        ({"limits.drawdown": "0.1"}, "add one of its keys: soft, hard"),
        ({"limits.per_coin_cap": "5"}, "limits.per_coin_cap=5: limits.per_coin_cap: must be at most 1"),
        ({"limits.drawdown.soft": "0.02"}, "0.02 is not below limits.drawdown.hard"),
        ({"database.url": "x"}, "unknown key"),
    ],
)
def test_a_wrong_change_is_named(file: Path, changes: dict[str, str], told: str) -> None:
    assert told in refused(file, changes)
    assert told in refused(None, changes)


def test_values_are_checked_one_by_one_and_contradictions_left_for_the_cell() -> None:
    check_changes(None, [("limits.drawdown.soft", "0.02"), ("limits.drawdown.hard", "0.03")], {})
    with pytest.raises(SettingsError) as caught:
        check_changes(None, [("limits.nothing_such", "1"), ("limits.stale_s", "-1"), ("limits.stale_s", "1")], {})
    assert len(caught.value.problems) == 2

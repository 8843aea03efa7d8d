"""The strategy that borrows: its section, and where it may be listed."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.config import ReverseCarry
from bot.settings import SettingsError, load
from bot.settings.variants import core_of

VENUE = "venues: {a: {adapter: binance}}\n"


def problem(tmp_path: Path, text: str) -> tuple[int | None, str]:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load(path, {})
    (only,) = refused.value.problems
    return only.line, str(only)


def test_a_strategy_that_borrows_may_be_listed_for_an_account(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(VENUE + "strategies: [cash_and_carry, reverse_carry]\n")
    assert load(path, {}).core.strategies == ("cash_and_carry", "reverse_carry")


def test_an_alarm_below_what_may_be_borrowed_is_a_contradiction(tmp_path: Path) -> None:
    line, text = problem(tmp_path, VENUE + "reverse_carry:\n  rate_max: 3\n  rate_alarm: 2\n")
    assert line == 3
    assert "3 is above reverse_carry.rate_alarm (2)" in text


def test_the_section_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(VENUE + "reverse_carry: {availability_share: 0.25, recall_pause_h: 48}\n")
    expected = ReverseCarry(availability_share=Decimal("0.25"), recall_pause_h=48)
    assert load(path, {}).core.reverse_carry == expected


def test_books_over_history_may_borrow(tmp_path: Path) -> None:
    """A backtest takes the same file, and a sweep may set the list."""
    path = tmp_path / "my.yaml"
    path.write_text(VENUE + "strategies: [reverse_carry]\n")
    assert core_of(path, {}, {}).strategies == ("reverse_carry",)
    core = core_of(None, {"strategies": "cash_and_carry,reverse_carry", "reverse_carry.horizon_h": "24"}, {})
    assert core.strategies == ("cash_and_carry", "reverse_carry")
    assert core.reverse_carry.horizon_h == 24

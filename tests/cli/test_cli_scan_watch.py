"""`scan --watch`: refreshed in place on a terminal, one table after the other elsewhere, a line each as JSON."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from bot.cli import context, explain, output
from bot.cli.failure import Failure

ROW = {
    "coin": "SOL", "venue": "binance", "held_usd": 0.0, "apr": 0.1, "funding": 0.004, "basis": 0.001, "cost": 0.003,
    "net": 0.002, "volume_usd": 1e7, "depth_usd": 1e5, "open_interest_usd": 1e7, "verdict": "enter", "reason": "pays",
}  # fmt: skip


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The daemon answers twice and ends."""
    answers = [{**ROW, "net": 0.002}, {**ROW, "net": 0.001}]
    left = list(answers)

    def question(*_: object, **__: object) -> list[dict[str, Any]]:
        if not left:
            raise Failure(1, "no daemon is running")
        return [left.pop(0)]

    monkeypatch.setattr(context, "question", question)
    monkeypatch.setattr(explain, "WATCH_S", 0.0)
    yield answers
    assert not left


def test_on_a_terminal_one_table_is_refreshed(twice: object, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(output, "console", lambda: Console(file=screen, force_terminal=True, width=160))
    with pytest.raises(Failure, match="no daemon"):
        explain.scan(None, as_json=False, watch=True)
    shown = screen.getvalue()
    assert "0.20 %" in shown
    assert "0.10 %" in shown
    assert "\x1b[1A" in shown, "the second table overwrites the first"


def test_elsewhere_tables_follow_each_other(twice: object, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure):
        explain.scan(None, as_json=False, watch=True)
    shown = capsys.readouterr().out
    assert shown.count("Net carry") == 2
    assert "\x1b" not in shown


def test_json_is_a_line_each(twice: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure):
        explain.scan(None, as_json=True, watch=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [[each] for each in twice]

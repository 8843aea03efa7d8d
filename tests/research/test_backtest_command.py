"""`carrybot backtest` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_kit import make

ROOT = Path(__file__).resolve().parents[2]


def carrybot(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "backtest", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("made"), days=12)


def test_json_and_report(folder, tmp_path) -> None:
    page = tmp_path / "report.html"
    words = ("--data", str(folder), "--from", "2023-01-01", "--to", "2023-01-10")
    done = carrybot(*words, "--json", "--report", str(page))
    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    assert [row["year"] for row in view["years"]] == [2023]
    assert page.read_text().startswith("<!doctype html>")
    table = carrybot(*words, "-c", "config/demo.yaml")
    assert table.returncode == 0, table.stderr
    assert "perfect foresight" in table.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "2023-01-01", "--to", "yesterday"), "not a day"),
        (("--from", "2023-01-05", "--to", "2023-01-01"), "lies before"),
        (("--from", "2023-01-01", "--to", "2023-01-05", "--grid", "3"), "1, 2, 4 or 8"),
        (("--from", "2033-01-01", "--to", "2033-01-05"), "choose other dates"),
    ],
)
def test_what_cannot_be_asked(folder, words, told) -> None:
    done = carrybot("--data", str(folder), *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_none(tmp_path) -> None:
    done = carrybot("--data", str(tmp_path), "--from", "2023-01-01", "--to", "2023-01-05")
    assert done.returncode == 2
    assert "docs/history.md" in done.stderr

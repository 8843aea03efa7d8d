"""`carrybot scenarios` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def carrybot(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "scenarios", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_drawn_scenario_needs_no_data_and_its_json_is_kept(tmp_path) -> None:
    kept = tmp_path / "new" / "kept.json"
    words = ("stale_feed", "--data", str(tmp_path), "--keep", str(kept))
    done = carrybot(*words, "--json")
    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    assert view == json.loads(kept.read_text())
    (row,) = view["rows"]
    assert (row["rule"], row["at"], row["failures"]) == ("R11", "2024-06-01T01:00:16Z", [])
    assert row["off_unhedged_usd"] > 10_000
    assert row["unhedged_usd"] == 0
    happened = [one["text"] for one in view["scenarios"][0]["happenings"]]
    assert happened == ["halt", "silent binance:perp and binance:spot", "resume", f"{happened[1]}: over"]
    table = carrybot(*words)
    assert table.returncode == 0, table.stderr
    assert "stale_feed, R11: BTC refused" in table.stdout


def test_recorded_days_without_their_data_are_named(tmp_path) -> None:
    done = carrybot("sol_2022", "--data", str(tmp_path), "--keep", str(tmp_path / "kept.json"), "--quiet")
    assert done.returncode == 2
    assert f"{tmp_path}: no recorded history there, so these were not played: sol_2022" in done.stderr
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_is_none(tmp_path) -> None:
    done = carrybot("doom", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "no scenario 'doom'" in done.stderr
    assert "march_2020" in done.stderr

"""Every measurement runs from end to end at a tiny size. What it measures is not judged here."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOALS = {"P1": {"P1"}, "P2": {"P2", "P3"}, "P4": {"P4"}, "P5": {"P5"}}


@pytest.mark.slow
@pytest.mark.parametrize("part", GOALS)
def test_measurement_runs_and_its_figures_are_numbers(part: str, tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--smoke", "--only", part, "--json", str(kept)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    document = json.loads(kept.read_text())
    assert not document["failed"]
    assert {figure["goal_id"] for figure in document["figures"]} == GOALS[part]
    for figure in document["figures"]:
        for name in ("product", "bare", "ratio"):
            assert math.isfinite(figure[name]), (figure["what"], name)
            assert figure[name] > 0, (figure["what"], name)
        assert figure["repeats"]["product"]
        assert figure["repeats"]["bare"]
    assert document["machine"]["packages"]["carrybot"]


def test_unknown_goal_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "P9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "P9" in done.stdout

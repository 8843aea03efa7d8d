"""`carrybot sweep` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_kit import make

from bot.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
WINDOW = ("--from", "2023-01-01", "--to", "2023-01-10", "--jobs", "1")


def carrybot(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "sweep", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make(tmp_path_factory.mktemp("made"), coins=("BTC", "ETH"), days=100))


def test_json_and_report(folder: str, tmp_path: Path) -> None:
    axes, page = tmp_path / "axes.yaml", tmp_path / "sweep.html"
    axes.write_text("strategy: {fast_half_life_h: [24, 48]}\n")
    words = ("--set", "limits.per_coin_cap=0.05,0.1", "--params", str(axes))
    done = carrybot("--data", folder, *WINDOW, *words, "--json", "--report", str(page))
    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    assert len(view["cells"]) == 4
    assert view["best"]["score"] == max(cell["total"]["net"] for cell in view["cells"])
    assert view["maps"][0]["values"][0][0] == view["cells"][0]["score"]
    assert "Heat maps" in page.read_text()


def test_tables_and_walk_forward(folder: str) -> None:
    axis = ("--set", "limits.per_coin_cap=0.05,0.1")
    done = carrybot("--data", folder, *WINDOW, *axis)
    assert done.returncode == 0, done.stderr
    assert "2 cells, best net first" in done.stdout
    assert "net: limits.per_coin_cap" in done.stdout
    words = ("--data", folder, "--from", "2023-01-01", "--to", "2023-02-28", "--jobs", "1", "--coins", "BTC", *axis)
    walked = carrybot(*words, "--walk-forward", "1/1", "-c", "config/demo.yaml")
    assert walked.returncode == 0, walked.stderr
    assert "judged on unseen windows" in walked.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "limits.per_coin_kap=0.1"), "did you mean 'per_coin_cap'?"),
        (("--set", "limits.per_coin_cap"), "this is no axis"),
        ((), "nothing to vary"),
        (("--set", "limits.stale_s=1", "--by", "luck"), "not one of net, share, net-over-drawdown"),
        (("--set", "limits.stale_s=1", "--walk-forward", "soon"), "write 12/3"),
        (("--set", "limits.stale_s=1", "--walk-forward", "12/3"), "do not fit"),
        (("--set", "limits.stale_s=1", "--dask", "tcp://127.0.0.1:9"), "give one of them"),
    ],
)
def test_what_cannot_be_asked(folder: str, words: tuple[str, ...], told: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["carrybot", "sweep", "--data", folder, *WINDOW, *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_every_cell_failed(folder: str) -> None:
    done = carrybot("--data", folder, *WINDOW, "--set", "limits.liquidation.min=0.3")
    assert done.returncode == 1
    assert "is not below limits.liquidation.warn" in done.stdout

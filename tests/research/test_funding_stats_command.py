"""`carrybot funding`: JSON keys, text, the HTML file, windows, the books, and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.failure import USAGE, Failure
from bot.cli.funding_command import moment
from bot.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
recorded = pytest.mark.skipif(
    not (DATA / "funding").is_dir(), reason=f"{DATA}/funding, the recorded rates, is absent"
)
runner = CliRunner()


def test_the_embedded_table_as_json_and_text(tmp_path):
    path = tmp_path / "sui.html"
    done = runner.invoke(app, ["funding", "SUI", "--json", "--report", str(path)])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"share_positive", "mean_annual", "longest_negative_days", "intervals"} <= set(found)
    assert found["longest_negative_days"] == 11
    assert found["intervals"] == [
        {"hours": 8, "from": "2024-09-16T00:00Z", "until": found["until"], "settlements": found["settlements"]}
    ]
    page = path.read_text(encoding="utf-8")
    assert page.count("<svg") == 6
    assert "<script" not in page
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    text = runner.invoke(app, ["funding", "SUI"]).stdout
    for heading in (
        "share positive",
        "Distribution",
        "Runs of negative days",
        "Autocorrelation",
        "Funding intervals",
    ):
        assert heading in text


@recorded
def test_the_known_share_by_the_command_in_a_process_of_its_own():
    words = ["funding", "BTC", "--venue", "bybit", "--data", str(DATA), "--until", "2024-06-30", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bot", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert round(json.loads(done.stdout)["share_positive"], 4) == 0.8637


def test_dates_are_whole_days_and_times_are_inclusive():
    assert moment("1970-01-02", end=False) == 86_400_000
    assert moment("1970-01-02", end=True) == 2 * 86_400_000
    assert moment("1970-01-01T20:00", end=True) == 20 * 3_600_000 + 60_000
    assert moment("1970-01-01T20:00Z", end=False) == 20 * 3_600_000
    assert moment("1970-01-01T20:00+02:00", end=False) == 18 * 3_600_000


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("SUI", "--until", "soon"), "no date"),
        (("SUI", "--from", "2024-12-01", "--until", "2024-11-01"), "not before"),
        (("SUI", "--from", "2030-01-01"), "fewer than two settlements"),
        (("NOSUCH",), "no rates of NOSUCH"),
        (("SUI", "--venue", "okx"), "no venue okx"),
        (("SUI", "--data", "nowhere"), "no such folder"),
        (("SUI", "--data", "x", "--books"), "together"),
    ],
)
def test_bad_input_is_exit_code_2_with_a_remedy(words, what):
    done = runner.invoke(app, ["funding", *words])
    assert isinstance(done.exception, Failure), done.output
    assert done.exception.code == USAGE
    assert what in done.exception.what
    assert done.exception.remedy


def test_a_bad_file_is_said_with_file_line_and_remedy_without_a_traceback(tmp_path):
    import gzip

    path = tmp_path / "funding" / "binance-usdm" / "AUSDT.csv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"timestamp_ms,funding_rate\n1700000000000,x\n"))
    words = [sys.executable, "-m", "bot", "funding", "A", "--data", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{path} line 2" in done.stderr
    assert "correct or remove the row" in done.stderr
    assert "Traceback" not in done.stderr


async def test_the_books_answer_what_the_daemon_recorded(tmp_path):
    """Rates committed by the store come back as the statistics' settlements, in order."""
    from decimal import Decimal

    from bot.domain.actions import Persist
    from bot.domain.market import SettledRate
    from bot.research.funding_stats_books import from_books
    from bot.research.funding_stats_source import FundingError
    from bot.store.database import SqlStore
    from bot.store.migrate import upgrade

    url = f"sqlite:///{tmp_path / 'books.db'}"
    upgrade(url)
    rows = [SettledRate("binance:SOLUSDT:perp", place * 28_800_000, Decimal("0.0001"), 28_800) for place in (1, 2, 3)]
    async with SqlStore(url) as store:
        await store.commit([Persist(each) for each in rows])
    found = await from_books(url, "binance", "sol")
    assert [each.at_ms for each in found.settlements] == [28_800_000, 57_600_000, 86_400_000]
    with pytest.raises(FundingError, match="no rates of BTC"):
        await from_books(url, "binance", "BTC")

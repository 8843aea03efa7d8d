"""`carrybot calc`: every command's JSON, its text, and bad input as exit code 2 with a remedy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.failure import USAGE, Failure
from bot.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
runner = CliRunner()
TRIANGLE = (
    "triangle", "--notional-usd", "10000", "--rate-a", "-0.107%", "--rate-b", "0.01%",
    "--price-a-usd", "5304.25", "--price-b-usd", "170", "--ratio-size-b-coin", "60",
)  # fmt: skip
COMMANDS = [
    (("edge", "--funding-rate", "0.282%", "--borrow-rate", "0.05%"), {"edge_rate": 0.00132}),
    (("edge", "--funding-rate", "28.2bps", "--borrow-rate", "0.0005"), {"edge_all_trades_rate": 0.00032}),
    (("break-even", "--funding-rate", "0.01%"), {"settlements": 20, "hours": 160.0, "annual_rate": 0.1095}),
    (("break-even", "--funding-rate", "-0.01%"), {"settlements": None}),
    (("round-trip", "--notional-usd", "50,000"), {"round_trip_rate": 0.003, "round_trip_usd": 150.0}),
    (("round-trip", "--perp-fee-rate", "0.02%"), {"round_trip_rate": 0.0024}),
    (("payment", "--size-coin", "1", "--short-rate", "0.02%", "--long-rate", "-0.01%"), {"payment_coin": 0.0003}),
    (("budget", "--nav-usd", "1000000"), {"spot_usd": 2e6, "short_perp_usd": 2e6, "per_coin_usd": 5e4, "coins": 40}),
    (("split",), {"size_coin": 0.3, "capital_coin": 0.2}),
    (("unified",), {"largest_size_coin": pytest.approx(1.7647, abs=5e-5)}),
    (("unified", "--size-coin", "1.5"), {"margin_used_coin": 0.17, "income_over_split": 5.0}),
    (("liquidation",), {"price_factor": 0.260025, "leverage_one_side": 7.5, "leverage_gross": 15.0}),
    (("liquidation", "--widening", "5%"), {"price_factor": 0.635025}),
    (("liquidation", "--account", "perp-wallet", "--bracket", "1e6:2.5%"), {"leverage_gross": 4.0}),
    (TRIANGLE, {"funding_rate": 0.00117, "delta_b_share": 0.02}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"), COMMANDS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_json_and_text(words, expected):
    done = runner.invoke(app, ["calc", *words, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {key: found[key] for key in expected} == expected
    text = runner.invoke(app, ["calc", *words])
    assert text.exit_code == 0
    assert len(text.stdout.splitlines()) > 2


def test_split_and_unified_show_all_three_readings():
    split = json.loads(runner.invoke(app, ["calc", "split", "--json"]).stdout)
    assert [row["income_a_day_coin"] for row in split["readings"]] == [0.002493, 0.002358, 0.002088]
    unified = json.loads(runner.invoke(app, ["calc", "unified", "--size-coin", "1.5", "--json"]).stdout)
    assert [row["income_a_day_coin"] for row in unified["readings"]] == [0.012465, 0.01179, 0.01044]
    own = json.loads(runner.invoke(app, ["calc", "split", "--cost-rate-a-day", "0.1%", "--json"]).stdout)
    assert [row["income_a_day_coin"] for row in own["readings"]] == [pytest.approx(0.3 * (3 * 0.00282 - 0.001))]


def test_what_if_answers_for_both_directions(tmp_path):
    picture = tmp_path / "course.svg"
    done = runner.invoke(app, ["calc", "what-if", "--json", "--svg", str(picture)])
    up, down = json.loads(done.stdout)["moves"]
    assert (up["move"], up["survived"], up["threatened"]) == (0.4, True, True)
    assert up["timeline"][-1]["price_factor"] == 1.4
    assert (down["move"], down["survived"], down["threatened"]) == (-0.4, True, False)
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    text = runner.invoke(app, ["calc", "what-if", "--top-up-delay-s", "600"]).stdout
    assert "the top-up is late" in text
    assert "cannot be liquidated by a move in this direction" in text


def test_examples_as_table_and_json():
    found = json.loads(runner.invoke(app, ["calc", "examples", "--json"]).stdout)
    assert [each["id"] for each in found] == [f"G{number}" for number in range(1, 10)]
    assert "0.002493 ETH" in runner.invoke(app, ["calc", "examples"]).stdout


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("edge", "--funding-rate", "0.282"), "0.282%"),
        (("edge", "--funding-rate", "much"), "write it like"),
        (("edge", "--funding-rate", "nan"), "finite"),
        (("edge",), "--funding-rate"),
        (("edge", "--funding-rate", "0.1%", "--fee-rate", "-0.1%"), "0 or more"),
        (("split", "--leverage", "0"), "above 0"),
        (("liquidation", "--maintenance-rate", "0"), "such as 2.5%"),
        (("what-if", "--move", "140%"), "below 100 %"),
        (("nonsense",), "No such command"),
    ],
)
def test_bad_values_are_exit_code_2_with_a_remedy(words, remedy):
    done = runner.invoke(app, ["calc", *words])
    assert done.exit_code == 2
    assert remedy in done.output


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("payment", "--size-coin", "1"), "neither a short nor a long"),
        (("unified", "--size-coin", "2"), "coins of margin"),
        (("what-if", "--wallet-usd", "1000"), "before any move"),
        (("what-if", "--top-up-delay-s", "-1"), "--top-up-delay-s"),
        (("liquidation", "--leverage-max", "1"), "--leverage-max"),
        (("liquidation", "--account", "perp-wallet", "--bracket", "1000:1%", "--brackets-of", "BTC"), "together"),
        (("liquidation", "--account", "perp-wallet", "--brackets-of", "NOSUCH"), "NOSUCH"),
        (("liquidation", "--account", "perp-wallet", "--bracket", "1000:1%"), "brackets end at"),
    ],
)
def test_plans_that_cannot_be_made_are_exit_code_2_with_a_remedy(words, what):
    done = runner.invoke(app, ["calc", *words])
    assert isinstance(done.exception, Failure)
    assert done.exception.code == USAGE
    assert what in done.exception.what
    assert done.exception.remedy


def test_a_picture_that_cannot_be_written_is_said_so(tmp_path):
    done = runner.invoke(app, ["calc", "liquidation", "--svg", str(tmp_path / "none" / "x.svg")])
    assert isinstance(done.exception, Failure)


def test_a_bad_plan_in_a_process_of_its_own_has_no_traceback():
    words = [sys.executable, "-m", "bot", "calc", "unified", "--size-coin", "2"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("carrybot: ")
    assert "plan at most" in done.stderr
    assert "Traceback" not in done.stderr

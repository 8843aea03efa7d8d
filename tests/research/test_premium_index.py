"""The venue's formula for a funding rate, and how its error before the settlement is measured."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.domain.premium import mean_premium, rate_of
from bot.domain.time import HOUR_MS
from bot.research.premium_index import HOURS, errors, read_intervals
from bot.simulator.market.table import HistoryError

SHARED = Path(__file__).parents[3] / "shared" / "data"
START_MS = 1_700_006_400_000
"""2023-11-15 00:00."""


@pytest.mark.parametrize(
    ("premium", "interval_h", "rate"),
    [
        (0.0, 8, 0.0001),
        (0.0004, 8, 0.0001),
        (0.0006, 8, 0.0001),
        (-0.0004, 8, 0.0001),
        (0.001, 8, 0.0005),
        (-0.001, 8, -0.0005),
        (0.0, 4, 0.00005),
        (0.001, 1, 0.0000625),
        (0.5, 8, 0.02),
        (-0.5, 8, -0.02),
    ],
)
def test_the_published_formula(premium: float, interval_h: float, rate: float) -> None:
    assert rate_of(premium, interval_h) == pytest.approx(rate, abs=1e-12)


def test_later_observations_weigh_more() -> None:
    assert mean_premium([0.0, 0.0, 1.0]) == pytest.approx(2.5 / 4.5)
    assert mean_premium([0.0, 0.0, 1.0], later_weighs_more=False) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="no premium"):
        mean_premium([])


def recorded(folder: Path, premiums: list[float], rates: list[float]) -> Path:
    """Hours from START_MS with a constant premium each, and a rate every eight hours from START_MS on."""
    hours = [f"{START_MS + hour * HOUR_MS},{value},{value}" for hour, value in enumerate(premiums)]
    settled = [f"{START_MS + 8 * number * HOUR_MS + 3},{rate}" for number, rate in enumerate(rates)]
    for name, header, rows in (
        ("klines/binance/um-premium-index/BTCUSDT-1h.csv.gz", "open_time_ms,open,close", hours),
        ("funding/binance-usdm/BTCUSDT.csv.gz", "timestamp_ms,funding_rate", settled),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode()))
    return folder


def test_errors_by_hand(tmp_path: Path) -> None:
    """The first half of the interval has a premium of 20 bps, the second 0: 10 in all, a rate of 5 bps."""
    folder = recorded(tmp_path, [0.002] * 4 + [0.0] * 4, [0.0001, 0.0005])
    (only,) = read_intervals(folder, "BTCUSDT")
    assert (only.before, only.rate) == (0.0001, 0.0005)
    found = {(row.forecast, row.hours): row.mean_error for row in errors([only])}
    assert found["premium so far", 8] == pytest.approx(0.0, abs=1e-12)
    assert found["premium so far", 4] == pytest.approx(0.0015 - 0.0005)
    assert found["premium so far, the rate before for the rest", 4] == pytest.approx((0.0015 + 0.0001) / 2 - 0.0005)
    assert found["the rate before", 4] == pytest.approx(0.0004)
    assert len(found) == 5 * len(HOURS)


def test_an_interval_with_a_missing_hour_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no whole 8-hour interval"):
        read_intervals(recorded(tmp_path, [0.0] * 7, [0.0001, 0.0001]), "BTCUSDT")
    with pytest.raises(HistoryError, match=r"ADAUSDT-1h\.csv\.gz: no such file"):
        read_intervals(tmp_path, "ADAUSDT")


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["premium", "--data", str(tmp_path)])
    assert "no such file; the hourly premium index of BTCUSDT" in str(result.exception)


@pytest.mark.skipif(not SHARED.is_dir(), reason="recorded data is not here: ../shared/data")
def test_on_recorded_premiums_waiting_helps_and_the_rate_before_helps_half_way() -> None:
    result = CliRunner().invoke(app, ["premium", "--data", str(SHARED), "--json"])
    rows = {(row["forecast"], row["hours"]): row for row in json.loads(result.stdout)["rows"]}
    errors_bps = [rows["premium so far", hours]["mean_error_bps"] for hours in HOURS]
    assert errors_bps == sorted(errors_bps, reverse=True)
    assert rows["premium so far", 8]["r2"] > 0.8
    half_way = rows["premium so far, the rate before for the rest", 4]["rms_error_bps"]
    assert half_way < rows["premium so far", 4]["rms_error_bps"]
    assert half_way < rows["the rate before", 4]["rms_error_bps"]

"""Nominal settlement times and funding days, at their edges and on recorded stamps."""

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.time import DAY_MS, HOUR_MS, funding_day, nominal_ms

DAY = 20_058  # 2024-12-01
MIDNIGHT = DAY * DAY_MS
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "funding" / "binance-usdm"


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        (MIDNIGHT, DAY - 1),
        (MIDNIGHT + 1, DAY),
        (MIDNIGHT + 8 * HOUR_MS, DAY),
        (MIDNIGHT + 16 * HOUR_MS, DAY),
        (MIDNIGHT + DAY_MS - 1, DAY),
        (MIDNIGHT + DAY_MS, DAY),
        (MIDNIGHT + DAY_MS + HOUR_MS, DAY + 1),
    ],
)
def test_midnight_closes_the_day_before(stamp: int, day: int) -> None:
    assert funding_day(stamp) == day


@pytest.mark.parametrize("jitter", [0, 1, 47, 999, 29_999, -1, -30_000])
def test_jitter_is_taken_off(jitter: int) -> None:
    assert nominal_ms(MIDNIGHT + jitter) == MIDNIGHT


def test_a_late_midnight_belongs_to_the_day_before_only_by_its_nominal_time() -> None:
    late = MIDNIGHT + 3
    assert funding_day(late) == DAY
    assert funding_day(nominal_ms(late)) == DAY - 1


@given(st.integers(0, 40_000), st.sampled_from([1, 2, 4, 8]), st.integers(0, 23), st.integers(0, 47))
def test_every_settlement_of_a_day_falls_into_it(day: int, every_h: int, which: int, jitter: int) -> None:
    nominal = day * DAY_MS + (which % (24 // every_h) + 1) * every_h * HOUR_MS
    assert nominal_ms(nominal + jitter) == nominal
    assert funding_day(nominal) == day


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded funding at ../shared/data/funding/binance-usdm")
def test_recorded_stamps_become_whole_hours_and_no_two_the_same() -> None:
    late_midnights = midnights = 0
    for name in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        with gzip.open(RECORDED / f"{name}.csv.gz", "rt") as lines:
            stamps = [int(row["timestamp_ms"]) for row in csv.DictReader(lines)]
        nominal = [nominal_ms(stamp) for stamp in stamps]
        assert all(stamp % HOUR_MS == 0 for stamp in nominal)
        assert len(set(nominal)) == len(stamps)
        assert max(abs(a - b) for a, b in zip(stamps, nominal, strict=True)) < 1_000
        midnights += sum(stamp % DAY_MS == 0 for stamp in nominal)
        late_midnights += sum(a > b and b % DAY_MS == 0 for a, b in zip(stamps, nominal, strict=True))
    assert late_midnights > 0, "the recordings jitter: without nominal times these would count into the wrong day"
    assert late_midnights < midnights

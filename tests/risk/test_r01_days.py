"""R1 and R1b against a slow oracle that knows nothing of their state machine, and on recorded coins."""

import csv
import gzip
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.config import Limits
from bot.domain.hedges import Removal
from bot.domain.market import SettledRate
from bot.domain.time import DAY_MS, HOUR_MS, nominal_ms
from bot.risk.rules import r01_negative_funding as r01

LIMITS = Limits()
FIRST_DAY = 20_058
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "funding" / "binance-usdm"


def rate_at(settled_ms: int, rate: Decimal | str) -> SettledRate:
    return SettledRate("v:X:perp", settled_ms, Decimal(rate), 8 * 3600)


PATTERNS = [
    (8, 16, 24),
    tuple(range(1, 25)),
    tuple(range(2, 25, 2)),
    tuple(range(4, 25, 4)),
    (8, 12, 16, 20, 22, 24),
    (8, 9, 10, 11, 12, 16, 24),
    (8, 16),
    (4, 24),
    (),
]
"""Hours of a day's settlements: 8, 1, 2 and 4 hourly, changes in mid-day, missing midnights, missing days."""
DAYS = st.lists(
    st.tuples(st.sampled_from(PATTERNS), st.sampled_from([-1, -1, -1, 0, 1, 1]), st.integers(0, 2**20)),
    min_size=5,
    max_size=30,
)


def history_of(days: list[tuple[tuple[int, ...], int, int]]) -> list[SettledRate]:
    """Settlements of these days: rates around the day's sign, stamps late as recorded ones are."""
    found = []
    for day, (hours, sign, seed) in enumerate(days, start=FIRST_DAY):
        dice = Random(seed)
        for hour in hours:
            rate = Decimal(sign * dice.randint(0, 30) + dice.randint(-3, 3)).scaleb(-5)
            jitter = dice.choice([0, 0, 1, 7, 47])
            found.append(rate_at(nominal_ms(day * DAY_MS + hour * HOUR_MS + jitter), rate))
    return found


HISTORIES = DAYS.map(history_of)


def oracle(history: list[SettledRate], direction: int) -> list[str]:
    """What R1 and R1b say of each whole day in order, from the table of days alone; days still open are left out."""
    days: dict[int, list[SettledRate]] = defaultdict(list)
    for one in history:
        moment = datetime.fromtimestamp(one.settled_ms / 1000, UTC)
        midnight = (moment.hour, moment.minute) == (0, 0)
        days[one.settled_ms // DAY_MS - (1 if midnight else 0)].append(one)
    said, signs, removed = [], [], False
    order = sorted(days)
    for day in order:
        ended = any(one.settled_ms == (day + 1) * DAY_MS for one in days[day])
        if not ended and day == order[-1]:
            break
        carry = direction * sum(one.rate for one in days[day])
        signs.append((carry > 0) - (carry < 0))
        if not removed and signs[-LIMITS.negative_funding_days :] == [-1] * LIMITS.negative_funding_days:
            removed = True
            said.append(f"removed by {day}")
            signs = [-1] * LIMITS.negative_funding_days
        elif removed and signs[-LIMITS.readmit_days :] == [1] * LIMITS.readmit_days:
            removed = False
            said.append(f"readmitted by {day}")
    return said


def played(history: list[SettledRate], direction: int) -> list[str]:
    removal = Removal("v", "X", direction)
    said = []
    for one in history:
        day_before = removal.day
        changed = r01.count(removal, one, LIMITS)
        if changed is not None:
            closed_late = day_before is not None and r01.funding_day(one.settled_ms) != day_before
            day = day_before if closed_late else r01.funding_day(one.settled_ms)
            said.append(f"{changed} by {day}")
    return said


@given(HISTORIES, st.sampled_from([1, -1]))
@settings(max_examples=300, deadline=None)
def test_the_rule_agrees_with_the_oracle(history: list[SettledRate], direction: int) -> None:
    assert played(history, direction) == oracle(history, direction)


@given(HISTORIES, st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_history_delivered_again_after_a_restart_counts_once(history: list[SettledRate], again_from: int) -> None:
    once, twice = Removal("v", "X", 1), Removal("v", "X", 1)
    for one in history:
        r01.count(once, one, LIMITS)
    for one in history[: again_from + 5]:
        r01.count(twice, one, LIMITS)
    for one in history[again_from // 2 :]:
        r01.count(twice, one, LIMITS)
    for one in history:
        r01.count(twice, one, LIMITS)
    if again_from // 2 <= again_from + 5:
        assert once == twice


def test_a_day_without_a_settlement_neither_extends_nor_resets_the_run() -> None:
    removal = Removal("v", "X", 1)
    days = [0, 1, 2, 5, 6]
    said = [
        r01.count(removal, rate_at((FIRST_DAY + day) * DAY_MS + hour * HOUR_MS, "-0.0001"), LIMITS)
        for day in days
        for hour in (8, 16, 24)
    ]
    assert [one for one in said if one] == ["removed"]
    assert removal.removed_ms == (FIRST_DAY + 7) * DAY_MS


def test_a_day_whose_midnight_is_missing_is_closed_by_the_next_settlement() -> None:
    removal = Removal("v", "X", 1)
    for day in range(4):
        for hour in (8, 16, 24):
            r01.count(removal, rate_at((FIRST_DAY + day) * DAY_MS + hour * HOUR_MS, "-0.0001"), LIMITS)
    for hour in (8, 16):
        assert r01.count(removal, rate_at((FIRST_DAY + 4) * DAY_MS + hour * HOUR_MS, "-0.0001"), LIMITS) is None
    late = rate_at((FIRST_DAY + 5) * DAY_MS + 8 * HOUR_MS, "0.0001")
    assert r01.count(removal, late, LIMITS) == "removed"


def test_days_before_a_removal_do_not_readmit() -> None:
    removal = Removal("v", "X", 1, positive_days=9)
    r01.remove(removal, 0, "R1c: too dear")
    said = []
    for day in range(3):
        for hour in (8, 16, 24):
            said.append(r01.count(removal, rate_at((FIRST_DAY + day) * DAY_MS + hour * HOUR_MS, "0.0001"), LIMITS))
    assert said == [None] * 8 + ["readmitted"]


def test_what_the_owner_closed_is_not_readmitted_by_its_days() -> None:
    removal = Removal("v", "X", 1)
    r01.remove(removal, 0, f"{r01.BY_HAND}: enough")
    for day in range(30):
        for hour in (8, 16, 24):
            assert r01.count(removal, rate_at((FIRST_DAY + day) * DAY_MS + hour * HOUR_MS, "0.001"), LIMITS) is None
    assert removal.removed


def recorded(symbol: str, since: str, until: str) -> list[SettledRate]:
    path = RECORDED / f"{symbol}.csv.gz"
    if not path.is_file():
        pytest.skip(f"no recorded funding at ../shared/data/funding/binance-usdm/{path.name}")
    begin, end = (int(datetime.fromisoformat(text + "T00:00+00:00").timestamp() * 1000) for text in (since, until))
    with gzip.open(path, "rt") as lines:
        rows = [(nominal_ms(int(row["timestamp_ms"])), row["funding_rate"]) for row in csv.DictReader(lines)]
    return [rate_at(at, rate) for at, rate in rows if begin < at <= end]


def test_sui_in_december_2024_is_removed_at_the_midnight_that_ends_the_fifth_negative_day() -> None:
    history = recorded("SUIUSDT", "2024-12-10", "2024-12-31")
    removal = Removal("binance", "SUI", 1)
    changes = [(one.settled_ms, r01.count(removal, one, LIMITS)) for one in history]
    told = [(datetime.fromtimestamp(at / 1000, UTC).isoformat(), what) for at, what in changes if what]
    assert told[0] == ("2024-12-23T00:00:00+00:00", "removed")
    assert oracle(history, 1) == played(history, 1)


def test_a_long_position_would_have_been_kept_meanwhile() -> None:
    history = recorded("SUIUSDT", "2024-12-15", "2024-12-29")
    assert not any("removed" in said for said in played(history, -1) if said.startswith("removed"))


@pytest.mark.parametrize("symbol", ["BTCUSDT", "SOLUSDT", "SUIUSDT"])
def test_whole_recordings_agree_with_the_oracle(symbol: str) -> None:
    history = recorded(symbol, "2022-01-01", "2024-12-31")
    assert played(history, 1) == oracle(history, 1)
    assert played(history, -1) == oracle(history, -1)

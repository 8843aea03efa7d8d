"""R1 and R1b against a slow oracle that knows nothing of their state machine, and on recorded coins."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
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
from bot.store import day_memory

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


def counted(deliveries: Iterable[SettledRate], removal: Removal | None = None) -> Removal:
    removal = removal or Removal("v", "X", 1)
    for one in deliveries:
        r01.count(removal, one, LIMITS)
    return removal


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[SettledRate], list[SettledRate]]:
    """A history, and how it is delivered: in any order near or far from its own, with repetitions."""
    history = draw(HISTORIES)
    late = draw(st.lists(st.sampled_from(history), max_size=12)) if history else []
    reach = draw(st.sampled_from([2, 5, 40, 1_000]))
    dice = Random(draw(st.integers(0, 2**20)))
    places = [(place + dice.randint(0, reach), one) for place, one in enumerate(history)]
    places += [(dice.randint(0, len(history) + reach), one) for one in late]
    return history, [one for _, one in sorted(places, key=lambda each: each[0])]


@given(HISTORIES, st.sampled_from([1, -1]))
@settings(max_examples=300, deadline=None)
def test_the_rule_agrees_with_the_oracle(history: list[SettledRate], direction: int) -> None:
    assert played(history, direction) == oracle(history, direction)


@given(deliveries(), st.sampled_from([1, -1]))
@settings(max_examples=300, deadline=None)
def test_at_every_moment_the_rule_says_what_the_oracle_says_of_what_was_delivered(
    drawn: tuple[list[SettledRate], list[SettledRate]], direction: int
) -> None:
    """Out of order, across midnights, twice, after the day was judged: only what is known counts, not how it came."""
    removal, known, was_removed = Removal("v", "X", direction), set[SettledRate](), False
    for one in drawn[1]:
        changed = r01.count(removal, one, LIMITS)
        known.add(one)
        said = oracle(sorted(known, key=lambda each: each.settled_ms), direction)
        removed = bool(said) and said[-1].startswith("removed")
        assert removal.removed is removed
        assert changed == (None if removed is was_removed else "removed" if removed else "readmitted")
        was_removed = removed


@given(deliveries())
@settings(max_examples=200, deadline=None)
def test_the_order_of_delivery_leaves_no_trace(drawn: tuple[list[SettledRate], list[SettledRate]]) -> None:
    history, delivered = drawn
    assert counted(delivered) == counted(history)


def test_the_first_of_the_running_day_comes_late() -> None:
    """The fifth negative day lacks its midnight: the first settlement after it ends it, and is told second."""
    days = [(day, hour) for day in range(FIRST_DAY, FIRST_DAY + 6) for hour in (8, 16)]
    history = [rate_at(day * DAY_MS + hour * HOUR_MS, "-0.0001") for day, hour in days]
    assert counted([*history[:-2], history[-1], history[-2]]) == counted(history)
    removal = counted(history)
    assert removal.removed
    assert removal.removed_ms == history[-2].settled_ms


@given(deliveries(), st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_a_restart_between_deliveries_leaves_no_trace(
    drawn: tuple[list[SettledRate], list[SettledRate]], until: int
) -> None:
    """The memory goes through the books' own text, and all history is delivered again."""
    history, delivered = drawn
    before = counted(delivered[:until])
    days, earlier, floor_ms = day_memory.decode(day_memory.encode(before))
    again = replace(before, days=days, before=earlier, floor_ms=floor_ms)
    assert counted([*history, *delivered[until:]], again) == counted(history)


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


def a_run(rates: dict[int, str], hours: tuple[int, ...] = (8, 16, 24)) -> list[SettledRate]:
    """Days by number and the rate of each of their settlements."""
    return [
        rate_at((FIRST_DAY + day) * DAY_MS + hour * HOUR_MS, rate) for day, rate in rates.items() for hour in hours
    ]


def test_a_late_settlement_of_a_judged_day_removes_a_coin_that_was_missed() -> None:
    history = a_run(dict.fromkeys(range(5), "-0.0001"))
    heavy = rate_at((FIRST_DAY + 2) * DAY_MS + 12 * HOUR_MS, "-0.001")
    history[6:9] = [replace(one, rate=Decimal("0.0003")) for one in history[6:9]]
    removal = counted(history)
    assert (removal.removed, removal.negative_days) == (False, 2)
    assert r01.count(removal, heavy, LIMITS) == "removed"
    assert (removal.negative_days, removal.removed_ms) == (5, (FIRST_DAY + 5) * DAY_MS)
    assert r01.count(removal, heavy, LIMITS) is None


def test_a_late_settlement_takes_back_a_removal_that_was_wrong() -> None:
    removal = counted(a_run(dict.fromkeys(range(5), "-0.0001")))
    assert removal.removed
    assert r01.count(removal, rate_at((FIRST_DAY + 3) * DAY_MS + 4 * HOUR_MS, "0.01"), LIMITS) == "readmitted"
    assert (removal.removed, removal.removed_ms, removal.reason, removal.negative_days) == (False, None, "", 1)


def test_a_late_midnight_counts_into_the_day_that_it_ends() -> None:
    days = a_run(dict.fromkeys(range(6), "-0.0001"))
    midnight = rate_at((FIRST_DAY + 3) * DAY_MS, "0.01")
    removal = counted(one for one in days if one.settled_ms != midnight.settled_ms)
    assert removal.removed
    assert r01.count(removal, midnight, LIMITS) == "readmitted"
    assert removal.negative_days == 3, "day 2 was positive, days 3 to 5 were not"


def test_what_came_before_a_word_from_outside_does_not_take_it_back() -> None:
    """R1c closed the coin on the third day: what settles late on the first two is neither for nor against it."""
    removal = counted(a_run({0: "-0.001", 1: "-0.001", 2: "-0.001"}, (8, 16))[:5])
    r01.remove(removal, (FIRST_DAY + 2) * DAY_MS + 9 * HOUR_MS, "R1c: too dear")
    for day in range(2):
        assert r01.count(removal, rate_at((FIRST_DAY + day) * DAY_MS + 20 * HOUR_MS, "0.1"), LIMITS) is None
    assert removal.removed
    assert removal.positive_days == 0
    rest = a_run({2: "0.01", 3: "0.01", 4: "0.01"}, (16, 24))
    assert [r01.count(removal, one, LIMITS) for one in rest] == [None] * 5 + ["readmitted"]


def test_days_judged_anew_start_from_the_word_from_outside() -> None:
    removal = counted(a_run({0: "0.001", 1: "0.001"}))
    r01.remove(removal, (FIRST_DAY + 2) * DAY_MS + 1, "R1c: too dear")
    first, *rest = a_run({2: "0.001", 3: "0.001"})
    counted(rest, removal)
    assert r01.count(removal, first, LIMITS) is None
    assert (removal.removed, removal.reason, removal.positive_days) == (True, "R1c: too dear", 2)


def test_a_day_whose_midnight_is_told_after_the_word_ended_before_it() -> None:
    """The venue took the position at a quarter to two: three whole days bring the coin back, not two and a half."""
    history = a_run(dict.fromkeys(range(4), "0.001"))
    removal = counted(history[:2])
    r01.remove(removal, (FIRST_DAY + 1) * DAY_MS + 2 * HOUR_MS, "R7: taken")
    said = [r01.count(removal, one, LIMITS) for one in history[2:]]
    assert said == [None] * 9 + ["readmitted"]


def test_a_hand_that_readmits_is_not_overruled_by_what_came_before() -> None:
    history = a_run(dict.fromkeys(range(5), "-0.0001"))
    removal = counted([*history[:4], *history[5:]])
    assert removal.removed
    r01.readmit(removal, (FIRST_DAY + 5) * DAY_MS + 1)
    assert r01.count(removal, history[4], LIMITS) is None
    assert not removal.removed
    assert counted(a_run(dict.fromkeys(range(5, 9), "-0.0001")), removal).negative_days == 4


@given(st.integers(0, 2**20), st.integers(37, 120))
@settings(max_examples=50, deadline=None)
def test_older_days_are_judged_for_good_and_their_runs_go_on(seed: int, length: int) -> None:
    dice = Random(seed)
    rates = {day: str(Decimal(dice.choice([-3, -2, -1, -1, 1])).scaleb(-5)) for day in range(length)}
    history = a_run(rates)
    late = [one for one in history[-3 * (r01.KEPT_DAYS - 1) : -3] if dice.random() < 0.2]
    delivered = [one for one in history if one not in late] + late
    whole = counted(history)
    assert counted(delivered) == whole
    assert len(whole.days) <= r01.KEPT_DAYS + 1
    ancient = rate_at(FIRST_DAY * DAY_MS + 3 * HOUR_MS, "99")
    assert r01.count(whole, ancient, LIMITS) is None
    assert whole == counted(history)


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

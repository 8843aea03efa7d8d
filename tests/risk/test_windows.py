"""The bounded memories behind R4, R6 and the budgets, against naive ones that keep everything."""

from decimal import Decimal
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.time import HOUR_MS, MINUTE_MS
from bot.domain.windows import BUCKETS, HourlyMoments, HourlySpending, PriceWindow

START_MS = 1_733_011_200_000
WINDOW_MS = 300_000
PART_MS = WINDOW_MS // BUCKETS


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90_000), st.floats(1, 1000)), min_size=1, max_size=60))
def test_the_move_is_that_of_the_window_to_within_one_part_of_it(steps: list[tuple[int, float]]) -> None:
    window, seen, now_ms = PriceWindow(), [], START_MS
    for wait_ms, price in steps:
        now_ms += wait_ms
        window.add(price, now_ms, WINDOW_MS)
        seen.append((now_ms, price))
        found = window.move(price)
        inner = [p for at, p in seen if at >= now_ms - WINDOW_MS]
        outer = [p for at, p in seen if at > now_ms - WINDOW_MS - 2 * PART_MS]
        assert move(inner) <= found <= move(outer)
        assert len(window.parts) <= BUCKETS + 1


def move(prices: list[float]) -> float:
    return max(prices[-1] / min(prices) - 1, 1 - prices[-1] / max(prices))


def test_an_empty_window_has_not_moved() -> None:
    assert PriceWindow().move(5.0) == 0.0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5 * HOUR_MS), st.floats(-0.3, 0.3)), min_size=1, max_size=80),
    st.sampled_from([24.0, 48.0]),
)
def test_moments_are_those_of_the_last_value_of_each_hour(steps: list[tuple[int, float]], window_h: float) -> None:
    moments, closes, now_ms = HourlyMoments(), {}, START_MS
    for wait_ms, value in steps:
        now_ms += wait_ms
        moments.add(value, now_ms, window_h)
        closes[now_ms // HOUR_MS] = value
    hour = now_ms // HOUR_MS
    expected = [value for at, value in sorted(closes.items()) if hour - window_h <= at < hour]
    assert [value for _, value in moments.samples] == expected
    if expected:
        assert moments.mean_and_deviation()[0] == pytest.approx(fmean(expected), abs=1e-12)
    if len(expected) > 1:
        assert moments.mean_and_deviation()[1] == pytest.approx(stdev(expected), abs=1e-8)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40 * MINUTE_MS), st.integers(0, 9)), min_size=1, max_size=80))
def test_spending_is_that_of_the_last_hour_by_the_minute(steps: list[tuple[int, int]]) -> None:
    spending, seen, now_ms = HourlySpending(), [], START_MS
    for wait_ms, orders in steps:
        now_ms += wait_ms
        spending.add(now_ms, orders, Decimal(orders) / 7)
        seen.append((now_ms // MINUTE_MS, orders))
        within = [count for minute, count in seen if minute > now_ms // MINUTE_MS - 60]
        found, fees = spending.within_hour(now_ms)
        assert found == sum(within)
        assert abs(fees - Decimal(found) / 7) < Decimal("1e-20")
        assert len(spending.minutes) <= 60
    assert spending.within_hour(now_ms + HOUR_MS) == (0, 0)


def test_a_clock_that_steps_back_loses_nothing() -> None:
    spending = HourlySpending()
    spending.add(START_MS + MINUTE_MS, 2)
    spending.add(START_MS, 3)
    assert spending.within_hour(START_MS + MINUTE_MS)[0] == 5

"""Liquidation distance as properties: the buffer is nothing at the distance, and everything moves the right way."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.domain.instruments import MarginTier
from bot.domain.margin import (
    ShortPosition,
    buffer_usd,
    liquidation_distance,
    maintenance_usd,
    margin_needed_usd,
)

STRESS = 0.02


def brackets(*rows: tuple[int, str]) -> tuple[MarginTier, ...]:
    """(cap, maintenance rate) rows with the cumulative amounts that make the requirement continuous."""
    found, floor, cumulative, before = [], Decimal(0), Decimal(0), Decimal(0)
    for cap, rate in rows:
        cumulative += floor * (Decimal(rate) - before)
        found.append(MarginTier(floor, Decimal(cap), 20, Decimal(rate), cumulative))
        floor, before = Decimal(cap), Decimal(rate)
    return tuple(found)


ROWS = [(50_000, "0.004"), (600_000, "0.005"), (3_000_000, "0.01"), (12_000_000, "0.025"), (70_000_000, "0.05")]
TIERS = brackets(*ROWS)
SHORTS = st.lists(
    st.builds(ShortPosition, st.floats(-5e6, -100), st.sampled_from([TIERS, brackets((10**9, "0.02")), ()])),
    min_size=1,
    max_size=6,
)


@given(st.floats(0, 6e7), st.floats(0, 6e7))
def test_maintenance_is_continuous_and_rises(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert maintenance_usd(low, TIERS) <= maintenance_usd(high, TIERS) + 1e-6
    assert maintenance_usd(high, TIERS) - maintenance_usd(low, TIERS) <= 0.05 * (high - low) + 1e-6


@pytest.mark.parametrize("edge", [50_000, 600_000, 3_000_000, 12_000_000])
def test_the_brackets_meet(edge: int) -> None:
    assert maintenance_usd(edge, TIERS) == pytest.approx(maintenance_usd(edge + 1e-6, TIERS), abs=1e-3)


@given(SHORTS, st.floats(1e3, 2e7))
@settings(deadline=None)
def test_at_the_distance_the_buffer_is_nothing(shorts: list[ShortPosition], margin: float) -> None:
    distance = liquidation_distance(margin, shorts, STRESS)
    assume(0 < distance < 3.9)
    notional = sum(-one.notional_usd for one in shorts)
    assert abs(buffer_usd(margin, shorts, distance, STRESS)) <= 3e-4 * notional
    assert buffer_usd(margin, shorts, distance + 1e-3, STRESS) < 0
    assert buffer_usd(margin, shorts, distance * 0.99, STRESS) > 0


@given(SHORTS, st.lists(st.floats(0, 2e7), min_size=2, max_size=6))
@settings(deadline=None)
def test_more_margin_is_never_nearer(shorts: list[ShortPosition], margins: list[float]) -> None:
    distances = [liquidation_distance(margin, shorts, STRESS) for margin in sorted(margins)]
    assert all(later >= earlier - 2e-4 for earlier, later in pairwise(distances))


@given(SHORTS, st.floats(1e3, 2e7), st.floats(-1e6, -100))
@settings(deadline=None)
def test_one_more_short_is_never_farther(shorts: list[ShortPosition], margin: float, more: float) -> None:
    with_more = [*shorts, ShortPosition(more, TIERS)]
    assert liquidation_distance(margin, with_more, STRESS) <= liquidation_distance(margin, shorts, STRESS) + 2e-4


@given(SHORTS, st.floats(1e3, 2e7), st.floats(0, 0.1), st.floats(0, 0.1))
@settings(deadline=None)
def test_a_wider_basis_is_never_farther(shorts: list[ShortPosition], margin: float, one: float, two: float) -> None:
    calm, wild = sorted((one, two))
    assert liquidation_distance(margin, shorts, wild) <= liquidation_distance(margin, shorts, calm) + 2e-4


@given(SHORTS, st.floats(0.01, 1.0))
@settings(deadline=None)
def test_the_margin_needed_for_a_distance_gives_that_distance(shorts: list[ShortPosition], distance: float) -> None:
    margin = margin_needed_usd(shorts, distance, STRESS)
    assert liquidation_distance(margin, shorts, STRESS) == pytest.approx(distance, abs=2e-4)


def test_nothing_held_is_far_from_liquidation_and_no_margin_is_there_already() -> None:
    assert liquidation_distance(0.0, [], STRESS) == 4.0
    assert liquidation_distance(0.0, [ShortPosition(-1000.0, TIERS)], STRESS) == 0.0


def test_a_worked_distance() -> None:
    """100,000 short, 30,000 margin, 2 % maintenance, no basis stress: (1 + x)(1 + 0.02) = 1.3, x = 27.45 %."""
    shorts = [ShortPosition(-100_000.0, brackets((10**9, "0.02")))]
    assert liquidation_distance(30_000.0, shorts, 0.0) == pytest.approx(0.27451, abs=1e-4)

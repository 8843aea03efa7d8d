"""Percentiles, ratios and verdicts."""

import pytest

from benchmarks.figures import compared, percentile
from benchmarks.suite import chosen


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.01, 1.0), (0.5, 50.0), (0.505, 51.0), (0.99, 99.0), (1.0, 100.0)]
)
def test_percentile_is_the_smallest_value_that_covers_the_share(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0


def test_percentile_needs_samples() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)


def test_cost_ratio_is_over_the_medians() -> None:
    figure = compared("P1", "x", "bare", "µs", [30.0, 10.0, 20.0], [10.0, 11.0, 9.0], ratio_max=1.8)
    assert (figure.product, figure.bare, figure.ratio, figure.met) == (20.0, 10.0, 2.0, False)


def test_throughput_ratio_still_says_how_much_dearer_the_product_is() -> None:
    figure = compared("P4", "x", "bare", "events/s", [100.0], [400.0], more_is_better=True, product_min=50.0)
    assert (figure.ratio, figure.met) == (4.0, True)


def test_all_bounds_must_hold_and_none_means_no_verdict() -> None:
    assert compared("P5", "x", "b", "µs", [10.0], [6.0], ratio_max=2.0, product_max=9.0).met is False
    assert compared("P5", "x", "b", "µs", [10.0], [6.0]).met is None


def test_goals_are_chosen_by_name_and_p3_comes_with_p2() -> None:
    assert chosen(["p3"]) == ["P2"]
    assert chosen([]) == ["P1", "P2", "P4", "P5"]
    with pytest.raises(ValueError, match="P9"):
        chosen(["P9"])

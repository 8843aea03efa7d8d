"""Measured figures: medians of repeats, ratios and the verdict on a goal."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `product` and `bare` are medians over the repeats, in `unit`.

    `ratio` is always "how many times the bare limit's cost". `met` is None where the goal says nothing.
    """

    goal_id: str
    what: str
    beside: str
    unit: str
    product: float
    bare: float
    ratio: float
    goal: str = ""
    met: bool | None = None
    repeats: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed. ValueError without values."""
    if not values:
        raise ValueError("no samples")
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


def compared(
    goal_id: str,
    what: str,
    beside: str,
    unit: str,
    product: Sequence[float],
    bare: Sequence[float],
    *,
    more_is_better: bool = False,
    ratio_max: float | None = None,
    product_max: float | None = None,
    product_min: float | None = None,
    goal: str = "",
    notes: dict[str, Any] | None = None,
) -> Figure:
    """A figure out of one value of each side for each repeat; every bound that is given must hold."""
    ours, limit = median(product), median(bare)
    cost, least = (limit, ours) if more_is_better else (ours, limit)
    ratio = cost / least if least else float("inf")
    bounds = []
    if ratio_max is not None:
        bounds.append(ratio <= ratio_max)
    if product_max is not None:
        bounds.append(ours <= product_max)
    if product_min is not None:
        bounds.append(ours >= product_min)
    return Figure(
        goal_id,
        what,
        beside,
        unit,
        ours,
        limit,
        ratio,
        goal,
        all(bounds) if bounds else None,
        {"product": list(product), "bare": list(bare)},
        notes or {},
    )

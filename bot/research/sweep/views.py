"""What a sweep found, as JSON, tables and heat maps of two axes at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from bot.research.sweep.grid import Axis
from bot.research.sweep.run import Cell, Fold, Objective, Plan, best

MAPS_MAX = 6
FIGURES = ("net", "drawdown", "deployed", "turnover", "foresight", "share")


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Scores over two axes, the mean over all others; None where no cell has one. One axis: `rows` is empty."""

    rows: Axis | None
    columns: Axis
    values: tuple[tuple[float | None, ...], ...]


def heat_maps(axes: Sequence[Axis], cells: Sequence[Cell]) -> list[HeatMap]:
    """Of every pair of axes that have more than one value, at most six; of a single axis one line."""
    varied = [axis for axis in axes if len(axis.values) > 1] or list(axes[:1])
    if len(varied) == 1:
        return [HeatMap(None, varied[0], (_line(cells, {}, varied[0]),))]
    return [
        HeatMap(rows, columns, tuple(_line(cells, {rows.key: value}, columns) for value in rows.values))
        for rows, columns in list(combinations(varied, 2))[:MAPS_MAX]
    ]


def _line(cells: Sequence[Cell], fixed: Mapping[str, str], columns: Axis) -> tuple[float | None, ...]:
    return tuple(_mean(cells, {**fixed, columns.key: value}) for value in columns.values)


def _mean(cells: Iterable[Cell], fixed: Mapping[str, str]) -> float | None:
    found = [
        each.score
        for each in cells
        if each.score is not None and all(each.changes[key] == value for key, value in fixed.items())
    ]
    return sum(found) / len(found) if found else None


def shown(value: float | None, objective: Objective) -> str:
    """A score for people."""
    if value is None:
        return "-"
    return f"{value:.1f}" if objective is Objective.NET_OVER_DRAWDOWN else f"{value:.2%}"


def short(key: str) -> str:
    """The key without its section, where a table's heading has no room for it."""
    return key.partition(".")[2] or key


def names(axes: Sequence[Axis]) -> dict[str, str]:
    """Headings of the axes: short ones where they are told apart by them."""
    shorts = [short(axis.key) for axis in axes]
    return {axis.key: name if shorts.count(name) == 1 else axis.key for axis, name in zip(axes, shorts, strict=True)}


def ranked(cells: Sequence[Cell]) -> list[Cell]:
    """Best first; those without a score last, in the grid's order."""
    return sorted(cells, key=lambda each: (each.score is None, -(each.score or 0.0)))


def as_json(plan: Plan, cells: Sequence[Cell]) -> dict[str, Any]:
    top = best(cells)
    return {
        **_head(plan),
        "cells": [_cell(each) for each in cells],
        "best": None if top is None else _cell(top),
        "maps": [
            {
                "rows": None if each.rows is None else each.rows.key,
                "columns": each.columns.key,
                "values": [list(line) for line in each.values],
            }
            for each in heat_maps(plan.axes, cells)
        ],
        "failed": sum(bool(each.outcome.error) for each in cells),
    }


def walk_json(plan: Plan, folds: Sequence[Fold]) -> dict[str, Any]:
    return {
        **_head(plan),
        "folds": [
            {
                "choose_from": day(each.choose_from_ms),
                "judge_from": day(each.judge_from_ms),
                "until": day(each.until_ms),
                "chosen": None if each.chosen is None else _cell(each.chosen),
                "judged": None if each.judged is None else _cell(each.judged),
                "unchanged": _cell(each.unchanged),
                "cells": [_cell(cell) for cell in each.cells],
            }
            for each in folds
        ],
        "judged_net": summed(each.judged for each in folds),
        "unchanged_net": summed(each.unchanged for each in folds),
    }


def summed(cells: Iterable[Cell | None]) -> float:
    """The net returns of these windows, arithmetic; a failed one counts as nothing."""
    return sum(
        float(each.outcome.total["net"]) for each in cells if each is not None and each.outcome.total is not None
    )


def failures(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """Why cells failed -> those that did."""
    found: dict[str, list[Cell]] = {}
    for each in cells:
        if each.outcome.error:
            found.setdefault(each.outcome.error, []).append(each)
    return found


def said(changes: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in changes.items()) or "unchanged"


def day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def _head(plan: Plan) -> dict[str, Any]:
    return {
        "from": day(plan.from_ms),
        "until": day(plan.until_ms),
        "objective": plan.objective.value,
        "config": None if plan.config is None else str(plan.config),
        "axes": [{"key": axis.key, "values": list(axis.values)} for axis in plan.axes],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    total = cell.outcome.total
    return {
        "changes": dict(cell.changes),
        "score": cell.score,
        "total": None if total is None else dict(total),
        "years": [dict(each) for each in cell.outcome.years],
        "error": cell.outcome.error or None,
    }

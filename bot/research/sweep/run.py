"""A sweep: a backtest of every cell of a grid; or, walking forward, chosen on a window and judged on the next."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.domain.config import CoreConfig
from bot.research.sweep.grid import Axis, cells
from bot.research.sweep.pools import Pool
from bot.research.sweep.tasks import Outcome, Setup, Task
from bot.settings.problems import SettingsError
from bot.settings.variants import check_changes, core_of

DRAWDOWN_MIN = 1e-4
"""Smaller drawdowns count as this: a book that hardly traded must not win by a division."""
Progress = Callable[[int, int], None]


class Objective(StrEnum):
    """What a cell is judged by; more is better."""

    NET = "net"
    SHARE = "share"
    NET_OVER_DRAWDOWN = "net-over-drawdown"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked: the settings' file (None: shipped defaults), the axes over it, and the window in UTC ms."""

    setup: Setup
    config: Path | None
    axes: tuple[Axis, ...]
    from_ms: int
    until_ms: int
    objective: Objective = Objective.NET


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of values and what came of it; `score` is None where there is none."""

    changes: Mapping[str, str]
    outcome: Outcome
    score: float | None


@dataclass(frozen=True, slots=True)
class Fold:
    """One step of walking forward. `chosen` is the best cell of the first window; both judged on the second."""

    choose_from_ms: int
    judge_from_ms: int
    until_ms: int
    cells: tuple[Cell, ...]
    chosen: Cell | None
    judged: Cell | None
    unchanged: Cell
    """The settings without any change, on the second window."""


def sweep(plan: Plan, pool: Pool, progress: Progress | None = None) -> tuple[Cell, ...]:
    """Every cell, in the grid's order, whatever order they were done in. Raises SettingsError for unusable axes."""
    chosen = cells(plan.axes)
    _check(plan)
    return _cells(plan, pool, [(each, plan.from_ms, plan.until_ms) for each in chosen], progress)


def walk_forward(
    plan: Plan, pool: Pool, choose_months: int, judge_months: int, progress: Progress | None = None
) -> tuple[Fold, ...]:
    """Folds one after the other, each beginning `judge_months` after the one before it.

    Every fold's book begins flat and sees nothing after its own end. Raises SettingsError, and ValueError for a
    window that is too short for one fold.
    """
    _check(plan)
    windows = folds(plan.from_ms, plan.until_ms, choose_months, judge_months)
    if not windows:
        raise ValueError(f"{choose_months} months to choose on and {judge_months} to judge on do not fit")
    grid = cells(plan.axes)
    asked = [(each, first, middle) for first, middle, _ in windows for each in grid]
    later = 2 * len(windows)
    found = _cells(plan, pool, asked, _offset(progress, 0, len(asked) + later))
    by_fold = [found[place : place + len(grid)] for place in range(0, len(found), len(grid))]
    chosen = [best(each) for each in by_fold]
    judged: list[tuple[Mapping[str, str], int, int]] = []
    for (_, middle, last), one in zip(windows, chosen, strict=True):
        judged += [({}, middle, last), ((one.changes if one is not None else {}), middle, last)]
    seen = _cells(plan, pool, judged, _offset(progress, len(asked), len(asked) + later))
    return tuple(
        Fold(*window, some, one, seen[2 * place + 1] if one is not None else None, seen[2 * place])
        for place, (window, some, one) in enumerate(zip(windows, by_fold, chosen, strict=True))
    )


def folds(from_ms: int, until_ms: int, choose_months: int, judge_months: int) -> list[tuple[int, int, int]]:
    """(begin of choosing, begin of judging, end) of each fold that lies wholly within the window."""
    found = []
    begun = from_ms
    while (last := _later(begun, choose_months + judge_months)) <= until_ms:
        found.append((begun, _later(begun, choose_months), last))
        begun = _later(begun, judge_months)
    return found


def best(found: Iterable[Cell]) -> Cell | None:
    """The cell with the highest score; of equal ones the first."""
    scored = [each for each in found if each.score is not None]
    return max(scored, key=lambda each: each.score or 0.0) if scored else None


def score(outcome: Outcome, objective: Objective) -> float | None:
    """None where the backtest failed, or where foresight earned nothing."""
    total: Mapping[str, Any] | None = outcome.total
    if total is None:
        return None
    if objective is Objective.NET_OVER_DRAWDOWN:
        return float(total["net"]) / max(float(total["drawdown"]), DRAWDOWN_MIN)
    value = total[objective.value]
    return None if value is None else float(value)


def _check(plan: Plan) -> None:
    core_of(plan.config, {})
    check_changes(plan.config, [(axis.key, value) for axis in plan.axes for value in axis.values])


def _cells(
    plan: Plan, pool: Pool, asked: Sequence[tuple[Mapping[str, str], int, int]], progress: Progress | None
) -> tuple[Cell, ...]:
    """The cells of these (changes, from, until). Settings that contradict each other end a cell without a run."""
    outcomes: dict[int, Outcome] = {}
    tasks: list[Task] = []
    places: list[int] = []
    for place, (changes, from_ms, until_ms) in enumerate(asked):
        core = _core(plan.config, changes)
        if isinstance(core, Outcome):
            outcomes[place] = core
        else:
            tasks.append(Task(core, from_ms, until_ms))
            places.append(place)
    if progress is not None:
        progress(len(outcomes), len(asked))
    for number, outcome in pool.run(plan.setup, tasks):
        outcomes[places[number]] = outcome
        if progress is not None:
            progress(len(outcomes), len(asked))
    return tuple(
        Cell(changes, outcomes[place], score(outcomes[place], plan.objective))
        for place, (changes, _, _) in enumerate(asked)
    )


def _core(config: Path | None, changes: Mapping[str, str]) -> CoreConfig | Outcome:
    try:
        return core_of(config, changes)
    except SettingsError as error:
        return Outcome(error=str(error))


def _offset(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)


def _later(at_ms: int, months: int) -> int:
    """The same day so many months later (UTC); of a shorter month the last."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    count = at.year * 12 + at.month - 1 + months
    year, month = divmod(count, 12)
    for day in range(at.day, 27, -1):
        try:
            return int(at.replace(year=year, month=month + 1, day=day).timestamp() * 1000)
        except ValueError:
            continue
    return int(at.replace(year=year, month=month + 1).timestamp() * 1000)

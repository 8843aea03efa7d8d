"""Sweeps: the grid, the cells, walking forward; the same results wherever they run."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from recorded_kit import START_MS, make

from bot.domain.time import DAY_MS
from bot.research import backtest
from bot.research.sweep import grid, pools, report, run, tasks, views
from bot.research.sweep.grid import Axis
from bot.research.sweep.pools import DIED, LocalPool
from bot.research.sweep.run import Cell, Objective, Plan, folds, sweep, walk_forward
from bot.research.sweep.tasks import Outcome, Setup, Task
from bot.settings.problems import SettingsError
from bot.settings.variants import core_of

AXES = (Axis("limits.per_coin_cap", ("0.05", "0.1")), Axis("limits.liquidation.min", ("0.15", "0.3")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"), coins=("BTC", "ETH"), days=100)


@pytest.fixture(scope="module")
def plan(folder: Path) -> Plan:
    return Plan(Setup(folder), None, AXES, START_MS, START_MS + 20 * DAY_MS)


@pytest.fixture(scope="module")
def cells(plan: Plan) -> tuple[Cell, ...]:
    return sweep(plan, LocalPool(1))


class Noted:
    """A pool that works nothing out: the score of a task is what `worth` says."""

    def __init__(self, worth) -> None:
        self.worth = worth
        self.tasks: list[Task] = []

    def run(self, setup: Setup, asked: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        self.tasks.extend(asked)
        for place in reversed(range(len(asked))):
            yield place, Outcome({"net": self.worth(asked[place]), "drawdown": 0.0, "share": None})


def test_a_cell_is_the_backtest_of_its_settings(plan: Plan, cells: tuple[Cell, ...]) -> None:
    assert [cell.changes for cell in cells] == grid.cells(AXES)
    core = core_of(None, {"limits.per_coin_cap": "0.1"})
    recordings = tasks.recordings_of(plan.setup.data, ())
    alone = backtest.as_json(backtest.run(recordings, backtest.Question(plan.from_ms, plan.until_ms, core)))
    assert cells[2].outcome.total == alone["total"]
    assert list(cells[2].outcome.years) == alone["years"]
    assert cells[2].score == alone["total"]["net"] != cells[0].score


def test_a_cell_that_contradicts_itself_loses_no_other(cells: tuple[Cell, ...]) -> None:
    assert [cell.score is None for cell in cells] == [False, True, False, True]
    assert "is not below limits.liquidation.warn" in cells[1].outcome.error
    assert views.ranked(cells)[0] is cells[2]


def test_processes_give_the_same_results(plan: Plan, cells: tuple[Cell, ...]) -> None:
    told: list[tuple[int, int]] = []
    assert sweep(plan, LocalPool(2), lambda *at: told.append(at)) == cells
    assert told == [(2, 4), (3, 4), (4, 4)]


def test_the_market_data_is_read_once_a_process(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []
    whole = tasks.read_recordings

    def read(directory: Path, coins: tuple[str, ...]):
        reads.append(directory)
        return whole(directory, coins)

    monkeypatch.setattr(tasks, "_read", {})
    monkeypatch.setattr(tasks, "read_recordings", read)
    sweep(plan, LocalPool(1))
    assert reads == [plan.setup.data]


def test_a_defect_in_one_backtest_is_its_outcome(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = backtest.run

    def broken(recordings, question, progress=None):
        if question.config.limits.per_coin_cap * 10 == 1:
            raise ZeroDivisionError("a defect")
        return whole(recordings, question, progress)

    monkeypatch.setattr(backtest, "run", broken)
    found = sweep(plan, LocalPool(1))
    assert found[2].outcome.error == "ZeroDivisionError: a defect"
    assert found[0].score is not None


def test_a_process_that_dies_fails_alone(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "run_task", deadly)
    core = core_of(None, {})
    asked = [Task(core, START_MS, START_MS + days * DAY_MS) for days in (1, 13, 2)]
    found = dict(LocalPool(2).run(plan.setup, asked))
    assert {place: each.error for place, each in found.items()} == {0: "", 1: DIED, 2: ""}


def deadly(setup: Setup, task: Task) -> Outcome:
    """Thirteen days end the process."""
    if task.until_ms - task.from_ms == 13 * DAY_MS:
        os._exit(1)
    return Outcome({"net": 0.0})


def test_a_typo_ends_the_sweep_before_it_runs(plan: Plan) -> None:
    pool = Noted(lambda _: 0.0)
    wrong = Plan(plan.setup, None, (Axis("limits.per_coin_kap", ("0.1",)),), plan.from_ms, plan.until_ms)
    with pytest.raises(SettingsError, match="did you mean 'per_coin_cap'"):
        sweep(wrong, pool)
    assert pool.tasks == []


def test_walking_forward_chooses_on_the_past_alone(folder: Path) -> None:
    """Caps of 10 % are better in January, 5 % later: the choice must be January's, judged in February."""
    axis = Axis("limits.per_coin_cap", ("0.05", "0.1"))
    february = START_MS + 31 * DAY_MS

    def worth(task: Task) -> float:
        better = "0.1" if task.from_ms < february else "0.05"
        return 2.0 if str(task.core.limits.per_coin_cap) == better else 1.0

    pool = Noted(worth)
    plan = Plan(Setup(folder), None, (axis,), START_MS, START_MS + 90 * DAY_MS)
    told: list[tuple[int, int]] = []
    found = walk_forward(plan, pool, 1, 1, lambda *at: told.append(at))
    windows = [[views.day(at) for at in (e.choose_from_ms, e.judge_from_ms, e.until_ms)] for e in found]
    assert windows == [["2023-01-01", "2023-02-01", "2023-03-01"], ["2023-02-01", "2023-03-01", "2023-04-01"]]
    assert [each.chosen.changes for each in found if each.chosen] == [{axis.key: "0.1"}, {axis.key: "0.05"}]
    assert [each.judged.score for each in found if each.judged] == [1.0, 2.0]
    assert told[-1] == (8, 8)
    assert all(task.until_ms in (february, START_MS + 59 * DAY_MS, START_MS + 90 * DAY_MS) for task in pool.tasks)
    assert views.walk_json(plan, found)["judged_net"] == 3.0


def test_folds_end_within_the_window() -> None:
    january_31 = START_MS + 30 * DAY_MS
    assert [views.day(at) for at in folds(january_31, january_31 + 60 * DAY_MS, 1, 1)[0]] == [
        "2023-01-31", "2023-02-28", "2023-03-31",
    ]  # fmt: skip
    assert folds(START_MS, START_MS + 58 * DAY_MS, 1, 1) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1,2", ("1", "2")),
        ("universe.coins=[BTC,ETH],[BTC]", ("BTC,ETH", "BTC")),
        ("universe.coins=[BTC, ETH], SOL", ("BTC, ETH", "SOL")),
    ],
)
def test_axes_of_options(text: str, values: tuple[str, ...]) -> None:
    assert grid.axis_of(text).values == values


def test_axes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "axes.yaml"
    path.write_text(
        "limits: {per_coin_cap: [0.05, 0.1]}\nuniverse.coins: [[BTC, ETH], BTC]\nstrategy: {fast_h: 90}\n"
    )
    assert grid.read_axes(path) == [
        Axis("limits.per_coin_cap", ("0.05", "0.1")),
        Axis("universe.coins", ("BTC,ETH", "BTC")),
        Axis("strategy.fast_h", ("90",)),
    ]


@pytest.mark.parametrize("text", ["limits.stale_s", "=1", "a=1,,2", "a=1,1", "a="])
def test_what_is_no_axis(text: str) -> None:
    with pytest.raises(SettingsError):
        grid.axis_of(text)


def test_too_many_cells_and_keys_given_twice() -> None:
    with pytest.raises(SettingsError, match="more than"):
        grid.joined([Axis(f"a{n}", tuple(map(str, range(10)))) for n in range(5)])
    with pytest.raises(SettingsError, match="given twice"):
        grid.joined([Axis("a", ("1",)), Axis("a", ("2",))])
    with pytest.raises(SettingsError, match="nothing to vary"):
        grid.joined([])


def test_maps_are_means_over_the_other_axes() -> None:
    axes = (Axis("a", ("1", "2")), Axis("b", ("x", "y")), Axis("c", ("p", "q")))
    worth = {"1": 1.0, "2": 2.0, "x": 10.0, "y": 20.0, "p": 100.0, "q": 200.0}
    cells = [Cell(each, Outcome(), sum(worth[value] for value in each.values())) for each in grid.cells(axes)]
    cells[0] = Cell(cells[0].changes, Outcome(error="broken"), None)
    first = views.heat_maps(axes, cells)[0]
    assert (first.rows, first.columns) == (axes[0], axes[1])
    assert first.values == ((211.0, 171.0), (162.0, 172.0))


def test_the_page_shows_cells_and_failures_and_fetches_nothing(plan: Plan, cells: tuple[Cell, ...]) -> None:
    page = report.page(plan, cells)
    assert "limits.per_coin_cap (down) over limits.liquidation.min" in page
    assert f"{cells[2].score:.2%}" in page
    assert "is not below limits.liquidation.warn" in page
    assert not any(word in page for word in ("http://", "https://", "<script", "src=", "@import"))


def test_a_division_does_not_make_an_idle_book_the_best() -> None:
    idle = Outcome({"net": 1e-6, "drawdown": 0.0, "share": None})
    good = Outcome({"net": 0.05, "drawdown": 0.002, "share": 0.9})
    objective = Objective.NET_OVER_DRAWDOWN
    assert (run.score(good, objective) or 0) > (run.score(idle, objective) or 0)
    assert run.score(idle, Objective.SHARE) is None
    assert run.score(Outcome(error="x"), Objective.NET) is None

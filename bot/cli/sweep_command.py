"""`sweep`: many backtests over parameters, on this machine's cores or on a Dask cluster."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from bot.cli import backtest_question as asked
from bot.cli.failure import DONE, FAILED, UNREACHABLE, USAGE, Failure

if TYPE_CHECKING:
    from bot.research.sweep.pools import Pool
    from bot.research.sweep.run import Cell, Fold, Plan

Found = TypeVar("Found")
_WALK = re.compile(r"(\d+)/(\d+)")


def sweep(
    data: Annotated[Path, typer.Option("--data", help="Folder with recorded history: docs/history.md.")],
    start: asked.From,
    end: asked.To,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="The YAML file that is varied; else the defaults.", show_default=False),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=V1,V2: an axis, limits.per_coin_cap=0.05,0.1. Repeat.", show_default=False),
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option("--params", help="YAML file with axes, shaped like the settings.", show_default=False),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Best is most net, share, or net-over-drawdown.")] = "net",
    walk: Annotated[
        str | None,
        typer.Option("--walk-forward", help="12/3: choose on 12 months, judge on the next 3.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=1_024, help="Processes; all cores.", show_default=False)
    ] = None,
    dask: Annotated[
        str | None, typer.Option("--dask", help="A Dask scheduler: tcp://host:8786.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a self-contained HTML page here.", show_default=False)
    ] = None,
    coins: asked.Coins = "",
    grid_h: asked.BarHours = 4,
    cash: asked.Cash = 1_000_000,
    spot_fee: asked.SpotFee = 0.001,
    perp_fee: asked.PerpFee = 0.0005,
    half_spread_bps: asked.HalfSpread = 1.0,
    leg_latency_s: asked.LegLatency = 0.0,
    quiet: asked.Quiet = False,
) -> None:
    """Backtest every combination of settings; or choose on one window and judge on the next."""
    from bot.research.sweep.grid import axis_of, joined, read_axes
    from bot.research.sweep.run import Objective, Plan
    from bot.research.sweep.tasks import Setup

    if by not in list(Objective):
        raise Failure(USAGE, f"--by {by}: not one of {', '.join(Objective)}")
    if jobs is not None and dask is not None:
        raise Failure(USAGE, "--jobs and --dask together", "give one of them: the cluster knows its own workers")
    months = None if walk is None else _months(walk)
    axes = joined([*(read_axes(params) if params is not None else ()), *map(axis_of, settings or ())])
    if not data.is_dir():
        raise Failure(USAGE, f"{data}: no such folder", "--data names a folder as docs/history.md describes it")
    from_ms, until_ms = asked.days(start, end)
    setup = Setup(
        data.resolve(),
        asked.coin_list(coins),
        asked.costs(spot_fee, perp_fee, half_spread_bps, leg_latency_s),
        asked.bar_ms(grid_h),
        asked.exact(cash),
    )
    plan = Plan(setup, config, axes, from_ms, until_ms, Objective(by))
    raise typer.Exit(_answer(plan, _pool(jobs, dask), months, report, as_json=as_json, quiet=quiet))


def _answer(
    plan: "Plan", pool: "Pool", months: tuple[int, int] | None, report: Path | None, *, as_json: bool, quiet: bool
) -> int:
    """Runs it all and shows it; the exit code."""
    from bot.cli.calc_show import write_file
    from bot.research.sweep import report as page

    if months is None:
        cells = _run(plan, pool, quiet)
        write_file(report, "" if report is None else page.page(plan, cells))
        _show(plan, cells, as_json)
        return DONE if any(not each.outcome.error for each in cells) else FAILED
    found = _walk(plan, pool, months, quiet)
    write_file(report, "" if report is None else page.walk_page(plan, found))
    _show_walk(plan, found, as_json)
    return DONE if any(each.judged is not None for each in found) else FAILED


def _months(text: str) -> tuple[int, int]:
    found = _WALK.fullmatch(text.strip())
    if found is None or not all(0 < int(each) <= 600 for each in found.groups()):
        raise Failure(USAGE, f"--walk-forward {text}: not two counts of months", "write 12/3")
    return int(found[1]), int(found[2])


def _pool(jobs: int | None, dask: str | None) -> "Pool":
    from bot.research.sweep.pools import DaskPool, LocalPool, cores

    return DaskPool(dask) if dask is not None else LocalPool(jobs or cores())


def _run(plan: "Plan", pool: "Pool", quiet: bool) -> "tuple[Cell, ...]":
    from bot.research.sweep.run import sweep as run

    return _watched(lambda progress: run(plan, pool, progress), quiet)


def _walk(plan: "Plan", pool: "Pool", months: tuple[int, int], quiet: bool) -> "tuple[Fold, ...]":
    from bot.research.sweep.run import walk_forward

    try:
        return _watched(lambda progress: walk_forward(plan, pool, *months, progress), quiet)
    except ValueError as error:
        raise Failure(USAGE, f"--walk-forward: {error} between --from and --to", "choose shorter windows") from None


def _watched(work: Callable[[Callable[[int, int], None]], Found], quiet: bool) -> Found:
    from bot.research.sweep.pools import PoolError

    try:
        with asked.progress_bar(quiet=quiet) as bar:
            task = bar.add_task("backtests", total=None)
            return work(lambda done, total: bar.update(task, completed=done, total=total))
    except PoolError as error:
        raise Failure(UNREACHABLE, error.what, error.remedy) from None


def _show(plan: "Plan", cells: "Sequence[Cell]", as_json: bool) -> None:
    from bot.cli.output import Column, say, show_json, show_table
    from bot.cli.sweep_maps import show_map
    from bot.research.sweep import views

    if as_json:
        show_json(views.as_json(plan, cells))
        return
    headings = views.names(plan.axes)
    columns = [
        *(Column(key, heading) for key, heading in headings.items()),
        *([] if plan.objective.value in views.FIGURES else [Column("score", plan.objective.value)]),
        *(Column(key, key, "percent") for key in views.FIGURES),
    ]
    rows = [
        {**each.changes, "score": views.shown(each.score, plan.objective), **(each.outcome.total or {})}
        for each in views.ranked(cells)
    ]
    show_table(f"{len(cells)} cells, best {plan.objective.value} first; of NAV, arithmetic", columns, rows, "no cell")
    for found in views.heat_maps(plan.axes, cells):
        say("")
        show_map(plan, found)
    _complain(cells)


def _show_walk(plan: "Plan", folds: "Sequence[Fold]", as_json: bool) -> None:
    from bot.cli.output import Column, say, show_json, show_table
    from bot.research.sweep import views

    if as_json:
        show_json(views.walk_json(plan, folds))
        return
    rows = [
        {
            "choose": views.day(each.choose_from_ms),
            "judge": views.day(each.judge_from_ms),
            "until": views.day(each.until_ms),
            "chosen": "-" if each.chosen is None else views.said(each.chosen.changes),
            "score": "-" if each.chosen is None else views.shown(each.chosen.score, plan.objective),
            "judged": views.summed([each.judged]),
            "unchanged": views.summed([each.unchanged]),
        }
        for each in folds
    ]
    columns = [
        Column("choose", "choose from"),
        Column("judge", "judge from"),
        Column("until", "until"),
        Column("chosen", "chosen"),
        Column("score", "when chosen"),
        Column("judged", "judged net", "percent"),
        Column("unchanged", "unchanged net", "percent"),
    ]
    show_table("Walking forward: chosen on one window, judged on the next", columns, rows, "no fold")
    judged, unchanged = views.summed(e.judged for e in folds), views.summed(e.unchanged for e in folds)
    say(f"judged on unseen windows: {judged:.2%} of NAV; unchanged settings on the same: {unchanged:.2%}")
    _complain([cell for each in folds for cell in (*each.cells, each.judged, each.unchanged) if cell is not None])


def _complain(cells: "Sequence[Cell]") -> None:
    from bot.cli.output import say
    from bot.research.sweep import views

    for error, failed in views.failures(cells).items():
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        say(f"failed: {views.said(failed[0].changes)}{more}: {error}")

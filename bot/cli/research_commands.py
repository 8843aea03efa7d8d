"""`backtest`: the same engine over recorded history. Nothing heavy is imported before the command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli import backtest_question as asked
from bot.cli.failure import DONE, USAGE, Failure
from bot.cli.sweep_command import sweep

if TYPE_CHECKING:
    from bot.domain.config import CoreConfig
    from bot.research.backtest import Answer, Question


def register(app: typer.Typer) -> None:
    app.command("backtest")(backtest)
    app.command("sweep")(sweep)


def backtest(
    data: Annotated[Path, typer.Option("--data", help="Folder with recorded history: docs/history.md.")],
    start: asked.From,
    end: asked.To,
    config: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--config",
            help="YAML file; else the shipped defaults with no interest on idle cash.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a self-contained HTML page here.", show_default=False)
    ] = None,
    traced: Annotated[
        str, typer.Option("--trace", help="Show this coin day by day, with what the rules did.", show_default=False)
    ] = "",
    coins: asked.Coins = "",
    grid_h: asked.BarHours = 4,
    cash: asked.Cash = 1_000_000,
    spot_fee: asked.SpotFee = 0.001,
    perp_fee: asked.PerpFee = 0.0005,
    half_spread_bps: asked.HalfSpread = 1.0,
    leg_latency_s: asked.LegLatency = 0.0,
    strategies: Annotated[
        str, typer.Option("--strategies", help="cash_and_carry,reverse_carry; else the config's.", show_default=False)
    ] = "",
    borrow_rate: Annotated[
        float, typer.Option("--borrow-rate", min=0, max=10, help="Of coins, a year, for reverse_carry.")
    ] = 0.10,
    borrow_share: Annotated[
        float, typer.Option("--borrow-share", min=0, max=1, help="Lenders' part of negative funding, on top.")
    ] = 0.5,
    borrow_pool: Annotated[float, typer.Option("--borrow-pool", min=0, help="USD to lend of each coin.")] = 1_000_000,
    quiet: asked.Quiet = False,
) -> None:
    """Run the daemon's engine over recorded history, beside perfect foresight and always-on books."""
    from bot.research.backtest import Question
    from bot.simulator.loan_model import LoanModel

    from_ms, until_ms = asked.days(start, end)
    costs = asked.costs(spot_fee, perp_fee, half_spread_bps, leg_latency_s)
    core, loans = _core(config, strategies), LoanModel(borrow_rate, borrow_share, borrow_pool)
    question = Question(from_ms, until_ms, core, costs, asked.bar_ms(grid_h), asked.exact(cash), loans)
    traced = traced.strip().upper()
    answer = _run(data, asked.coin_list(coins), question, traced, quiet)
    if report is not None:
        from bot.cli.calc_show import write_file
        from bot.research.report import page

        write_file(report, page(answer, traced))
    _show(answer, traced, as_json)
    raise typer.Exit(DONE)


def _core(config: Path | None, strategies: str) -> "CoreConfig":
    """The file's settings; without one the shipped defaults, compared with books whose cash earns nothing."""
    from dataclasses import replace

    from bot.settings.checks import strategy
    from bot.settings.variants import core_of

    core = core_of(config, {})
    names = [name.strip() for name in strategies.split(",") if name.strip()]
    try:
        return replace(core, strategies=tuple(strategy(name) for name in names)) if names else core
    except ValueError as error:
        raise Failure(USAGE, f"--strategies {strategies}: {error}") from None


def _run(data: Path, coins: tuple[str, ...], question: "Question", traced: str, quiet: bool) -> "Answer":
    from bot.research.backtest import run
    from bot.research.recordings import read_recordings
    from bot.simulator.market.table import HistoryError

    try:
        with asked.progress_bar(quiet=quiet) as bar:
            reading = bar.add_task("reading", total=None)
            recordings = read_recordings(
                data, coins, lambda done, total: bar.update(reading, completed=done, total=total)
            )
            known = [one.coin for one in recordings]
            if traced and traced not in known:
                raise Failure(USAGE, f"--trace {traced}: not among the coins here: {', '.join(known)}")
            trading = bar.add_task("trading", total=None)
            return run(recordings, question, lambda done, total: bar.update(trading, completed=done, total=total))
    except HistoryError as error:
        raise Failure(USAGE, str(error)) from None


def _show(answer: "Answer", traced: str, as_json: bool) -> None:
    from bot.cli.output import Column, say, show_json, show_table
    from bot.research.backtest import as_json as view_of
    from bot.research.trace import HEADS, trace, trace_cells

    view = view_of(answer)
    if as_json:
        show_json({**view, "trace": trace(answer, traced)} if traced else view)
        return
    percent = [
        Column(key, key, "percent")
        for key in (
            "net",
            "drawdown",
            "deployed",
            "turnover",
            "foresight",
            "share",
            "funding",
            "fees",
            "slippage",
            "basis",
            "borrow",
        )
    ]
    rows: list[dict[str, Any]] = [*view["years"], {"year": "all", **view["total"]}]
    title = f"{len(view['universe'])} coins, {view['costs']['side']:.2%} a side; of NAV, arithmetic"
    show_table(title, [Column("year", "year"), *percent, Column("trades", "trades", "number")], rows, "no year")
    years = [str(one["year"]) for one in view["years"]]
    others = [
        {"what": one["what"], **{str(row["year"]): row["net"] for row in one["years"]}} for one in view["benchmarks"]
    ]
    show_table(
        "beside it, net of the same costs",
        [Column("what", ""), *(Column(y, y, "percent") for y in years)],
        others,
        "",
    )
    counts = [Column(key, key, "number") for key in ("forced", "refused", "other")]
    show_table("rules", [Column("rule", "rule"), *counts], view["rules"], "no rule had to act")
    _show_forced(view)
    if traced:
        rows = [dict(zip(HEADS, cells, strict=True)) for cells in trace_cells(answer, traced)]
        title = f"{traced} day by day: fractions of NAV"
        show_table(title, [Column(head, head) for head in HEADS], rows, f"{traced} was never held")
    nav = view["nav"]
    say(f"NAV {nav['start_usd']:,.0f} to {nav['end_usd']:,.0f} USDT, compounded; {view['events']:,} events")


def _show_forced(view: dict[str, Any]) -> None:
    """Forced reductions by year, and the months that are left out of the last column."""
    from bot.cli.output import Column, say, show_table

    heads = [Column("year", "year"), Column("rule", "rule"), Column("count", "forced", "number")]
    heads.append(Column("ordinary", "in ordinary months", "number"))
    show_table("forced reductions", heads, view["forced"], "no rule forced anything")
    wild = ", ".join(f"{one['month']} {one['coin']} {one['move']:+.0%}" for one in view["far_moves"])
    say(f"not ordinary, as a core coin moved by 15 % in a day: {wild or 'none'}")
    trims = ", ".join(f"{one['year']}: {one['count']}" for one in view["trims"])
    say(f"the strategy's own trims of what had drifted: {trims or 'none'}")

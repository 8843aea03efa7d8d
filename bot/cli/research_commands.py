"""`backtest`: the same engine over recorded history. Nothing heavy is imported before the command runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.failure import DONE, FAILED, USAGE, Failure

if TYPE_CHECKING:
    from bot.domain.config import CoreConfig
    from bot.research.backtest import Answer, Question


def register(app: typer.Typer) -> None:
    app.command("backtest")(backtest)


def backtest(
    data: Annotated[Path, typer.Option("--data", help="Folder with recorded history: docs/backtest.md.")],
    start: Annotated[str, typer.Option("--from", help="First day, 2020-01-01 (UTC).")],
    end: Annotated[str, typer.Option("--to", help="Last day, 2024-12-31 (UTC), included.")],
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
    coins: Annotated[
        str, typer.Option("--coins", help="Only these, BTC,ETH; else all with both legs.", show_default=False)
    ] = "",
    grid_h: Annotated[int, typer.Option("--grid", help="Hours of a bar: 1, 2, 4 or 8.")] = 4,
    cash: Annotated[float, typer.Option("--cash", min=1_000, help="USDT at the start.")] = 1_000_000,
    spot_fee: Annotated[float, typer.Option("--spot-fee", min=0, max=0.01, help="Taker fee.")] = 0.001,
    perp_fee: Annotated[float, typer.Option("--perp-fee", min=0, max=0.01, help="Taker fee.")] = 0.0005,
    half_spread_bps: Annotated[float, typer.Option("--half-spread", min=0, max=100, help="Bps, each leg.")] = 1.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Run the daemon's engine over recorded history, beside perfect foresight and always-on books."""
    from decimal import Decimal

    from bot.research.backtest import Question
    from bot.research.bars import Costs

    if grid_h not in (1, 2, 4, 8):
        raise Failure(USAGE, f"--grid {grid_h}: a bar has 1, 2, 4 or 8 hours")
    costs = Costs(*(Decimal(repr(one)) for one in (spot_fee, perp_fee, half_spread_bps)))
    from_ms, until_ms = _days(start, end)
    question = Question(from_ms, until_ms, _core(config), costs, grid_h * 3_600_000, Decimal(repr(cash)))
    wanted = tuple(coin.strip().upper() for coin in coins.split(",") if coin.strip())
    answer = _run(data, wanted, question, quiet)
    if report is not None:
        from bot.research.report import page

        try:
            report.write_text(page(answer), encoding="utf-8")
        except OSError as error:
            raise Failure(FAILED, f"{report}: {error.strerror}", "name a file in a folder that exists") from None
    _show(answer, as_json)
    raise typer.Exit(DONE)


def _core(config: Path | None) -> "CoreConfig":
    """The file's settings; without one the shipped defaults, compared with books whose cash earns nothing."""
    if config is not None:
        from bot.cli import context

        return context.load(config).core
    from bot.domain.config import CoreConfig, Limits

    return CoreConfig(limits=Limits(cash_rate=0))


def _days(start: str, end: str) -> tuple[int, int]:
    """[first day, day after the last) in UTC ms."""
    from datetime import UTC, datetime, timedelta

    found = []
    for name, text in (("--from", start), ("--to", end)):
        try:
            found.append(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
        except ValueError:
            raise Failure(USAGE, f"{name} {text}: not a day", "write it as 2020-01-31") from None
    first, last = found[0], found[1] + timedelta(days=1)
    if last <= first:
        raise Failure(USAGE, f"--to {end} lies before --from {start}")
    return int(first.timestamp() * 1000), int(last.timestamp() * 1000)


def _run(data: Path, coins: tuple[str, ...], question: "Question", quiet: bool) -> "Answer":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from bot.research.backtest import run
    from bot.research.recordings import read_recordings
    from bot.simulator.market.table import HistoryError

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
            reading = bar.add_task("reading", total=None)
            recordings = read_recordings(
                data, coins, lambda done, total: bar.update(reading, completed=done, total=total)
            )
            trading = bar.add_task("trading", total=None)
            return run(recordings, question, lambda done, total: bar.update(trading, completed=done, total=total))
    except HistoryError as error:
        raise Failure(USAGE, str(error)) from None


def _show(answer: "Answer", as_json: bool) -> None:
    from bot.cli.output import Column, say, show_json, show_table
    from bot.research.backtest import as_json as view_of

    view = view_of(answer)
    if as_json:
        show_json(view)
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
    counts = [Column("forced", "forced", "number"), Column("refused", "refused", "number")]
    show_table("rules", [Column("rule", "rule"), *counts], view["rules"], "no rule had to act")
    nav = view["nav"]
    say(f"NAV {nav['start_usd']:,.0f} to {nav['end_usd']:,.0f} USDT, compounded; {view['events']:,} events")

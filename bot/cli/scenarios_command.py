"""`scenarios`: market scenarios through the engine, and whether each rule did what it is for."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.failure import DONE, FAILED, USAGE, Failure

if TYPE_CHECKING:
    from bot.research.scenarios.judge import Judged
    from bot.research.scenarios.language import Scenario

KEPT = Path("data/scenarios.json")
ABSENT = "give a folder with recorded history by --data (docs/backtest.md has its layout); drawn scenarios ran"


def scenarios(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; else all.", show_default=False)] = None,
    data: Annotated[Path, typer.Option("--data", help="Folder with recorded history.")] = Path("../shared/data"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    keep: Annotated[Path, typer.Option("--keep", help="The JSON is kept here.")] = KEPT,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Play ugly days, recorded and made up, with each rule on and off; fails where a rule did not act or did harm."""
    from bot.research.scenarios.catalogue import ALL
    from bot.research.scenarios.judge import as_json as view_of

    chosen = _chosen(ALL, names or [])
    there = (data / "funding" / "binance-usdm").is_dir()
    skipped = [one for one in chosen if one.recorded and not there]
    played = [one for one in chosen if one not in skipped]
    rows = _play(played, data, quiet)
    view = view_of(rows, played)
    view["skipped"] = [one.name for one in skipped]
    keep.parent.mkdir(parents=True, exist_ok=True)
    keep.write_text(json.dumps(view, indent=2) + "\n", encoding="utf-8")
    _show(view, as_json)
    if skipped:
        missing = ", ".join(one.name for one in skipped)
        raise Failure(USAGE, f"{data}: no recorded history there, so these were not played: {missing}", ABSENT)
    raise typer.Exit(FAILED if view["failed"] else DONE)


def _chosen(known: "tuple[Scenario, ...]", names: list[str]) -> "list[Scenario]":
    unknown = [name for name in names if name not in {one.name for one in known}]
    if unknown:
        raise Failure(USAGE, f"no scenario {unknown[0]!r}", "known: " + ", ".join(one.name for one in known))
    return [one for one in known if not names or one.name in names]


def _play(chosen: "list[Scenario]", data: Path, quiet: bool) -> "list[Judged]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from bot.research.scenarios.judge import judge
    from bot.research.scenarios.run import play
    from bot.simulator.market.table import HistoryError

    rows: list[Judged] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("scenarios", total=len(chosen))
        for one in chosen:
            try:
                rows += judge(play(one, data, lambda what: bar.update(task, description=what)))
            except HistoryError as error:
                raise Failure(USAGE, str(error)) from None
            bar.advance(task)
    return rows


def _show(view: dict[str, Any], as_json: bool) -> None:
    from bot.cli.output import Column, say, show_json, show_table

    if as_json:
        show_json(view)
        return
    rows = [
        {
            **row,
            "exposure": f"{row['exposure_of']} {row['exposure_before']:,.0f} > {row['exposure_after']:,.0f}",
            "unhedged": f"{row['unhedged_usd']:,.0f} {row['unhedged_s']:g} s",
            "off_unhedged": f"{row['off_unhedged_usd']:,.0f} {row['off_unhedged_s']:g} s",
            "ok": "no" if row["failures"] else "not held up" if row["did_not_hold"] else "yes",
        }
        for row in view["rows"]
    ]
    columns = [
        Column("scenario", "scenario"),
        Column("rule", "rule"),
        Column("at", "acts at", "time"),
        Column("times", "times", "number"),
        Column("exposure", "exposure USD"),
        Column("unhedged", "worst unhedged USD"),
        Column("drawdown", "drawdown", "percent"),
        Column("result", "result", "percent"),
        Column("off_unhedged", "off: unhedged"),
        Column("off_drawdown", "off: drawdown", "percent"),
        Column("off_result", "off: result", "percent"),
        Column("ok", "ok"),
    ]
    show_table("each rule in its scenario, and what would have happened without it; of NAV", columns, rows, "none")
    for row in view["rows"]:
        also = f" (also: {', '.join(row['also'])})" if row["also"] else ""
        say(f"{row['scenario']}, {row['rule']}: {row['action']}{also}")
    for row in view["rows"]:
        if row["did_not_hold"]:
            say(f"NOT HELD UP {row['scenario']}: {row['did_not_hold']}")
    for row in view["rows"]:
        for text in row["failures"]:
            say(f"FAILED {row['scenario']}: {text}")

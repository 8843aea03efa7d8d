"""`replay`: the recorded inputs go through the core again, and every decision must come out the same."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.failure import DONE, FAILED, USAGE, Failure

if TYPE_CHECKING:
    from bot.research.tape_replay import Outcome


def register(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(
    tapes: Annotated[list[Path], typer.Argument(help="Files of the tape, or folders with them: data/tape.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Through the backtest's path instead: the same orders but for latency.")
    ] = False,
    history: Annotated[
        Path | None,
        typer.Option("--history", help="With --backtest: the recorded history that was traded.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Run recorded sessions again, offline; exit code 1 at the first decision that comes out otherwise."""
    from bot.store.tape.blocks import TapeError

    try:
        if backtest:
            raise typer.Exit(_agree(_files(tapes)[0], history, as_json))
        outcomes, unread = _run_all(_files(tapes), quiet)
    except TapeError as error:
        raise Failure(FAILED, str(error)) from None
    if as_json:
        from bot.cli.output import show_json

        show_json([_view(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _show(outcome)
    if unread:
        raise Failure(FAILED, "\n".join(unread))
    raise typer.Exit(DONE if all(outcome.same for outcome in outcomes) else FAILED)


def _files(tapes: list[Path]) -> list[Path]:
    from bot.store.tape.folder import files

    found: list[Path] = []
    for path in tapes:
        if path.is_dir():
            inside = files(path)
            if not inside:
                raise Failure(USAGE, f"{path}: there is no tape in this folder", "tapes are in <data_dir>/tape")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise Failure(USAGE, f"{path}: there is no such file", "tapes are in <data_dir>/tape")
    return found


def _run_all(paths: list[Path], quiet: bool) -> tuple[list["Outcome"], list[str]]:
    """What each file gave, and what is wrong with those that cannot be read: one does not hide the others.

    After an update of carrybot the older files are another version's, and a kill may leave one that holds nothing.
    """
    from bot.store.tape.blocks import NothingTapedError, TapeError

    outcomes: list[Outcome] = []
    unread: list[str] = []
    empty: list[str] = []
    for path in paths:
        try:
            outcomes.append(_run(path, quiet))
        except NothingTapedError as error:
            empty.append(str(error))
        except TapeError as error:
            unread.append(str(error))
    if not outcomes:
        raise Failure(FAILED, "\n".join(unread + empty))
    for each in empty:
        sys.stderr.write(f"{each}\n")
    return outcomes, unread


def _run(path: Path, quiet: bool) -> "Outcome":
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from bot.research.tape_replay import replay as again

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task(f"{path.name}", total=None)
        return again(path, lambda seq: bar.update(task, description=f"{path.name}: event {seq:,}"))


def _agree(path: Path, history: Path | None, as_json: bool) -> int:
    """What the daemon sent beside what the backtest sends; 0 when they agree."""
    from dataclasses import asdict

    from bot.cli.output import Column, say, show_json, show_table
    from bot.research.agreement import compare
    from bot.simulator.market import HistoryMarket
    from bot.simulator.market.table import HistoryError

    try:
        market = HistoryMarket.embedded() if history is None else HistoryMarket.from_directory(history)
    except HistoryError as error:
        raise Failure(USAGE, str(error)) from None
    found = compare(path, market)
    rows = [asdict(row) for row in found.rows]
    if as_json:
        facts = {"agrees": found.agrees, "share": round(found.share, 4), "market_minutes": round(found.minutes, 1)}
        show_json({"file": str(path), **facts, "coins": rows})
    else:
        names = ("live", "backtest", "same")
        columns = [Column("coin", "coin"), *(Column(name, name, "number") for name in names)]
        title = f"orders of the daemon and of the backtest, {found.minutes:,.0f} minutes of market time"
        show_table(title, [*columns, Column("deviation", "quantity apart", "percent")], rows, "no orders")
        say(
            f"{found.share:.1%} of the orders are the same: "
            + ("they agree" if found.agrees else "they do not agree")
        )
    return DONE if found.agrees else FAILED


def _view(outcome: "Outcome") -> dict[str, Any]:
    difference = outcome.difference
    return {
        "file": outcome.file,
        "epoch": outcome.epoch,
        "part": outcome.part,
        "same": outcome.same,
        "same_core": outcome.same_core,
        "first_seq": outcome.first_seq,
        "last_seq": outcome.last_seq,
        "events": dict(outcome.events.most_common()),
        "actions": dict(outcome.actions.most_common()),
        "note": outcome.note,
        "difference": None
        if difference is None
        else {
            "seq": difference.seq,
            "market_ms": difference.market_ms,
            "event": difference.event,
            "action": difference.action,
            "taped": difference.taped,
            "replayed": difference.replayed,
        },
    }


def _show(outcome: "Outcome") -> None:
    from bot.cli.output import say

    events, actions = outcome.events.total(), outcome.actions.total()
    verdict = "every decision came out the same" if outcome.same else "a decision came out otherwise"
    say(f"{outcome.file}: epoch {outcome.epoch}, {events:,} events, {actions:,} actions: {verdict}")
    if outcome.note:
        say(f"  {outcome.note}")
    if outcome.difference is not None:
        found = outcome.difference
        say(f"  first difference: event {found.seq} ({found.event}) at market time {found.market_ms}")
        say(f"  action {found.action}, taped:    {_line(found.taped)}")
        say(f"  action {found.action}, replayed: {_line(found.replayed)}")
        if not outcome.same_core:
            say("  the tape was recorded by other code of the core: install that version to replay its decisions")


def _line(action: Any) -> str:
    if action is None:
        return "nothing"
    name, content = action
    return f"{name} {content}"

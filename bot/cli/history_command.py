"""`history download`: a venue's public history into the layout that backtests read."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import backtest_question as asked
from bot.cli.failure import FAILED, UNREACHABLE, USAGE, Failure

if TYPE_CHECKING:
    from bot.research.history.download import FileReport, Wish
    from bot.venues.transport import Transport

GAPS_SHOWN = 20

history = typer.Typer(help="Recorded market history.", no_args_is_help=True, rich_markup_mode=None)


@history.command("download")
def download(
    coins: Annotated[str, typer.Option("--coins", help="BTC,ETH,SOL.")],
    start: asked.From,
    end: asked.To,
    out: Annotated[Path, typer.Option("--out", help="The data directory; what it holds is kept.")],
    venue: Annotated[str, typer.Option("--venue", help="binance, or a venue of the settings file.")] = "binance",
    interval: Annotated[str, typer.Option("--interval", help="Of the candles: 1m to 8h.")] = "1h",
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="Take the venue's transport from this file.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: asked.Quiet = False,
) -> None:
    """Funding rates and candles of both legs; again to go on after an interruption or to add newer days."""
    from bot.research.history.download import INTERVALS_MS, Wish

    wanted = asked.coin_list(coins)
    if not wanted:
        raise Failure(USAGE, "--coins names none", "write --coins BTC,ETH")
    if interval not in INTERVALS_MS:
        raise Failure(USAGE, f"--interval {interval}: not one of {', '.join(INTERVALS_MS)}")
    wish = Wish(wanted, *asked.days(start, end), interval, out)
    transport = _transport(venue, config)
    _show(_run(wish, transport, quiet), out, as_json)


def _transport(venue: str, config: Path | None) -> "Transport | None":
    """Where the venue's host names lead: to the internet, unless the settings say otherwise."""
    if config is None:
        if venue != "binance":
            raise Failure(USAGE, f"--venue {venue}: only binance has a history here", "name binance")
        return None
    from bot.cli import context
    from bot.venues.transport import Transport

    settings = context.load(config)
    found = settings.venues.get(venue)
    if found is None or found.adapter != "binance":
        raise Failure(
            USAGE, f"--venue {venue}: no binance account of {config}", f"it has {', '.join(settings.venues)}"
        )
    if found.transport is None:
        return None
    return Transport(found.transport.host, found.transport.port, found.transport.ca_file)


def _run(wish: "Wish", transport: "Transport | None", quiet: bool) -> "list[FileReport]":
    from bot.ports import VenueError
    from bot.research.history.download import Progress, download
    from bot.simulator.market.table import HistoryError
    from bot.venues.binance.history import BinanceHistory

    async def work() -> "list[FileReport]":
        source = BinanceHistory(transport)
        await source.open()
        try:
            with asked.progress_bar(quiet=quiet) as bar:
                task = bar.add_task("days of market", total=None)

                def told(name: str, done: float, total: float) -> None:
                    bar.update(task, description=name, completed=round(done), total=round(total))

                return await download(source, wish, Progress(told))
        finally:
            await source.close()

    try:
        return asyncio.run(work())
    except HistoryError as error:
        raise Failure(USAGE, str(error)) from None
    except VenueError as error:
        raise Failure(UNREACHABLE, str(error), "run the same command again: it goes on where it stopped") from None
    except OSError as error:
        raise Failure(FAILED, f"{error.filename or wish.out}: {error.strerror}", "choose another --out") from None


def _show(reports: "list[FileReport]", out: Path, as_json: bool) -> None:
    from bot.cli.output import Column, say, show_json, show_table
    from bot.research.history.download import report_view

    views = [report_view(each, out) for each in reports]
    if as_json:
        show_json({"files": views})
        return
    columns = [
        Column("file", "file"),
        Column("rows", "rows", "number"),
        Column("new", "new", "number"),
        Column("first", "first", "time"),
        Column("last", "last", "time"),
        Column("missing", "missing", "number"),
    ]
    show_table(f"{out}", columns, views, "no file")
    gaps = [{"file": each["file"], **gap} for each in views for gap in each["gaps"]]
    if gaps:
        columns = [Column("file", "file"), Column("after", "after", "time"), Column("before", "before", "time")]
        title = f"Gaps (the first {GAPS_SHOWN} of {len(gaps)}; --json has all)" if len(gaps) > GAPS_SHOWN else "Gaps"
        show_table(title, [*columns, Column("missing", "missing", "number")], gaps[:GAPS_SHOWN], "none")
    empty = [each["file"] for each in views if not each["rows"]]
    if empty:
        say(f"nothing was recorded of: {', '.join(empty)}")

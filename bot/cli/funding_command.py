"""`carrybot funding COIN`: statistics of settled rates from a data directory, the embedded table or the books."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from bot.research.funding_stats import Statistics
    from bot.research.funding_stats_source import Rates

DAY_MS = 86_400_000
DATE = "a date like 2024-06-30, or a time like 2024-06-30T16:00 (UTC)"


def moment(text: str, *, end: bool) -> int:
    """UTC milliseconds of a date or time; as an end, the first millisecond after that day or that minute."""
    try:
        parsed = dt.datetime.fromisoformat(text.strip().removesuffix("Z"))
    except ValueError:
        raise Failure(USAGE, f"{text!r} is no date", f"write {DATE}") from None
    if parsed.tzinfo is not None:
        parsed = parsed.astimezone(dt.UTC).replace(tzinfo=None)
    at_ms = (parsed - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1)  # noqa: DTZ001 - both are UTC
    if not end:
        return at_ms
    return at_ms + (DAY_MS if len(text.strip()) <= len("2024-06-30") else 60_000)


def funding(
    coin: Annotated[str, typer.Argument(help="A coin (SOL) or a venue's symbol (XBTUSD).")],
    venue: Annotated[
        str | None, typer.Option("--venue", help="A folder of the data directory; binance.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data directory; the embedded table unless given.", show_default=False),
    ] = None,
    books: Annotated[bool, typer.Option("--books", help="What the daemon recorded (see -c).")] = False,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="With --books.", show_default=False)] = None,
    since: Annotated[str | None, typer.Option("--from", help=f"From {DATE}.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option("--until", help=f"Up to and with {DATE}.", show_default=False)] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Also write an HTML file.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Share of positive rates, mean, distribution, runs of negative days, intervals, memory of the rate."""
    from_ms = None if since is None else moment(since, end=False)
    until_ms = None if until is None else moment(until, end=True)
    if from_ms is not None and until_ms is not None and from_ms >= until_ms:
        raise Failure(USAGE, f"--from {since} is not before --until {until}", "exchange them")
    if books and data is not None:
        raise Failure(USAGE, "--data and --books together", "give one of them")
    found = _statistics(coin, venue, data, config if books else None, from_ms, until_ms, books=books)
    _print(found, report, as_json)


def _statistics(
    coin: str,
    venue: str | None,
    data: Path | None,
    config: Path | None,
    from_ms: int | None,
    until_ms: int | None,
    *,
    books: bool,
) -> "Statistics":
    from bot.research.funding_fixed_size import with_closes
    from bot.research.funding_stats import statistics
    from bot.research.funding_stats_source import FundingError, embedded, from_directory
    from bot.simulator.market.table import HistoryError

    try:
        rates: Rates
        if books:
            rates = _from_books(config, coin, venue)
        else:
            rates = embedded(coin, venue) if data is None else with_closes(data, from_directory(data, coin, venue))
        return statistics(rates, from_ms, until_ms)
    except FundingError as error:
        raise Failure(USAGE, error.what, error.remedy) from None
    except HistoryError as error:
        what, _, remedy = str(error).rpartition("; ")
        raise Failure(USAGE, what or remedy, remedy if what else "") from None


def _from_books(config: Path | None, coin: str, venue: str | None) -> "Rates":
    import asyncio

    from bot.cli import context
    from bot.research.funding_stats_books import from_books

    settings = context.load(config)
    name = venue or next(iter(settings.venues))
    return asyncio.run(from_books(settings.database.url, name, coin))


def _print(found: "Statistics", report: Path | None, as_json: bool) -> None:
    from bot.cli.calc_show import write_file
    from bot.cli.output import Column, say, show_facts, show_json, show_table
    from bot.research import funding_stats_report as shown
    from bot.research.funding_stats import as_json as view

    if report is not None:
        write_file(report, shown.html(found))
    if as_json:
        show_json(view(found))
        return
    say(shown.title(found))
    show_facts(shown.facts(found))
    say("")
    for line in shown.terminal_charts(found):
        say(line)
    for heading, columns, rows in shown.tables(found):
        say("")
        cells = [dict(zip(columns, row, strict=True)) for row in rows]
        show_table(heading, [Column(each, each) for each in columns], cells, "none")
    if found.rates.also:
        say(f"\nother contracts on {found.rates.coin} here: {', '.join(found.rates.also)}")
    say(f"source: {found.rates.source}" + (f"; report: {report}" if report else ""))

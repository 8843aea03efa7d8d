"""`carrybot premium`: how well the venue's formula on the premium index foretells the rate that settles."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.failure import DONE, USAGE, Failure


def register(app: typer.Typer) -> None:
    app.command("premium")(premium)


def premium(
    data: Annotated[Path, typer.Option("--data", help="Folder with recorded history: docs/backtest.md.")],
    symbol: Annotated[str, typer.Option("--symbol", help="The perpetual's own name.")] = "BTCUSDT",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Error of the funding rate foretold from the recorded premium index, by hours of the interval that have run."""
    from bot.cli.output import Column, show_json, show_table
    from bot.research.premium_index import as_views, errors, read_intervals
    from bot.simulator.market.table import HistoryError

    try:
        views = as_views(errors(read_intervals(data, symbol)))
    except HistoryError as error:
        raise Failure(USAGE, str(error)) from None
    if as_json:
        show_json({"symbol": symbol, "rows": views})
    else:
        for view in views:
            view |= {key: f"{view[key]:.3f}" for key in ("mean_error_bps", "rms_error_bps", "r2")}
        heads = [Column("forecast", "forecast"), Column("hours", "after hours", "number")]
        heads += [Column("mean_error_bps", "mean error, bps"), Column("rms_error_bps", "root mean square, bps")]
        heads += [Column("r2", "R2"), Column("sign_right", "sign right", "percent")]
        show_table(f"{symbol}: {views[0]['intervals']} intervals of 8 hours", heads, views, "no interval")
    raise typer.Exit(DONE)

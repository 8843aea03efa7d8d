"""What `backtest` and `sweep` have in common: how their options become a question."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from rich.progress import Progress

    from bot.research.bars import Costs

From = Annotated[str, typer.Option("--from", help="First day, 2020-01-01 (UTC).")]
To = Annotated[str, typer.Option("--to", help="Last day, 2024-12-31 (UTC), included.")]
Coins = Annotated[
    str, typer.Option("--coins", help="Only these, BTC,ETH; else all with both legs.", show_default=False)
]
BarHours = Annotated[int, typer.Option("--grid", help="Hours of a bar: 1, 2, 4 or 8.")]
Cash = Annotated[float, typer.Option("--cash", min=1_000, help="USDT at the start.")]
SpotFee = Annotated[float, typer.Option("--spot-fee", min=0, max=0.01, help="Taker fee.")]
PerpFee = Annotated[float, typer.Option("--perp-fee", min=0, max=0.01, help="Taker fee.")]
HalfSpread = Annotated[float, typer.Option("--half-spread", min=0, max=100, help="Bps, each leg.")]
LegLatency = Annotated[
    float, typer.Option("--leg-latency", min=0, max=3_600, help="Seconds by which the perp's leg fills later.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]


def days(start: str, end: str) -> tuple[int, int]:
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


def coin_list(text: str) -> tuple[str, ...]:
    return tuple(coin.strip().upper() for coin in text.split(",") if coin.strip())


def bar_ms(hours: int) -> int:
    if hours not in (1, 2, 4, 8):
        raise Failure(USAGE, f"--grid {hours}: a bar has 1, 2, 4 or 8 hours")
    return hours * 3_600_000


def costs(spot_fee: float, perp_fee: float, half_spread_bps: float, leg_latency_s: float) -> "Costs":
    from bot.research.bars import Costs

    return Costs(exact(spot_fee), exact(perp_fee), exact(half_spread_bps), leg_latency_s)


def exact(amount: float) -> Decimal:
    """The decimal number that was typed."""
    return Decimal(repr(amount))


def progress_bar(*, quiet: bool) -> "Progress":
    """On standard error, gone when the work is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)

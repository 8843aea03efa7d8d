"""`carrybot calc`: the planner's commands. Options and exit codes; the figures are made in `bot.research.planner`."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.calc_survival import liquidation, what_if
from bot.cli.calc_values import cost, maintenance, positive, rate

if TYPE_CHECKING:
    from bot.research.planner.capital import Reading
    from bot.research.planner.sheet import Sheet

calc = typer.Typer(
    help="The planner: what a hedge earns, costs and survives.", no_args_is_help=True, rich_markup_mode=None
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Funding = Annotated[
    Decimal, typer.Option("--funding-rate", parser=rate, metavar="RATE", help="A settlement: 0.282% or 0.00282.")
]
Borrow = Annotated[Decimal, typer.Option("--borrow-rate", parser=cost, metavar="RATE", help="A settlement.")]
Fee = Annotated[Decimal, typer.Option("--fee-rate", parser=cost, metavar="RATE", help="A trade.")]
Daily = Annotated[int, typer.Option("--settlements-a-day", min=1, max=24)]
DailyCost = Annotated[
    Decimal | None,
    typer.Option(
        "--cost-rate-a-day", parser=cost, metavar="RATE", show_default=False,
        help="Borrow and fees of a day, of one side; the three readings of example G2 unless given.",
    ),
]  # fmt: skip


ZERO = Decimal(0)
G_FUNDING = Decimal("0.00282")


@calc.command()
def edge(
    funding_rate: Funding,
    borrow_rate: Borrow = ZERO,
    fee_rate: Fee = Decimal("0.0005"),
    trades: Annotated[int, typer.Option("--trades", min=0, help="The source counts two; a hedge has four.")] = 2,
    settlements: Annotated[int, typer.Option("--settlements", min=1)] = 1,
    as_json: Json = False,
) -> None:
    """What is left of one side's notional after borrow and fees."""
    from bot.research.planner import carry

    _show(lambda: carry.edge(funding_rate, borrow_rate, fee_rate, trades, settlements), as_json)


@calc.command("break-even")
def break_even(
    funding_rate: Funding,
    borrow_rate: Borrow = ZERO,
    fee_rate: Fee = Decimal("0.0005"),
    trades: Annotated[int, typer.Option("--trades", min=0)] = 4,
    interval_h: Annotated[Decimal, typer.Option("--interval-h", parser=positive, metavar="HOURS")] = Decimal(8),
    as_json: Json = False,
) -> None:
    """How many settlements pay the way in and out."""
    from bot.research.planner import carry

    _show(lambda: carry.break_even(funding_rate, borrow_rate, trades * fee_rate, interval_h), as_json)


@calc.command("round-trip")
def round_trip(
    spot_fee_rate: Annotated[Decimal, typer.Option("--spot-fee-rate", parser=cost, metavar="RATE")] = Decimal(
        "0.001"
    ),
    perp_fee_rate: Annotated[Decimal, typer.Option("--perp-fee-rate", parser=cost, metavar="RATE")] = Decimal(
        "0.0005"
    ),
    spot_slippage_rate: Annotated[Decimal, typer.Option("--spot-slippage-rate", parser=cost, metavar="RATE")] = ZERO,
    perp_slippage_rate: Annotated[Decimal, typer.Option("--perp-slippage-rate", parser=cost, metavar="RATE")] = ZERO,
    notional_usd: Annotated[
        Decimal | None, typer.Option("--notional-usd", parser=positive, metavar="USD", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Fees and slippage of opening and closing both legs."""
    from bot.research.planner import carry

    fees, slippages = (spot_fee_rate, perp_fee_rate), (spot_slippage_rate, perp_slippage_rate)
    _show(lambda: carry.round_trip(fees, slippages, notional_usd), as_json)


Leg = Annotated[Decimal | None, typer.Option(parser=rate, metavar="RATE", show_default=False)]


@calc.command()
def payment(
    size_coin: Annotated[Decimal, typer.Option("--size-coin", parser=positive, metavar="COINS", help="One side.")],
    short_rate: Leg = None,
    long_rate: Leg = None,
    as_json: Json = False,
) -> None:
    """What one settlement pays to a short, to a long, or to both."""
    from bot.research.planner import carry

    _show(lambda: carry.payment(size_coin, short_rate, long_rate), as_json)


@calc.command()
def budget(
    nav_usd: Annotated[Decimal, typer.Option("--nav-usd", parser=positive, metavar="USD")],
    ceiling: Annotated[Decimal, typer.Option("--leverage-ceiling", parser=positive, metavar="TIMES")] = Decimal(2),
    coin_cap: Annotated[Decimal, typer.Option("--per-coin-cap", parser=maintenance, metavar="SHARE")] = Decimal(
        "0.05"
    ),
    as_json: Json = False,
) -> None:
    """The two sides of a book at its leverage ceiling, and the most of one coin."""
    from bot.research.planner import carry

    _show(lambda: carry.budget(nav_usd, ceiling, coin_cap), as_json)


@calc.command()
def split(
    account_coin: Annotated[
        Decimal, typer.Option("--account-coin", parser=positive, metavar="COINS", help="Each of the two.")
    ] = Decimal("0.1"),
    leverage: Annotated[Decimal, typer.Option("--leverage", parser=positive, metavar="TIMES")] = Decimal(3),
    funding_rate: Funding = G_FUNDING,
    settlements_a_day: Daily = 3,
    cost_rate_a_day: DailyCost = None,
    maintenance_rate: Annotated[
        Decimal, typer.Option("--maintenance-rate", parser=maintenance, metavar="RATE", help="Of each account.")
    ] = Decimal("0.017335"),
    as_json: Json = False,
) -> None:
    """Income and capital of two accounts with a leg in each (example G2)."""
    from bot.research.planner import capital

    readings = _readings(cost_rate_a_day)
    _show(
        lambda: capital.split(account_coin, leverage, funding_rate, settlements_a_day, maintenance_rate, readings),
        as_json,
    )


@calc.command()
def unified(
    account_coin: Annotated[Decimal, typer.Option("--account-coin", parser=positive, metavar="COINS")] = Decimal(
        "0.2"
    ),
    spot_leverage: Annotated[Decimal, typer.Option("--spot-leverage", parser=positive, metavar="TIMES")] = Decimal(
        10
    ),
    perp_leverage: Annotated[Decimal, typer.Option("--perp-leverage", parser=positive, metavar="TIMES")] = Decimal(
        75
    ),
    size_coin: Annotated[
        Decimal | None,
        typer.Option(
            "--size-coin",
            parser=positive,
            metavar="COINS",
            show_default=False,
            help="One side; the largest unless given.",
        ),
    ] = None,
    funding_rate: Funding = G_FUNDING,
    settlements_a_day: Daily = 3,
    cost_rate_a_day: DailyCost = None,
    split_leverage: Annotated[
        Decimal, typer.Option("--split-leverage", parser=positive, metavar="TIMES", help="Split accounts beside it.")
    ] = Decimal(3),
    as_json: Json = False,
) -> None:
    """Margins, largest hedge and income of one account for both legs (examples G3, G4)."""
    from bot.research.planner import capital

    readings = _readings(cost_rate_a_day)
    _show(
        lambda: capital.unified(
            account_coin,
            spot_leverage,
            perp_leverage,
            size_coin,
            funding_rate,
            settlements_a_day,
            split_leverage,
            readings,
        ),
        as_json,
    )


calc.command()(liquidation)
calc.command()(what_if)


@calc.command()
def triangle(
    notional_usd: Annotated[Decimal, typer.Option("--notional-usd", parser=positive, metavar="USD")],
    rate_a: Annotated[
        Decimal, typer.Option("--rate-a", parser=rate, metavar="RATE", help="Of the perp that is long.")
    ],
    rate_b: Annotated[
        Decimal, typer.Option("--rate-b", parser=rate, metavar="RATE", help="Of the perp that is short.")
    ],
    price_a_usd: Annotated[Decimal, typer.Option("--price-a-usd", parser=positive, metavar="USD")],
    price_b_usd: Annotated[Decimal, typer.Option("--price-b-usd", parser=positive, metavar="USD")],
    ratio_size_b_coin: Annotated[
        Decimal, typer.Option("--ratio-size-b-coin", parser=positive, metavar="COINS", help="B bought against A.")
    ],
    ratio_rate: Annotated[
        Decimal,
        typer.Option("--ratio-rate", parser=rate, metavar="RATE", help="What the ratio leg costs an interval."),
    ] = ZERO,
    fee_rate: Fee = Decimal("0.0005"),
    trades: Annotated[int, typer.Option("--trades", min=0, help="Three legs, in and out.")] = 6,
    as_json: Json = False,
) -> None:
    """Two fundings against a ratio leg: carry and what is left over at entry (example G9)."""
    from bot.research.planner import corner

    _show(
        lambda: corner.triangle(
            notional_usd,
            (rate_a, rate_b),
            (price_a_usd, price_b_usd),
            ratio_size_b_coin,
            ratio_rate,
            trades * fee_rate,
        ),
        as_json,
    )


@calc.command()
def examples(as_json: Json = False) -> None:
    """The worked examples G1 to G9, computed."""
    from bot.cli.output import Column, show_json, show_table
    from bot.research.planner.examples import examples as worked

    found = worked()
    if as_json:
        show_json([each.json() for each in found])
        return
    rows = [
        {"id": example.id * first, "inputs": example.inputs * first, "label": each.label, "printed": each.printed}
        for example in found
        for first, each in ((place == 0, each) for place, each in enumerate(example.results))
    ]
    columns = (Column("id", "id"), Column("inputs", "inputs"), Column("label", "figure"), Column("printed", "result"))
    show_table("Worked examples", columns, rows, "none")
    for example in found:
        if example.note:
            typer.echo(f"{example.id}: {example.note}")


def _show(make: "Callable[[], Sheet]", as_json: bool, picture: "list[str] | None" = None) -> None:
    from bot.cli.calc_show import show_sheet

    show_sheet(make, as_json, picture)


def _readings(cost_rate: Decimal | None) -> "tuple[Reading, ...]":
    from bot.domain.planning import DailyCosts
    from bot.research.planner.capital import READINGS, Reading

    if cost_rate is None:
        return READINGS
    return (Reading("given", "costs as given", DailyCosts(ZERO, 0, cost_rate, 1, each_settlement=False)),)

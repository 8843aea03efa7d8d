"""`carrybot calc liquidation` and `what-if`: what an account survives."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.calc_values import bracket, cost, fraction, maintenance, positive, share
from bot.cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from bot.domain.instruments import MarginTier
    from bot.research.planner.liquidation import Account
    from bot.research.planner.sheet import Sheet

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Svg = Annotated[
    Path | None, typer.Option("--svg", help="Also write the picture to FILE.", metavar="FILE", show_default=False)
]


class Kind(StrEnum):
    """Which account a liquidation is asked of."""

    UNIFIED = "unified"
    PERP_WALLET = "perp-wallet"


AccountKind = Annotated[
    Kind, typer.Option("--account", help="Unified coin-margined, or split accounts' perp wallet.")
]
Equity = Annotated[Decimal, typer.Option("--equity-coin", parser=positive, metavar="COINS", help="Unified: equity.")]
Size = Annotated[Decimal, typer.Option("--size-coin", parser=positive, metavar="COINS", help="Unified: one side.")]
Asked = Annotated[
    Decimal,
    typer.Option("--maintenance-rate", parser=maintenance, metavar="RATE", help="Unified: loan and perp together."),
]
Wallet = Annotated[Decimal, typer.Option("--wallet-usd", parser=positive, metavar="USD", help="Perp wallet: margin.")]
Notional = Annotated[
    Decimal, typer.Option("--notional-usd", parser=positive, metavar="USD", help="Perp wallet: short.")
]
PerpAsked = Annotated[
    Decimal,
    typer.Option(
        "--perp-maintenance-rate", parser=maintenance, metavar="RATE", help="Perp wallet: without brackets."
    ),
]
Brackets = Annotated[
    list[str] | None,
    typer.Option(
        "--bracket", metavar="USD:RATE", show_default=False, help="Perp wallet: 50000:0.4%, rising, repeatable."
    ),
]
BracketsOf = Annotated[
    str | None,
    typer.Option("--brackets-of", metavar="COIN", show_default=False, help="Perp wallet: the simulated exchange's."),
]
Widening = Annotated[
    Decimal, typer.Option("--widening", parser=share, metavar="SHARE", help="Of the perp's premium.")
]
LiquidationFee = Annotated[
    Decimal, typer.Option("--liquidation-fee-rate", parser=cost, metavar="RATE", help="Unified: adds to maintenance.")
]

ZERO = Decimal(0)


def liquidation(
    account: AccountKind = Kind.UNIFIED,
    equity_coin: Equity = Decimal("0.2"),
    size_coin: Size = Decimal("1.5"),
    maintenance_rate: Asked = Decimal("0.03467"),
    wallet_usd: Wallet = Decimal(50_000),
    notional_usd: Notional = Decimal(100_000),
    perp_maintenance_rate: PerpAsked = Decimal("0.025"),
    brackets: Brackets = None,
    brackets_of: BracketsOf = None,
    widening: Widening = ZERO,
    liquidation_fee_rate: LiquidationFee = ZERO,
    price_usd: Annotated[
        Decimal | None, typer.Option("--price-usd", parser=positive, metavar="USD", show_default=False)
    ] = None,
    stress: Annotated[
        Decimal,
        typer.Option("--stress-widening", parser=share, metavar="SHARE", help="Of the tables' stressed columns."),
    ] = Decimal("0.05"),
    leverage_max: Annotated[
        Decimal, typer.Option("--leverage-max", parser=positive, metavar="TIMES", help="Of the picture, one side.")
    ] = Decimal(25),
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Liquidation price, the move over leverage as table and picture, and the leverage that survives a move (G5)."""
    from dataclasses import replace

    from bot.cli.calc_show import show_sheet, write_file
    from bot.research.planner import liquidation as planner
    from bot.research.planner import picture

    if leverage_max <= 1:
        raise Failure(USAGE, "--leverage-max must be above 1", "the picture starts at 1; try 25")
    held = _account(
        account, (equity_coin, size_coin, maintenance_rate), (wallet_usd, notional_usd), widening,
        _tiers(perp_maintenance_rate, brackets, brackets_of), liquidation_fee_rate,
    )  # fmt: skip
    drawn = picture.over_leverage(maintenance_rate, perp_maintenance_rate, stress, leverage_max)

    def make() -> "Sheet":
        tables = (
            planner.over_leverage(maintenance_rate, perp_maintenance_rate, stress),
            planner.over_moves(maintenance_rate, perp_maintenance_rate, stress),
        )
        return replace(planner.price(held, price_usd), tables=tables)

    write_file(svg, picture.svg_over_leverage(drawn))
    show_sheet(make, as_json, picture.text_over_leverage(drawn))


def what_if(
    account: AccountKind = Kind.PERP_WALLET,
    equity_coin: Equity = Decimal("0.2"),
    size_coin: Size = Decimal("1.5"),
    maintenance_rate: Asked = Decimal("0.03467"),
    wallet_usd: Wallet = Decimal(30_000),
    notional_usd: Notional = Decimal(100_000),
    perp_maintenance_rate: PerpAsked = Decimal("0.025"),
    brackets: Brackets = None,
    brackets_of: BracketsOf = None,
    widening: Widening = ZERO,
    liquidation_fee_rate: LiquidationFee = ZERO,
    move: Annotated[
        Decimal, typer.Option("--move", parser=share, metavar="SHARE", help="Up and, apart from it, down.")
    ] = Decimal("0.4"),
    minutes: Annotated[Decimal, typer.Option("--minutes", parser=positive, metavar="MIN")] = Decimal(10),
    delay_s: Annotated[
        Decimal, typer.Option("--top-up-delay-s", parser=fraction, metavar="S", help="From warning to margin.")
    ] = Decimal(120),
    top_up: Annotated[
        Decimal | None,
        typer.Option(
            "--top-up", parser=positive, metavar="AMOUNT", show_default=False,
            help="USD (perp wallet) or coins (unified); what the reserve asks for unless given.",
        ),
    ] = None,
    warn: Annotated[
        Decimal, typer.Option("--warn", parser=share, metavar="SHARE", help="Distance that asks for it.")
    ] = Decimal("0.25"),
    reserve: Annotated[
        Decimal, typer.Option("--reserve", parser=share, metavar="SHARE", help="Distance left after the move.")
    ] = Decimal("0.15"),
    svg: Svg = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """The price moves by so much in so many minutes while a top-up is on its way: who survives, and when not."""
    from bot.cli.calc_what_if import show
    from bot.research.planner.what_if import Shock

    if delay_s < 0:
        raise Failure(USAGE, f"--top-up-delay-s is {delay_s}", "give 0 or more seconds")
    held = _account(
        account, (equity_coin, size_coin, maintenance_rate), (wallet_usd, notional_usd), widening,
        _tiers(perp_maintenance_rate, brackets, brackets_of), liquidation_fee_rate,
    )  # fmt: skip
    shocks = tuple(Shock(each, minutes * 60, warn, delay_s, reserve, top_up) for each in (move, -move))
    show(held, shocks, svg, as_json)


def _account(
    kind: Kind,
    unified_coin: tuple[Decimal, Decimal, Decimal],
    wallet: tuple[Decimal, Decimal],
    widening: Decimal,
    tiers: "tuple[MarginTier, ...]",
    liquidation_fee: Decimal,
) -> "Account":
    from bot.research.planner.liquidation import PerpWallet, Unified

    if kind is Kind.UNIFIED:
        return Unified(*unified_coin, widening, liquidation_fee)
    return PerpWallet(*wallet, tiers, widening)


def _tiers(rate_: Decimal, given: list[str] | None, coin: str | None) -> "tuple[MarginTier, ...]":
    """The perp's brackets: as given, a coin's of the simulated exchange, or one rate for every size."""
    from bot.cli.calc_show import planned
    from bot.research.planner import liquidation as planner

    if given and coin:
        raise Failure(USAGE, "--bracket and --brackets-of together", "give one of them")
    if coin:
        return planned(lambda: planner.simulated_brackets(coin.upper()))
    if given:
        rows = [bracket(each) for each in given]
        return planned(lambda: planner.brackets(rows))
    return planner.flat_tier(rate_)

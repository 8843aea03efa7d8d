"""What grows beyond its limit by prices, withdrawals and caps, and what is too thin or too poor to hold."""

from decimal import Decimal

from bot.domain.events import Halt
from bot.research.scenarios.catalogue.common import START, drawn, limits
from bot.research.scenarios.happenings import command, withdraw
from bot.research.scenarios.language import Act, Books, Recorded, Scenario, Stage
from bot.research.scenarios.track import constant, line

DOGE_2021 = Scenario(
    name="cap_drift",
    title="28 and 29 January 2021: DOGE rises eightfold in a day, past its cap, while the book is halted",
    start="2021-01-20T00:00",
    coins=(Recorded("BTCUSDT"), Recorded("DOGEUSDT")),
    stages=(Stage("2021-01-28T04:00", 3600), Stage("2021-01-29T12:00", 120), Stage("2021-02-01T00:00", 1800)),
    judged_from="2021-01-28T04:00",
    happenings=(command("2021-01-28T04:01", Halt("the owner is away")),),
    acts=(Act("R2", "risk.forced", (("coin", "DOGE"),)),),
    chosen_on=True,
)

CEILING = Scenario(
    name="nav_under_ceiling",
    title="The owner withdraws a quarter of NAV: leverage is above the ceiling, and then the basis widens",
    start=START,
    coins=tuple(
        drawn(coin, basis=line((0, 0), (30, 0), (54, 90), (72, 90)))
        for coin in ("BTC", "ETH", "SOL", "XRP", "ADA", "LINK")
    ),
    stages=(Stage(25, 3600), Stage(26, 10), Stage(72, 900)),
    judged_from=20,
    config=limits(leverage_ceiling=Decimal("0.5"), per_coin_cap=Decimal("0.08"), per_coin_cap_band=Decimal(1)),
    happenings=(withdraw(25.5, Decimal(250_000)),),
    acts=(Act("R3", "risk.forced", by=26),),
)

THIN = Scenario(
    name="liquidity_gone",
    title="SOL pays well and trades 0.6 million a day; a week later its rate turns and its spread is 3 %",
    start=START,
    coins=(
        drawn("BTC"),
        drawn("SOL", rate=line((0, 0.001), (120, 0.001), (121, -0.002)), volume_usd=constant(6e5)),
    ),
    stages=(Stage(240, 3600),),
    judged_from=12,
    books=(Books(0, 12, "SOL", half_spread_bps=200), Books(118, 240, "SOL", half_spread_bps=150, depth_usd=30_000)),
    acts=(Act("R8", "risk.refused", (("coin", "SOL"),), after=0),),
)

VENUE_CAP = Scenario(
    name="venue_cap",
    title="FTX week, November 2022: the owner allows a venue half of NAV, all of it lies at one: nothing opens",
    start="2022-11-06T00:00",
    coins=(Recorded("BTCUSDT"), Recorded("ETHUSDT"), Recorded("XRPUSDT")),
    stages=(Stage("2022-11-14T00:00", 3600),),
    judged_from="2022-11-06T00:00",
    config=limits(per_venue_cap=Decimal("0.5")),
    acts=(Act("R13", "risk.refused"),),
    chosen_on=True,
)

IDLE = Scenario(
    name="idle_below_cash",
    title="June 2023: bitcoin's carry pays for its own costs and not for the cash that it uses",
    start="2023-06-01T00:00",
    coins=(Recorded("BTCUSDT"), Recorded("ETHUSDT")),
    stages=(Stage("2023-07-01T00:00", 3600),),
    judged_from="2023-06-01T00:00",
    config=limits(cash_rate=0.08),
    acts=(Act("R14", "risk.refused"),),
)

ALL = (DOGE_2021, CEILING, THIN, VENUE_CAP, IDLE)

"""Spreads that widen against the book, and what NAV loses by them."""

from decimal import Decimal

from bot.domain.config import SpreadLimits
from bot.research.scenarios.catalogue.common import START, deaf, drawn, limits
from bot.research.scenarios.language import Act, Scenario, Stage
from bot.research.scenarios.track import line

SPREAD = Scenario(
    name="spread_and_turn",
    title="ETH's premium widens to 450 bps within six hours and comes back: reduce on the way, add at the turn",
    start=START,
    coins=(
        drawn("BTC"),
        drawn("ETH", basis=line((0, 0), (71, 3), (72, 0), (78, 450), (80, 330), (90, 250), (120, 0))),
    ),
    stages=(Stage(72, 3600), Stage(96, 300), Stage(140, 3600)),
    judged_from=71,
    config=deaf(limits(per_coin_cap=Decimal("0.10"))),
    acts=(
        Act("R4", "risk.forced", (("coin", "ETH"),)),
        Act("R4", "spread.turned", (("coin", "ETH"),)),
    ),
)

SOFT = Scenario(
    name="drawdown_soft",
    title="Every premium widens by 120 bps at once, too little a coin for R4: NAV falls past the soft limit",
    start=START,
    coins=tuple(
        drawn(coin, basis=line((0, 0), (24, 0), (36, 120), (60, 155), (90, 30)))
        for coin in ("BTC", "ETH", "SOL", "XRP", "ADA")
    ),
    stages=(Stage(24, 3600), Stage(60, 300), Stage(96, 1800)),
    judged_from=23,
    config=deaf(limits(per_coin_cap=Decimal("0.15"), spread=SpreadLimits(reduce_drawdown=Decimal(1)))),
    acts=(Act("R5", "drawdown.soft"),),
)

HARD = Scenario(
    name="drawdown_hard",
    title="Premiums widen by 500 bps within half a day and stay: the soft limit, then flat and halted",
    start=START,
    coins=tuple(
        drawn(coin, basis=line((0, 0), (24, 0), (36, 500), (96, 600))) for coin in ("BTC", "ETH", "SOL", "XRP", "ADA")
    ),
    stages=(Stage(24, 3600), Stage(40, 60), Stage(96, 1800)),
    judged_from=23,
    config=deaf(limits(per_coin_cap=Decimal("0.15"))),
    acts=(Act("R5", "drawdown.soft"), Act("R5", "drawdown.hard"), Act("R4", "risk.forced")),
)

ALL = (SPREAD, SOFT, HARD)

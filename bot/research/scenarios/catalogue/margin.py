"""Prices that rise against the shorts: margin is moved, and where it cannot be, both legs are cut."""

from decimal import Decimal

from bot.research.scenarios.catalogue.common import START, deaf, drawn, limits, shares
from bot.research.scenarios.happenings import fault
from bot.research.scenarios.language import Act, Scenario, Stage

TRANSFER = Scenario(
    name="margin_transfer",
    title="Everything rises 40 % in a day: margin follows the shorts from the spot wallet",
    start=START,
    coins=tuple(drawn(coin, (0, 1), (24, 1), (48, 1.4)) for coin in ("BTC", "ETH", "SOL", "XRP", "ADA")),
    stages=(Stage(24, 3600), Stage(49, 300), Stage(72, 3600)),
    judged_from=23,
    config=deaf(),
    acts=(Act("R7", "margin.moved", (("target", "perp"),)),),
)

REDUCTION = Scenario(
    name="margin_reduction",
    title="A book with all its cash in spot, and everything rises 45 % in ten hours: both legs are cut together",
    start=START,
    coins=tuple(drawn(coin, (0, 1), (24, 1), (34, 1.45), (48, 1.35)) for coin in ("BTC", "ETH")),
    stages=(Stage(24, 3600), Stage(36, 60), Stage(48, 1800)),
    judged_from=23,
    config=deaf(limits(per_coin_cap_overrides=shares(BTC="0.5", ETH="0.5"), per_coin_cap_band=Decimal(10))),
    acts=(Act("R7", "risk.forced"),),
)

STUCK = Scenario(
    name="transfers_stuck",
    title="The same rise with cash at hand, but the venue refuses every transfer: cut instead",
    start=START,
    coins=tuple(drawn(coin, (0, 1), (24, 1), (34, 1.45), (48, 1.35)) for coin in ("BTC", "ETH")),
    stages=(Stage(24, 3600), Stage(36, 60), Stage(48, 1800)),
    judged_from=23,
    config=deaf(limits(per_coin_cap_overrides=shares(BTC="0.25", ETH="0.25"), per_coin_cap_band=Decimal(10))),
    happenings=fault(24, 48, transfers="refused"),
    acts=(Act("R7", "risk.forced"),),
)

UNANSWERED = Scenario(
    name="transfers_unanswered",
    title="The same, and transfers get no answer at all",
    start=START,
    coins=tuple(drawn(coin, (0, 1), (24, 1), (34, 1.45), (48, 1.35)) for coin in ("BTC", "ETH")),
    stages=(Stage(24, 3600), Stage(36, 60), Stage(48, 1800)),
    judged_from=23,
    config=deaf(limits(per_coin_cap_overrides=shares(BTC="0.25", ETH="0.25"), per_coin_cap_band=Decimal(10))),
    happenings=fault(24, 48, transfers="unanswered"),
    acts=(Act("R7", "risk.forced"),),
)

ALL = (TRANSFER, REDUCTION, STUCK, UNANSWERED)

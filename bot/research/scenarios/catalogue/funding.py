"""Rates that turn: days of negative carry, rates of nothing, receipts that do not come, rates that swing."""

from dataclasses import replace
from decimal import Decimal

from bot.domain.config import Budget, StrategyConfig
from bot.domain.events import Halt, Resume
from bot.research.scenarios.catalogue.common import START, deaf, drawn, limits
from bot.research.scenarios.disarm import undisarmed
from bot.research.scenarios.happenings import by_hand, command, fault
from bot.research.scenarios.language import Act, Recorded, Scenario, Stage
from bot.research.scenarios.track import line
from bot.simulator.model import Book

ETH_MERGE = Scenario(
    name="five_negative_days",
    title="August and September 2022: ETH pays before the merge; five negative days end on 31 August at 00:00",
    start="2022-08-10T00:00",
    coins=(Recorded("BTCUSDT"), Recorded("ETHUSDT")),
    stages=(Stage("2022-09-17T00:00", 3600),),
    judged_from="2022-08-25T00:00",
    config=deaf(),
    acts=(Act("R1", "coin.removed", (("coin", "ETH"),), by="2022-08-31T00:00:01"),),
    chosen_on=True,
)

NEGATIVE_2024 = Scenario(
    name="five_negative_days_2024",
    title="September 2024: bitcoin pays next to nothing for seven days; the defaults had not seen it",
    start="2024-03-20T00:00",
    coins=(Recorded("BTCUSDT"),),
    stages=(Stage("2024-09-06T00:00", 14_400), Stage("2024-10-05T00:00", 3600)),
    judged_from="2024-09-06T00:00",
    config=deaf(),
    acts=(Act("R1", "coin.removed", (("coin", "BTC"),)),),
    did_not_hold="Seven days cost 0.085 % of the position, leaving and coming back 0.34 %: R1 counts days, not "
    "what they cost. It is the source's own rule; the strategy, when it is not made deaf, weighs the cost.",
)

BNB_ZERO = Scenario(
    name="zero_rate",
    title="July 2024: BNB settles exactly nothing for 25 days; entering would pay for itself, but not for its cash",
    start="2024-06-24T00:00",
    coins=(Recorded("BNBUSDT"), Recorded("BTCUSDT")),
    stages=(Stage("2024-07-28T00:00", 3600),),
    judged_from="2024-06-25T00:00",
    config=deaf(limits(cash_rate=0.04)),
    acts=(Act("R14", "risk.refused", (("coin", "BNB"),)),),
    never=("funding.missing", "coin.removed"),
)

READMISSION = Scenario(
    name="readmission",
    title="BTC is removed after five negative days and returns after three positive ones",
    start=START,
    coins=(
        drawn("BTC", rate=line((0, 0.0003), (48, 0.0003), (49, -0.0005), (400, -0.0005), (401, 0.0004))),
        *(drawn(coin) for coin in ("ETH", "SOL", "XRP", "ADA")),
    ),
    stages=(Stage(760, 3600),),
    judged_from=36,
    config=deaf(),
    acts=(
        Act("R1", "coin.removed", (("coin", "BTC"),)),
        Act("R1b", "coin.readmitted", (("coin", "BTC"),)),
    ),
)

LATE_RECEIPT = Scenario(
    name="late_receipt",
    title="The venue neither pays nor shows the 16:00 settlement until two hours later",
    start=START,
    coins=(drawn("BTC"), drawn("ETH")),
    stages=(Stage(15.9, 3600), Stage(18.5, 20), Stage(24, 900)),
    judged_from=12,
    happenings=fault(15.95, 18, receipts_late=True),
    acts=(Act("R12", "funding.missing", by=16.4),),
)

UNEXPLAINED = Scenario(
    name="unexplained_balance",
    title="Somebody moves nearly all spot cash to the futures wallet by hand before entries, and back later",
    start=START,
    coins=tuple(drawn(coin) for coin in ("BTC", "ETH", "SOL", "XRP")),
    stages=(Stage(3, 900), Stage(3.2, 5), Stage(8, 60), Stage(24, 900)),
    judged_from=2,
    happenings=(
        command(0, Halt("the owner waits")),
        command(3.05, Resume("go")),
        by_hand(3, Decimal(900_000), Book.SPOT, Book.PERP),
        by_hand(7, Decimal(900_000), Book.PERP, Book.SPOT, explained=True),
    ),
    acts=(Act("R12", "venue.unexplained", by=3.05, off=undisarmed),),
)

SWINGING = Scenario(
    name="oscillating_rate",
    title="A nervous strategy at hourly rates that swing between +0.1 and -0.1 %: the fee budget bounds the churning",
    start=START,
    coins=tuple(
        drawn(coin, rate=line(*((h, 0.001 if h % 2 else -0.001) for h in range(-960, 72))), every_h=1)
        for coin in ("BTC", "ETH", "SOL", "XRP")
    ),
    stages=(Stage(60, 900),),
    judged_from=12,
    config=replace(
        limits(
            budget=Budget(fees_per_hour=Decimal("0.00005")),
            funding_stop=replace(limits().limits.funding_stop, share=Decimal(1)),
        ),
        strategy=StrategyConfig(
            fast_half_life_h=0.5, slow_half_life_h=0.5, fast_h=6, slow_h=0, base_h=0, decide_every_h=1
        ),
    ),
    acts=(Act("budget", "risk.refused"),),
)

ALL = (ETH_MERGE, NEGATIVE_2024, BNB_ZERO, READMISSION, LATE_RECEIPT, UNEXPLAINED, SWINGING)

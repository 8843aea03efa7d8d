"""The owner's switch, legs that do not fill, feeds that are stale, and a restart in the middle."""

from bot.domain.events import Flatten, Halt, Resume
from bot.research.scenarios.catalogue.common import START, deaf, drawn
from bot.research.scenarios.happenings import command, fault, refuse, restart
from bot.research.scenarios.language import Act, Scenario, Stage
from bot.research.scenarios.track import line
from bot.simulator.model import Book

BTC_LEG = Scenario(
    name="leg_refused",
    title="The perpetual refuses every order for ten minutes while a hedge is being built and the price falls 4 %",
    start=START,
    coins=(drawn("BTC", (0, 1), (1, 1), (1.25, 0.96), (24, 0.97)),),
    stages=(Stage(1, 900), Stage(1.3, 1), Stage(24, 900)),
    judged_from=0.5,
    happenings=(
        command(0, Halt("the owner waits")),
        *refuse(0.9, 1.2, Book.PERP, "BTCUSDT"),
        command(1.01, Resume("go")),
    ),
    acts=(Act("R10", "hedge.undone", after=1.0),),
    unhedged_by_design=True,
)

STALE = Scenario(
    name="stale_feed",
    title="The perpetual's feed is connected and silent for 25 seconds while prices run 1.5 %, and the owner resumes",
    start=START,
    coins=(drawn("BTC", (0, 1), (1, 1), (1.006, 1.015), (24, 1.015)),),
    stages=(Stage(0.99, 900), Stage(1.05, 0.25), Stage(24, 900)),
    judged_from=0.5,
    happenings=(
        command(0, Halt("the owner waits")),
        *fault(1.0, 1.007, silent={"binance:perp", "binance:spot"}),
        command(1.0045, Resume("go")),
    ),
    acts=(Act("R11", "risk.refused", after=1.0, by=1.01),),
)

FAST_VENUE = Scenario(
    name="two_clocks",
    title="A venue at 3,600 times real time falls silent: R6 counts wall seconds, and R12 is not fooled",
    start=START,
    coins=(drawn("BTC"), drawn("ETH")),
    stages=(Stage(24, 3600, 1), Stage(200, 3600, 1)),
    judged_from=24,
    happenings=fault(48, 92, out=True),
    acts=(Act("R6", "extreme.began", after=78, by=80),),
    never=("funding.missing",),
)

HALTED = Scenario(
    name="halt_over_a_restart",
    title="The owner halts, the daemon is killed and started again, and premiums widen: nothing opens",
    start=START,
    coins=tuple(drawn(coin, basis=line((0, 0), (30, 0), (60, 150))) for coin in ("BTC", "ETH")),
    stages=(Stage(72, 1800),),
    judged_from=0,
    config=deaf(),
    happenings=(command(0, Halt("news"), skip_off=True), restart(12)),
    acts=(Act("R15", "control.halted", after=0, by=0.1),),
    never=("hedge.opened",),
    restarts=True,
)

FLATTENED = Scenario(
    name="flatten_over_a_restart",
    title="The owner flattens while one leg of ETH does not trade; the daemon is killed on the way and goes on",
    start=START,
    coins=tuple(drawn(coin, basis=line((0, 0), (30, 0), (60, 150))) for coin in ("BTC", "ETH")),
    stages=(Stage(24, 3600), Stage(24.2, 5), Stage(72, 1800)),
    judged_from=23,
    config=deaf(),
    happenings=(
        *refuse(23.9, 24.1, Book.PERP, "ETHUSDT"),
        command(24.01, Flatten("the venue smells"), skip_off=True),
        restart(24.05),
    ),
    acts=(Act("R15", "control.halted", after=24.05),),
    restarts=True,
    unhedged_by_design=True,
)

ALL = (BTC_LEG, STALE, FAST_VENUE, HALTED, FLATTENED)

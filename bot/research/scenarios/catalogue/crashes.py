"""The falls of recorded history, and what fails in them."""

from dataclasses import replace

from bot.domain.events import Halt
from bot.research.scenarios.catalogue.common import START, drawn
from bot.research.scenarios.happenings import command, deleverage, fault
from bot.research.scenarios.language import Act, Books, Recorded, Scenario, Stage

MARCH_2020 = Scenario(
    name="march_2020",
    title="12 and 13 March 2020: bitcoin halves within a day; the venue deleverages shorts on the way (made up)",
    start="2020-03-07T00:00",
    coins=tuple(Recorded(one) for one in ("BTCUSDT", "ETHUSDT", "XRPUSDT", "ADAUSDT")),
    stages=(
        Stage("2020-03-12T10:00", 3600),
        Stage("2020-03-12T12:30", 20),
        Stage("2020-03-12T22:50", 120),
        Stage("2020-03-13T04:00", 20),
        Stage("2020-03-14T00:00", 900),
    ),
    judged_from="2020-03-12T10:00",
    books=(Books("2020-03-12T10:00", "2020-03-13T04:00", half_spread_bps=5),),
    happenings=(deleverage("2020-03-12T10:45", "XRPUSDT"), deleverage("2020-03-12T10:45", "ADAUSDT")),
    acts=(Act("R6", "extreme.began"), Act("R6", "risk.forced")),
    chosen_on=True,
)

MAY_2021 = Scenario(
    name="may_2021",
    title="19 May 2021: bitcoin falls 30 % by the early afternoon",
    start="2021-05-12T00:00",
    coins=tuple(Recorded(one) for one in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "ADAUSDT", "XRPUSDT", "LINKUSDT")),
    stages=(
        Stage("2021-05-19T11:00", 3600),
        Stage("2021-05-19T15:00", 20),
        Stage("2021-05-20T12:00", 900),
    ),
    judged_from="2021-05-19T11:00",
    books=(Books("2021-05-19T11:00", "2021-05-19T15:00", half_spread_bps=5),),
    acts=(Act("R6", "extreme.began"), Act("R6", "risk.forced")),
    chosen_on=True,
)

AUGUST_2024 = Scenario(
    name="august_2024",
    title="5 August 2024: ETH falls 20 % in a night; the defaults had not seen it",
    start="2024-07-29T00:00",
    coins=tuple(Recorded(one) for one in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "LINKUSDT", "DOGEUSDT")),
    stages=(
        Stage("2024-08-05T00:00", 3600),
        Stage("2024-08-05T07:00", 20),
        Stage("2024-08-06T12:00", 900),
    ),
    judged_from="2024-08-05T00:00",
    books=(Books("2024-08-05T00:00", "2024-08-05T07:00", half_spread_bps=5),),
    acts=(Act("R6", "extreme.began"),),
    did_not_hold="Falls favour shorts: no basis ran against the book and nothing was deleveraged, so the cut and the "
    "refill cost their fees. The premium of what 19 May 2021 pays back twenty times over.",
)

OUTAGE = replace(
    MAY_2021,
    name="outage_in_a_fall",
    title="19 May 2021 again: the venue stops answering at 12:40, in the middle of the fall, and returns at 13:25",
    happenings=fault("2021-05-19T12:40", "2021-05-19T13:25", out=True),
    acts=(Act("R6", "extreme.venue_out", by="2021-05-19T12:42"),),
)

HALT = Scenario(
    name="spot_halt",
    title="21 December 2020: Binance spot stands still for four hours while the perpetual trades 2.5 % up and down",
    start="2020-12-14T00:00",
    coins=tuple(Recorded(one) for one in ("BTCUSDT", "ETHUSDT", "XRPUSDT", "LINKUSDT")),
    stages=(
        Stage("2020-12-21T13:50", 3600),
        Stage("2020-12-21T14:10", 2),
        Stage("2020-12-21T17:50", 60),
        Stage("2020-12-21T18:20", 2),
        Stage("2020-12-22T00:00", 900),
    ),
    judged_from="2020-12-21T13:50",
    halts_from="BTCUSDT",
    books=(Books("2020-12-21T18:00", "2020-12-21T18:05", half_spread_bps=30),),
    acts=(Act("R6", "extreme.began"),),
    unhedged_by_design=True,
    chosen_on=True,
)

HALT_AND_CUT = Scenario(
    name="cut_due_in_a_halt",
    title="Spot stands still for half an hour, the index rises 16 % and falls back; the cap is breached meanwhile",
    start=START,
    coins=(drawn("BTC"), drawn("ETH", (0, 1), (24, 1), (24.35, 1.16), (24.5, 1.03), (48, 1.03))),
    stages=(Stage(23.9, 3600), Stage(24.6, 5), Stage(48, 900)),
    judged_from=23.5,
    books=(Books(24, 24.5, spot_halted=True),),
    happenings=(command(23.8, Halt("the owner is away")),),
    acts=(Act("R6", "extreme.began", by=24.1), Act("R6", "risk.refused", (("coin", "ETH"),), by=24.5)),
)

SOL_2022 = Scenario(
    name="sol_2022",
    title="8 to 18 November 2022: SOL at the -2 % cap, intervals 8, 4 and 2 h, basis down to -2,391 bps",
    start="2022-11-01T00:00",
    coins=tuple(Recorded(one) for one in ("BTCUSDT", "ETHUSDT", "SOLUSDT")),
    stages=(
        Stage("2022-11-08T00:00", 3600),
        Stage("2022-11-11T00:00", 120),
        Stage("2022-11-19T00:00", 1800),
    ),
    judged_from="2022-11-08T00:00",
    happenings=(command("2022-11-08T08:00", Halt("FTX halts withdrawals")),),
    acts=(Act("R1c", "risk.forced", (("coin", "SOL"),)),),
    chosen_on=True,
)

ALL = (MARCH_2020, MAY_2021, AUGUST_2024, OUTAGE, HALT, HALT_AND_CUT, SOL_2022)

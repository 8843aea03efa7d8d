"""Coins sold on loan: a lender who wants them back, and one who asks ten times as much."""

from dataclasses import replace

from bot.research.scenarios.catalogue.common import START, drawn, limits
from bot.research.scenarios.happenings import borrow_rate, recall
from bot.research.scenarios.language import Act, Books, Scenario, Stage
from bot.research.scenarios.track import line

BOTH_WAYS = replace(limits(), strategies=("cash_and_carry", "reverse_carry"))
PAYS_LONGS = line((0, -0.0015), (720, -0.0015))

RECALL = Scenario(
    name="loan_recalled",
    title="SOL is sold on loan; the loan is recalled with an hour's grace, and by then the books are thin",
    start=START,
    coins=(drawn("BTC"), drawn("SOL", (0, 1), (24, 1), (26, 1.08), (48, 1.08), rate=PAYS_LONGS)),
    stages=(Stage(23.9, 3600), Stage(26, 30), Stage(48, 1800)),
    judged_from=23,
    config=BOTH_WAYS,
    books=(Books(24.5, 30, "SOL", half_spread_bps=60),),
    happenings=recall(24, 40, "SOL", 3600),
    acts=(Act("R9", "risk.forced", (("coin", "SOL"),), by=24.5),),
)

SPIKE = Scenario(
    name="borrow_rate_spikes",
    title="SOL is sold on loan, and borrowing it goes from 10 to 800 % a year",
    start=START,
    coins=(drawn("BTC"), drawn("SOL", rate=PAYS_LONGS)),
    stages=(Stage(96, 1800),),
    judged_from=23,
    config=BOTH_WAYS,
    happenings=borrow_rate(30, 80, "SOL", 8.0),
    acts=(Act("R9", "risk.forced", (("coin", "SOL"),)),),
)

ALL = (RECALL, SPIKE)

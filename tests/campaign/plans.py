"""What one seed brings: its account, limits, market, faults, and what its owner does.

A plan is a function of the seed alone; a shrunk history is the plan without some faults. There are two sorts: a dense
seed brings some 27 faults and 175 orders, a sparse one about 12 of the same catalogue, one command and larger slices,
at half the cost: long runs reach more histories with it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from tests.campaign.commands import Command, drawn_ceiling, drawn_commands, drawn_end, drawn_repayment, drawn_universe
from tests.campaign.faults import (
    COIN,
    DISKS,
    HAIRCUTS,
    HOUR,
    KINDS,
    LINES,
    LOAN_STARTS,
    LOANS,
    OUTAGES,
    RENAMES,
    RULES,
    STARTS,
    TERMS,
    Fault,
    drawn,
    drawn_of,
)
from tests.campaign.hands import Act, drawn_acts
from tests.campaign.market import COINS, Shape
from tests.campaign.shaping import shape

SPARSE_FIRST = 1_000_000
"""Seeds from here on are sparse."""
SPARSE_FAULTS, SPARSE_REACH = (11, 14), 0.4
"""How many are planned, and what share of the requests of a dense seed there are to strike."""
DAYS = 3.0
FAULTS_MEAN = 16
RISES, RISE_MAX = frozenset({"squeeze", "core_jump", "coin_jump"}), 1.33
"""What a coin may rise by at once where it is owed: beyond it the fund pays what the collateral lacks, and no history
tells of that."""
LOANS_SHARE = 0.3
"""Of the seeds, those in which coins are borrowed."""
OF_LOANS = frozenset({LOANS, HAIRCUTS, LOAN_STARTS})
HALTED_H_MIN = 3.0
OWED_RATE = -0.0007
"""Below it the funding of a coin is such that it is borrowed."""
LONGER = 0.35
"""Days that are added where a coin was closed for good: three positive ones of its funding must be over."""
LEANS_SHARE = 0.3
"""Of the seeds, those where more is asked than bid for, or the reverse."""
SINGLE_SHARE = 0.25
"""Of the seeds, those with a cap of its own for a coin, and those with a young perpetual."""
RENAMED_SHARE = 0.3
"""Of the seeds, those in which a coin gets another name."""
OUTAGES_SHARE = 0.4
"""Of the seeds, those in which a daemon dies in an extreme event or over a hedge that waits, or both."""
DISKS_MAX = 3
"""Slow commits of a seed, at most."""


@dataclass(slots=True)
class Plan:
    seed: int
    cash: Decimal
    per_coin_cap: Decimal
    ceiling: Decimal
    slice_usd: Decimal
    shapes: dict[str, Shape]
    faults: list[Fault]
    commands: list[Command]
    own_coins: dict[str, Decimal] = field(default_factory=dict)
    """Coins of the owner's that lie in the spot wallet and are none of the daemon's business."""
    shared_receipt_ids: bool = False
    """The venue gives all payments of one settlement time the same id: unique only with the instrument."""
    flatten_at_end: bool = False
    override: tuple[str, Decimal] | None = None
    """A coin with a cap of its own, and that one, a share of NAV."""
    young: str = ""
    """A coin whose perpetual was listed two days before the start."""
    acts: list[Act] = field(default_factory=list)
    """What the owner does by hand at the venue."""
    lent: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Coin -> (interest a year, what the venue has of it in USD). Without any the daemon does not borrow."""
    frozen: bool = False
    days: float = DAYS
    coarse_speed: float = 14_400.0
    """Market time per wall time when nothing is under way."""
    middle_speed: float = 1_200.0
    """The same while something lasts or has just happened, but no leg is naked and no order open."""

    @property
    def fullest(self) -> Decimal:
        """The most that the book can be, as a share of NAV."""
        return min(self.ceiling, len(COINS) * self.per_coin_cap)


def plan(seed: int, drop: Collection[int] = ()) -> Plan:
    """The seed's plan without the faults at the positions in `drop`. What is left is the same as without dropping."""
    found = _sparse(seed) if seed >= SPARSE_FIRST else _dense(seed)
    found.faults = [fault for number, fault in enumerate(found.faults) if number not in drop]
    for fault in found.faults:
        shape(fault, found.shapes)
    return found


def _begun(seed: int, dice: Random, ceilings: Sequence[str], slices: Sequence[str], asked: tuple[int, int]) -> Plan:
    """Account, limits and market; slices are shares of a hedge, `asked` is how often the owner wants something."""
    cash = Decimal(dice.choice((30_000, 200_000, 1_000_000)))
    cap = Decimal(dice.choice(("0.05", "0.08")))
    return Plan(
        seed=seed,
        cash=cash,
        per_coin_cap=cap,
        ceiling=Decimal(dice.choice(ceilings)),
        slice_usd=(cash * cap * Decimal(dice.choice(slices))).quantize(Decimal(1)),
        shapes=_shapes(dice),
        faults=[],
        commands=drawn_commands(dice, dice.randint(*asked)),
        own_coins=_own_coins(dice, cash),
        shared_receipt_ids=dice.random() < 0.5,
        flatten_at_end=dice.random() < 0.4,
    )


def _dense(seed: int) -> Plan:
    dice = Random(f"campaign:{seed}")
    found = _begun(seed, dice, ("2", "0.4", "0.25"), ("0.25", "0.4", "1"), (1, 4))
    found.acts = drawn_acts(Random(f"hands:{seed}"))
    faults = drawn("", max(4, round(dice.gauss(FAULTS_MEAN, 5))), dice)
    lender = Random(f"loans:{seed}")
    if lender.random() < LOANS_SHARE:
        _lend(found, lender)
        faults += drawn(LOANS, lender.randint(2, 6), lender)
        faults = _bounded(faults)
    wires = Random(f"lines:{seed}")
    faults += drawn(LINES, wires.randint(0, 3), wires)
    found.commands = sorted((*found.commands, *drawn_ceiling(Random(f"ceiling:{seed}"))), key=lambda one: one.hour)
    faults += _crashes(found.commands)
    faults += drawn(RULES, 3, Random(f"rules:{seed}"))
    terms = Random(f"terms:{seed}")
    faults += drawn(TERMS, terms.randint(0, 2), terms)
    renamer = Random(f"renames:{seed}")
    if renamer.random() < RENAMED_SHARE:
        faults += drawn(RENAMES, 1, renamer)
    starts = Random(f"starts:{seed}")
    faults += drawn(STARTS, starts.randint(0, 2), starts)
    disks = Random(f"disks:{seed}")
    faults += drawn(DISKS, disks.randint(0, DISKS_MAX), disks)
    faults += _outages(seed)
    _set_limits(found, Random(f"universe:{seed}"))
    if found.lent:
        faults += drawn(LOAN_STARTS, 2, starts)
        cuts = Random(f"haircuts:{seed}")
        faults += drawn(HAIRCUTS, cuts.randint(1, 2), cuts)
    found.faults = faults
    return found


def _sparse(seed: int) -> Plan:
    dice = Random(f"sparse:{seed}")
    found = _begun(seed, dice, ("0.4", "0.25"), ("0.5", "1"), (0, 1))
    found.acts = drawn_acts(dice, 1)
    found.coarse_speed, found.middle_speed = 28_800.0, 3_600.0
    if dice.random() < LOANS_SHARE:
        _lend(found, dice)
    _set_limits(found, dice)
    apart = {OUTAGES} if found.lent else {OUTAGES, *OF_LOANS}
    kinds = [name for name, kind in KINDS.items() if kind.where not in apart]
    faults = drawn_of(kinds, dice.randint(*SPARSE_FAULTS), dice, SPARSE_REACH) + _outages(seed)
    found.faults = _bounded(faults) if found.lent else faults
    return found


def _outages(seed: int) -> list[Fault]:
    """By dice of their own, so that they change nothing else."""
    dice = Random(f"outages:{seed}")
    return drawn(OUTAGES, dice.randint(1, 2), dice) if dice.random() < OUTAGES_SHARE else []


def _bounded(faults: Sequence[Fault]) -> list[Fault]:
    """Faults of a seed with loans."""
    return [replace(one, size=min(one.size, RISE_MAX)) if one.kind in RISES else one for one in faults]


def _set_limits(found: Plan, dice: Random) -> None:
    """What the owner has set for single coins, a perpetual that is too young for the book, and books that lean."""
    if dice.random() < LEANS_SHARE:
        for shape in found.shapes.values():
            shape.lean = dice.choice((0.3, 0.6, 1.6, 3.0))
    if dice.random() < SINGLE_SHARE:
        found.override = dice.choice(COIN), found.per_coin_cap * Decimal(f"{dice.uniform(0.3, 0.7):.3f}")
    if dice.random() < SINGLE_SHARE:
        found.young = dice.choice(COIN)
    owed = [coin for coin, shape in found.shapes.items() if shape.rate < OWED_RATE] if found.lent else []
    closed = drawn_end(dice)
    asked = (*found.commands, *drawn_universe(dice), *drawn_repayment(owed, dice), *closed)
    found.commands = sorted(asked, key=lambda one: one.hour)
    if closed:
        found.days += LONGER


def _lend(found: Plan, dice: Random) -> None:
    """Every coin can be borrowed; of some the funding is so negative that selling them on loan pays."""
    for coin in COINS:
        pool_usd = float(found.cash) * dice.choice((0.02, 0.1, 0.5, 3.0))
        found.lent[coin] = dice.uniform(0.03, 0.4), pool_usd
    for coin in dice.sample(COIN, dice.randint(2, 5)):
        found.shapes[coin].rate = -dice.uniform(0.0008, 0.004)


def _shapes(dice: Random) -> dict[str, Shape]:
    shapes = {}
    for coin in COINS:
        rate = dice.gauss(0.0005, 0.0003)
        interval_h = dice.choice((8, 8, 8, 4, 1))
        shapes[coin] = Shape(rate=rate, intervals=[(-1e9, interval_h)])
    return shapes


def _crashes(commands: Sequence[Command]) -> list[Fault]:
    """Halted for long, the daemon dies a little later: what the owner asked of it must survive."""
    found = []
    for command in commands:
        back_h = min((c.hour for c in commands if c.verb == "resume" and c.hour > command.hour), default=0.0)
        if command.verb in ("halt", "flatten") and back_h - command.hour >= HALTED_H_MIN:
            found.append(Fault("crash", HOUR, command.hour + 0.4, "", 0.2 + back_h % 1))
    return found


def _own_coins(dice: Random, cash: Decimal) -> dict[str, Decimal]:
    if dice.random() < 0.5:
        return {}
    coin = dice.choice(("BTC", "ETH", "SOL"))
    return {coin: (cash / 100 / Decimal(COINS[coin][0])).quantize(Decimal("0.0001"))}

"""What can go wrong, and when: the catalogue.

A fault waits for its trigger: the n-th order, question, reading request, transfer, request or commit from the start,
or an hour of market time. Which ones strike in a seed: `plans.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.campaign.damage import FORMS
from tests.campaign.market import COINS
from tests.campaign.shaping import STARTS_H

ORDER, QUERY, DATA, TRADES, ACCOUNT, INCOME, TRANSFER, CALL, COMMIT, HOUR, START = (
    *("order", "query", "data", "trades", "account", "income", "transfer", "call", "commit", "hour", "start"),
)
LOAN_ORDER, INTEREST, MOVE = "loan order", "interest", "move"
"""The last one is a commit that decides a move of margin."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` is a number of requests or commits, or hours of market time; `size` is seconds, a share or a factor."""

    kind: str
    on: str
    at: float
    how: str = ""
    size: float = 0.0

    def __str__(self) -> str:
        extra = f" {self.how}" if self.how else ""
        size = f" {self.size:.3g}" if self.size else ""
        return f"{self.kind}{extra}{size} @ {self.on} {self.at:.4g}"


@dataclass(frozen=True, slots=True)
class Kind:
    """`weight` is how often it is planned; `how` and `size` draw its parameters; `where` says in which seeds."""

    on: str
    weight: float
    how: tuple[str, ...] = ("",)
    size: tuple[float, float] = (0.0, 0.0)
    where: str = ""


LINES = "lines"
"""Drawn apart, up to three in each seed: what happens to connections and to the bytes in them."""
LOANS = "loans"
"""Seeds in which coins are borrowed."""
RULES = "rules"
"""What the rules of the book are there for, in all seeds."""
HAIRCUTS = "haircuts"
"""Drawn apart, one or two where coins are borrowed: the venue counts less of the collateral behind them."""
STARTS, LOAN_STARTS = "starts", "loan starts"
"""Drawn apart, up to two in each seed, and two more where coins are borrowed: what a daemon finds at its start, and
request weight that is used up where coins are borrowed alone."""
DISKS = "disks"
"""Drawn apart, up to three in each seed: a disk whose commits take long."""
TERMS = "terms"
"""Drawn apart, up to two in each seed: what was agreed or taken for granted changes."""
OUTAGES = "outages"
"""Seeds in which a daemon dies in an extreme event that began with a feed's silence (R6), or just after it wrote down
that a hedge waits for the outcome of an order."""
RENAMES = "renames"
"""Seeds in which a coin gets another name."""
UNTIL_END = 1.0, 8.5
"""Square roots of the hours between an announcement and the end: one in three comes within twelve hours."""
COIN = tuple(COINS)
WIRES = ("spot", "perp", "marks", "user-spot", "user-perp")
SPOILT = tuple(f"{wire} {form}" for wire in WIRES for form in FORMS if form != "zero" or "user" not in wire)
"""Line and what its frames become; an order may well have filled nothing."""
LOST = ("hang", "reset", "502", "unknown", "html", "garbage")
KINDS: Mapping[str, Kind] = {
    # what happens to a request that sends an order
    "reply_lost": Kind(ORDER, 3, LOST),
    "never_arrived": Kind(ORDER, 2, ("hang", "reset", "502", "unknown")),
    "applied_late": Kind(ORDER, 2, ("reset", "502", "unknown"), (0.2, 1.5)),
    "hidden": Kind(ORDER, 2, ("reset", "unknown"), (0.3, 1.5)),
    "unanswered": Kind(ORDER, 3, ("reset", "502", "unknown"), (4, 10)),
    "refused": Kind(ORDER, 3, ("-2010", "-1013", "-2019", "-4164", "-4016", "-2022", "-2027"), (1, 3.99)),
    "partial_fill": Kind(ORDER, 3, size=(0.05, 0.95)),
    "empty_ioc": Kind(ORDER, 2, size=(1, 2.99)),
    "slow_order": Kind(ORDER, 1, ("before", "after"), (0.5, 5)),
    "unavailable": Kind(ORDER, 1, ("503", "-1008")),
    "rate_limited": Kind(ORDER, 1.5, size=(1, 6)),
    # what happens to questions
    "query_lost": Kind(QUERY, 2, LOST),
    "data_lost": Kind(DATA, 2, LOST),
    "trades_lag": Kind(TRADES, 1.5, size=(0.3, 2.5)),
    "account_stale": Kind(ACCOUNT, 1.5, size=(0.5, 3)),
    "receipts_late": Kind(HOUR, 2, ("", *COIN), (2, 9)),
    "receipts_repeated": Kind(INCOME, 1),
    # transfers
    "transfer_lost": Kind(TRANSFER, 2, ("hang", "reset", "502", "unknown")),
    "transfer_never_arrived": Kind(TRANSFER, 1, ("reset", "502")),
    "transfer_late": Kind(TRANSFER, 1, size=(0.3, 1.5)),
    "transfer_refused": Kind(TRANSFER, 1),
    # the venue and its streams
    "venue_down": Kind(HOUR, 1, size=(1, 14)),
    "no_route": Kind(HOUR, 1, size=(1, 12)),
    "banned": Kind(HOUR, 1, size=(1, 6)),
    "weight_pressure": Kind(HOUR, 1, size=(3, 12)),
    "feed_silent": Kind(ORDER, 2, ("spot", "perp"), (1, 14)),
    "feed_lost": Kind(HOUR, 1.5, ("spot", "perp"), (0.3, 6)),
    "user_stream_lost": Kind(HOUR, 1.5, ("spot", "perp"), (0.5, 6)),
    "events_repeated": Kind(HOUR, 1, size=(5, 60)),
    "events_late": Kind(HOUR, 1, size=(5, 60)),
    "events_shuffled": Kind(HOUR, 1, size=(5, 60)),
    "events_missed": Kind(HOUR, 1, size=(5, 60)),
    "quotes_gap": Kind(HOUR, 1, COIN, (2, 10)),
    "clock_jump": Kind(HOUR, 1, size=(-30, 30)),
    "balance_unexplained": Kind(HOUR, 0.7, size=(-0.004, 0.004)),
    "market_closed": Kind(HOUR, 0.7, COIN, (2, 12)),
    "filters_changed": Kind(HOUR, 0.7, COIN, (2, 20)),
    "end_announced": Kind(HOUR, 0.7, COIN, UNTIL_END),
    "spot_closed": Kind(HOUR, 0.7, COIN),
    "spot_end_announced": Kind(HOUR, 0.7, COIN, UNTIL_END),
    # the market
    "deleveraged": Kind(HOUR, 1.5, size=(0.2, 1)),
    "squeeze": Kind(START, 0.8, size=(1.6, 2.2)),
    "core_jump": Kind(START, 1, ("BTC", "ETH"), (0.8, 1.2)),
    "coin_jump": Kind(START, 1, COIN[2:], (0.6, 1.4)),
    "rate_turned": Kind(START, 1, COIN, (-0.0015, -0.0002)),
    "rate_spike": Kind(START, 1, COIN, (-0.02, -0.008)),
    "rate_swings": Kind(START, 1, COIN, (0.0005, 0.003)),
    "interval_changed": Kind(START, 1, COIN, (1, 4.99)),
    # the machine
    "crash": Kind(HOUR, 1.5, size=(0.2, 6)),
    "crash_at_commit": Kind(COMMIT, 1.5, ("before", "after"), (0.2, 3)),
    "crash_at_call": Kind(CALL, 1.5, ("before", "after"), (0.2, 3)),
    "crash_in_recovery": Kind(CALL, 1, ("before", "after"), (1, 60)),
    "second_daemon": Kind(COMMIT, 2, size=(1, 3)),
    "database_busy": Kind(COMMIT, 1.5, size=(1, 5.99)),
    "database_full": Kind(COMMIT, 1, size=(0.5, 4)),
    "database_error": Kind(COMMIT, 0.7, size=(1, 2.99)),
    "database_corrupt": Kind(COMMIT, 0.5, size=(3, 12)),
    "database_slow": Kind(COMMIT, 1, size=(0.3, 7), where=DISKS),
    # loans: market hours until a recalled one is due; interest a year; market hours for which nothing is lent
    "loan_recalled": Kind(HOUR, 2, size=(2, 40), where=LOANS),
    "loan_rate_spike": Kind(HOUR, 1.5, size=(1.5, 12), where=LOANS),
    "loan_pool_empty": Kind(HOUR, 1, size=(2, 24), where=LOANS),
    "loan_delisted": Kind(HOUR, 1, size=(6, 40), where=LOANS),
    "loan_reply_lost": Kind(LOAN_ORDER, 3, LOST, where=LOANS),
    "loan_refused": Kind(LOAN_ORDER, 2, ("-3045", "-3006", "-3041", "-2010"), (1, 3.99), LOANS),
    # connections, and frames of spot and perpetual quotes, marks and private streams
    "lines_ended": Kind(HOUR, 1, where=LINES),
    "line_half_open": Kind(ORDER, 2, WIRES, where=LINES),
    "reconnects_refused": Kind(HOUR, 1, size=(1, 12), where=LINES),
    "reconnects_slow": Kind(HOUR, 1, size=(1, 14), where=LINES),
    "feed_mute": Kind(ORDER, 1.5, WIRES[:3], (2, 12), LINES),
    "frames_malformed": Kind(ORDER, 5, SPOILT, (2, 14), LINES),
    "frames_disordered": Kind(ORDER, 3, ("older", "late", "repeated"), (4, 20), LINES),
    "subscription_failed": Kind(HOUR, 1, ("lost", "refused"), (1, 2.99), LINES),
    "listen_key_expired": Kind(HOUR, 1, where=LINES),
    "interest_late": Kind(INTEREST, 2, size=(1, 9), where=LOANS),
    "interest_repeated": Kind(INTEREST, 1, where=LOANS),
    # what asks for a rule of the book: a basis that goes against a hedge, a rate that was negative for days
    "rate_recovered": Kind(START, 1, COIN, (0.0004, 0.002), RULES),
    "core_falls": Kind(START, 1.5, ("BTC", "ETH"), (0.85, 0.91), RULES),
    "move_unwritten": Kind(MOVE, 1, size=(0.5, 3), where=RULES),
    "basis_widens": Kind(START, 2, COIN, (0.03, 0.06), RULES),
    "basis_everywhere": Kind(START, 1.5, size=(0.03, 0.07), where=RULES),
    "rate_explodes": Kind(START, 1, COIN, (-0.03, -0.013), RULES),  # or is too dear
    # what no rate may exceed for a day; for so many hours the quote currency is worth less
    "caps_changed": Kind(HOUR, 1, COIN, (0.00005, 0.0006), TERMS),
    "haircut_cut": Kind(HOUR, 1, size=(0.74, 0.86), where=HAIRCUTS),
    "depeg": Kind(START, 0.7, ("4", "6", "8", "12"), (0.02, 0.12), TERMS),
    "renamed": Kind(HOUR, 1, COIN, (1, 6), RENAMES),
    "outage_over_crash": Kind(HOUR, 1, ("spot", "perp"), (0.2, 2), OUTAGES),
    "quarantine_over_crash": Kind(HOUR, 1, size=(0.2, 2), where=OUTAGES),
    # the daemon is started anew in order, while it builds; or it dies over an order that is on its way, or hidden
    # from all views, and is back before that one is seen; or while interest that was charged is not told yet
    "restarted": Kind(ORDER, 1, where=STARTS),
    "order_over_crash": Kind(ORDER, 1, ("late", "hidden"), (1.1, 1.45), STARTS),
    "interest_over_crash": Kind(HOUR, 1, size=(4, 9), where=LOAN_STARTS),
    "loans_pressed": Kind(LOAN_ORDER, 1, size=(5, 14), where=LOAN_STARTS),
}
MARKET_KINDS = frozenset(name for name, kind in KINDS.items() if kind.on == START)
REACH: Mapping[str, tuple[float, float]] = {
    ORDER: (1, 120),
    QUERY: (1, 40),
    DATA: (20, 500),
    TRADES: (1, 40),
    ACCOUNT: (3, 80),
    INCOME: (1, 50),
    TRANSFER: (1, 3.99),
    CALL: (60, 900),
    COMMIT: (5, 350),
    HOUR: (0.2, 62),
    START: STARTS_H,
    LOAN_ORDER: (1, 25),
    INTEREST: (1, 30),
    MOVE: (1, 5.99),
}
"""When a fault of each trigger may strike."""


def drawn(where: str, count: int, dice: Random) -> list[Fault]:
    """So many faults of a group."""
    return drawn_of([name for name, kind in KINDS.items() if kind.where == where], count, dice)


def drawn_of(names: Sequence[str], count: int, dice: Random, share: float = 1.0) -> list[Fault]:
    """So many faults of these kinds; `share` is what a seed has of the requests and commits of a dense one."""
    chosen = dice.choices(names, [KINDS[name].weight for name in names], k=count)
    return [_fault(name, dice, share) for name in chosen]


def _fault(name: str, dice: Random, share: float) -> Fault:
    kind = KINDS[name]
    low, high = REACH[kind.on]
    at = dice.uniform(low, high)
    if kind.on not in (HOUR, START):
        high = max(low, high * share)
        at = float(int(low * (high / low) ** dice.random()))  # the first ones matter most
    return Fault(name, kind.on, at, dice.choice(kind.how), dice.uniform(*kind.size))

"""Which measurements there are, at which size, and what their answers mean for the goals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import p1_ingest, p2_order, p4_sweep
from benchmarks.child import ROOT, Child, ChildError, measure
from benchmarks.coins import recordings
from benchmarks.figures import Figure, compared, percentile
from bot.domain.time import DAY_MS
from bot.research.sweep.pools import cores

INGEST_RATIO_MAX = 1.8
NAUTILUS_SECOND_LEG = 723 / 395
"""nautilus_trader without a commit over signed raw HTTP on open sockets: second leg p50, both on uvloop."""
SKEW_US_MAX = 100.0
COMMIT_RATIO_MAX = 2.0
COMMIT_P99_US_MAX = 600.0
EVENTS_PER_S_MIN = 300_000.0
BACKTEST_COINS = 20
SCALE_COINS = (5, 20, 80)
SCALE_RATIO_MAX = 1.25
"""Cost of an event with many coins beside the cost with the fewest: what noise may make of a line."""
FROM_MS, SCALE_FROM_MS = 1_577_836_800_000, 1_704_067_200_000
DATA = ROOT.parent / "shared" / "data"
"""Recorded data beside the project; without it the coins are made up."""

Samples = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; `gap_ms` keeps the order benchmark below the venue's order limits."""

    repeats: int = 3
    coins: int = 200
    warm_s: float = 1.0
    seconds: float = 3.0
    orders: int = 100
    orders_warm: int = 20
    gap_ms: float = 145.0
    commits: int = 200
    backtest_days: int = 1_827
    """Days from 2020-01-01 with `BACKTEST_COINS` coins."""
    scale_days: int = 60
    """Days from 2024-01-01 with each of `SCALE_COINS` coins, and of each cell of the sweep."""
    sweep_cells: int = 8


FULL = Size()
QUICK = Size(seconds=1.5, orders=40, orders_warm=10, commits=60, backtest_days=90, scale_days=15, sweep_cells=4)
SMOKE = Size(1, 12, 0.5, 0.3, 4, 2, 100.0, 5, 3, 2, 2)


def ingest(size: Size, folder: str) -> list[Figure]:
    """P1."""
    del folder
    found = p1_ingest.run(size.coins, size.warm_s, size.seconds, size.repeats)

    def column(name: str, key: str) -> list[float]:
        return [one[key] for one in found[name]]

    full = found["full_product"]
    share = median(one["coalesced"] / max(1, one["messages"]) for one in full)
    paced = found["paced_product"][-1]
    notes = {"hedges": paced["hedges"], "messages_per_s": column("paced_product", "per_s"), "killed": _killed(found)}
    return [
        compared(
            "P1",
            f"CPU a message, {size.coins} coins, {paced['per_s']:,.0f} messages/s",
            "websockets + msgspec",
            "µs",
            column("paced_product", "cpu_us"),
            column("paced_bare", "cpu_us"),
            ratio_max=INGEST_RATIO_MAX,
            goal="≤ 1.8 × bare",
            notes=notes,
        ),
        compared(
            "P1",
            f"saturated, {share:.0%} coalesced",
            "websockets + msgspec",
            "messages/s",
            column("full_product", "per_s"),
            column("full_bare", "per_s"),
            more_is_better=True,
        ),
    ]


def _killed(found: dict[str, list[dict[str, Any]]]) -> int:
    return sum(bool(one.get("killed")) for answers in found.values() for one in answers)


def orders(size: Size, folder: str) -> list[Figure]:
    """P2 and P3."""
    found = p2_order.run(size.orders, size.orders_warm, size.repeats, size.gap_ms, folder)
    repeats: list[dict[str, Samples]] = found["repeats"]

    def over(who: str, share: float, value: Callable[[tuple[float, float]], float]) -> list[float]:
        return [percentile([value(sample) for sample in one[who]], share) for one in repeats]

    rows: list[Figure] = []
    counters = found["counters"]
    notes = {
        "samples": [len(one["product"]) for one in repeats],
        "stray_orders": repeats[-1]["stray"],
        "missed": repeats[-1]["missed"],
        "commit_us_mean": counters["commit_us"],
        "hedges": counters["hedges"],
    }
    for leg, share, what in ((0, 0.5, "first leg, p50"), (1, 0.5, "second leg, p50"), (1, 0.99, "second leg, p99")):
        for who, beside in (("bare", "raw HTTP"), ("commit", "raw HTTP + sqlite3")):
            judged = leg == 1 and who == "bare"
            rows.append(
                compared(
                    "P2",
                    f"frame to {what}",
                    beside,
                    "µs",
                    over("product", share, itemgetter(leg)),
                    over(who, share, itemgetter(leg)),
                    ratio_max=NAUTILUS_SECOND_LEG if judged else None,
                    goal=f"≤ {NAUTILUS_SECOND_LEG:.2f} × bare" if judged else "",
                    notes=notes,
                )
            )
    skew, least = (over(who, 0.5, lambda s: s[1] - s[0]) for who in ("product", "bare"))
    rows.append(
        compared(
            "P3",
            "leg skew, p50",
            "raw HTTP",
            "µs",
            skew,
            least,
            product_max=SKEW_US_MAX,
            goal=f"≤ {SKEW_US_MAX:.0f} µs",
            notes=notes,
        )
    )
    return rows


def commits(size: Size, folder: str) -> list[Figure]:
    """P5."""
    options = {"folder": folder, "samples": size.commits, "repeats": size.repeats}
    with Child("p5_commit", options) as child:
        found = [child.answer(60 + size.commits) for _ in range(size.repeats)]

    def over(name: str, share: float) -> list[float]:
        return [percentile(one[name], share) for one in found]

    notes = {
        "rows": found[-1]["rows"],
        "records": found[-1]["records"],
        "fsync_p50_us": over("fsync", 0.5),
        "fsync_p99_us": over("fsync", 0.99),
    }
    rows = []
    for share, shown in ((0.5, "p50"), (0.99, "p99")):
        for name, beside in (("plain", "sqlite3, plain tables"), ("same_sql", "sqlite3, books' tables")):
            first = name == "plain"
            rows.append(
                compared(
                    "P5",
                    f"commit of a two-leg intent, {shown}",
                    beside,
                    "µs",
                    over("product", share),
                    over(name, share),
                    ratio_max=COMMIT_RATIO_MAX if first and share < 0.9 else None,
                    product_max=COMMIT_P99_US_MAX if first and share > 0.9 else None,
                    goal=("≤ 2 × raw" if share < 0.9 else "≤ 600 µs") if first else "",
                    notes=notes,
                )
            )
    rows += [
        compared(
            "P5",
            f"commit of a two-leg intent, {shown}",
            "one fsync",
            "µs",
            over("product", share),
            over("fsync", share),
        )
        for share, shown in ((0.5, "p50"), (0.99, "p99"))
    ]
    return rows


def backtests(size: Size, folder: str) -> list[Figure]:
    """P4: each run in a process of its own."""

    def run(coins: int, from_ms: int, days: int, *, beside: bool) -> dict[str, Any]:
        options = {"data": str(DATA), "coins": coins, "from_ms": from_ms, "days": days, "bare": beside}
        return measure("p4_backtest", options, within_s=120 + days * coins / 10)

    found = [run(BACKTEST_COINS, FROM_MS, size.backtest_days, beside=True) for _ in range(size.repeats)]
    last = found[-1]
    scaled = {
        coins: [run(coins, SCALE_FROM_MS, size.scale_days, beside=False)["cpu_us"] for _ in range(size.repeats)]
        for coins in SCALE_COINS
    }
    fewest = SCALE_COINS[0]
    return [
        compared(
            "P4",
            f"backtest, {last['coins']} coins, {size.backtest_days} days by the hour, {last['peak_mb']:.0f} MB",
            "a loop over the events",
            "events/s",
            [one["product"] for one in found],
            [one["bare"] for one in found],
            more_is_better=True,
            product_min=EVENTS_PER_S_MIN,
            goal="≥ 300,000 events/s",
            notes={**last, "peak_mb": [one["peak_mb"] for one in found], "recorded": DATA.is_dir()},
        ),
        *(
            compared(
                "P4",
                f"CPU an event, {coins} coins, {size.scale_days} days by the hour",
                f"{fewest} coins",
                "µs",
                scaled[coins],
                scaled[fewest],
                ratio_max=SCALE_RATIO_MAX,
                goal=f"linear: ≤ {SCALE_RATIO_MAX} ×",
            )
            for coins in SCALE_COINS[1:]
        ),
        *sweeps(size, folder),
    ]


def sweeps(size: Size, folder: str) -> list[Figure]:
    """One sweep on all cores and on one, in turns; that it gives the same is looked at too."""
    data = Path(folder) / "sweep"
    until_ms = SCALE_FROM_MS + size.scale_days * DAY_MS
    p4_sweep.write(data, recordings(DATA, BACKTEST_COINS, SCALE_FROM_MS, until_ms))
    jobs = cores()
    options = {"data": str(data), "from_ms": SCALE_FROM_MS, "days": size.scale_days, "cells": size.sweep_cells}
    answers: dict[int, list[dict[str, Any]]] = {jobs: [], 1: []}
    for _ in range(size.repeats):
        for number, kept in answers.items():
            kept.append(measure("p4_sweep", {**options, "jobs": number}, within_s=120 + size.scale_days * 20))
    outcomes = {(*one["scores"], *one["errors"]) for kept in answers.values() for one in kept}
    if len(outcomes) > 1 or None in next(iter(outcomes)):
        raise ChildError(f"p4_sweep: a cell failed, or {jobs} processes and one gave different results: {outcomes}")
    beside = f"{size.sweep_cells} backtests, {jobs} cores"
    together, alone = ([one["seconds"] for one in answers[number]] for number in (jobs, 1))
    faster = median(alone) / median(together)
    used, least = ([one["cpu_s"] for one in answers[number]] for number in (jobs, 1))
    return [
        compared(
            "P4",
            f"sweep of {beside}: {faster:.2f} × as fast as one",
            "one core's time, divided",
            "s",
            together,
            [seconds / jobs for seconds in alone],
            notes={"alone_s": alone},
        ),
        compared("P4", f"processor time, sweep of {beside}", "one core", "s", used, least),
    ]


PARTS: dict[str, Callable[[Size, str], list[Figure]]] = {"P1": ingest, "P2": orders, "P4": backtests, "P5": commits}
SAME = {"P3": "P2"}
"""Goals that are measured together with another one."""


def chosen(names: Sequence[str]) -> list[str]:
    """The parts that measure these goals, in order; all without names. ValueError for a name that is none."""
    wanted = {SAME.get(name.upper(), name.upper()) for name in names}
    unknown = wanted - PARTS.keys()
    if unknown:
        raise ValueError(f"not measured here: {', '.join(sorted(unknown))}; there are {', '.join([*PARTS, *SAME])}")
    return [name for name in PARTS if name in wanted or not wanted]

"""A crash at every commit and every venue call of thirty days, and once more during each recovery.

`python -m tests.campaign.crashes`. In a market frozen in price the books end the same as without a crash: positions,
receipts, hedges, and money to the cent. In a moving one all invariants hold. Nothing else goes wrong in these runs.
"""

import argparse
import dataclasses
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from rich.console import Console
from rich.progress import track

from tests.campaign import runner, session
from tests.campaign.faults import CALL, COMMIT, Command, Fault, Plan
from tests.campaign.market import COINS, Shape
from tests.campaign.session import Result

DAYS = 30.0
HELD = ("ETH", "SOL", "PEPE")
"""Coins whose funding pays; the others' pays too little to enter."""
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Point:
    """Where a run is killed: the n-th commit or call, before or after it, and again `again` calls into recovery."""

    on: str
    number: int
    how: str
    again: int
    frozen: bool

    def __str__(self) -> str:
        market = "frozen" if self.frozen else "moving"
        return f"{market}: {self.how} {self.on} {self.number}, again {self.again} calls later"


def scenario(*, frozen: bool, faults: Sequence[Fault] = (), days: float = DAYS) -> Plan:
    """Thirty days: three coins are entered, one is closed and entered again, and the book is halved and refilled."""
    cash = Decimal(200_000)
    shapes = {coin: Shape(rate=0.0006 if coin in HELD else 0.0) for coin in COINS}
    commands = [
        Command(9.0 * 24 + 1, "close", "SOL"),
        Command(12.0 * 24 + 1, "readmit", "SOL"),
        Command(18.0 * 24 + 1, "limits", "", 0.5),
        Command(21.0 * 24 + 1, "limits_back"),
    ]
    return Plan(
        seed=30,
        cash=cash,
        per_coin_cap=Decimal("0.05"),
        ceiling=Decimal(2),
        slice_usd=cash * Decimal("0.05") / 2,
        shapes=shapes,
        faults=list(faults),
        commands=[one for one in commands if one.hour < days * 24],
        frozen=frozen,
        days=days,
        coarse_speed=57_600.0,
    )


def crashed(point: Point, days: float = DAYS) -> Result:
    """The scenario with a crash at this point and another one in the recovery from it."""
    kind = "crash_at_commit" if point.on == COMMIT else "crash_at_call"
    first = Fault(kind, point.on, point.number, point.how, 0.3)
    again = Fault("crash_after_start", CALL, point.again, "before", 0.3)
    return session.play(scenario(frozen=point.frozen, faults=(first, again), days=days))


def counted(result: Result) -> tuple[int, int]:
    """(commits, calls) of a run."""
    return result.counts[COMMIT], result.counts[CALL]


def points(commits: int, calls: int, *, frozen: bool) -> Iterator[Point]:
    """Every point of a run with so many commits and calls."""
    dice = Random("crashes")
    for on, count in ((COMMIT, commits), (CALL, calls)):
        for number in range(1, count + 1):
            for how in ("before", "after"):
                yield Point(on, number, how, dice.randint(1, 60), frozen)


def differences(without: Result, result: Result) -> list[str]:
    """What of the final books is not as in the run without a crash."""
    found = [f"invariant {number}: {text}" for number, text in result.violations]
    for name, expected in without.books.items():
        got = result.books.get(name)
        if isinstance(expected, Decimal):
            if not isinstance(got, Decimal) or abs(got - expected) > without.tolerances.get(name, CENT):
                found.append(f"{name} is {got}, without a crash {expected}")
        elif got != expected:
            found.append(f"{name} is {got}, without a crash {expected}")
    return found


def judge(point: Point, without: Result, days: float = DAYS) -> list[str]:
    result = crashed(point, days)
    if point.frozen:
        return differences(without, result)
    return [f"invariant {number}: {text}" for number, text in result.violations]


def _judged(job: tuple[Point, Result, float]) -> tuple[Point, list[str]]:
    return job[0], judge(*job)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.crashes", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th point (1: all)")
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--market", choices=("frozen", "moving", "both"), default="both")
    parser.add_argument("--processes", type=int, default=runner.processes_default())
    given = parser.parse_args(arguments)
    console = Console()
    jobs: list[tuple[Point, Result, float]] = []
    for frozen in (True, False):
        if given.market != "both" and frozen != (given.market == "frozen"):
            continue
        without = session.play(scenario(frozen=frozen, days=given.days))
        assert not without.failed, without.violations
        commits, calls = counted(without)
        market = "frozen" if frozen else "moving"
        console.print(f"{market}: {commits} commits, {calls} calls, {without.orders} orders, {without.cpu_s:.2f} s")
        plain = dataclasses.replace(without, log=[])
        jobs += [(p, plain, given.days) for p in list(points(commits, calls, frozen=frozen))[:: given.every]]
    failures = 0
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        judged = pool.imap_unordered(_judged, jobs, chunksize=4)
        for point, found in track(judged, "crashes", total=len(jobs), console=console):
            if found:
                failures += 1
                console.print(f"{point}: {found[0]}", markup=False, style="red")
    console.print(f"{len(jobs)} crashes, each with another one in its recovery: {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""A crash at every commit and every venue call of thirty days, and once more during each recovery.

`python -m tests.campaign.crashes`. In a market frozen in price the books end the same as without a crash, to the last
digit: positions, receipts, hedges, money. In a moving one all invariants hold. Nothing else goes wrong in these runs.
"""

import argparse
import os
import statistics
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import Progress

from tests.campaign import runner, session
from tests.campaign.branches import HOWS, KINDS, Branching, Children, Crash, Crashing
from tests.campaign.commands import Command
from tests.campaign.faults import CALL, COMMIT
from tests.campaign.market import COINS, Shape
from tests.campaign.plans import Plan
from tests.campaign.session import Result

T = TypeVar("T")
DAYS = 30.0
HELD = ("ETH", "SOL", "PEPE")
"""Coins whose funding pays; the others' pays too little to enter."""
LINE_EVERY = 100
"""Crashes between two lines of a log that is no terminal."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run with crashes ended. Plain values: it crosses processes."""

    crashes: tuple[Crash, ...]
    fired: int
    """How many of them happened."""
    recovery: int
    """Commits and calls of the recovery from the first one."""
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is tried: each `every`-th crash of the scenario from the `first` on, and a second one after it."""

    frozen: bool
    days: float = DAYS
    every: int = 1
    first: int = 1
    again: bool = True
    processes: int = 1

    @property
    def market(self) -> str:
        return "frozen" if self.frozen else "moving"


@dataclass(slots=True)
class Outcome:
    """What a sweep brought."""

    verdicts: list[Verdict] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def failed(self) -> list[Verdict]:
        return [one for one in self.verdicts if one.wrong]

    def text(self) -> str:
        first, second = (Counter(v.crashes[n].on for v in self.verdicts if len(v.crashes) > n) for n in (0, 1))
        lengths = sorted(verdict.recovery for verdict in self.verdicts) or [0]
        return (
            f"{len(self.verdicts):,} runs in {self.took_s:,.0f} s; crashes: {first[COMMIT]:,} at commits and "
            f"{first[CALL]:,} at calls, then {second[COMMIT]:,} and {second[CALL]:,} in recoveries of {lengths[0]} "
            f"to {lengths[-1]} points (median {statistics.median(lengths):.0f}); {len(self.failed)} failed"
        )


def scenario(*, frozen: bool, days: float = DAYS) -> Plan:
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
        faults=[],
        commands=[one for one in commands if one.hour < days * 24],
        frozen=frozen,
        days=days,
        coarse_speed=57_600.0,
    )


def crashed(crashes: Sequence[Crash], *, frozen: bool, days: float = DAYS, verbose: bool = False) -> Result:
    """The scenario from its beginning, with these crashes."""
    plan = scenario(frozen=frozen, days=days)
    return session.play(plan, verbose=verbose, make=partial(Crashing, crashes=crashes))


def points(result: Result) -> int:
    """How many crashes a run without any has room for."""
    return len(HOWS) * sum(result.counts[on] for on in KINDS)


def differences(without: Result, result: Result) -> list[str]:
    """What of the final books is not, to the last digit, as in the run without a crash."""
    found = []
    for name in without.books.keys() | result.books.keys():
        expected, got = without.books.get(name), result.books.get(name)
        if got != expected:
            lists = isinstance(expected, list) and isinstance(got, list)
            found.append(f"{name}: {_unlike(expected, got) if lists else f'{got}, without a crash {expected}'}")
    return sorted(found)


def _unlike(expected: Any, got: Any) -> str:
    """Two lists of rows: what is in one of them alone, the first of each."""
    lacking, extra = [row for row in expected if row not in got], [row for row in got if row not in expected]
    return f"{len(lacking)} lacking {lacking[:1]}, {len(extra)} more {extra[:1]}"


def judge(crashes: Sequence[Crash], recovery: int, result: Result, without: Result, *, frozen: bool) -> Verdict:
    wrong = [f"invariant {number}: {text}" for number, text in result.violations]
    fired = sum(result.fired[kind] for kind in KINDS.values())
    if fired != len(crashes):
        wrong.append(f"{fired} of {len(crashes)} crashes happened")
    if frozen:
        wrong += differences(without, result)
    return Verdict(tuple(crashes), fired, recovery, tuple(wrong))


def sweep(what: Sweep, ends: Callable[[Branching, Result], T], told: Callable[[T], None]) -> Result:
    """Every crash of the scenario: `told` gets what `ends` makes of each run's end, in the run's own process.

    Returns the run without crashes that they all came from.
    """
    children = Children(what.processes, told)
    made: list[Branching] = []

    def make(*given: Any, **more: Any) -> Branching:
        made.append(Branching(*given, children, every=what.every, first=what.first, again=what.again, **more))
        return made[0]

    try:
        result = session.play(scenario(frozen=what.frozen, days=what.days), make=make)
        if children.is_child:
            made[0].finish(ends(made[0], result))
        children.wait()
        return result
    except BaseException:
        if children.is_child:
            traceback.print_exc()
            os._exit(1)
        raise


def swept(what: Sweep, console: Console) -> Outcome:
    """A sweep with its progress and its failures told as they come."""
    without = session.play(scenario(frozen=what.frozen, days=what.days))
    assert not without.failed, without.violations
    commits, calls = without.counts[COMMIT], without.counts[CALL]
    console.print(f"{what.market}: {commits} commits, {calls} calls, {without.orders} orders, {without.cpu_s:.2f} s")
    total, outcome, began_s = len(range(what.first, points(without) + 1, what.every)), Outcome(), time.perf_counter()
    with Progress(console=console, transient=True, auto_refresh=False) as progress:  # its thread would not be forked
        task = progress.add_task("crashes", total=total)

        def ends(world: Branching, result: Result) -> Verdict:
            return judge(world.crashes, len(world.recovery), result, without, frozen=what.frozen)

        def told(verdict: Verdict) -> None:
            outcome.verdicts.append(verdict)
            progress.update(task, advance=1, refresh=console.is_terminal)
            done = len(outcome.verdicts)
            if verdict.wrong:
                again = " ".join(f"--at '{crash}'" for crash in verdict.crashes)
                progress.console.print(
                    f"--market {what.market} {again}: {verdict.wrong[0]}", markup=False, style="red", soft_wrap=True
                )
            if not console.is_terminal and done % LINE_EVERY == 0:
                took_s = time.perf_counter() - began_s
                console.print(f"{done:,} of {total:,}, {took_s:,.0f} s, {len(outcome.failed)} failed")

        trunk = sweep(what, ends, told)
    outcome.took_s = time.perf_counter() - began_s
    assert trunk.books == without.books, "forking has changed the run"
    assert len(outcome.verdicts) == total, f"{len(outcome.verdicts)} verdicts of {total}"
    console.print(f"{what.market}: {outcome.text()}", soft_wrap=True)
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.crashes", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each n-th crash (1: all)")
    parser.add_argument("--first", type=int, default=1, help="with --every: begin with this one (1)")
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--market", choices=("frozen", "moving", "both"), default="both")
    parser.add_argument("--once", action="store_true", help="no second crash in the recovery")
    parser.add_argument(
        "--at", type=Crash.parse, action="append", help="only these: 'before commit 3', 'after call 9'"
    )
    parser.add_argument("--processes", type=int, default=runner.processes_default())
    given = parser.parse_args(arguments)
    console = Console()
    failed = 0
    for frozen in [name == "frozen" for name in ("frozen", "moving") if given.market in (name, "both")]:
        if given.at:
            failed += _one(given.at, console, frozen=frozen, days=given.days)
        else:
            what = Sweep(frozen, given.days, given.every, given.first, not given.once, given.processes)
            failed += len(swept(what, console).failed)
    return 1 if failed else 0


def _one(crashes: Sequence[Crash], console: Console, *, frozen: bool, days: float) -> bool:
    """One run again, with everything that happened; whether it failed."""
    without = session.play(scenario(frozen=frozen, days=days))
    result = crashed(crashes, frozen=frozen, days=days, verbose=True)
    for line in result.log:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    verdict = judge(crashes, 0, result, without, frozen=frozen)
    for text in verdict.wrong:
        console.print(text, markup=False, style="red", soft_wrap=True)
    return bool(verdict.wrong)


if __name__ == "__main__":
    sys.exit(main())

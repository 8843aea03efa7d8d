"""The fault campaign: `python -m tests.campaign --seeds 2000`, or one seed again: `--seed 17 --verbose`."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.campaign import runner, session
from tests.campaign.journal import Journal, JournalError
from tests.campaign.plans import plan

LINE_EVERY = 100
"""Seeds between two lines of a log that is no terminal."""
INVARIANTS = {
    1: "at rest every hedge is whole, the rest is dust",
    2: "nothing stays unhedged while the venue answers",
    3: "each order has an intent committed earlier",
    4: "one intent, at most one order, never overfilled",
    5: "unknown ends only on the venue's evidence",
    6: "nothing opens beside an unknown or unreconciled",
    7: "transactions balance, the chain holds",
    8: "the ledger is the venue's balance, exactly",
    9: "receipts are the venue's, each once",
    10: "caps and ceiling at submit, worst case",
    11: "a closing order never increases or flips",
    12: "halted or removed opens nothing",
    13: "one writer; what is not ours is left alone",
    15: "filled never falls",
    16: "nothing opens on old data",
    17: "no secret comes out",
    18: "queues stay bounded",
    19: "Retry-After obeyed, closing weight reserved",
    20: "no task dies; stopping is quick",
    21: "loans: fair terms, given back when wanted (R9)",
    22: "what the rules of the book ask for is done, and no more",
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many seeds (2000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seconds", type=float, help="stop after about so long, and report")
    parser.add_argument("--journal", type=Path, help="a file that keeps what was done; a later call goes on there")
    parser.add_argument("--seed", type=int, help="run this one seed alone")
    parser.add_argument("--without", default="", help="positions of faults to leave out of --seed, with commas")
    parser.add_argument("--verbose", action="store_true", help="with --seed: everything that happened")
    parser.add_argument("--processes", type=int, default=runner.processes_default())
    parser.add_argument("--no-shrink", action="store_true", help="do not look for the shortest history of a failure")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    console = Console(stderr=given.json)
    if given.seed is not None:
        return _one(given, console)
    return _many(given, console)


def _one(given: argparse.Namespace, console: Console) -> int:
    drop = {int(text) for text in given.without.split(",") if text}
    result = session.run(given.seed, drop, verbose=given.verbose)
    for line in result.log:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"seed {given.seed}: {result.orders} orders, {sum(result.fired.values())} faults fired")
    for number, text in result.violations:
        console.print(f"invariant {number}: {text}", markup=False, style="red")
    return 1 if result.failed else 0


def _many(given: argparse.Namespace, console: Console) -> int:
    journal = None
    if given.journal is not None:
        try:
            journal = Journal(given.journal, given.first)
        except (OSError, JournalError) as error:
            console.print(str(error), style="red", markup=False)
            return 2
    summary, failed = _run(given, journal, console)
    if given.json:
        print(json.dumps(summary.document() | ({"commits": journal.commits} if journal else {}), indent=1))
    else:
        _show(summary, console)
    if journal is not None:
        commits = ", ".join(f"{name} ({seeds:,})" for name, seeds in journal.commits.items())
        console.print(f"{given.journal}: {len(journal.commits)} commits: {commits}", markup=False)
    for one in failed[:3]:
        _explain(one, console, shrink=not given.no_shrink)
    for problem in summary.problems():
        console.print(problem, style="red", markup=False)
    return 1 if summary.problems() else 0


def _run(
    given: argparse.Namespace, journal: Journal | None, console: Console
) -> tuple[runner.Summary, list[session.Result]]:
    """The figures of all seeds, those of earlier calls too, and what failed in this one."""
    summary, add = runner.Summary(), None
    if journal is not None:
        summary, add = journal.total, journal.add
    first = given.first if journal is None else journal.next_seed
    failed: list[session.Result] = []
    before, began_s = summary.seeds, time.perf_counter()
    seeds = range(first, first + max(0, given.seeds - before))
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("seeds", total=given.seeds, completed=before)
        try:
            for result in runner.campaign(seeds, given.processes):
                (add or summary.add)(result)
                progress.advance(task)
                if result.failed:
                    failed.append(result)
                    number, text = result.violations[0]
                    progress.console.print(f"seed {result.seed}: invariant {number}: {text}", markup=False)
                if not console.is_terminal and summary.seeds % LINE_EVERY == 0:
                    _line(summary, console)
                if given.seconds is not None and time.perf_counter() - began_s >= given.seconds:
                    break
        finally:
            if journal is not None:
                journal.close()
            else:
                summary.took_s = time.perf_counter() - began_s
    return summary, failed


def _line(so_far: runner.Summary, console: Console) -> None:
    each_s = so_far.cpu_s / so_far.seeds
    console.print(f"{so_far.seeds:,} seeds, {len(so_far.failed)} failed, {each_s:.2f} s each", soft_wrap=True)


def _explain(failed: session.Result, console: Console, *, shrink: bool) -> None:
    """How to see the failure again, and the shortest history that shows it."""
    console.print(f"\nseed {failed.seed} again: python -m tests.campaign --seed {failed.seed} --verbose")
    if not shrink:
        return
    dropped, best = runner.shrink(failed)
    left = [str(fault) for number, fault in enumerate(plan(failed.seed).faults) if number not in set(dropped)]
    without = ",".join(map(str, dropped))
    console.print(f"shortest: python -m tests.campaign --seed {failed.seed} --verbose --without {without}")
    for text in left:
        console.print(f"  {text}", markup=False)
    for number, text in best.violations[:3]:
        console.print(f"  -> invariant {number}: {text}", markup=False)


def _show(summary: runner.Summary, console: Console) -> None:
    faults = Table("fault", "fired", title="Faults")
    for kind in runner.KINDS:
        faults.add_row(kind, f"{summary.fired[kind]:,}")
    checks = Table("no.", "invariant", "checked", title="Invariants")
    for number, text in INVARIANTS.items():
        checks.add_row(str(number), text, f"{summary.checked[number]:,}")
    guards = Table("safeguard", "what it does", "seen", title="Safeguards")
    for name, text in runner.SAFEGUARDS.items():
        guards.add_row(name, text, f"{summary.said[name]:,}")
    for table in (faults, checks, guards):
        console.print(table)
    document = summary.document()
    console.print(
        f"{summary.seeds:,} seeds, {summary.orders:,} orders, {sum(summary.fired.values()):,} faults "
        f"({summary.faults_each:.1f} a seed), {document['market_days']:,.0f} days of market time; "
        f"{document['seeds_per_s']:.2f} seeds/s, {document['cpu_s_per_seed']:.2f} s of CPU a seed, "
        f"{document['market_per_cpu_time']:,.0f} times real time; {len(summary.failed)} failed"
    )


if __name__ == "__main__":
    sys.exit(main())

"""Whether the campaign finds each planted bug, and how many seeds that takes: `python -m tests.campaign.planted`."""

import argparse
import json
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.campaign import runner
from tests.campaign.planted.bugs import BUGS
from tests.campaign.planted.hunt import HUNTS, SEEDS_MAX, Hunt, hunts


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these bugs")
    parser.add_argument(
        "--hunts", type=int, default=HUNTS, help=f"how often each is hunted, from other seeds ({HUNTS})"
    )
    parser.add_argument("--processes", type=int, default=runner.processes_default())
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in BUGS]
    if unknown:
        parser.error(f"no such bug: {', '.join(unknown)}; known are {', '.join(BUGS)}")
    console = Console(stderr=given.json)
    found, began_s = [], time.perf_counter()
    for one in hunts(given.names or BUGS, given.hunts, given.processes):
        found.append(one)
        console.print(f"{one.name}: {_needed(one)}")
    if given.json:
        rows = [
            {"name": h.name, "median": h.median, "needed": h.needed, "invariants": h.invariants, "found": h.found}
            for h in found
        ]
        print(json.dumps(rows, indent=1))
    else:
        _show(found, console)
    missed = sum(not one.found for one in found)
    took_s = time.perf_counter() - began_s
    console.print(
        f"{len(found)} planted bugs, {given.hunts} hunts each of at most {SEEDS_MAX} seeds: "
        f"{missed} missed; {took_s / 60:.0f} minutes in {given.processes} processes"
    )
    return 0 if all(one.found for one in found) else 1


def _needed(one: Hunt) -> str:
    return ", ".join("not found" if count is None else str(count) for count in one.needed)


def _show(found: Sequence[Hunt], console: Console) -> None:
    table = Table(
        "planted bug", "the safeguard it removes", "median", "seeds of each hunt", "found by", title="Planted bugs"
    )
    for one in found:
        numbers = ", ".join(map(str, one.invariants))
        table.add_row(
            one.name, BUGS[one.name].removes, f"{one.median:g}" if one.found else "-", _needed(one), numbers
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())

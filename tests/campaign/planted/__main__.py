"""Whether the campaign finds each planted bug, and how many seeds that takes: `python -m tests.campaign.planted`."""

import argparse
import json
import sys
from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.campaign import runner
from tests.campaign.planted.bugs import BUGS
from tests.campaign.planted.hunt import REPEATS, Hunt, hunts


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these bugs")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--processes", type=int, default=runner.processes_default())
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in BUGS]
    if unknown:
        parser.error(f"no such bug: {', '.join(unknown)}; known are {', '.join(BUGS)}")
    console = Console(stderr=given.json)
    found = []
    for one in hunts(given.names or BUGS, given.repeats, given.processes):
        found.append(one)
        console.print(f"{one.name}: {_median(one)}")
    if given.json:
        print(json.dumps([{"name": h.name, "needed": h.needed, "invariants": h.invariants} for h in found], indent=1))
    else:
        _show(found, console)
    return 0 if all(one.found for one in found) else 1


def _median(one: Hunt) -> str:
    return f"{median(count for count in one.needed if count is not None):g}" if one.found else "NOT FOUND"


def _show(found: Sequence[Hunt], console: Console) -> None:
    table = Table("planted bug", "the safeguard it removes", "median seeds", "found by", title="Planted bugs")
    for one in found:
        numbers = ", ".join(map(str, one.invariants))
        table.add_row(one.name, BUGS[one.name].removes, _median(one), numbers)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())

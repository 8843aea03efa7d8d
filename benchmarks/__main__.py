"""`make bench`: measure P1 to P5 of the code as it is, each beside its bare limit, and keep the figures as JSON.

python -m benchmarks [--only P2] [--quick] [--json FILE]
"""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import suite
from benchmarks.child import ChildError
from benchmarks.figures import Figure
from benchmarks.machine import describe

WIDTH = 150
"""Of a table that goes into a file or a pipe."""
RESULTS = Path(__file__).resolve().parent / "results"


def main(arguments: list[str] | None = None) -> int:
    """0 when everything was measured, whatever the figures say; 1 when a measurement failed; 2 for a wrong name."""
    options = _options(arguments)
    size = suite.SMOKE if options.smoke else suite.QUICK if options.quick else suite.FULL
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    try:
        parts = suite.chosen(options.only)
    except ValueError as error:
        console.print(str(error), style="red")
        return 2
    machine, began = describe(), monotonic()
    _print_machine(console, machine)
    RESULTS.mkdir(exist_ok=True)
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="work-", dir=RESULTS) as folder:
        for name in parts:
            console.print(f"measuring {name} ...", style="dim")
            try:
                figures += suite.PARTS[name](size, folder)
            except ChildError as error:
                failed[name] = str(error)
                console.print(f"{name} was not measured: {error}", style="red")
    console.print(table(figures))
    console.print(f"{size.repeats} repeats, {monotonic() - began:.0f} s", style="dim")
    measured_at = datetime.now(UTC)
    document = {
        "measured_at": measured_at.isoformat(timespec="seconds"),
        "machine": machine,
        "size": {name: getattr(size, name) for name in size.__dataclass_fields__},
        "figures": [figure.document() for figure in figures],
        "failed": failed,
    }
    kept = None if options.smoke else RESULTS / f"{measured_at:%Y%m%d-%H%M%S}.json"
    for path in (kept, options.json):
        if path is not None:
            path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
            console.print(f"kept in {path}", style="dim")
    return 1 if failed else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="GOAL", help="P1, P2 (with P3), P4 or P5")
    parser.add_argument("--quick", action="store_true", help="smaller samples, about a minute and a half")
    parser.add_argument("--smoke", action="store_true", help="tiny samples: only whether everything runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="another copy of the figures")
    return parser.parse_args(arguments)


def _print_machine(console: Console, machine: dict[str, Any]) -> None:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    console.print(f"Python {machine['python']}, SQLite {machine['sqlite']}, {machine['tls']}; {packages}")
    console.print(
        f"{machine['system']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_mb']} MB, "
        f"load {machine['load'][0]}, revision {machine['revision']}"
    )


def table(figures: list[Figure]) -> Table:
    """Medians of the repeats beside the bare limit, the ratio of the costs, and the goal."""
    shown = Table(title="carrybot beside its bare limits (medians)")
    shown.add_column("", no_wrap=True, min_width=2)
    for name in ("what", "bare limit"):
        shown.add_column(name, overflow="fold")
    for name in ("product", "bare"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("unit", no_wrap=True)
    shown.add_column("ratio", justify="right", no_wrap=True)
    shown.add_column("goal", overflow="fold")
    shown.add_column("met", no_wrap=True, min_width=3)
    for one in figures:
        met = "" if one.met is None else "[green]yes[/]" if one.met else "[red]no[/]"
        ratio, product, bare = f"{one.ratio:,.2f}", _number(one.product), _number(one.bare)
        shown.add_row(one.goal_id, one.what, one.beside, product, bare, one.unit, ratio, one.goal, met)
    return shown


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"


if __name__ == "__main__":
    sys.exit(main())

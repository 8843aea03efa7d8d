"""Does a test fail when the code is wrong? Changes one thing at a time and runs the tests that should notice.

    python -m tests.mutation [TARGET ...] [--list] [--line N] [--again FILE] [--json FILE]

The tests of a target are collected once and run once, to see that they pass and which of them touch which line. Then
each mutant gets a fork of this process, in which the functions of the changed module take over the changed code, and
the tests that touch its line run until one fails: the mutant is killed. Nothing on disk is touched. Exit code 1 when
fewer than 90 % are killed. Survivors and what is to be said of them: docs/mutation.md.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.operators import mutants
from tests.mutation.session import ROOT, Judge, path_of
from tests.mutation.targets import TARGETS, Target

KILLED_MIN = 0.9


def judged(target: Target, line: int | None, again: Path | None) -> list[dict[str, Any]]:
    """One row for each mutant. SystemExit when the tests fail without any."""
    before = [] if again is None else json.loads(again.read_text())
    survived = {_name(row) for row in before if not row["killed"]}
    judge = Judge(target, line, {_name(row): row for row in before if _name(row) not in survived})
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--tb=short", "--hypothesis-seed=1"]
    code = pytest.main([*target.tests, *options], plugins=[judge])
    if code:
        sys.exit(f"{target.name}: its tests fail without a mutant")
    return judge.rows


def _name(row: dict[str, Any]) -> tuple[str, int, str]:
    """Not unique: one line may have two comparisons of a kind."""
    return row["module"], row["line"], row["what"]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("targets", nargs="*", choices=[[], *(target.name for target in TARGETS)])
    options.add_argument("--list", action="store_true", help="only count")
    options.add_argument("--line", type=int)
    options.add_argument("--again", type=Path, help="only what survived in this earlier --json file")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    os.chdir(ROOT)
    wanted = [target for target in TARGETS if not chosen.targets or target.name in chosen.targets]
    if len(wanted) > 1 and not chosen.list:
        # Each target in a process of its own: what one imported would be in the next one's way.
        return max(os.waitstatus_to_exitcode(_spawned(target, chosen.json)) for target in wanted)
    enough = True
    for target in wanted:
        if chosen.list:
            counts = {module: sum(1 for _ in mutants(path_of(module).read_text())) for module in target.modules}
            print(f"{target.name}: {counts}")
            continue
        began = time.monotonic()
        rows = judged(target, chosen.line, chosen.again)
        killed = sum(row["killed"] for row in rows)
        enough &= killed >= KILLED_MIN * len(rows)
        print(f"{target.name}: {killed} of {len(rows)} killed in {time.monotonic() - began:.0f} s", flush=True)
        if chosen.json is not None:
            chosen.json.write_text(json.dumps(rows, indent=1))
    return 0 if enough else 1


def _spawned(target: Target, keep: Path | None) -> int:
    words = [] if keep is None else ["--json", str(keep.with_stem(f"{keep.stem}-{target.name}"))]
    return os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-m", "tests.mutation", target.name, *words]) << 8


if __name__ == "__main__":
    sys.exit(main())

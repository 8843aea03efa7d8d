"""What a long run has done so far, in a file of JSON lines: a later call goes on behind the last seed.

A line is a range of seeds with its figures and failures, and the commit that it ran on. Ranges follow each other.
"""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.campaign.runner import Summary
from tests.campaign.session import Result

LINE_SEEDS = 100
"""Seeds to a line: what a call that is killed may lose."""


class JournalError(ValueError):
    """The file is no journal of the campaign."""


class Journal:
    """`total` is everything in the file and since; `add` takes results in the order of their seeds."""

    def __init__(self, path: Path, first: int) -> None:
        """`first` is the first seed of a file that is not there yet."""
        self._path = path
        self._commit = commit()
        self.total = Summary()
        self.commits: Counter[str] = Counter()
        """Seeds by the commit that they ran on."""
        self.next_seed = first
        for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise JournalError(f"{path}, line {number}: {error}; is it a journal of this campaign?") from None
        self._open = Summary()
        self._began_s = time.perf_counter()

    def add(self, result: Result) -> None:
        self._open.add(result)
        self.total.add(result)
        if self._open.seeds >= LINE_SEEDS:
            self.close()

    def close(self) -> None:
        """Write down what is not yet."""
        if not self._open.seeds:
            return
        now_s = time.perf_counter()
        self._open.took_s, self._began_s = now_s - self._began_s, now_s
        self.total.took_s += self._open.took_s
        line = {"commit": self._commit, "first": self.next_seed, **figures(self._open)}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.commits[self._commit] += self._open.seeds
        self.next_seed += self._open.seeds
        self._open = Summary()

    def _take(self, line: Mapping[str, Any]) -> None:
        if line["first"] != self.next_seed and self.total.seeds:
            raise ValueError(f"seed {self.next_seed} should follow, not {line['first']}")
        grow(self.total, line)
        self.commits[line["commit"]] += line["seeds"]
        self.next_seed = line["first"] + line["seeds"]


def figures(summary: Summary) -> dict[str, Any]:
    """JSON-ready, and as much as `grow` needs to have the same summary again."""
    return {
        "seeds": summary.seeds,
        "orders": summary.orders,
        "cpu_s": round(summary.cpu_s, 3),
        "wall_s": round(summary.wall_s, 3),
        "market_s": round(summary.market_s, 3),
        "took_s": summary.took_s,
        "fired": summary.fired,
        "checked": summary.checked,
        "said": summary.said,
        "failed": [{"seed": one.seed, "violations": one.violations} for one in summary.failed],
    }


def grow(summary: Summary, line: Mapping[str, Any]) -> None:
    """Add a line's figures."""
    for name in ("seeds", "orders", "cpu_s", "wall_s", "market_s", "took_s"):
        setattr(summary, name, getattr(summary, name) + line[name])
    summary.fired.update(line["fired"])
    summary.checked.update({int(number): count for number, count in line["checked"].items()})
    summary.said.update(line["said"])
    for failed in line["failed"]:
        violations = [(int(number), str(text)) for number, text in failed["violations"]]
        summary.failed.append(Result.of_violations(int(failed["seed"]), violations))


def commit() -> str:
    """The commit in the working tree, with a plus where something was changed since; `unknown` outside of one."""
    try:
        found = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")

"""What the process takes of its machine, against ceilings: memory, descriptors, threads, tasks, and the books' log.

Each has a gauge. Beyond its ceiling it is told once, and again only after it was below. Nothing is done about it: a
daemon that leaks has to be looked at, and restarted when it suits its owner; its restart is a recovery.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot.domain.actions import Severity
from bot.runtime.vitals import Report, Vitals

EVERY_S = 5.0
TASK = "resources"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CEILINGS: Mapping[str, float] = {
    "memory_mb": 1_024,
    "descriptors": 400,
    "threads": 64,
    "tasks": 2_500,
    "wal_mb": 256,
}
"""Several times what a month with faults on takes (tests/endtoend/soak.py)."""
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where the kernel tells a container what it may take."""
MEMORY_SHARE = 0.75
"""Of that limit. Beyond the whole of it the kernel kills the process, which cannot tell it any more."""


def ceilings(limits: Sequence[Path] = MEMORY_LIMITS) -> dict[str, float]:
    """`CEILINGS`, with less memory where the container has less."""
    found = dict(CEILINGS)
    for file in limits:
        with suppress(OSError, ValueError):  # not in a container, or "max"
            found["memory_mb"] = min(found["memory_mb"], int(file.read_text()) / 2**20 * MEMORY_SHARE)
    return found


@dataclass(slots=True)
class Resources:
    """`books` is the database's file, None where it is not a file of ours."""

    vitals: Vitals
    report: Report
    books: Path | None
    ceilings: Mapping[str, float] = field(default_factory=ceilings)
    now: dict[str, float] = field(default_factory=dict)
    """The latest reading by name."""
    log_mb: float | None = None
    """The books' log, as it was last seen; None before."""
    _above: set[str] = field(default_factory=set)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self.look()
            await self.vitals.sleep(TASK, EVERY_S)
            if self.books is not None:  # in a thread: a server of files that is gone must hold up this task alone
                self.log_mb = await asyncio.to_thread(log_mb, self.books)

    def look(self) -> None:
        """Read everything, and tell what went beyond its ceiling."""
        self.now = read() if self.log_mb is None else {**read(), "wal_mb": self.log_mb}
        for name, ceiling in self.ceilings.items():
            value = self.now.get(name, 0.0)
            if value <= ceiling:
                self._above.discard(name)
            elif name not in self._above:
                self._above.add(name)
                self.report(Severity.WARNING, "resource.high", what=name, value=round(value, 1), ceiling=ceiling)


def read() -> dict[str, float]:
    """One reading of the process, by the names of `CEILINGS`. What this system does not tell is left out."""
    found: dict[str, float] = {"tasks": len(asyncio.all_tasks())}
    process = Path("/proc/self")
    try:
        found["memory_mb"] = int((process / "statm").read_text().split()[1]) * PAGE_BYTES / 2**20
        found["descriptors"] = len(list((process / "fd").iterdir()))
        found["threads"] = len(list((process / "task").iterdir()))
    except OSError:
        pass  # no /proc: another system than Linux
    return found


def log_mb(books: Path) -> float:
    """Of the write-ahead log beside the books. Waits for their disk."""
    try:
        return books.with_name(books.name + "-wal").stat().st_size / 2**20
    except OSError:
        return 0.0

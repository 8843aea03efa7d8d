"""How many seeds it takes to find a planted bug."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median

from tests.campaign import runner, session
from tests.campaign.planted.bugs import grown

SEEDS_MAX = 120
HUNTS = 3
STRIDE = 1_000
"""Hunts begin so many seeds apart."""


@dataclass(frozen=True, slots=True)
class Hunt:
    name: str
    needed: tuple[int | None, ...]
    """Seeds until it was found, for each hunt; None: not within the limit."""
    invariants: tuple[int, ...]

    @property
    def found(self) -> bool:
        """Whether every hunt found it."""
        return all(count is not None for count in self.needed)

    @property
    def median(self) -> float:
        """Of the seeds that the hunts needed; one that did not find it needed more than all the others."""
        return median(SEEDS_MAX + 1 if count is None else count for count in self.needed)


def hunt(name: str, times: int = HUNTS, seeds_max: int = SEEDS_MAX) -> Hunt:
    """Run seeds with the bug until one fails, and again from other seeds."""
    needed: list[int | None] = []
    numbers: set[int] = set()
    for number in range(times):
        needed.append(None)
        for count in range(1, seeds_max + 1):
            seed = number * STRIDE + count - 1
            with grown(name):
                result = session.run(seed)
            if result.failed and not session.run(seed).failed:  # what fails without the bug proves nothing
                needed[-1] = count
                numbers |= {invariant for invariant, _ in result.violations}
                break
    return Hunt(name, tuple(needed), tuple(sorted(numbers)))


def hunts(names: Iterable[str], times: int, processes: int) -> Iterator[Hunt]:
    """One hunt after the other, in the order of the names."""
    jobs = [(name, times) for name in names]
    if processes <= 1:
        runner.settle_in()
        yield from map(_hunt, jobs)
        return
    with get_context("spawn").Pool(processes, runner.settle_in) as pool:
        yield from pool.imap(_hunt, jobs)


def _hunt(job: tuple[str, int]) -> Hunt:
    return hunt(*job)

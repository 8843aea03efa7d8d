"""One seed from beginning to end, in this process."""

import asyncio
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import bot.runtime.daemon  # noqa: F401 - everything that takes its time from the loop must be loaded
from bot.venues.binance import gate
from tests.campaign.clockwork import BEGAN_S, VirtualLoop, led
from tests.campaign.plans import Plan, plan
from tests.campaign.store import Database
from tests.campaign.world import HOUR_MS, START_MS, World

POLL_S = 0.05
"""The order gate looks this often in virtual time whether it may let a request pass."""


@dataclass(slots=True)
class Result:
    """What one seed brought. Plain values: it crosses processes."""

    seed: int
    violations: list[tuple[int, str]]
    fired: Counter[str]
    checked: Counter[int]
    said: Counter[str]
    purposes: Counter[str]
    orders: int
    cpu_s: float
    wall_s: float
    market_s: float
    counts: Counter[str] = field(default_factory=Counter)
    """Requests by sort, and commits."""
    books: dict[str, object] = field(default_factory=dict)
    """What the books say in the end, by name."""
    log: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.violations)

    @classmethod
    def of_violations(cls, seed: int, violations: list[tuple[int, str]]) -> "Result":
        """A result of which no more is known."""
        return cls(seed, violations, Counter(), Counter(), Counter(), Counter(), 0, 0.0, 0.0, 0.0)


def run(seed: int, drop: Collection[int] = (), *, verbose: bool = False) -> Result:
    """The seed's run without the faults at the positions in `drop`."""
    return play(plan(seed, drop), verbose=verbose)


def play(
    found: Plan, *, verbose: bool = False, database: Database | None = None, make: Callable[..., World] = World
) -> Result:
    """The plan's run, in the world that `make` gives."""
    began_s = time.process_time()
    loop = VirtualLoop()
    world = make(found, loop, verbose=verbose, database=database)
    poll_s, gate.POLL_S = gate.POLL_S, POLL_S
    warnings.filterwarnings("ignore", "coroutine .* was never awaited")  # the killed leave requests unsent
    try:
        with led(loop):
            loop.run_until_complete(world.run())
            _bury(loop)
    except Exception as error:
        world.oracle.violation(0, f"{type(error).__name__}: {error}")
        if verbose:
            raise
    finally:
        gate.POLL_S = poll_s
        loop.close()
    oracle = world.oracle
    result = Result(
        found.seed,
        oracle.violations,
        world.fired_kinds,
        oracle.checked,
        oracle.said_names,
        oracle.purposes,
        len(oracle.sent),
        time.process_time() - began_s,
        loop.now_s - BEGAN_S,
        (world.market_ms - START_MS) / 1000,
        world.wire.counts,
        oracle.books(),
        world.log if verbose or oracle.violations else [],
    )
    world.database.close()
    return result


def _bury(loop: VirtualLoop) -> None:
    """Whatever the dead left behind ends here."""
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0.1))


__all__ = ["HOUR_MS", "Result", "play", "run"]

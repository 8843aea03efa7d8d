"""A run that forks where its daemon may die: what came before the crash is played once, not once for each crash.

A run is one thread on a loop without input or output, and its database lies in memory: a copy of the process is a
copy of the world. A child dies at its point, plays on to the end, tells its parent one value and is gone.
"""

import asyncio
import os
import pickle
import select
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NoReturn

from tests.campaign.clockwork import VirtualLoop
from tests.campaign.faults import CALL, COMMIT, Fault
from tests.campaign.plans import Plan
from tests.campaign.store import Database
from tests.campaign.world import World

KINDS = {COMMIT: "crash_at_commit", CALL: "crash_at_call"}
HOWS = ("before", "after")
PAUSE_S = 0.3
"""From a crash to the next start."""


@dataclass(frozen=True, slots=True)
class Crash:
    """SIGKILL before or after the n-th commit or venue call of a run; after a call: applied, not answered."""

    how: str
    on: str
    number: int

    def __str__(self) -> str:
        return f"{self.how} {self.on} {self.number}"

    @classmethod
    def parse(cls, text: str) -> "Crash":
        """`after call 17`. ValueError for anything else."""
        how, on, number = text.split()
        if how not in HOWS or on not in KINDS:
            raise ValueError(f"{text!r}: a crash is `before` or `after`, `commit` or `call`, and a number")
        return cls(how, on, int(number))


class Crashing(World):
    """The n-th life of its daemon ends at the n-th of `crashes`."""

    def __init__(
        self,
        plan: Plan,
        loop: VirtualLoop,
        crashes: Sequence[Crash] = (),
        *,
        verbose: bool = False,
        database: Database | None = None,
    ) -> None:
        super().__init__(plan, loop, verbose=verbose, database=database)
        self.crashes = list(crashes)

    def struck(self, on: str, number: int, *kinds: str) -> list[Fault]:
        lives = len(self.lives)
        due = self.crashes[lives - 1] if on in KINDS and lives <= len(self.crashes) else None
        if due is None or (due.on, due.number) != (on, number):
            return super().struck(on, number, *kinds)
        self.fired(KINDS[on])
        return [Fault(KINDS[on], on, number, due.how, PAUSE_S)]


class Children:
    """Forked processes, at most `at_once` of them; each tells one value, which `told` is called with."""

    def __init__(self, at_once: int, told: Callable[[Any], None]) -> None:
        self._at_once = at_once
        self._told = told
        self._pipes: dict[int, int] = {}
        self._lost: list[int] = []
        """How children ended that told nothing."""
        self._writer: int | None = None

    @property
    def is_child(self) -> bool:
        return self._writer is not None

    def fork(self, loop: VirtualLoop) -> bool:
        """True in the new child. The parent goes on once fewer than `at_once` children live."""
        assert threading.active_count() == 1, "a fork takes only one thread along"
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            asyncio._set_running_loop(loop)  # it is known by its process
            os.close(reader)
            self._pipes, self._writer = {}, writer
            return True
        os.close(writer)
        self._pipes[reader] = pid
        self._reap(self._at_once - 1)
        return False

    def wait(self) -> None:
        """Until no child lives. RuntimeError when one has told nothing: raised earlier, it would be the run's own."""
        self._reap(0)
        if self._lost:
            raise RuntimeError(f"{len(self._lost)} children died without a word: status {self._lost[0]}")

    def _reap(self, left: int) -> None:
        while len(self._pipes) > left:
            for reader in select.select(list(self._pipes), [], [])[0]:
                with os.fdopen(reader, "rb") as pipe:
                    said = pipe.read()
                _, status = os.waitpid(self._pipes.pop(reader), 0)
                if said:
                    self._told(pickle.loads(said))
                else:
                    self._lost.append(status)

    def tell(self, value: Any) -> NoReturn:
        """A child's last word."""
        assert self._writer is not None, "only a child has somebody to tell"
        with os.fdopen(self._writer, "wb") as pipe:
            pickle.dump(value, pipe)
        os._exit(0)


class Branching(Crashing):
    """Forks a child before each commit and call of its first life, for each way to die at it; or for each `every`-th
    of these crashes, from the `first` on.

    With `again`, a child dies a second time, at a point of its recovery that `dice` draw: recovery is what lies
    between its start and the first moment at which it runs and nothing is left to put in order. How long that takes
    it learns from a child of its own, which goes ahead.
    """

    def __init__(
        self,
        plan: Plan,
        loop: VirtualLoop,
        children: Children,
        *,
        every: int = 1,
        first: int = 1,
        again: bool = True,
        verbose: bool = False,
        database: Database | None = None,
    ) -> None:
        super().__init__(plan, loop, verbose=verbose, database=database)
        self._children = children
        self._every = every
        self._left = first
        """Crashes until the next one that is tried."""
        self._again = again
        self.recovery: list[tuple[str, int]] = []
        """The points of the recovery from the first crash: (commit or call, its number)."""
        self._ahead = Children(1, self.recovery.extend)

    def struck(self, on: str, number: int, *kinds: str) -> list[Fault]:
        if on in KINDS and not self.crashes:
            for how in HOWS:
                self._left -= 1
                if self._left:
                    continue
                self._left = self._every
                if self._children.fork(self.loop):
                    self.crashes = [Crash(how, on, number)]
                    break
        elif on in KINDS and self._goes_ahead:
            self.recovery.append((on, number))
        return super().struck(on, number, *kinds)

    async def _step(self) -> None:
        await super()._step()
        if self._goes_ahead and self.life.running and not self.oracle.unsettled():
            self._ahead.tell(self.recovery)

    @property
    def _goes_ahead(self) -> bool:
        return self._ahead.is_child

    def new_life(self) -> None:
        super().new_life()
        first = self._again and self.crashes and len(self.lives) == 2
        if first and not self._ahead.fork(self.loop):
            self.crashes.append(self._draw())

    def finish(self, value: Any) -> NoReturn:
        """The end of a child: what it has to tell."""
        if self._goes_ahead:
            self._ahead.tell(self.recovery)
        self._children.tell(value)

    def _draw(self) -> Crash:
        dice = Random(f"again: {self.crashes[0]}")
        on, number = dice.choice(self.recovery)
        return Crash(dice.choice(HOWS), on, number)

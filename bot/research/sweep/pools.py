"""Where the backtests of a sweep run: in this process, on this machine's cores, or on a Dask cluster."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from bot.research.sweep.tasks import Outcome, Setup, Task, program_digest, run_task

DIED = "its process died: too little memory?"
CONNECT_S = 10


class PoolError(RuntimeError):
    """The place where backtests should run cannot be used: what is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


class Pool(Protocol):
    """Runs tasks and yields (place in the sequence, outcome) as they are done, each once, in any order."""

    def run(self, setup: Setup, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]: ...


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalPool:
    """`jobs` processes; one job runs in this process.

    A task whose process dies (out of memory) fails alone: those that were on their way beside it run again, one by
    one, and the rest go on in new processes.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, setup: Setup, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        waiting = deque(range(len(tasks)))
        if self.jobs == 1:
            yield from ((place, run_task(setup, tasks[place])) for place in waiting)
            return
        while waiting:
            suspects = yield from self._together(setup, tasks, waiting)
            for place in suspects:
                yield place, _alone(setup, tasks[place])

    def _together(
        self, setup: Setup, tasks: Sequence[Task], waiting: deque[int]
    ) -> Generator[tuple[int, Outcome], None, list[int]]:
        """Works `waiting` off until it is empty or a process dies; what was on its way then."""
        workers = min(self.jobs, len(waiting))
        underway: dict[Future[Outcome], int] = {}
        with _processes(workers) as pool:
            try:
                while waiting or underway:
                    while waiting and len(underway) < workers:
                        underway[pool.submit(run_task, setup, tasks[waiting[0]])] = waiting[0]
                        waiting.popleft()
                    done, _ = wait(underway, return_when=FIRST_COMPLETED)
                    for future in done:
                        outcome = future.result()
                        yield underway.pop(future), outcome
            except BrokenProcessPool:
                return sorted(underway.values())
            except BaseException:
                for process in multiprocessing.active_children():
                    process.terminate()
                raise
        return []


def _alone(setup: Setup, task: Task) -> Outcome:
    with _processes(1) as pool:
        try:
            return pool.submit(run_task, setup, task).result()
        except BrokenProcessPool:
            return Outcome(error=DIED)


def _processes(workers: int) -> ProcessPoolExecutor:
    """Fresh interpreters: nothing of this process is shared, on any platform."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))


class DaskPool:
    """The workers of a Dask cluster. They must have this program, and the data at the same path."""

    def __init__(self, address: str) -> None:
        self.address = address

    def run(self, setup: Setup, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        distributed = _library()
        try:
            client = distributed.Client(self.address, timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise PoolError(
                f"no Dask scheduler answers at {self.address}: {error}",
                "start one with `dask scheduler`, or leave --dask out to use this machine",
            ) from None
        with client:
            _check_workers(client, self.address)
            futures = [client.submit(run_task, setup, task, pure=False) for task in tasks]
            places = {future.key: place for place, future in enumerate(futures)}
            for future in distributed.as_completed(futures):
                yield places[future.key], _result(future)


def _library() -> Any:
    try:
        import distributed
    except ImportError:
        raise PoolError(
            "a cluster needs the library `distributed`", "install it with `pip install carrybot[cluster]`"
        ) from None
    return distributed


def _check_workers(client: Any, address: str) -> None:
    """Every worker must run this very program; a difference would show as results that differ by worker."""
    ours = program_digest()
    digests = client.run(program_digest, on_error="return")
    if not digests:
        raise PoolError(f"the cluster at {address} has no workers", f"start some with `dask worker {address}`")
    for worker, digest in digests.items():
        if digest != ours:
            reason = "runs another version of this program" if isinstance(digest, str) else f"cannot run it: {digest}"
            raise PoolError(f"worker {worker} {reason}", "install the same version of carrybot there")


def _result(future: Any) -> Outcome:
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    return Outcome(error=DIED if type(error).__name__ == "KilledWorker" else f"{type(error).__name__}: {error}")

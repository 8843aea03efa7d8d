"""Heartbeats, the guard, spaced fetches and the lock."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bot.domain.actions import Severity
from bot.ports import VenueError
from bot.runtime.clock import VenueClock, mono_ms
from bot.runtime.fetching import SpacedFetch
from bot.runtime.lock import AlreadyRunningError, InstanceLock, locked_by
from bot.runtime.vitals import Vitals, guard


class Clock:
    def __init__(self) -> None:
        self.now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


def test_a_task_that_does_not_move_is_a_problem_until_it_moves() -> None:
    clock = Clock()
    vitals = Vitals(clock)
    vitals.watch("pump")
    clock.now_ms = 7_900
    assert vitals.problems() == []
    clock.now_ms = 8_100
    assert vitals.problems() == ["task pump has not moved for 8 s"]
    vitals.beat("pump")
    assert vitals.problems() == []
    vitals.died("pump", "KeyError: 'x'")
    assert vitals.problems() == ["task pump is dead: KeyError: 'x'"]
    vitals.forget("pump")
    assert vitals.problems() == []


async def test_a_task_that_dies_is_reported_and_started_again() -> None:
    lives = []
    lines = []

    async def work() -> None:
        lives.append(len(lives))
        if len(lives) < 3:
            raise ValueError("boom")
        await asyncio.sleep(10)

    vitals = Vitals(mono_ms)

    def report(severity: Severity, name: str, **fields: object) -> None:
        lines.append((severity, name, fields["reason"]))

    task = asyncio.ensure_future(guard("pump", work, vitals, report, mono_ms))
    await asyncio.sleep(0.1)
    assert vitals.problems() == ["task pump is dead: ValueError: boom"]
    await asyncio.sleep(1.8)
    assert len(lives) == 3
    assert vitals.problems() == []
    assert lines == [(Severity.CRITICAL, "task.died", "ValueError: boom")] * 2
    task.cancel()


async def test_a_task_that_keeps_dying_ends_the_daemon() -> None:
    async def work() -> None:
        raise ValueError("boom")

    with pytest.raises(RuntimeError, match=r"task pump died 1 times: ValueError: boom"):
        await guard("pump", work, Vitals(mono_ms), lambda *_a, **_k: None, mono_ms, restarts_max=0)


async def test_a_fetch_asked_for_often_is_done_seldom_and_from_the_oldest_time() -> None:
    done: list[int] = []

    async def fetch(since_ms: int) -> None:
        done.append(since_ms)

    fetcher = SpacedFetch("f", fetch, 0.15, Vitals(mono_ms), lambda *_a, **_k: None, lambda: None)
    task = asyncio.ensure_future(fetcher.run())
    for since in (50, 30, 40):
        fetcher.request(since)
    await asyncio.sleep(0.05)
    assert done == [30]
    fetcher.request(70)
    fetcher.request(60)
    await asyncio.sleep(0.05)
    assert done == [30], "spaced"
    await asyncio.sleep(0.15)
    assert done == [30, 60]
    task.cancel()


async def test_a_fetch_that_fails_is_tried_again_and_forgets_nothing() -> None:
    done: list[int] = []
    failures: list[int] = []

    async def fetch(since_ms: int) -> None:
        done.append(since_ms)
        if len(done) < 3:
            raise VenueError("no answer")

    fetcher = SpacedFetch("f", fetch, 0.02, Vitals(mono_ms), lambda *_a, **_k: None, lambda: failures.append(1))
    task = asyncio.ensure_future(fetcher.run())
    fetcher.request(10)
    await asyncio.sleep(0.4)
    assert done == [10, 10, 10]
    assert len(failures) == 2
    task.cancel()


def test_market_time_never_runs_backwards() -> None:
    told = iter([1_000, 900, 1_100])
    clock = VenueClock(lambda: next(told))
    assert [clock.market_ms() for _ in range(3)] == [1_000, 1_000, 1_100]


def test_a_second_daemon_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "data" / "carrybot.lock"
    program = (
        "import sys; from pathlib import Path; from bot.runtime.lock import InstanceLock\n"
        "with InstanceLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    assert locked_by(path) == other.pid
    with pytest.raises(AlreadyRunningError, match=f"process {other.pid}"), InstanceLock(path):
        pass
    other.kill()
    other.communicate()
    assert locked_by(path) is None, "the kernel gives the lock back when its holder dies"
    with InstanceLock(path) as lock:
        assert lock.died == other.pid
    with InstanceLock(path) as lock:
        assert lock.died is None, "this one has given it up"

"""A few seeds of the fault campaign, and that it is what it says: deterministic, covered, and able to fail."""

import asyncio
import os
import subprocess
import sys

import pytest

from tests.campaign import runner, session
from tests.campaign.clockwork import DeadlockError, VirtualLoop
from tests.campaign.faults import KINDS
from tests.campaign.plans import SPARSE_FIRST, plan
from tests.campaign.planted.bugs import BUGS, grown
from tests.campaign.planted.hunt import hunt

SEEDS = (0, 1, 3, 4, 12, SPARSE_FIRST, SPARSE_FIRST + 2)
"""Coins are borrowed in the last dense one; the last two are sparse."""
QUICK = (
    "resend_after_timeout",
    "intent_commit_forgotten",
    "no_reduce_only",
    "multiplier_ignored",
    "secret_in_errors",
)
"""Planted bugs that nearly every seed shows."""


@pytest.mark.parametrize("seed", SEEDS)
def test_the_invariants_hold(seed: int) -> None:
    result = session.run(seed)
    assert not result.violations, f"python -m tests.campaign --seed {seed} --verbose"
    assert result.market_s >= 3 * 86_400
    assert all(result.checked[number] for number in (2, 3, 4, 7, 8, 13, 15, 17, 18, 19)), result.checked


def test_a_liquidation_leaves_the_books_equal_to_the_wallets() -> None:
    """The venue's charge for it is told by its income history alone. All prices double at once."""
    squeezed = plan(1, range(100))
    for shape in squeezed.shapes.values():
        shape.jumps.append((24.0, 2.1))
    result = session.play(squeezed)
    assert result.said["liquidation.charged"]
    assert not result.violations
    assert not result.said["venue.unexplained"]


def test_the_same_seed_is_the_same_run() -> None:
    first, second = session.run(3, verbose=True), session.run(3, verbose=True)
    assert first.log == second.log
    assert len(first.log) > 100


def test_no_order_of_a_set_is_in_a_run() -> None:
    """A failing seed is played again by another process, in which strings have other hashes."""
    command = [sys.executable, "-m", "tests.campaign", "--seed", str(SPARSE_FIRST), "--verbose"]
    logs = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": hashes}, capture_output=True, check=True).stdout
        for hashes in ("1", "3")
    ]
    assert logs[0] == logs[1]
    assert len(logs[0]) > 10_000


def test_a_shorter_plan_has_the_same_faults() -> None:
    whole, rest = plan(5).faults, plan(5, {0, 2}).faults
    assert rest == [fault for number, fault in enumerate(whole) if number not in (0, 2)]


@pytest.mark.parametrize("first", [0, SPARSE_FIRST])
def test_every_kind_of_fault_is_planned(first: int) -> None:
    plans = [plan(seed) for seed in range(first, first + 120)]
    assert {fault.kind for found in plans for fault in found.faults} == set(KINDS)
    assert all(found.days >= 3 for found in plans)
    assert sum(len(found.faults) for found in plans) >= 10 * len(plans)


@pytest.mark.parametrize("name", QUICK)
def test_planted_bugs_are_found(name: str) -> None:
    found = hunt(name, times=1, seeds_max=6)
    assert found.found, BUGS[name].removes


def test_a_failing_seed_is_shrunk() -> None:
    with grown("resend_after_timeout"):
        failed = next(result for result in map(session.run, range(20)) if result.failed)
        dropped, shorter = runner.shrink(failed, tries_max=5)
    assert dropped, "nothing could be left out"
    assert shorter.failed


def test_enough_bugs_are_planted() -> None:
    assert len(BUGS) >= 25


def test_virtual_time_jumps_and_notices_a_deadlock() -> None:
    loop = VirtualLoop()
    began = loop.time()
    loop.run_until_complete(asyncio.sleep(3_600))
    assert loop.time() - began == pytest.approx(3_600)
    with pytest.raises(DeadlockError):
        loop.run_until_complete(loop.create_future())
    loop.close()


def test_timers_of_one_moment_go_off_in_the_order_in_which_they_were_set() -> None:
    loop, gone = VirtualLoop(), list[int]()
    timers = [loop.call_later(5.0, gone.append, number) for number in range(400)]
    for number, timer in enumerate(timers):
        if number % 3:
            timer.cancel()
    loop.run_until_complete(asyncio.sleep(10))
    loop.close()
    assert gone == list(range(0, 400, 3))

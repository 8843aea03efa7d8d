"""A few crashes of the sweep, and that a forked run is the run from the beginning.

What forks does so in a process of its own: pytest's may have threads.
"""

import multiprocessing
import os
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from multiprocessing.pool import Pool

import pytest

from tests.campaign import crashes, session
from tests.campaign.branches import Branching, Children, Crash, Crashing
from tests.campaign.clockwork import VirtualLoop
from tests.campaign.crashes import Sweep, Verdict
from tests.campaign.faults import CALL, COMMIT
from tests.campaign.planted.bugs import grown
from tests.campaign.session import Result

DAYS = 2.0


@pytest.fixture(scope="module")
def apart() -> Iterator[Pool]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


def _without() -> Result:
    return session.play(crashes.scenario(frozen=True, days=DAYS))


def _verdicts(runs: int, bug: str = "") -> list[Verdict]:
    without, found = _without(), list[Verdict]()
    assert without.books["ETH perp"] != Decimal(0)
    what = Sweep(frozen=True, days=DAYS, every=crashes.points(without) // runs)

    def ends(world: Branching, result: Result) -> Verdict:
        return crashes.judge(world.crashes, len(world.recovery), result, without, frozen=True)

    if bug:
        with grown(bug):
            crashes.sweep(what, ends, found.append)
    else:
        crashes.sweep(what, ends, found.append)
    return found


def test_a_crash_in_a_frozen_market_leaves_the_same_books(apart: Pool) -> None:
    found = apart.apply(_verdicts, (6,))
    assert len(found) >= 6
    assert [verdict for verdict in found if verdict.wrong] == []
    assert all(verdict.fired == 2 and verdict.recovery > 20 for verdict in found)


def test_a_lost_commit_is_seen(apart: Pool) -> None:
    """The tool can fail: what was not written before the order left is not found again."""
    assert any(verdict.wrong for verdict in apart.apply(_verdicts, (3, "intent_commit_forgotten")))


Story = tuple[list[Crash], list[str], dict[str, object]]


def _forked_and_from_the_beginning() -> tuple[list[Story], list[Story]]:
    without, forked, played = _without(), list[Story](), list[Story]()

    def ends(world: Crashing, result: Result) -> Story:
        return world.crashes, world.log, result.books

    what = Sweep(frozen=True, days=DAYS, every=crashes.points(without) // 3)
    trunk = crashes.sweep(what, ends, forked.append)
    assert trunk.books == without.books
    for planned, _, _ in forked:
        worlds: list[Crashing] = []
        result = session.play(crashes.scenario(frozen=True, days=DAYS), make=partial(_kept, worlds, planned))
        played.append(ends(worlds[0], result))
    return forked, played


def _kept(worlds: list[Crashing], planned: list[Crash], *given: object, **more: object) -> Crashing:
    worlds.append(Crashing(*given, planned, **more))  # type: ignore[arg-type]
    return worlds[0]


def test_a_forked_run_is_the_run_from_its_beginning(apart: Pool) -> None:
    forked, played = apart.apply(_forked_and_from_the_beginning)
    assert len(forked) >= 3
    assert forked == played


def test_other_books_are_seen() -> None:
    whole, half = (session.play(crashes.scenario(frozen=True, days=days)) for days in (DAYS, DAYS / 2))
    assert any(text.startswith("receipts: ") for text in crashes.differences(whole, half))


def test_a_crash_is_named_as_it_is_read() -> None:
    for crash in (Crash("before", COMMIT, 3), Crash("after", CALL, 17)):
        assert Crash.parse(str(crash)) == crash
    for text in ("later call 3", "after lunch 3", "after call x", "after call"):
        with pytest.raises(ValueError, match=r"crash|unpack|literal"):
            Crash.parse(text)


def _what_children_tell() -> tuple[list[int], list[int]]:
    """What four of them, two at a time, told; and how many had after each fork."""
    loop, told, so_far = VirtualLoop(), list[int](), list[int]()
    children = Children(2, told.append)
    for number in range(4):
        if children.fork(loop):
            children.tell(number)
        so_far.append(len(told))
    children.wait()
    loop.close()
    return told, so_far


def test_children_tell_their_value_and_only_so_many_live(apart: Pool) -> None:
    told, so_far = apart.apply(_what_children_tell)
    assert sorted(told) == [0, 1, 2, 3]
    assert all(count >= number for number, count in enumerate(so_far)), "the parent did not wait"


def _a_child_dies() -> None:
    loop, children = VirtualLoop(), Children(1, print)
    if children.fork(loop):
        os._exit(3)
    children.wait()


def test_a_child_that_dies_is_an_error(apart: Pool) -> None:
    with pytest.raises(RuntimeError, match="without a word"):
        apart.apply(_a_child_dies)

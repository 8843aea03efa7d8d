"""A task of the running daemon that stands still or dies makes the health check fail within 10 s."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endtoend.owner import wait_for
from tests.endtoend.wired import Site, site

pytestmark = pytest.mark.slow
"""20 s of wall time for each task: a start, and the silence after which it counts as stalled."""

WITHIN_S = 10.0


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, speed=600) as found:
        yield found


def begin(at: Site, task: str, how: str) -> Path:
    """A daemon that trades; touch the returned file, and its task goes wrong."""
    sign = at.owner.data / "sign"
    at.owner.program = ("-m", "tests.endtoend.failing_task", task, how, str(sign))
    at.start()
    wait_for(at.ready, 90, lambda: f"{at.health()}\n{at.log.read_text()[-3_000:]}")
    return sign


def problems(at: Site) -> str:
    """Why it is not ready; nothing while it is, or while it does not answer."""
    status, document = at.health()
    return "; ".join(document["problems"]) if status == 503 else ""


@pytest.mark.parametrize("task", ["tick", "consumer", "reconcile:binance", "streams:binance", "funding:binance"])
def test_a_task_that_stands_still(at: Site, task: str) -> None:
    sign = begin(at, task, "stall")
    sign.touch()
    wait_for(lambda: f"task {task} has not moved" in problems(at), WITHIN_S, lambda: f"still well: {at.health()}")
    assert at.health("/healthz")[0] == 200, "it lives: the container is not to be killed for it"


def test_a_task_that_dies_again_and_again(at: Site) -> None:
    """It is told at once; the daemon starts the task anew, gives up and ends, and its next start recovers."""
    sign = begin(at, "listing:binance", "die")
    sign.touch()
    wait_for(lambda: "task listing:binance is dead" in problems(at), WITHIN_S, lambda: f"still well: {at.health()}")
    assert at.process is not None
    assert at.process.wait(60) == 1
    died = at.lines("task.died")
    assert [line["restarts"] for line in died] == [1, 2, 3, 4, 5, 6]
    assert {line["level"] for line in died} == {"critical"}
    sign.unlink()
    at.process = None
    at.start()
    wait_for(at.ready, 90, lambda: f"{at.health()}\n{at.log.read_text()[-3_000:]}")
    assert at.stop()[0] == 0

"""A short form of `python -m tests.endtoend.campaign`, which does several runs of half a minute and more."""

from pathlib import Path

import pytest

from tests.endtoend.campaign import run

pytestmark = pytest.mark.slow


def test_a_daemon_over_a_failing_wire_loses_nothing(tmp_path: Path) -> None:
    found = run(seed=11, seconds=15, data=tmp_path)
    assert sum(found["faults"].values()) >= 3
    assert found["orders"] > 20
    assert found["receipts"] > 20

"""A short form of `python -m tests.endtoend.kill_nine`, which does it ten times over 90 s."""

from pathlib import Path

import pytest

from tests.endtoend.kill_nine import campaign


@pytest.mark.slow
def test_killed_three_times_nothing_is_lost(tmp_path: Path) -> None:
    counted = campaign(kills=3, seconds=30, seed=7, data=tmp_path)
    assert int(str(counted["receipts"])) > 20
    # A start that is killed before it has read the books has no epoch of its own.
    assert 2 <= int(str(counted["epochs"])) <= 4

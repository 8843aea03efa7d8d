"""What the daemon taped is replayed by the command, in another process, to the same bytes; also after kill -9."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.endtoend.owner import ROOT, Owner, wait_for

pytestmark = pytest.mark.slow


def replayed(owner: Owner, seed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", "replay", str(owner.data / "tape"), "--json", "--quiet"],
        cwd=ROOT,
        env={**owner.environment, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_killed_run_and_the_next_one_replay_to_the_byte(tmp_path: Path) -> None:
    owner, log = Owner(tmp_path), tmp_path / "daemon.log"
    killed = owner.start(log=log)
    wait_for(lambda: "hedge.opened" in log.read_text(), 60, "it does not trade")
    time.sleep(4)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    assert owner.start("--for", "12s", log=log).wait(90) == 0, log.read_text()[-3000:]
    for seed in ("1", "2"):
        done = replayed(owner, seed)
        assert done.returncode == 0, done.stderr + done.stdout[-2000:]
        first, second = json.loads(done.stdout)
        assert first["same"]
        assert second["same"]
        assert (first["epoch"], second["epoch"]) == (1, 2)
        assert first["note"], "the first was killed"
        assert second["note"] is None
        assert first["actions"]["PlaceOrders"] > 5
    intents = owner.rows("select count(*) from order_intents")[0][0]
    assert intents > 10
    taped = first["actions"]["PlaceOrders"] + second["actions"].get("PlaceOrders", 0)
    assert taped > intents / 3, "the tape has the orders of the books"


def test_a_tape_that_was_tampered_with_ends_with_exit_code_one(tmp_path: Path) -> None:
    path = tmp_path / "000001-0001.tape"
    path.write_bytes(b"not a tape")
    done = subprocess.run(
        [sys.executable, "-m", "bot", "replay", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "000001-0001.tape: this is not a tape" in done.stderr

"""Two real daemons for one account: the second is refused, a frozen one is replaced and cannot send when it wakes."""

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.endtoend import oracle
from tests.endtoend.owner import wait_for
from tests.endtoend.wired import Site, settle, site

pytestmark = pytest.mark.slow


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def freeze(at: Site, process: "subprocess.Popen[bytes]") -> None:
    """Between two commits: inside one it would keep the database locked, and a start beside it could only say so."""
    (database,) = at.owner.data.glob("*.db")
    for _ in range(100):
        os.kill(process.pid, signal.SIGSTOP)
        wait_for(lambda: state_of(process.pid) == "T", 5, "it does not stop")
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as books:
            try:
                books.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(process.pid, signal.SIGCONT)
                time.sleep(0.05)
            else:
                books.execute("ROLLBACK")
                return
    raise AssertionError("it is always within a commit")


def trading(at: Site, epochs: int) -> None:
    wait_for(
        lambda: len(at.lines("daemon.running")) >= epochs and at.ready(), 90, lambda: at.log.read_text()[-3_000:]
    )


def test_a_second_daemon_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    with site(tmp_path, speed=600) as at:
        at.start()
        trading(at, 1)
        assert at.process is not None
        second = at.owner.command("run", "--for", "5s")
        assert second.returncode == 1
        assert f"process {at.process.pid}" in second.stderr
        assert "stop it first" in second.stderr
        assert at.process.poll() is None
        assert at.owner.rows("select count(*) from epochs")[0][0] == 1, "the refused one left no trace"
        assert at.stop()[0] == 0


def test_a_frozen_daemon_is_replaced_and_can_neither_write_nor_send_when_it_wakes(tmp_path: Path) -> None:
    with site(tmp_path, speed=7_200) as at:
        at.start()
        trading(at, 1)
        wait_for(lambda: len(at.lines("hedge.opened")) > 2, 60, "it opens nothing")
        frozen = at.process
        assert frozen is not None
        freeze(at, frozen)
        refused = at.owner.command("run", "--for", "5s")
        assert refused.returncode == 1, "a moment of silence is no death"
        time.sleep(16)
        at.process = None
        at.start()
        trading(at, 2)
        (taken,) = at.lines("lock.taken_over")
        assert taken["from_process"] == frozen.pid
        os.kill(frozen.pid, signal.SIGCONT)
        assert frozen.wait(20) == 1, "the books are not its own any more"
        assert "a newer daemon has taken over" in at.log.read_text()
        wait_for(at.ready, 20, "the second one goes on")
        assert at.owner.command("status").returncode == 0, "the first took the control port's files with it"
        assert settle(at)[0] == 0
        with at.owner.exchange() as found:
            truth = found.truth()
        epochs = {order["client_id"].split("-")[0] for order in truth["orders"]}
        assert epochs <= {"cb1", "cb2"}
        woken = [o for o in truth["orders"] if o["client_id"].startswith("cb1-")]
        assert woken
        intents = {row[0] for row in at.owner.rows("select client_id from order_intents")}
        assert {o["client_id"] for o in woken} <= intents
        oracle.everything(at.owner, truth)


def test_a_dead_daemons_lock_is_free_at_once(tmp_path: Path) -> None:
    with site(tmp_path, speed=600) as at:
        at.start()
        trading(at, 1)
        at.kill()
        at.start()
        trading(at, 2)
        assert not at.lines("lock.taken_over")
        assert at.stop()[0] == 0


def test_the_check_command_names_a_second_instance(tmp_path: Path) -> None:
    with site(tmp_path, speed=600) as at:
        at.start()
        trading(at, 1)
        assert at.process is not None
        done: subprocess.CompletedProcess[str] = at.owner.command("check", "--json")
        assert str(at.process.pid) in done.stdout
        assert at.stop()[0] == 0

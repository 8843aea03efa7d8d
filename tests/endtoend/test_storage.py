"""The daemon and its database: a full disk, a damaged file, a failed migration, a backup that is started from."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.endtoend import oracle
from tests.endtoend.owner import ROOT, Owner, wait_for
from tests.endtoend.wired import UNLIMITED, Site, settle, site

pytestmark = pytest.mark.slow


def trading(at: Site) -> None:
    wait_for(lambda: bool(at.lines("hedge.opened")) and at.ready(), 90, lambda: at.log.read_text()[-3_000:])


def test_a_full_disk_sends_nothing_without_its_intent_halts_and_is_told_without_the_database(tmp_path: Path) -> None:
    with site(tmp_path, speed=14_400) as at:
        at.start()
        trading(at)
        at.limit_files(4_096)
        wait_for(lambda: bool(at.lines("store.failed")), 30, "nobody noticed")
        before = set(at.owner.rows("select client_id from order_intents"))
        time.sleep(4)
        status, answer = at.health()
        assert status == 503
        assert any("the database refuses commits" in problem for problem in answer["problems"]), answer
        with at.owner.exchange() as found:
            sent = {(order["client_id"],) for order in found.truth()["orders"]}
        assert sent <= set(at.owner.rows("select client_id from order_intents")), "an order without an intent"
        assert set(at.owner.rows("select client_id from order_intents")) == before, "the disk was not full"
        (failed,) = at.lines("store.failed")
        assert failed["level"] == "critical"
        at.limit_files(UNLIMITED)
        wait_for(lambda: bool(at.lines("store.recovered")), 30, "it did not recover")
        assert at.owner.asked("status")["state"] == "halted"
        assert at.owner.command("resume").returncode == 0
        assert settle(at)[0] == 0
        with at.owner.exchange() as found:
            oracle.everything(at.owner, found.truth())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk; the limit on file sizes is tested in any case")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(small_disk: Path, tmp_path: Path) -> None:
    data, exchange = small_disk / "data", tmp_path / "exchange"
    data.mkdir()
    exchange.mkdir()
    (data / "simulator").symlink_to(exchange)  # the exchange has a disk of its own
    with site(data, speed=14_400, log=tmp_path / "daemon.log") as at:
        at.start()
        trading(at)
        free = os.statvfs(small_disk)
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * min(65_536, free.f_frsize * free.f_bavail)):
                    pass
            except OSError:
                pass
        wait_for(lambda: bool(at.lines("store.failed")), 60, "nobody noticed")
        with at.owner.exchange() as found:
            sent = {(order["client_id"],) for order in found.truth()["orders"]}
        assert sent <= set(at.owner.rows("select client_id from order_intents"))
        assert "the disk is full" in at.lines("store.failed")[0]["reason"]
        ballast.unlink()
        wait_for(lambda: bool(at.lines("store.recovered")), 30, "it did not recover")
        assert at.owner.command("resume").returncode == 0
        assert settle(at)[0] == 0
        with at.owner.exchange() as found:
            oracle.everything(at.owner, found.truth())


def test_a_backup_made_beside_the_daemon_is_restored_elsewhere_and_started_from(tmp_path: Path) -> None:
    with site(tmp_path / "a", speed=14_400) as at:
        at.start()
        trading(at)
        assert at.owner.command("halt").returncode == 0
        wait_for(lambda: not at.owner.rows("select 1 from orders where settled = 0"), 30, "orders in flight")
        copy = tmp_path / "copy.db"
        proof = at.owner.asked("db", "backup", str(copy))
        assert proof["transactions"] > 10
        at_backup = proof["rows"]["receipts"]
        wait_for(
            lambda: at.owner.rows("select count(*) from receipts")[0][0] > at_backup + 10, 60, "no funding since"
        )
        assert at.stop()[0] == 0
        for path in at.owner.data.glob("carrybot.db*"):
            path.unlink()
        done = at.owner.command("db", "restore", str(copy))
        assert done.returncode == 0, done.stderr
        assert at.owner.rows("select count(*) from receipts")[0][0] == at_backup
        at.start()
        wait_for(lambda: len(at.lines("daemon.running")) == 2 and at.ready(), 90, "it does not start from the backup")
        assert at.owner.asked("status")["state"] == "halted", "what the owner asked for is in the backup"
        assert settle(at)[0] == 0
        with at.owner.exchange() as found:
            oracle.everything(at.owner, found.truth())
        epochs = [row[0] for row in at.owner.rows("select epoch from epochs order by 1")]
        assert epochs[-1] > 1_000


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books of a short run."""
    owner = Owner(tmp_path_factory.mktemp("stopped"))
    assert owner.start("--for", "8s", log=owner.data / "daemon.log").wait(120) == 0
    return owner.data


def refused(data: Path) -> str:
    done = Owner(data).command("run", "--for", "3s", timeout_s=90)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_damaged_database_is_no_start_and_is_found_by_db_check(stopped: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(stopped, data)
    books = data / "carrybot.db"
    raw = bytearray(books.read_bytes())
    raw[4_096 : len(raw) : 3] = b"\xa5" * len(raw[4_096 : len(raw) : 3])
    books.write_bytes(bytes(raw))
    assert "restore the latest backup" in refused(data)
    done = Owner(data).command("db", "check")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_migration_that_fails_changes_nothing_and_is_no_start(stopped: Path, tmp_path: Path) -> None:
    """Books of an older version, on a disk that takes no more: their content is as it was."""
    data = tmp_path / "data"
    shutil.copytree(stopped, data)
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))\n"
        "from bot.cli.main import main\nsys.argv = ['carrybot', 'db', 'upgrade']\nmain()\n"
    )
    with closing(sqlite3.connect(data / "carrybot.db", isolation_level=None)) as books:
        (version,) = books.execute("select version_num from alembic_version").fetchone()
        books.execute("update alembic_version set version_num = '0001'")
        before = list(books.iterdump())
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=Owner(data).environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "carrybot.db" in done.stderr
    assert "Traceback" not in done.stderr
    with closing(sqlite3.connect(data / "carrybot.db")) as books:
        assert list(books.iterdump()) == before
    assert version != "0001"

"""`run` on the embedded simulated exchange, `simulate` alone, and a venue that cannot be reached."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cli_process import ROOT, Outcome, environment

from tests.observe.alert_endpoints import inbox

Run = Callable[..., Outcome]


@contextmanager
def daemon(data: Path, *words: str, **more: str) -> Iterator["subprocess.Popen[str]"]:
    log = (data.parent / "run.log").open("a")
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run", *words],
        cwd=ROOT,
        env=environment(data, **more),
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()


def lines(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data.parent / "run.log").read_text().splitlines()]


def until(check: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def seen(data: Path, event: str) -> bool:
    return f'"event": "{event}"' in (data.parent / "run.log").read_text()


@pytest.mark.slow
def test_a_first_run_earns_stops_cleanly_and_its_books_verify(carrybot: Run, data: Path) -> None:
    with daemon(data) as process:
        until(lambda: seen(data, "funding.received"), 60)
        status = carrybot("status", "--json").json
        assert status["state"] == "running"
        assert status["hedges"] > 0
        second = carrybot("run")
        assert second.code == 1
        assert f"process {process.pid}" in second.err
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    names = [line["event"] for line in lines(data)]
    assert names[0] == "daemon.starting"
    assert names[-2:] == ["simulator.stopped", "daemon.ended"]
    first = next(line for line in lines(data) if line["event"] == "simulator.started")
    assert first["speed"] == 14_400
    endpoint = json.loads((data / "simulator" / "endpoint.json").read_text()) if _announced(data) else None
    assert endpoint is None, "the simulator ended with its daemon"
    verified = carrybot("ledger", "--verify", "--json")
    assert verified.code == 0
    assert verified.json["balanced"] is True
    assert {row["difference"] for row in verified.json["assets"]} == {"0"}
    assert all(
        {"asset", "ledger", "venue", "difference", "unbooked"} <= row.keys() for row in verified.json["assets"]
    )
    assert not _announced(data), "verifying leaves no simulator behind"
    stopped = carrybot("status", "--json").json
    assert stopped["state"] == "stopped"
    assert stopped["receipts_usd"] != 0
    for hedge in carrybot("hedges", "--json").json:
        assert abs(hedge["imbalance_base"]) * hedge["legs"][0]["mark_price"] < 50, "one lot, or dust"


def _announced(data: Path) -> bool:
    return (data / "simulator" / "endpoint.json").exists()


@pytest.mark.slow
def test_a_killed_daemon_finds_its_exchange_again(carrybot: Run, data: Path) -> None:
    with daemon(data) as process:
        until(lambda: seen(data, "hedge.opened"), 60)
        process.kill()
        process.wait()
    pid = json.loads((data / "simulator" / "endpoint.json").read_text())["pid"]
    os.kill(pid, 0)
    assert carrybot("status", "--json").json["state"] == "stopped"
    with daemon(data) as process:
        until(lambda: seen(data, "venue.reconciled"), 60)
        until(lambda: carrybot("status", "--json").json["state"] == "running", 30)
        assert any(line["event"] == "simulator.attached" for line in lines(data))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert carrybot("ledger", "--verify").code == 0
    ids = [order["client_id"] for order in carrybot("orders", "--json").json]
    assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_a_run_for_a_time_ends_by_itself(carrybot: Run, data: Path) -> None:
    done = carrybot("run", "--for", "2s", seconds=60)
    assert done.code == 0
    assert '"event": "daemon.ended"' in done.err
    assert not _announced(data)


@pytest.mark.slow
def test_a_terminal_that_is_closed_is_an_orderly_end(data: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup, which a child inherits, it stays ignored
    try:
        with daemon(data) as process:
            until(lambda: seen(data, "daemon.listening"), 60)
            process.send_signal(signal.SIGHUP)
            assert process.wait(20) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen(data, "daemon.ended")


def test_a_thread_that_hangs_keeps_nobody_waiting_for_the_end(data: Path) -> None:
    """As the look-up of a name does while the network is out: both kinds of loop wait for its thread."""
    program = (
        "import asyncio, time\n"
        "from bot.cli import run as command\n"
        "async def main(self):\n"
        "    asyncio.get_running_loop().run_in_executor(None, time.sleep, 300)\n"
        "    return 0\n"
        "command._Run.main = main\n"
        "raise SystemExit(command.run(None, None))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment(data), timeout=60, check=False)
    assert done.returncode == 0
    assert (data / "carrybot.lock").read_text() == "", "the next daemon must not take this one for killed"


def test_a_stop_does_not_wait_for_a_migration(data: Path) -> None:
    """It is one transaction: where the process ends within it, it has not happened."""
    program = (
        "import os, signal, time\n"
        "from bot.cli import run as command\n"
        "def upgrade(url):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(300)\n"
        "command.upgrade = upgrade\n"
        "raise SystemExit(command.run(None, None))\n"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(
        words, cwd=ROOT, env=environment(data), timeout=60, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert '"event": "daemon.ended"' in done.stderr
    assert not (data / "simulator").exists(), "nothing more was begun"


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_venue_that_cannot_be_reached_is_exit_code_4(carrybot: Run, tmp_path: Path) -> None:
    from bot.simulator.wire.tls import ensure_certificates

    ca_file, _ = ensure_certificates(tmp_path / "tls")
    config = tmp_path / "far.yaml"
    config.write_text(
        "venues:\n  binance:\n    adapter: binance\n    transport:\n"
        f"      host: 127.0.0.1\n      port: {closed_port()}\n      ca_file: {ca_file}\n"
    )
    keys = {"CARRYBOT_VENUES__BINANCE__API_KEY": "k" * 20, "CARRYBOT_VENUES__BINANCE__API_SECRET": "s" * 20}
    done = carrybot("check", "-c", str(config), "--json", **keys)
    assert done.code == 4
    failed = [row for row in done.json["checks"] if row["result"] == "failed"]
    assert [row["check"] for row in failed] == ["binance: connectivity"]
    assert failed[0]["remedy"]
    carrybot("db", "upgrade", "-c", str(config))
    assert carrybot("ledger", "--verify", "-c", str(config), **keys).code == 4


@pytest.mark.slow
def test_why_a_start_failed_is_in_the_books(carrybot: Run, tmp_path: Path) -> None:
    from bot.simulator.wire.tls import ensure_certificates

    ca_file, _ = ensure_certificates(tmp_path / "tls")
    config = tmp_path / "far.yaml"
    config.write_text(
        "venues:\n  binance:\n    adapter: binance\n    transport:\n"
        f"      host: 127.0.0.1\n      port: {closed_port()}\n      ca_file: {ca_file}\n"
    )
    keys = {"CARRYBOT_VENUES__BINANCE__API_KEY": "k" * 20, "CARRYBOT_VENUES__BINANCE__API_SECRET": "s" * 20}
    assert carrybot("run", "-c", str(config), seconds=120, **keys).code == 4
    names = [each["name"] for each in carrybot("alerts", "--json", "-c", str(config)).json]
    assert names[0] == "venue.unreachable"
    assert names[-1] == "daemon.failed"


def test_the_owner_is_told_of_a_start_that_fails(carrybot: Run, data: Path, tmp_path: Path) -> None:
    """Whoever supervises the daemon starts it again and again; what it held before is managed by nobody."""
    data.mkdir()
    (data / "carrybot.db").write_text("not a database " * 400)
    config = tmp_path / "my.yaml"
    with inbox() as channel:
        config.write_text((ROOT / "config" / "demo.yaml").read_text() + f"alerts: {{channels: ['{channel.url}']}}\n")
        done = carrybot("run", "-c", str(config), "--for", "3s")
        assert carrybot("run", "-c", str(config), "--for", "3s").code == 1
    assert done.code == 1
    assert "not a SQLite database" in done.err
    (told,) = channel.got  # once, however often it is started
    assert told["title"] == "carrybot critical: daemon.failed"
    assert "not a SQLite database" in told["message"]


@pytest.mark.slow
def test_the_owner_is_told_that_the_last_daemon_was_killed_and_that_a_port_is_taken(
    carrybot: Run, data: Path, tmp_path: Path
) -> None:
    """By message and in the books: the killed one could not send what it had told last."""
    data.mkdir()
    (data / "carrybot.lock").write_text("4711\n")
    config = tmp_path / "my.yaml"
    with inbox() as channel, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        more = f"alerts: {{channels: ['{channel.url}']}}\nhealth: {{port: {port}}}\n"
        config.write_text((ROOT / "config" / "demo.yaml").read_text() + more)
        done = carrybot("run", "-c", str(config), "--for", "1s")
        told = " ".join(each["title"] + each["message"] for each in channel.got)
    assert done.code == 0
    for name in ("daemon.killed", "port.taken"):
        assert done.err.count(f'"event": "{name}"') == 1
        assert f"carrybot warning: {name}" in told
        assert name in [each["name"] for each in carrybot("alerts", "--json", "-c", str(config)).json]
    assert "process 4711" in told


def test_the_owner_is_told_of_a_disk_that_refuses_the_start(carrybot: Run, data: Path, tmp_path: Path) -> None:
    """A disk that was mounted read-only after an error, say: the lock was the first that it refused."""
    data.mkdir()
    (data / "carrybot.lock").mkdir()  # what root cannot open for writing either
    config = tmp_path / "my.yaml"
    with inbox() as channel:
        config.write_text((ROOT / "config" / "demo.yaml").read_text() + f"alerts: {{channels: ['{channel.url}']}}\n")
        done = carrybot("run", "-c", str(config), "--for", "3s")
    assert done.code == 1
    assert "carrybot.lock: Is a directory" in done.err.replace("\n", "")
    assert "defect" not in done.err
    (told,) = channel.got
    assert told["title"] == "carrybot critical: daemon.failed"
    assert "carrybot.lock: Is a directory" in told["message"]


def test_missing_keys_are_named_before_anything_starts(carrybot: Run, data: Path, tmp_path: Path) -> None:
    config = tmp_path / "keyless.yaml"
    config.write_text("venues:\n  binance:\n    adapter: binance\n")
    done = carrybot("run", "-c", str(config))
    assert done.code == 2
    assert "CARRYBOT_VENUES__BINANCE__API_KEY" in done.err
    assert not (data / "carrybot.db").exists()


def test_the_simulated_exchange_serves_alone(data: Path, tmp_path: Path) -> None:
    ca_file, port = tmp_path / "ca.pem", closed_port()
    words = ["simulate", "--port", str(port), "--speed", "100", "--ca-file", str(ca_file), "--state", str(data)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", *words],
        cwd=ROOT,
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        process.stderr.readline()
        assert f"https://127.0.0.1:{port}" in process.stderr.readline()
        context = ssl.create_default_context(cafile=str(ca_file))
        url = f"https://127.0.0.1:{port}/_sim/clock"
        with urllib.request.urlopen(url, context=context, timeout=5) as reply:
            assert json.loads(reply.read())["speed"] == 100
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()

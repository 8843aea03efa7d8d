"""Paper trading as its owner runs it: `carrybot simulate` plays the live market, the daemon fills on its own account.

The daemon is killed in the middle: its account and its books must come back, with the funding that fell in between.
"""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend import oracle
from tests.endtoend.owner import ROOT, Owner, wait_for

pytestmark = pytest.mark.slow
"""40 s of wall time: hedges open, market days pass, a restart."""

SPEED = 7200


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def live_market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder, port = tmp_path_factory.mktemp("live"), free_port()
    ca_file = folder / "ca.pem"
    words = [
        "simulate",
        "--port",
        str(port),
        "--speed",
        str(SPEED),
        "--state",
        str(folder),
        "--ca-file",
        str(ca_file),
    ]
    process = subprocess.Popen([sys.executable, "-m", "bot", *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for((folder / "endpoint.json").exists, 30, "the live market did not start")
        yield port, ca_file
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture(scope="module")
def run(live_market: tuple[int, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Owner, dict[str, Any]]:
    """A killed run, a restarted one that ended well, and the account's own record after it."""
    port, ca_file = live_market
    data = tmp_path_factory.mktemp("paper")
    config = data / "my.yaml"
    config.write_text(
        f"venues: {{binance: {{adapter: binance, transport: {{port: {port}, ca_file: {ca_file}}}, "
        "paper: {cash: 200_000}}}\n"
        "limits: {cash_rate: 0}\nstrategy: {cap_headroom: 0.9}\n"
        "execution: {guard_bps: 60, basis_guard_bps: 15, repair_guard_bps: 100}\n"
        "api: {port: 0}\nhealth: {port: 0}\n"
    )
    owner, log = Owner(data, config), data / "daemon.log"
    first = owner.start(log=log)
    wait_for(lambda: len(owner.events("hedge.opened")) >= 8, 30, "no hedges were opened")
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    time.sleep(5)  # ten market hours: funding falls due that nobody is there to see
    last = owner.start("--for", "20s", log=log)
    assert last.wait(60) == 0, log.read_text()[-3000:]
    return owner, account(data / "paper" / "binance.db")


def account(file: Path) -> dict[str, Any]:
    """The paper account's records, read with nothing of ours."""
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        rows = connection.execute("select kind, row from record").fetchall()
    finally:
        connection.close()
    found: dict[str, Any] = {"orders": [], "trades": [], "incomes": []}
    for kind, row in rows:
        found.setdefault(kind, []).append(json.loads(row))
    return found


def outage(owner: Owner) -> tuple[int, int]:
    """Market time (UTC ms) of the killed run's last line, and of the restarted one's first."""
    lines = [json.loads(line) for line in (owner.data / "daemon.log").read_text().splitlines()]
    restarted = [number for number, line in enumerate(lines) if line["event"] == "daemon.starting"][1]
    parts = lines[:restarted], lines[restarted:]
    told = [[line["market_time"] for line in part if "market_time" in line] for part in parts]
    down, up = (datetime.fromisoformat(text + "+00:00") for text in (told[0][-1], told[1][0]))
    return int(down.timestamp() * 1000), int(up.timestamp() * 1000)


def test_no_key_was_needed_and_hedges_opened_on_paper_money(run) -> None:
    owner, _ = run
    assert all(line["money"] == "paper" for line in owner.events("daemon.starting"))
    hedges = owner.asked("hedges")
    assert len(hedges) >= 8
    assert all(abs(Decimal(repr(h["imbalance_base"]))) <= Decimal("1.1") for h in hedges)


def test_funding_was_received_also_for_the_time_of_the_outage(run) -> None:
    owner, record = run
    charged = [row for row in record["incomes"] if row["kind"] == "FUNDING_FEE"]
    booked = owner.asked("receipts", "--limit", "100000")
    ours = {row["venue_id"]: Decimal(row["payment"]) for row in booked}
    theirs = {str(row["id"]): Decimal(row["amount"]) for row in charged}
    assert len(theirs) > 30
    assert len({(row["symbol"], row["at_ms"]) for row in charged}) == len(charged), "charged twice"
    # What was charged in the last moment is booked at the next start.
    assert ours.items() <= theirs.items()
    assert len(theirs) - len(ours) <= len(owner.asked("hedges"))
    down_ms, up_ms = outage(owner)
    assert any(down_ms < row["at_ms"] < up_ms for row in charged), "nothing was charged for the time of the outage"


def test_the_books_verify_against_the_paper_account(run) -> None:
    owner, _ = run
    assert oracle.books_verify(owner) >= 9


def test_no_order_was_filled_twice(run) -> None:
    owner, record = run
    seen = [row["client_id"] for row in record["orders"]]
    assert len(seen) == len(set(seen)) > 30
    intents = {row[0] for row in owner.rows("select client_id from order_intents")}
    assert set(seen) <= intents


def test_books_of_play_money_are_not_taken_for_another_kind(run) -> None:
    owner, _ = run
    done = Owner(owner.data).command("run")
    assert done.returncode == 1
    assert "are of paper money" in done.stdout + done.stderr
    assert "CARRYBOT_DATA" in done.stdout + done.stderr

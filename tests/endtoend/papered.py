"""Paper trading end to end: a simulated exchange plays the live market, and the paper account's own file is read."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.endtoend.owner import ROOT, Exchange, Owner, wait_for


@contextmanager
def live_market(folder: Path, speed: float) -> Iterator[Exchange]:
    """A market that runs."""
    port, ca_file = _free_port(), folder / "ca.pem"
    words = [
        "simulate",
        "--port",
        str(port),
        "--speed",
        str(speed),
        "--state",
        str(folder),
        "--ca-file",
        str(ca_file),
    ]
    process = subprocess.Popen([sys.executable, "-m", "bot", *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for((folder / "endpoint.json").exists, 30, "the live market did not start")
        yield Exchange(json.loads((folder / "endpoint.json").read_text()))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def owner(market: Exchange, data: Path, more: str) -> Owner:
    """Somebody with 200,000 of play money in that market; `more` lines of settings."""
    config = data / "my.yaml"
    transport = f"{{port: {market.endpoint['port']}, ca_file: {market.endpoint['ca_file']}}}"
    config.write_text(
        f"venues: {{binance: {{adapter: binance, transport: {transport}, paper: {{cash: 200_000}}}}}}\n"
        "limits: {cash_rate: 0}\nstrategy: {cap_headroom: 0.9}\napi: {port: 0}\nhealth: {port: 0}\n" + more
    )
    return Owner(data, config)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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

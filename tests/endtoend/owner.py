"""The product as its owner has it: commands run as processes, and the simulated exchange asked over HTTPS."""

import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "config" / "demo.yaml"
EXCHANGE_INFO = (("api.binance.com", "/api/v3/exchangeInfo"), ("fapi.binance.com", "/fapi/v1/exchangeInfo"))


@dataclass
class Owner:
    """One owner with a data folder of its own. `config` is the file that all commands are given."""

    data: Path
    config: Path = DEMO
    program: tuple[str, ...] = ("-m", "bot")
    """What Python runs as the daemon."""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CARRYBOT_DATA": str(self.data), "NO_COLOR": "1"}

    def command(self, *words: str, timeout_s: float = 180) -> subprocess.CompletedProcess[str]:
        return self.offline(*words, "-c", str(self.config), timeout_s=timeout_s)

    def offline(self, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """A command that takes no settings."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def asked(self, *words: str) -> Any:
        done = self.command(*words, "--json")
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def start(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """The daemon in the background, its output in a file."""
        with log.open("ab") as output:
            return self.start_into(output, *words)

    def start_into(self, output: int | IO[bytes], *words: str) -> subprocess.Popen[bytes]:
        """The same, its output wherever it shall go."""
        return subprocess.Popen(
            [sys.executable, *self.program, "run", "-c", str(self.config), *words],
            cwd=ROOT,
            env=self.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the daemon's log about one event."""
        log = self.data / "daemon.log"
        found = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == name]

    @property
    def exchange_folder(self) -> Path:
        return self.data / "simulator"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The books themselves, read with nothing of ours."""
        (database,) = self.data.glob("*.db")
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    @contextmanager
    def exchange(self) -> Iterator["Exchange"]:
        """The simulated exchange: the running one, or its stored state served with the clock stopped."""
        endpoint = self.exchange_folder / "endpoint.json"
        if endpoint.exists():
            yield Exchange(json.loads(endpoint.read_text()))
            return
        with (self.data / "exchange.out").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot.simulator", "--state", str(self.exchange_folder), "--speed", "0"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(endpoint.exists, 30, "the exchange did not start")
            yield Exchange(json.loads(endpoint.read_text()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@dataclass
class Exchange:
    endpoint: dict[str, Any]

    def get(self, host: str, path: str) -> Any:
        return self.ask("GET", path, host=host)

    def ask(self, method: str, path: str, document: Any = None, host: str = "simulator.carrybot") -> Any:
        context = ssl.create_default_context(cafile=self.endpoint["ca_file"])
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            f"https://localhost:{self.endpoint['port']}{path}", data=body, headers={"Host": host}, method=method
        )
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return json.loads(answer.read())

    def truth(self) -> dict[str, Any]:
        """The exchange's record of the demo account, with the larger lot of each symbol's two books."""
        found: dict[str, Any] = self.get("simulator.carrybot", "/truth?key=demo-key")
        found["lots"] = lots = {}
        for host, path in (
            ("api.binance.com", "/api/v3/exchangeInfo"),
            ("fapi.binance.com", "/fapi/v1/exchangeInfo"),
        ):
            for symbol in self.get(host, path)["symbols"]:
                lot = next(f["stepSize"] for f in symbol["filters"] if f["filterType"] == "LOT_SIZE")
                lots[symbol["symbol"]] = max(Decimal(lot), lots.get(symbol["symbol"], Decimal(0)))
        return found


def wait_for(condition: Callable[[], Any], timeout_s: float, what: str | Callable[[], str]) -> None:
    """`what` says what is missing when the time is over; a function is asked only then."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, what() if callable(what) else what
        time.sleep(0.1)

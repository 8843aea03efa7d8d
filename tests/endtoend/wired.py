"""An owner whose daemon reaches the simulated exchange, a process of its own, over a wire that can fail."""

import json
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.endtoend.owner import DEMO, ROOT, Owner, wait_for
from tests.endtoend.wire import Mode, Wire

EMBEDDED = """    simulator:
      embedded: true
      speed: 14400  # four hours of market time a second: 90 s hold 15 days
      tick_ms: 250
"""
UNLIMITED = resource.RLIM_INFINITY


@dataclass
class WiredOwner(Owner):
    """The demonstration's rules and account, with the exchange elsewhere."""

    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        keys = {
            "CARRYBOT_VENUES__BINANCE__API_KEY": "demo-key",
            "CARRYBOT_VENUES__BINANCE__API_SECRET": "demo-secret",
        }
        return {**super().environment, **keys, **self.more}


@dataclass
class Site:
    """Exchange, wire and owner; at most one daemon, whose output goes to `log`."""

    owner: WiredOwner
    wire: Wire
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        """The daemon's output comes through a pipe: limits of its own files do not reach the log."""
        assert self.process is None
        self.process = self.owner.start_into(subprocess.PIPE, *words)
        threading.Thread(target=_copy, args=(self.process.stdout, self.log), daemon=True).start()

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def stop(self, timeout_s: float = 30) -> tuple[int, float]:
        """SIGTERM; the exit code and how long it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        self.process = None
        return code, time.monotonic() - began

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Of all daemons so far; a line that is being written is not there yet."""
        if not self.log.exists():
            return []
        whole = self.log.read_text().rpartition("\n")[0]
        found = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in found if event is None or line.get("event") == event]

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """The exchange's own switches, past the wire."""
        with self.owner.exchange() as exchange:
            return exchange.ask(method, path, document)

    def limit_files(self, size_bytes: int) -> None:
        """From now on no file of the daemon can grow beyond this size: its disk is as good as full."""
        assert self.process is not None
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

    def health(self, path: str = "/readyz") -> tuple[int, dict[str, Any]]:
        """Status and document of the health port; (0, {}) while nobody listens."""
        listening = self.lines("daemon.listening")
        if not listening:
            return 0, {}
        url = listening[-1]["health"].replace("/readyz", path)
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except OSError:
            return 0, {}

    def ready(self) -> bool:
        return self.process is not None and self.health()[0] == 200


@contextmanager
def site(
    data: Path, *, speed: float, tick_ms: int = 250, seed: int | None = None, yaml: str = "", log: Path | None = None
) -> Iterator[Site]:
    """Everything but the daemon. `yaml` is added to the demonstration's settings."""
    data.mkdir(parents=True, exist_ok=True)
    log = log or data / "daemon.log"
    log.touch()
    state = data / "simulator"
    words = ["--state", str(state), "--speed", str(speed), "--tick-ms", str(tick_ms)]
    with (data / "exchange.out").open("ab") as output:
        exchange = subprocess.Popen(
            [sys.executable, "-m", "bot.simulator", *words, *(["--seed", str(seed)] if seed is not None else [])],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    found: Site | None = None
    try:
        endpoint = state / "endpoint.json"
        wait_for(endpoint.exists, 60, "the exchange did not start")
        facts = json.loads(endpoint.read_text())
        with Wire(facts["port"]) as wire:
            text = DEMO.read_text()
            assert EMBEDDED in text
            transport = f"    transport: {{port: {wire.port}, ca_file: {facts['ca_file']}}}\n"
            config = data / "wired.yaml"
            ports = "api: {port: 0}\nhealth: {port: 0}\n"
            config.write_text(text.replace(EMBEDDED, transport) + ports + yaml)
            found = Site(WiredOwner(data, config), wire, log)
            yield found
    finally:
        if found is not None and found.process is not None:
            found.process.kill()
            found.process.wait(10)
        exchange.send_signal(signal.SIGTERM)
        exchange.wait(30)


def settle(at: Site, within_s: float = 40) -> tuple[int, float]:
    """Mend everything, let the market stand still, wait for rest, stop the daemon; (exit code, seconds)."""
    at.wire.set(Mode.PASS)
    at.control("DELETE", "/faults")
    wait_for(at.ready, within_s, lambda: f"not ready again: {at.health()}\n{at.log.read_text()[-3000:]}")
    at.control("POST", "/clock", {"paused": True})
    wait_for(
        lambda: _at_rest(at),
        within_s,
        lambda: f"not at rest: {at.owner.rows(UNSETTLED)}\n{at.log.read_text()[-3000:]}",
    )
    time.sleep(3.0)
    return at.stop()


def _copy(source: IO[bytes], target: Path) -> None:
    with source, target.open("ab", buffering=0) as file:
        for line in source:
            file.write(line)


UNSETTLED = "select client_id, state from orders where settled = 0"


def _at_rest(at: Site) -> bool:
    return at.ready() and not at.owner.rows(UNSETTLED)

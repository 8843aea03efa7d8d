"""The simulator as a process of its own, with its state folder: serve, start detached, find, stop."""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import ssl
import sys
import time
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from bot.simulator.wire.host import Host
from bot.simulator.wire.options import Endpoint, SimulatorOptions
from bot.simulator.wire.tls import write_atomically

ENDPOINT_FILE = "endpoint.json"
LOCK_FILE = "lock"
LOG_FILE = "simulator.log"
LOG_BYTES_MAX = 2_000_000
LOG_FILES = 3
START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
ASK_WITHIN_S = 2.0
log = logging.getLogger("carrybot.simulator")


class SimulatorError(Exception):
    """The simulator could not be started or stopped; the text says why and what to do."""


async def serve(options: SimulatorOptions) -> None:
    """Runs in the foreground until SIGTERM, SIGINT, POST /shutdown or `idle_exit_s`; the state is saved.

    Raises SimulatorError when another simulator holds the state folder or the port is taken, and StateError
    when the stored state does not fit the options.
    """
    options.state_dir.mkdir(parents=True, exist_ok=True)
    with _exclusive(options.state_dir):
        _log_to(options.state_dir / LOG_FILE)
        host = Host(options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, host.server.stopping.set)
        try:
            try:
                port = await host.start()
            except OSError as error:
                raise SimulatorError(f"cannot listen on 127.0.0.1:{options.port}: {error}") from None
            _announce(options, port)
            log.info("serving on port %d, market time %d, speed %s", port, host.sim.now_ms, host.sim.clock.speed)
            reason = await host.run()
            log.info("ending: %s, market time %d", reason, host.sim.now_ms)
        except Exception:
            log.exception("ending: failed")
            raise
        finally:
            (options.state_dir / ENDPOINT_FILE).unlink(missing_ok=True)
            await host.stop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def start_detached(options: SimulatorOptions) -> Endpoint:
    """Starts a simulator that outlives this process, or returns the one that already serves the folder.

    Raises SimulatorError when it does not answer within 30 s, with the end of its output.
    """
    running = find_running(options.state_dir)
    if running is not None:
        return running
    options.state_dir.mkdir(parents=True, exist_ok=True)
    output_path = options.state_dir / "simulator.out"
    pid = _spawn(["-m", "bot.simulator", *arguments(options)], output_path)
    deadline_s = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline_s:
        found = find_running(options.state_dir)
        if found is not None:
            return found
        if not _alive(pid):
            break
        time.sleep(0.05)
    tail = output_path.read_text(errors="replace")[-1_000:].strip()
    if _alive(pid):
        os.kill(pid, signal.SIGTERM)
    raise SimulatorError(f"the simulator did not start; see {options.state_dir / LOG_FILE}. {tail}")


def _spawn(words: list[str], output_path: Path) -> int:
    """Starts Python in a session of its own, output to a file; returns the process id.

    Not `subprocess`: its objects complain when they are forgotten while the process lives, which is the point.
    """
    output = (os.POSIX_SPAWN_OPEN, 1, str(output_path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), output, (os.POSIX_SPAWN_DUP2, 1, 2)]
    return os.posix_spawn(sys.executable, [sys.executable, *words], os.environ, file_actions=actions, setsid=True)


def arguments(options: SimulatorOptions) -> list[str]:
    """The command line of `python -m bot.simulator` for these options."""
    words = ["--port", str(options.port), "--state", str(options.state_dir.absolute())]
    words += ["--tick-ms", str(options.tick_ms), "--seed", str(options.seed)]
    for name, value in (
        ("--speed", options.speed),
        ("--ca-file", options.ca_file and options.ca_file.absolute()),
        ("--history", options.history_dir and options.history_dir.absolute()),
        ("--idle-exit", options.idle_exit_s),
    ):
        if value is not None:
            words += [name, str(value)]
    return words


def find_running(state_dir: Path) -> Endpoint | None:
    """The simulator that serves this folder, if its process really answers /health."""
    endpoint = read_endpoint(state_dir)
    if endpoint is None:
        return None
    answer = ask(endpoint, "GET", "/health")
    return endpoint if answer is not None and answer.get("status") == "ok" else None


def read_endpoint(state_dir: Path) -> Endpoint | None:
    try:
        document = json.loads((state_dir / ENDPOINT_FILE).read_text())
        return Endpoint(
            int(document["port"]), int(document["pid"]), Path(document["ca_file"]), int(document["started"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ask(endpoint: Endpoint, method: str, path: str, document: Any = None) -> Any | None:
    """One request to the simulator's own paths; None when it does not answer. Blocks at most 2 s."""
    try:
        context = ssl.create_default_context(cafile=str(endpoint.ca_file))
        body = None if document is None else json.dumps(document).encode()
        request = Request(f"https://127.0.0.1:{endpoint.port}/_sim{path}", data=body, method=method)
        # No proxy: the environment's is for the outside world.
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
        with opener.open(request, timeout=ASK_WITHIN_S) as response:
            return json.loads(response.read())
    except (OSError, ValueError):
        return None


async def stop(endpoint: Endpoint) -> None:
    """Ends the simulator and waits until its process is gone. Raises SimulatorError when it stays."""
    if await asyncio.to_thread(ask, endpoint, "POST", "/shutdown") is None and _alive(endpoint.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(endpoint.pid, signal.SIGTERM)
    deadline_s = time.monotonic() + STOP_WITHIN_S
    while _alive(endpoint.pid):
        if time.monotonic() > deadline_s:
            raise SimulatorError(f"the simulator (process {endpoint.pid}) did not end within {STOP_WITHIN_S} s")
        await asyncio.sleep(0.02)


def _alive(pid: int) -> bool:
    """Also reaps the process where it is our own child, so that it does not stay as a zombie."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def _exclusive(state_dir: Path) -> Iterator[None]:
    """A kernel lock: it ends with the process, however that ends."""
    with (state_dir / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SimulatorError(f"another simulator already uses {state_dir}") from None
        yield


def _announce(options: SimulatorOptions, port: int) -> None:
    ca_path = options.ca_file or options.state_dir / "tls" / "ca.pem"
    document = {
        "port": port,
        "pid": os.getpid(),
        "ca_file": str(ca_path.absolute()),
        "started": time.time_ns() // 1_000_000,
    }
    write_atomically(options.state_dir / ENDPOINT_FILE, json.dumps(document).encode())


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for name in ("carrybot.simulator", "aiohttp", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [h for h in logger.handlers if not isinstance(h, RotatingFileHandler)]
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)

"""A simulated exchange as a process of its own, for tests that speak to it over HTTPS and WSS."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.simulator.process import arguments, ask, find_running
from bot.simulator.wire.options import Endpoint, SimulatorOptions

IDLE_EXIT_S = 120
ALIVE_EVERY_S = 20


@contextmanager
def running(state_dir: Path) -> Iterator[Endpoint]:
    """Ends by itself two minutes after the session, should that be killed.

    Tests that do not speak to it may take longer than that on a busy machine, so the session itself asks now and
    then.
    """
    options = SimulatorOptions(state_dir=state_dir, speed=1.0, idle_exit_s=IDLE_EXIT_S)
    process = subprocess.Popen([sys.executable, "-m", "bot.simulator", *arguments(options)])
    try:
        deadline = time.monotonic() + 30
        while (endpoint := find_running(options.state_dir)) is None:
            assert process.poll() is None, "the simulator ended at once"
            assert time.monotonic() < deadline, "the simulator did not answer within 30 s"
            time.sleep(0.05)
        with _kept(endpoint):
            yield endpoint
    finally:
        process.terminate()
        process.wait(timeout=15)


@contextmanager
def _kept(endpoint: Endpoint) -> Iterator[None]:
    done = threading.Event()

    def asking() -> None:
        while not done.wait(ALIVE_EVERY_S):
            ask(endpoint, "GET", "/health")

    thread = threading.Thread(target=asking, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

"""A simulated exchange as a process of its own, for tests that speak to it over HTTPS and WSS."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.simulator.process import arguments, find_running
from bot.simulator.wire.options import Endpoint, SimulatorOptions


@contextmanager
def running(state_dir: Path) -> Iterator[Endpoint]:
    """Ends by itself when nobody has been connected for two minutes, should the session be killed."""
    options = SimulatorOptions(state_dir=state_dir, speed=1.0, idle_exit_s=120)
    process = subprocess.Popen([sys.executable, "-m", "bot.simulator", *arguments(options)])
    try:
        deadline = time.monotonic() + 30
        while (endpoint := find_running(options.state_dir)) is None:
            assert process.poll() is None, "the simulator ended at once"
            assert time.monotonic() < deadline, "the simulator did not answer within 30 s"
            time.sleep(0.05)
        yield endpoint
    finally:
        process.terminate()
        process.wait(timeout=15)

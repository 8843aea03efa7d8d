"""One simulated exchange for the whole test session, and a connected Binance adapter for each test."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.simulator.process import arguments, ask, find_running
from bot.simulator.wire.options import Endpoint, SimulatorOptions
from bot.venues.binance import BinanceVenue
from bot.venues.transport import Transport
from tests.venues.contract import Bench

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def recorded() -> Path:
    if not DATA.is_dir():
        pytest.skip("recorded data is absent: ../shared/data relative to the project root")
    return DATA


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Ends by itself when nobody has been connected for two minutes, should the session be killed."""
    options = SimulatorOptions(state_dir=tmp_path_factory.mktemp("simulator"), speed=1.0, idle_exit_s=120)
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


@pytest.fixture
async def bench(simulator: Endpoint) -> AsyncIterator[Bench]:
    """A connected adapter with running streams; faults and speed are put back afterwards."""
    transport = Transport("127.0.0.1", simulator.port, simulator.ca_file)
    bench = Bench(endpoint=simulator)
    bench.venue = BinanceVenue(
        "binance",
        "main",
        "demo-key",
        "demo-secret",
        transport=transport,
        coins=("BTC", "ETH", "SOL"),
        timeout_s=2.0,
        log=bench.log,
    )
    await bench.venue.connect()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(bench.venue.run(bench.deliver))
        try:
            await bench.until(bench.streams_up)
            yield bench
        finally:
            ask(simulator, "DELETE", "/faults")
            ask(simulator, "POST", "/clock", {"speed": 1, "paused": False})
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await bench.venue.close()

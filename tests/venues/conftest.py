"""One simulated exchange for the whole test session, and a connected Binance adapter for each test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.simulator.process import ask
from bot.simulator.wire.options import Endpoint
from bot.venues.binance import BinanceVenue
from bot.venues.transport import Transport
from tests.simulated import running
from tests.venues.contract import Bench

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def recorded() -> Path:
    if not DATA.is_dir():
        pytest.skip("recorded data is absent: ../shared/data relative to the project root")
    return DATA


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running(tmp_path_factory.mktemp("simulator")) as endpoint:
        yield endpoint


@pytest.fixture
async def bench(simulator: Endpoint) -> AsyncIterator[Bench]:
    async with connected(simulator) as bench:
        yield bench


@pytest.fixture
async def own_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """At an exchange of its own, for a test that does to the account what no other test could live with."""
    with running(tmp_path / "simulator") as endpoint:
        async with connected(endpoint) as bench:
            yield bench


@contextlib.asynccontextmanager
async def connected(simulator: Endpoint) -> AsyncIterator[Bench]:
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
    async with streaming(bench):
        try:
            yield bench
        finally:
            ask(simulator, "DELETE", "/faults")
            ask(simulator, "POST", "/clock", {"speed": 1, "paused": False})


@contextlib.asynccontextmanager
async def streaming(bench: Bench) -> AsyncIterator[None]:
    """The venue of a bench, connected, with its streams up."""
    await bench.venue.connect()
    async with asyncio.TaskGroup() as group:
        streams = group.create_task(bench.venue.run(bench.deliver))
        try:
            await bench.until(bench.streams_up)
            yield
        finally:
            streams.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await streams
            await bench.venue.close()

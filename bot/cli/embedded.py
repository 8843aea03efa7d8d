"""The embedded simulated exchange: found or started by `run`, paused and stopped with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.cli.failure import FAILED, Failure

if TYPE_CHECKING:
    from bot.settings import Settings, Simulator
    from bot.simulator.wire.options import Endpoint, SimulatorOptions


@dataclass(frozen=True, slots=True)
class Exchange:
    """A simulated exchange that answers; `started` says whether we started it."""

    endpoint: "Endpoint"
    started: bool

    async def clock(self, **change: Any) -> dict[str, Any]:
        """Reads the market clock, or changes `speed` and `paused`. {} when it does not answer."""
        from bot.simulator.process import ask

        found = await asyncio.to_thread(ask, self.endpoint, "POST" if change else "GET", "/clock", change or None)
        return found if isinstance(found, dict) else {}

    async def pause(self) -> None:
        """Market time stands still; orders and questions are still answered."""
        await self.clock(paused=True)

    async def stop(self) -> None:
        """Save the state and end the process. Failure when it stays."""
        from bot.simulator.process import SimulatorError, stop

        try:
            await stop(self.endpoint)
        except SimulatorError as error:
            raise Failure(FAILED, str(error)) from None


def options(settings: "Settings", simulator: "Simulator") -> "SimulatorOptions":
    """How the embedded exchange of these settings is started."""
    from bot.simulator.wire.options import SEED_DEFAULT, SimulatorOptions

    return SimulatorOptions(
        state_dir=settings.data_dir / "simulator",
        port=simulator.port,
        speed=simulator.speed,
        history_dir=simulator.history,
        tick_ms=simulator.tick_ms,
        seed=SEED_DEFAULT if simulator.seed is None else simulator.seed,
        idle_exit_s=simulator.idle_exit_s or None,
    )


async def start(settings: "Settings", simulator: "Simulator") -> Exchange:
    """Attach to the exchange that a killed daemon left behind, or start one at its stored market time."""
    from bot.simulator.process import SimulatorError, find_running, start_detached

    wanted = options(settings, simulator)
    found = await asyncio.to_thread(find_running, wanted.state_dir)
    started = found is None
    if found is None:
        try:
            found = await asyncio.to_thread(start_detached, wanted)
        except SimulatorError as error:
            raise Failure(FAILED, str(error)) from None
    exchange = Exchange(found, started)
    await exchange.clock(speed=simulator.speed, paused=False)
    return exchange


@asynccontextmanager
async def standing(settings: "Settings", simulator: "Simulator") -> AsyncIterator[Exchange]:
    """An exchange to ask questions of: the one that runs, else one whose clock stands still, stopped afterwards."""
    from dataclasses import replace

    from bot.simulator.process import SimulatorError, find_running, start_detached

    wanted = options(settings, simulator)
    found = await asyncio.to_thread(find_running, wanted.state_dir)
    if found is not None:
        yield Exchange(found, started=False)
        return
    try:
        endpoint = await asyncio.to_thread(start_detached, replace(wanted, speed=0.0, port=0))
    except SimulatorError as error:
        raise Failure(FAILED, str(error)) from None
    exchange = Exchange(endpoint, started=True)
    try:
        yield exchange
    finally:
        await exchange.stop()

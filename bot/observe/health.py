"""Health: is the process alive (`/healthz`), may it be trusted now (`/readyz`), what does it count (`/metrics`).

`/readyz` fails, with one sentence for each reason, when data is stale, a task is dead or stalled, a hedge is out
of balance for too long, the database refuses commits, or the venue has not been reconciled.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp import web

from bot.engine.state import EngineState
from bot.ports import Clock

SLACK_S = 1.0
"""What a check adds to a limit of the core, so that the core acts first."""


class Running(Protocol):
    """What views, health and control need of a running daemon."""

    @property
    def phase(self) -> str: ...
    @property
    def state(self) -> EngineState: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def store_error(self) -> str | None: ...
    def task_problems(self) -> list[str]: ...
    def counts(self) -> Mapping[str, float]: ...


def feed_ages_s(running: Running) -> dict[str, float | None]:
    """Wall seconds since the last frame of each feed that a pair needs; None before the first."""
    state = running.state
    now = running.clock.mono_ms()
    feeds = {leg.feed for pair in state.market.pairs.values() for leg in (pair.spot, pair.perp)}
    ages: dict[str, float | None] = {}
    for feed in sorted(feeds):
        seen = state.market.feed_alive_ms.get(feed)
        ages[feed] = None if seen is None else max(0.0, (now - seen) / 1000)
    return ages


def problems(running: Running) -> list[str]:
    """Everything that makes the daemon not ready; empty when it is."""
    if running.phase != "running":
        return [f"the daemon is {running.phase}"]
    found = list(running.task_problems())
    if running.store_error is not None:
        found.append(f"the database refuses commits: {running.store_error}")
    state = running.state
    limits, execution = state.config.limits, state.config.execution
    for venue, ready in state.book.ready.items():
        if not ready:
            found.append(f"{venue} is not reconciled")
    found += [f"the balances at {venue} differ from the ledger" for venue in sorted(state.book.unexplained)]
    ages_s = feed_ages_s(running)
    # No pair needs the account's streams, but nothing opens without them, and no fill or liquidation is heard.
    found += [f"{feed} is lost" for feed in sorted(state.market.feed_out_ms) if feed not in ages_s]
    for feed, age_s in ages_s.items():
        if age_s is None:
            found.append(f"{feed} has sent nothing yet")
        elif age_s > limits.stale_s + SLACK_S:
            found.append(f"{feed} has been silent for {age_s:.1f} s")
    now = running.clock.mono_ms()
    for hedge in state.hedges.values():
        since = hedge.unbalanced_mono_ms
        if hedge.live and since is not None and now - since > (execution.max_leg_s + SLACK_S) * 1000:
            found.append(f"hedge {hedge.id} ({hedge.coin}) is out of balance for {(now - since) / 1000:.1f} s")
    return found


class HealthServer:
    """Serves the three paths over plain HTTP; started before the daemon runs, closed after it ended."""

    def __init__(self, running: Running, metrics: Callable[[], tuple[bytes, str]]) -> None:
        self._running = running
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. OSError when it is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        self.port = await listen(self._runner, host, port)
        return self.port

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True, "phase": self._running.phase})

    async def _readyz(self, _: web.Request) -> web.Response:
        found = problems(self._running)
        return web.json_response({"ready": not found, "problems": found}, status=503 if found else 200)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        body, kind = self._metrics()
        return web.Response(body=body, headers={"Content-Type": kind})


async def listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Start one TCP site; returns its port."""
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    address: tuple[str, int] = runner.addresses[0]
    return address[1]

"""Builds a simulation from options and runs its server until told to stop, or until nobody is left."""

import asyncio
import contextlib
import logging
import time
from decimal import Decimal

from aiohttp import web

from bot.simulator.exchange.core import Exchange
from bot.simulator.market import HistoryMarket
from bot.simulator.model import Book
from bot.simulator.wire.app import Server
from bot.simulator.wire.auth import CREDENTIALS
from bot.simulator.wire.clock import MarketClock
from bot.simulator.wire.options import SPEED_DEFAULT, SimulatorOptions
from bot.simulator.wire.persistence import StateError, StateStore
from bot.simulator.wire.tls import ensure_certificates, server_context, write_atomically
from bot.simulator.wire.venue import QUOTE_ASSET, Simulation

START_BALANCE = Decimal(1_000_000)
STATE_FILE = "state.sqlite3"
log = logging.getLogger("carrybot.simulator")


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def build_simulation(options: SimulatorOptions) -> Simulation:
    """Continues the state folder's market, or starts a fresh one at the market's demo start.

    Raises StateError when the stored state belongs to other market data or to another version.
    """
    store = StateStore(options.state_dir / STATE_FILE)
    clock_state = store.load_state("clock") or {}
    identity = {
        "seed": options.seed,
        "history": str(options.history_dir.resolve()) if options.history_dir else "embedded",
    }
    stored = store.load_state("identity")
    if stored is not None and stored != identity:
        store.close()
        raise StateError(
            f"{options.state_dir} holds a simulation of {stored}, not of {identity}; use another state folder "
            "or remove this one"
        )
    market = _market(options)
    live = store.load_state("exchange")
    if live is None:
        accounts = {key: {Book.SPOT: {QUOTE_ASSET: START_BALANCE}} for key in CREDENTIALS}
        exchange = Exchange(market, accounts, market.start_ms, options.seed)
    else:
        exchange = Exchange.restore(market, live, store.load_records())
    speed = options.speed if options.speed is not None else clock_state.get("speed", SPEED_DEFAULT)
    clock = MarketClock(
        max(store.noted_market_ms() or market.start_ms, exchange.now_ms),
        speed,
        time.monotonic_ns,
        paused=bool(clock_state.get("paused", False)),
    )
    store.save(None, {"identity": identity})
    sim = Simulation(
        market=market,
        exchange=exchange,
        clock=clock,
        store=store,
        wall_ms=wall_ms,
        monotonic_ns=time.monotonic_ns,
        tick_ms=options.tick_ms,
    )
    sim.save()
    return sim


def _market(options: SimulatorOptions) -> HistoryMarket:
    if options.history_dir is None:
        return HistoryMarket.embedded()
    return HistoryMarket.from_directory(options.history_dir)


class Host:
    """A server on a socket: `start` binds it, `run` steps the market, `stop` saves and closes."""

    def __init__(self, options: SimulatorOptions) -> None:
        self._options = options
        self.sim = build_simulation(options)
        self.server = Server(self.sim)
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> int:
        """Returns the port. Writes the CA certificate to `ca_file`."""
        ca_path, server_path = ensure_certificates(self._options.state_dir)
        if self._options.ca_file is not None:
            write_atomically(self._options.ca_file, ca_path.read_bytes())
        self._runner = web.AppRunner(
            self.server.application(), access_log=None, handle_signals=False, shutdown_timeout=0.3
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._options.port, ssl_context=server_context(server_path))
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self.port

    async def run(self) -> str:
        """Steps the market until `server.stopping` is set or nobody was there for `idle_exit_s`; says why."""
        stopping = self.server.stopping
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), max(0.001, self.sim.seconds_to_next_step()))
            self.sim.step_if_due()
            if self._idle_for_s() > (self._options.idle_exit_s or float("inf")):
                return "idle"
        return "stopped"

    async def stop(self) -> None:
        await self.server.disconnect_all()
        if self._runner is not None:
            await self._runner.cleanup()
        self.sim.close()

    def _idle_for_s(self) -> float:
        if self.server.clients:
            return 0.0
        return (time.monotonic_ns() - self.server.last_seen_ns) / 1e9

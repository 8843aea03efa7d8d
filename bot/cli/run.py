"""`carrybot run`: put the parts together, run the daemon in the foreground, end cleanly."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import structlog

from bot.cli import context, embedded, wiring
from bot.cli.embedded import Exchange
from bot.cli.failure import FAILED, UNREACHABLE, Failure
from bot.cli.money import Money, claim, epoch_min, must_be_of
from bot.domain.actions import Emit, Severity
from bot.domain.time import Stamp
from bot.observe.alerting import Alerting
from bot.observe.alerts import Announcer
from bot.observe.answers import Answers, heartbeat
from bot.observe.api import ControlServer
from bot.observe.health import HealthServer
from bot.observe.logging import configure, install_hooks, loop_exception_handler
from bot.observe.metrics import exposition
from bot.observe.redact import Redactor
from bot.observe.reports import Books
from bot.observe.views import View
from bot.observe.wording import describe
from bot.ports import StoreError, Tape, VenueError
from bot.runtime.clock import mono_ms
from bot.runtime.daemon import Daemon, Plan
from bot.runtime.lease import Lease
from bot.runtime.lock import LOCK_FILE, AlreadyRunningError, InstanceLock
from bot.runtime.reload import ConfigWatcher, described
from bot.runtime.taping import NoTape
from bot.settings import Settings, redacted, require_credentials, secrets
from bot.store.database import SqlStore
from bot.store.errors import file_of
from bot.store.lock import lock_file
from bot.store.migrate import upgrade
from bot.store.tape.writer import TapeWriter
from bot.venues.binance import BinanceVenue

ALERTS_FILE = "alerts.json"
"""In the data folder: what was sent lately."""
RECORD_S = 1.0
"""How long the last alerts may take to be recorded."""
LEAVE_S = 1.0
"""How long the end of the process may take once the daemon has ended."""


def run(config: Path | None, run_for_s: float | None) -> int:
    """The exit code of the daemon. Raises Failure, SettingsError, StoreError, VenueError."""
    settings = context.load(config)
    require_credentials(settings)
    configure(settings.log.format.value, settings.log.level.value, secrets(settings))
    install_hooks()
    wiring.only_venue(settings)
    with ExitStack() as held:
        lock, money = _take(settings, held)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            code = runner.run(_Run(settings, run_for_s, money, lock).main())
            _leave_soon(code, lock)
            return code


def _take(settings: Settings, held: ExitStack) -> tuple[InstanceLock, Money]:
    """Take the data folder. A disk that refuses is told like books that do: what is held stays unmanaged."""
    lock = InstanceLock(settings.data_dir / LOCK_FILE, _store_locks(settings))
    try:
        return held.enter_context(lock), claim(settings)
    except AlreadyRunningError as error:
        raise Failure(FAILED, str(error), "stop it first, or give this one its own CARRYBOT_DATA") from None
    except OSError as error:
        reason = f"{error.filename or settings.data_dir}: {error.strerror or type(error).__name__}"
        asyncio.run(_Run(settings, None, Money.REAL, lock).refused(OSError(reason)))
        raise Failure(FAILED, reason, "check the disk, and the owner and the rights of the data folder") from None


def _leave_soon(code: int, lock: InstanceLock) -> None:
    """The daemon has ended in order. What its loop and the interpreter still wait for is threads that nobody needs
    any more: in an outage the look-up of a name hangs for half a minute, and who stops the daemon waits as long."""

    def leave() -> None:
        time.sleep(LEAVE_S)
        with suppress(OSError):
            lock.release()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)

    Thread(target=leave, name="leave", daemon=True).start()


def _store_locks(settings: Settings) -> list[Path]:
    path = file_of(settings.database.url)
    return [] if path is None else [lock_file(path)]


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Run:
    """One run of the daemon with everything around it."""

    def __init__(self, settings: Settings, run_for_s: float | None, money: Money, lock: InstanceLock) -> None:
        self._settings = settings
        self._lock = lock
        self._money = money
        self._run_for_s = run_for_s
        self._log = structlog.get_logger("carrybot")
        self._alerting = Alerting(settings.alerts, self._report, memory=settings.data_dir / ALERTS_FILE)
        self._announcer = Announcer(self._write, self._alerting.tell)
        self._protected: set[str] = set()
        self._protect(settings)
        self._watcher: ConfigWatcher | None = None
        self._stop = asyncio.Event()
        self._exchange: Exchange | None = None
        self._daemon: Daemon | None = None
        self._early: list[Emit] = []
        """Lines that were told before there was a daemon, which records them."""
        self._venue: wiring.AnyVenue | None = None

    async def main(self) -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(loop_exception_handler)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A terminal that is closed asks for the same end. Under `nohup` that is to be ignored.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._stop.set)
        config, data = str(self._settings.source), str(self._settings.data_dir)
        self._write("info", "daemon.starting", config=config, data=data, money=self._money.value)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._alerting.running(hurried=self._stop.is_set))
            try:
                self._tell_of_the_last()
                daemon = await self._open(stack)
            except Exception as error:
                self._failed(error)
                raise
            clean = daemon is None or await self._live(daemon)
        if clean and self._exchange is not None:
            await self._exchange.stop()
            self._write("info", "simulator.stopped", saved=True)
        self._write("info", "daemon.ended")
        return 0

    async def refused(self, error: OSError) -> None:
        """Tell the owner's channels of a start that ended before there was anything to run."""
        try:
            async with self._alerting.running():
                self._failed(error)
                raise error
        except* OSError:
            pass

    async def _open(self, stack: AsyncExitStack) -> Daemon | None:
        """The daemon with its books, before it lives; None when it was stopped before it had begun.

        An error is told: what is held stays unmanaged.
        """
        url = self._settings.database.url
        if not await self._upgraded(url):
            return None
        books = Books(url, tuple(self._settings.venues))
        must_be_of(self._settings, await books.config())
        await self._start_exchange()
        store = await stack.enter_async_context(SqlStore(url, epoch_min=epoch_min(self._money)))
        stack.push_async_callback(self._record_last, store)
        self._write("info", "store.opened", database=store.name, version=store.version)
        await stack.enter_async_context(books.opened())
        daemon = await self._build(store, books, stack)
        await daemon.load()
        for emit in self._early:
            daemon.notices.keep(emit, Stamp(0, daemon.clock.market_ms(), mono_ms()))
        self._watch(daemon, store)
        await self._serve(daemon, books, stack)
        return daemon

    async def _upgraded(self, url: str) -> bool:
        """Bring the books to this version; False when it is stopped meanwhile. A migration is one transaction: where
        the process ends within it, it has not happened."""
        upgrading = asyncio.ensure_future(asyncio.to_thread(upgrade, url))
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((upgrading, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if upgrading.done():
            upgrading.result()
        return not self._stop.is_set()

    def _tell_of_the_last(self) -> None:
        """What became of the daemon before: it could not say so itself, nor send what it had just told."""
        if self._lock.taken_over is not None:
            self._report(Severity.WARNING, "lock.taken_over", from_process=self._lock.taken_over)
        if self._lock.died is not None:
            self._report(Severity.WARNING, "daemon.killed", process=self._lock.died)
            self._alerting.remember()

    async def _start_exchange(self) -> None:
        for name, venue in self._settings.venues.items():
            if not venue.embedded or venue.simulator is None:
                continue
            self._exchange = await embedded.start(self._settings, venue.simulator)
            clock = await self._exchange.clock()
            self._write(
                "info",
                "simulator.started" if self._exchange.started else "simulator.attached",
                venue=name,
                address=f"https://127.0.0.1:{self._exchange.endpoint.port}",
                speed=clock.get("speed"),
                market_time=_iso(clock.get("market_time")),
                note="a simulated exchange on recorded history: no real money",
            )

    async def _build(self, store: SqlStore, books: Books, stack: AsyncExitStack) -> Daemon:
        def venue_log(severity: Severity, name: str, fields: Mapping[str, Any]) -> None:
            assert self._daemon is not None
            self._daemon.notices.report(severity, name, **fields)

        name = wiring.only_venue(self._settings)
        held = await books.coins_in_use()
        owes = await books.uses_margin(name)
        venue = wiring.build_venue(self._settings, name, self._exchange, venue_log, held, owes=owes)
        stack.push_async_callback(venue.close)
        lease = Lease(mono_ms, store.confirm)
        if isinstance(venue, BinanceVenue):
            venue.permit_by(lease.refusal)
        plan = Plan(
            config=self._settings.core,
            run_for_s=self._run_for_s,
            books_floor_ms=await books.opened_ms(),
            on_drain=self._exchange.pause if self._exchange is not None else _nothing,
            beside=(("config", self._keep_watch),),
            describe=lambda emit: self._alerting.redact(describe(emit)),
            tape=self._tape(stack),
            lease=lease,
            books_file=file_of(self._settings.database.url),
        )
        self._venue = venue
        daemon = self._daemon = Daemon({name: venue}, store, plan, self._announcer)
        self._alerting.heartbeat = lambda: heartbeat(daemon)
        return daemon

    def _tape(self, stack: AsyncExitStack) -> Tape:
        size_mb = self._settings.tape.size_mb
        if not size_mb:
            return NoTape()
        tape = TapeWriter(self._settings.data_dir / wiring.TAPE_FOLDER, size_mb << 20, self._report)
        stack.callback(tape.close)
        return tape

    def _watch(self, daemon: Daemon, store: SqlStore) -> None:
        """From here on the owner's edits of the file reach the daemon."""

        async def save(settings: Settings) -> None:
            await store.save_config(json.dumps(redacted(settings), sort_keys=True))

        def beat() -> None:
            daemon.vitals.beat("config")

        self._watcher = ConfigWatcher(self._settings, self._apply, save, daemon.notices.report, beat)

    async def _keep_watch(self) -> None:
        assert self._watcher is not None
        await self._watcher.run()

    async def _reload(self) -> View:
        assert self._watcher is not None
        outcome = await self._watcher.check()
        return {
            "file": str(self._settings.source),
            "applied": [described(each) for each in outcome.applied],
            "restart": [described(each) for each in outcome.restart],
            "problems": list(outcome.problems),
        }

    async def _apply(self, settings: Settings) -> None:
        """Settings that were edited while running come into force."""
        assert self._daemon is not None
        self._protect(settings)
        await self._daemon.reconfigure(settings.core)
        self._alerting.configure(settings.alerts)
        universe = settings.core.universe
        borrows = wiring.borrowing(settings)
        if self._venue is not None and self._venue.widen(universe.coins, universe.exclude, borrows=borrows):
            self._daemon.relist()

    def _protect(self, settings: Settings, *more: str) -> None:
        """No secret of these settings, or of earlier ones, is logged or sent from now on."""
        self._protected |= {*secrets(settings), *more}
        configure(settings.log.format.value, settings.log.level.value, self._protected)
        self._alerting.redact = Redactor(self._protected).text

    async def _serve(self, daemon: Daemon, books: Books, stack: AsyncExitStack) -> None:
        settings = self._settings
        health = HealthServer(daemon, self._metrics(daemon))
        stack.push_async_callback(health.close)
        health_port = await self._listen("health", health, settings.health.host, settings.health.port)
        answers = Answers(daemon, books, self._announcer, self._reload)
        control = ControlServer(settings.data_dir, settings.token_file, answers.gets(), answers.posts())
        stack.push_async_callback(control.close)
        self._protect(settings, control.token)

        async def start(host: str, port: int) -> int:
            return await control.start(host, port, (settings.health.host, health_port))

        port = await self._try_ports("control", start, settings.api.host, settings.api.port)
        self._write(
            "info",
            "daemon.listening",
            control=f"{settings.api.host}:{port}",
            health=f"http://{settings.health.host}:{health_port}/readyz",
            ask="carrybot status",
        )

    def _metrics(self, daemon: Daemon) -> Callable[[], tuple[bytes, str]]:
        told = self._announcer
        return exposition(daemon, lambda: told.counts, self._alerting.counts, lambda: told.rules)

    async def _listen(self, what: str, server: HealthServer, host: str, port: int) -> int:
        return await self._try_ports(what, server.start, host, port)

    async def _try_ports(self, what: str, start: Any, host: str, port: int) -> int:
        """The configured port, or any other when it is taken: two demos on one machine must not block each other."""
        try:
            return int(await start(host, port))
        except OSError as error:
            if not port:
                raise Failure(FAILED, f"cannot listen on {host} for {what}: {error}") from None
            chosen = int(await start(host, 0))
            self._report(Severity.WARNING, "port.taken", what=what, wanted=port, using=chosen)
            return chosen

    async def _live(self, daemon: Daemon) -> bool:
        """True after a clean end. Raises VenueError when the venue cannot be reached at start."""
        try:
            await daemon.run(self._stop)
        except* VenueError as group:
            first = _first(group)
            self._failed(first)
            raise Failure(
                UNREACHABLE, f"the venue cannot be reached: {first}", "look at `carrybot check`; nothing was sent"
            ) from None
        except* StoreError as group:
            self._failed(_first(group))
            raise Failure(FAILED, f"the database failed: {_first(group)}", "see docs/operating.md") from None
        except* Exception as group:
            self._failed(_first(group))
            raise
        return True

    async def _record_last(self, store: SqlStore) -> None:
        """Alerts that nobody is left to record, such as why it ended, or that it could not begin."""
        if self._daemon is not None:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(RECORD_S):
                    await store.commit(self._daemon.notices.take_records())

    def _failed(self, error: BaseException) -> None:
        self._report(Severity.CRITICAL, "daemon.failed", reason=f"{type(error).__name__}: {error}")

    def _report(self, severity: Severity, name: str, **fields: Any) -> None:
        """To log and alerts, and into the books where there is a daemon that writes them."""
        if self._daemon is not None:
            self._daemon.notices.report(severity, name, **fields)
        else:
            emit = Emit(severity, name, fields)
            self._announcer(emit, Stamp(0, 0, mono_ms()))
            self._early.append(emit)

    def _write(self, level: str, name: str, **fields: Any) -> None:
        getattr(self._log, level)(name, **fields)


async def _nothing() -> None:
    """There is no simulator to pause."""


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _iso(market_ms: Any) -> str | None:
    if not isinstance(market_ms, int):
        return None
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(market_ms / 1000))

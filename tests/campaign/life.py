"""One life of the daemon: the real `Daemon` on the campaign's venue and books, until it ends or is killed."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

from bot.domain.actions import Emit, Severity
from bot.domain.time import Stamp
from bot.ports import Deliver, VenueError
from bot.runtime.daemon import Daemon, Plan
from bot.runtime.pollers import Rhythm
from bot.venues.binance import venue as binance_venue
from bot.venues.binance.gate import WEIGHT_SHARE_OPENING
from bot.venues.binance.streams import OPEN_WITHIN_S, StreamKeeper
from bot.venues.binance.venue import BinanceVenue
from tests.campaign.answers import CANARY, HANG_S, KEY
from tests.campaign.rest import RestOfCampaign
from tests.campaign.store import RamStore, Rows

if TYPE_CHECKING:
    from tests.campaign.world import World

VENUE = "binance"
RHYTHM = Rhythm(tick_s=0.5, liquidity_s=120.0, listing_s_min=15.0, loans_s=10.0)


class KeeperOfCampaign(StreamKeeper):
    """The real keeper; what it connects to is the campaign's venue."""

    def __init__(self, life: "Life", deliver: Deliver, log: Any) -> None:
        super().__init__(None, deliver, log, Random(f"keeper:{life.world.plan.seed}:{life.number}"))
        self._life = life

    def _connect(self, uri: str) -> Any:
        return self._life.world.streams.connect(self._life, uri, OPEN_WITHIN_S)


class CampaignVenue(BinanceVenue):
    """The real adapter; only its transport is another one: requests and connections end at the campaign's venue."""

    def __init__(self, life: "Life", log: Any) -> None:
        with mock.patch.object(binance_venue, "BinanceRest", RestOfCampaign):
            super().__init__(
                VENUE,
                "main",
                KEY,
                CANARY,
                borrows=bool(life.world.plan.lent),
                log=log,
                rng=life.world.dice,
                timeout_s=HANG_S,
            )
        self.life = life
        rest = self._rest
        assert isinstance(rest, RestOfCampaign)
        rest.connect_to(life.world.wire, life)
        self.budgets = rest.budgets

    def _keeper_of(self, deliver: Deliver) -> StreamKeeper:
        return KeeperOfCampaign(self.life, deliver, self._log)


class Life:
    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.dead = False
        self.stop = asyncio.Event()
        self.ended: str | None = None
        self.store = RamStore(world.database, self._around_commit)
        self.venue = CampaignVenue(self, self._log)
        plan = Plan(config=world.config, rhythm=RHYTHM, books_floor_ms=world.oracle.floor_ms())
        self.daemon = Daemon({VENUE: self.venue}, self.store, plan, self._sink)
        self.commits = 0
        self.epoch = 0
        self.root = world.loop.create_task(self._run())

    @property
    def running(self) -> bool:
        return not self.dead and self.ended is None and self.daemon.phase == "running"

    @property
    def informed(self) -> bool:
        """It knows all that it needs before it opens anything: depth is asked for last, and may wait for weight."""
        desk = self.daemon._desks.get(VENUE)
        return desk is not None and desk.pollers.liquidity_known.is_set()

    @property
    def pressed(self) -> bool:
        """So much request weight is used up that nothing may open before the minute is over."""
        return any(budget.pause_s(WEIGHT_SHARE_OPENING) > 0 for budget in self.venue.budgets.values())

    async def alive(self) -> None:
        """Returns to the living; the dead wait for ever."""
        if self.dead:
            await asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        """What SIGKILL does: nothing that this daemon would still do has any effect."""
        self.dead = True
        self.root.cancel()

    async def _run(self) -> None:
        try:
            await self.store.open()
            await self.daemon.load()
            self.epoch = self.world.database.rows("SELECT max(epoch) FROM epochs")[0][0]
            self.world.oracle.loaded(self)
            await self.daemon.run(self.stop)
            self.ended = "stopped"
        except asyncio.CancelledError:
            self.ended = "killed"
        except VenueError as error:
            self.ended = f"unreachable: {error}"
        except BaseExceptionGroup as group:
            self.ended = _reason(group)
        finally:
            if not self.dead:
                self.world.loop.call_soon(self.world.life_ended, self)

    async def _around_commit(self, rows: Rows, done: bool) -> None:
        await self.alive()
        if not done:
            await self.world.disk.before_commit(self, rows)
        else:
            self.world.oracle.committed(self, rows)
            await self.world.disk.after_commit(self)

    def _sink(self, emit: Emit, at: Stamp) -> None:
        if not self.dead:
            self.world.oracle.said(self, emit, at)

    def _log(
        self, severity: Severity, name: str, fields: Mapping[str, str | int | float | Decimal | bool | None]
    ) -> None:
        if not self.dead:
            self.world.oracle.said(self, Emit(severity, name, fields), Stamp(0, 0, 0))


def _reason(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    kind = "unreachable: " if isinstance(error, VenueError) else f"{type(error).__name__}: "
    return f"{kind}{error}"

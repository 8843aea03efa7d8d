"""What the disk does to the books: full, busy, slow, an I/O error, a page that is damaged, and deaths at a commit."""

import asyncio
from typing import TYPE_CHECKING

from tests.campaign.faults import COMMIT, MOVE
from tests.campaign.mischief import database_error

if TYPE_CHECKING:
    from tests.campaign.life import Life
    from tests.campaign.store import Rows
    from tests.campaign.world import World

JUST_S, AT_ONCE_S = 0.5, 0.02
_MOVES = "INSERT INTO transfers "


class Disk:
    def __init__(self, world: "World") -> None:
        self.world = world
        self.full_until_s = 0.0
        self.busy_left = 0
        self.slow_s = 0.0
        """How long it takes until the next commit, which is made, is known to be."""
        self._slow: tuple[float, float] = (0.0, 0.0)
        """Beginning and end of the latest commit that took long."""
        self.damaged_s: dict[int, float] = {}
        """Number of a daemon's life -> when it met a damaged page: no commit of it succeeds any more."""

    def calm(self) -> None:
        """Nothing more goes wrong; what is damaged is restored first."""
        self.full_until_s, self.busy_left = 0.0, 0
        if self.world.life.number in self.damaged_s:
            self.world.kill(self.world.life, 0.5)

    async def before_commit(self, life: "Life", rows: "Rows") -> None:
        """Raises what the driver would, or kills the daemon first."""
        world = self.world
        world.wire.counts[COMMIT] += 1
        for fault in world.struck(COMMIT, world.wire.counts[COMMIT]):
            match fault.kind:
                case "crash_at_commit" if fault.how == "before":
                    world.kill(life, fault.size)
                    await life.alive()
                case "crash_at_commit":
                    world.loop.call_soon(world.kill, life, fault.size)
                    life.commits = -1
                case "second_daemon" if life is world.life and life.running:
                    world.second_daemon(fault.size)
                case "database_full":
                    self.full_until_s = world.loop.now_s + fault.size
                case "database_busy":
                    self.busy_left = int(fault.size)
                case "database_slow":
                    self.slow_s = fault.size
                case "database_error":
                    raise database_error("SQLITE_IOERR", "disk I/O error")
                case "database_corrupt":
                    self.damaged_s[life.number] = world.loop.now_s
                    world.trouble(fault.size + 3.0)
                    world.loop.call_later(fault.size, self._restored, life)
        if any(sql.startswith(_MOVES) for sql, _ in rows):
            world.wire.counts[MOVE] += 1
            for fault in world.struck(MOVE, world.wire.counts[MOVE]):
                self.full_until_s = world.loop.now_s + fault.size
        if life.number in self.damaged_s:
            raise database_error("SQLITE_CORRUPT", "database disk image is malformed")
        if world.loop.now_s < self.full_until_s:
            raise database_error("SQLITE_FULL", "database or disk is full")
        if self.busy_left:
            self.busy_left -= 1
            raise database_error("SQLITE_BUSY", "database is locked")

    def _restored(self, life: "Life") -> None:
        """The owner has seen the alert, made whole books of the damaged ones and starts the daemon anew."""
        told = life.number in self.world.oracle.refused_lives
        self.world.oracle.check(20, told or life.dead, "the books are damaged and nobody was told")
        self.world.kill(life, 0.5)

    def unheard_since_s(self) -> float:
        """Since when a daemon may not have looked at what it was told: it waits for a commit, or just did."""
        began_s, ended_s = self._slow
        return began_s if self.world.loop.now_s < ended_s + JUST_S else self.world.loop.now_s

    def ended_s(self, committed_s: float) -> float:
        """When the daemon knew of a commit that it is made."""
        began_s, ended_s = self._slow
        return ended_s if committed_s == began_s else committed_s

    def catching_up(self) -> bool:
        """Whether a daemon looks at what came during a slow commit: what it decides to open now may not leave."""
        began_s, ended_s = self._slow
        return began_s < self.world.loop.now_s < ended_s + AT_ONCE_S

    async def after_commit(self, life: "Life") -> None:
        slow_s, self.slow_s = self.slow_s, 0.0
        if slow_s:
            now_s = self.world.loop.now_s
            self._slow = now_s, now_s + slow_s
            await asyncio.sleep(slow_s)
            await life.alive()
        if life.commits < 0:
            life.commits = 0
            self.world.kill(life, 1.0)
            await life.alive()

"""The owner's file, watched while the daemon runs: a valid edit comes into force, a faulty one changes nothing.

The file is looked at by its stamp and read when that has changed and then stood still for one look, so that an
editor that writes in parts or replaces the file is not caught in the middle.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from bot.domain.actions import Severity
from bot.ports import StoreError
from bot.runtime.vitals import Report
from bot.settings import Change, Settings, SettingsError, changes, load

LOOK_EVERY_S = 0.5
SHOWN_MAX = 8
"""Changes or problems that a log line or an alert names."""
Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an edit. With `problems` the rest is empty and nothing was applied."""

    applied: tuple[Change, ...] = ()
    restart: tuple[Change, ...] = ()
    """Keys of the file that differ from what is in force and wait for a restart."""
    problems: tuple[str, ...] = ()


class ConfigWatcher:
    """Knows the settings in force. `apply` makes settings of the running daemon; `save` keeps them in the books."""

    def __init__(
        self,
        in_force: Settings,
        apply: Callable[[Settings], Awaitable[None]],
        save: Callable[[Settings], Awaitable[object]],
        report: Report,
        beat: Callable[[], None] = lambda: None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.in_force = in_force
        self._apply = apply
        self._save = save
        self._report = report
        self._beat = beat
        self._look_every_s = look_every_s
        self._turn = asyncio.Lock()
        self._waiting: tuple[Change, ...] = ()
        self._refused = False
        self._digest = ""

    async def run(self) -> None:
        """Until cancelled. The first look also finds what was edited while the daemon started."""
        path = self.in_force.source
        await self._store(self.in_force)
        read: Stamp = (0, 0, 0)
        before = _stamp(path)
        while True:
            self._beat()
            await asyncio.sleep(self._look_every_s)
            now = _stamp(path)
            if now != read and now == before:
                read = now
                try:
                    await self._look(path)
                except BufferError:
                    read = (0, 0, 0)  # the inbox is full: look again
            before = now

    async def _look(self, path: Path) -> None:
        """Act on a file that is not the one acted on last; a check by hand may have been faster."""
        async with self._turn:
            if await asyncio.to_thread(_digest, path) != self._digest:
                await self._check()

    async def check(self) -> Outcome:
        """Read the file now and act on it. Raises what `apply` raises; then the old settings are in force."""
        async with self._turn:
            return await self._check()

    async def _check(self) -> Outcome:
        path = self.in_force.source
        digest = await asyncio.to_thread(_digest, path)
        try:
            found = await asyncio.to_thread(load, path)
        except SettingsError as error:
            again, self._digest = self._refused and digest == self._digest, digest
            return self._refuse(error, told=again)
        outcome = await self._take_over(found)
        self._digest = digest
        return outcome

    def _refuse(self, error: SettingsError, *, told: bool) -> Outcome:
        """`told`: this very content has been complained of already."""
        first = error.problems[0]
        self._refused = True
        if not told:
            self._report(
                Severity.WARNING,
                "config.refused",
                problems=_listed([str(each) for each in error.problems]),
                count=len(error.problems),
                file=str(self.in_force.source),
                line=first.line,
            )
        return Outcome(problems=tuple(str(each) for each in error.problems))

    async def _take_over(self, found: Settings) -> Outcome:
        differing = changes(self.in_force, found)
        applied = tuple(each for each in differing if not each.needs_restart)
        restart = tuple(each for each in differing if each.needs_restart)
        if applied:
            merged = replace(
                self.in_force,
                core=found.core,
                alerts=found.alerts,
                log=replace(self.in_force.log, level=found.log.level),
            )
            await self._apply(merged)
            self.in_force = merged
            self._report(
                Severity.INFO,
                "config.changed",
                changes=_listed([described(each) for each in applied]),
                count=len(applied),
                file=str(merged.source),
            )
            await self._store(merged)
        if restart and restart != self._waiting:
            self._report(
                Severity.WARNING,
                "config.needs_restart",
                keys=_listed([described(each) for each in restart]),
                count=len(restart),
                file=str(self.in_force.source),
            )
        elif self._refused and not applied:
            self._report(Severity.INFO, "config.valid", file=str(self.in_force.source))
        self._waiting, self._refused = restart, False
        return Outcome(applied, restart)

    async def _store(self, settings: Settings) -> None:
        try:
            await self._save(settings)
        except StoreError as error:
            self._report(Severity.WARNING, "config.not_stored", reason=str(error))


def described(change: Change) -> str:
    """`limits.per_coin_cap 0.05 -> 0.1`."""
    return f"{change.key} {_value(change.old)} -> {_value(change.new)}"


def _value(value: object) -> str:
    if value is None:
        return "none"
    return ("[" + ", ".join(map(str, value)) + "]") if isinstance(value, list) else str(value)


def _listed(items: Sequence[str]) -> str:
    rest = len(items) - SHOWN_MAX
    return "; ".join(items[:SHOWN_MAX]) + (f"; and {rest} more" if rest > 0 else "")


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _digest(path: Path) -> str:
    """Of the content. What is wrong with a file that cannot be read, `load` explains."""
    try:
        return sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    except OSError:
        return "unreadable"

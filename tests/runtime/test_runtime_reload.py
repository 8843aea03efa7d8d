"""The settings file, edited while it is watched: written in place, or replaced as most editors do."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.domain.actions import Severity
from bot.ports import StoreError
from bot.runtime.reload import ConfigWatcher
from bot.settings import Settings, load

HEAD = "venues: {binance: {adapter: binance}}\n"
LOOK_S = 0.02


@dataclass
class Watched:
    """A watcher on a file, and what it did."""

    path: Path
    watcher: ConfigWatcher
    applied: list[Settings] = field(default_factory=list)
    saved: list[Settings] = field(default_factory=list)
    said: list[tuple[Severity, str, dict[str, Any]]] = field(default_factory=list)

    def names(self) -> list[str]:
        return [name for _, name, _ in self.said]

    def write(self, text: str) -> None:
        self.path.write_text(HEAD + text)

    def replace(self, text: str) -> None:
        """As vim and most editors do."""
        part = self.path.with_suffix(".swp")
        part.write_text(HEAD + text)
        part.replace(self.path)

    async def until(self, count: int, seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while len(self.said) < count:
            assert time.monotonic() < end, self.said
            await asyncio.sleep(0.01)

    async def rest(self) -> None:
        await asyncio.sleep(12 * LOOK_S)


@asynccontextmanager
async def watching(tmp_path: Path, text: str = "", save_fails: bool = False) -> AsyncIterator[Watched]:
    path = tmp_path / "my.yaml"
    path.write_text(HEAD + text)
    found: list[Watched] = []

    async def apply(settings: Settings) -> None:
        found[0].applied.append(settings)

    async def save(settings: Settings) -> None:
        if save_fails:
            raise StoreError("disk full")
        found[0].saved.append(settings)

    def report(severity: Severity, name: str, **fields: Any) -> None:
        found[0].said.append((severity, name, fields))

    watcher = ConfigWatcher(load(path), apply, save, report, look_every_s=LOOK_S)
    found.append(Watched(path, watcher))
    task = asyncio.ensure_future(watcher.run())
    try:
        yield found[0]
        assert not task.done() or task.exception() is None
    finally:
        task.cancel()


async def test_a_valid_edit_is_applied_logged_with_its_difference_and_kept(tmp_path):
    async with watching(tmp_path) as watched:
        await watched.rest()
        assert watched.said == []
        assert len(watched.saved) == 1, "what it started with"
        watched.write("limits: {per_coin_cap: 0.1}\nuniverse: {exclude: [DOGE]}\n")
        await watched.until(1)
        ((severity, name, fields),) = watched.said
        assert (severity, name, fields["count"]) == (Severity.INFO, "config.changed", 2)
        assert fields["changes"] == "limits.per_coin_cap 0.05 -> 0.1; universe.exclude [] -> [DOGE]"
        assert watched.applied[0].core.universe.exclude == ("DOGE",)
        assert watched.saved[-1].core == watched.applied[0].core
        assert watched.watcher.in_force.core == watched.applied[0].core


async def test_editors_that_replace_the_file_are_followed(tmp_path):
    async with watching(tmp_path) as watched:
        for number, cap in enumerate(("0.1", "0.2", "0.3"), 1):
            watched.replace(f"limits: {{per_coin_cap: {cap}}}\n")
            await watched.until(number)
        assert [str(each.core.limits.per_coin_cap) for each in watched.applied] == ["0.1", "0.2", "0.3"]


async def test_a_file_that_is_still_being_written_is_waited_for(tmp_path):
    async with watching(tmp_path) as watched:
        await watched.rest()
        text = HEAD + "limits:\n" + "".join(f"  # line {n}\n" for n in range(20)) + "  per_coin_cap: 0.1\n"
        with watched.path.open("w") as file:
            for line in text.splitlines(keepends=True):
                file.write(line)
                file.flush()
                await asyncio.sleep(LOOK_S / 4)
        await watched.until(1)
        await watched.rest()
        assert "config.refused" not in watched.names()
        assert watched.names() == ["config.changed"]


async def test_a_faulty_edit_changes_nothing_and_names_line_and_remedy(tmp_path):
    async with watching(tmp_path, "limits: {per_coin_cap: 0.1}\n") as watched:
        before = watched.watcher.in_force
        watched.write("limits:\n  per_coin_cap: 0.2\n  leverage_celing: 3\n")
        await watched.until(1)
        ((severity, name, fields),) = watched.said
        assert (severity, name, fields["line"]) == (Severity.WARNING, "config.refused", 4)
        assert f"{watched.path}:4: limits.leverage_celing: unknown key" in fields["problems"]
        assert "did you mean 'leverage_ceiling'?" in fields["problems"]
        await watched.rest()
        assert watched.applied == []
        assert watched.watcher.in_force is before
        assert len(watched.said) == 1, "a file that stays faulty is told once"
        watched.write("limits: {per_coin_cap: 0.1}\n")
        await watched.until(2)
        assert watched.names()[-1] == "config.valid"


async def test_keys_that_need_a_restart_say_so_once_and_stay(tmp_path):
    async with watching(tmp_path) as watched:
        watched.write("api: {port: 9999}\nlimits: {per_coin_cap: 0.1}\n")
        await watched.until(2)
        assert watched.names() == ["config.changed", "config.needs_restart"]
        assert watched.said[1][2]["keys"] == "api.port 8471 -> 9999"
        assert watched.applied[0].api.port == 8471
        watched.write("api: {port: 9999}\nlimits: {per_coin_cap: 0.2}\n")
        await watched.until(3)
        await watched.rest()
        assert watched.names()[2:] == ["config.changed"]


async def test_a_file_that_is_gone_is_told_and_may_return(tmp_path):
    async with watching(tmp_path) as watched:
        await watched.rest()
        watched.path.unlink()
        await watched.until(1)
        assert "no such file" in watched.said[0][2]["problems"]
        watched.write("limits: {per_coin_cap: 0.1}\n")
        await watched.until(2)
        assert watched.names() == ["config.refused", "config.changed"]


async def test_an_edit_during_the_start_is_found(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(HEAD)
    old = load(path)
    path.write_text(HEAD + "limits: {per_coin_cap: 0.1}\n")
    applied: list[Settings] = []

    async def apply(settings: Settings) -> None:
        applied.append(settings)

    async def save(_: Settings) -> None:
        return

    watcher = ConfigWatcher(old, apply, save, lambda *_, **__: None, look_every_s=LOOK_S)
    task = asyncio.ensure_future(watcher.run())
    await asyncio.sleep(10 * LOOK_S)
    task.cancel()
    assert [str(each.core.limits.per_coin_cap) for each in applied] == ["0.1"]


async def test_a_check_by_hand_answers_with_what_it_did(tmp_path):
    async with watching(tmp_path) as watched:
        watched.write("limits: {per_coin_cap: 0.1}\nlog: {format: json}\n")
        outcome = await watched.watcher.check()
        assert [each.key for each in outcome.applied] == ["limits.per_coin_cap"]
        assert [each.key for each in outcome.restart] == ["log.format"]
        watched.write("limits: 5\n")
        assert "expected a section" in (await watched.watcher.check()).problems[0]
        await watched.rest()
        assert watched.names().count("config.refused") == 1, "the watcher does not repeat what was checked by hand"


async def test_books_that_refuse_do_not_stop_an_edit(tmp_path):
    async with watching(tmp_path, save_fails=True) as watched:
        watched.write("limits: {per_coin_cap: 0.1}\n")
        await watched.until(3)
        assert watched.names() == ["config.not_stored", "config.changed", "config.not_stored"]
        assert len(watched.applied) == 1

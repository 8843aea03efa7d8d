"""What the process takes is read from the kernel, shown as gauges, and told once beyond its ceiling."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from bot.runtime import resources
from bot.runtime.resources import CEILINGS, Resources, ceilings, log_mb, read
from bot.runtime.vitals import Vitals


async def test_a_reading_has_every_name_that_has_a_ceiling(tmp_path: Path) -> None:
    books = tmp_path / "books.db"
    books.with_name("books.db-wal").write_bytes(b"x" * 2**20)
    found = read()
    assert found.keys() | {"wal_mb"} == CEILINGS.keys()
    assert log_mb(books) == 1
    assert log_mb(tmp_path / "other.db") == 0
    assert 10 < found["memory_mb"] < 2_000
    assert found["tasks"] == 1
    with (tmp_path / "open").open("w"):
        assert read()["descriptors"] == found["descriptors"] + 1


async def test_a_disk_that_does_not_answer_holds_up_no_other_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers when another task has run; a server of files that is gone never does."""
    asked, told, said, look = threading.Event(), threading.Event(), asyncio.Event(), Path.stat
    tmp_path.joinpath("books.db-wal").write_bytes(b"x" * 2**20)

    def hanging(file: Path, **options: Any) -> os.stat_result:
        if file.name == "books.db-wal":
            asked.set()
            assert told.wait(10), "no other task could run"
        return look(file, **options)

    monkeypatch.setattr(Path, "stat", hanging)
    monkeypatch.setattr(resources, "EVERY_S", 0.0)
    watched = Resources(Vitals(lambda: 0), lambda *_, **__: said.set(), tmp_path / "books.db", {"wal_mb": 0.5})
    task = asyncio.ensure_future(watched.watch())
    await asyncio.to_thread(asked.wait, 10)
    told.set()
    await asyncio.wait((task, asyncio.ensure_future(said.wait())), return_when=asyncio.FIRST_COMPLETED)
    assert said.is_set()
    task.cancel()


async def test_a_ceiling_is_told_once_and_again_after_it_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    values = iter([5.0, 11.0, 12.0, 10.0, 11.0])
    monkeypatch.setattr(resources, "read", lambda: {"tasks": next(values)})
    watched = Resources(Vitals(lambda: 0), lambda *_, **fields: said.append(fields), None, {"tasks": 10})
    for _ in range(5):
        watched.look()
    assert [each["value"] for each in said] == [11.0, 11.0]
    assert said[0] == {"what": "tasks", "value": 11.0, "ceiling": 10}
    assert watched.now == {"tasks": 11.0}


def test_memory_is_told_before_the_container_has_none_left(tmp_path: Path) -> None:
    """The shipped docker-compose.yml gives it 768 MB: a ceiling of 1,024 was never told."""
    limit = tmp_path / "memory.max"
    assert ceilings((limit,)) == CEILINGS, "no container"
    limit.write_text("max\n")
    assert ceilings((limit,)) == CEILINGS, "a container without a limit"
    limit.write_text(f"{768 << 20}\n")
    assert ceilings((tmp_path / "gone", limit)) == {**CEILINGS, "memory_mb": 576}
    limit.write_text(f"{1 << 62}\n")
    assert ceilings((limit,)) == CEILINGS


async def test_watching_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    vitals = Vitals(lambda: now[0])
    vitals.watch(resources.TASK)
    now[0] = 20_000
    assert vitals.problems()
    watched = Resources(vitals, lambda *_, **__: None, None)
    task = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0)
    assert vitals.problems() == []
    task.cancel()

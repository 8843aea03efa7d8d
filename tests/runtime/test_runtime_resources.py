"""What the process takes is read from the kernel, shown as gauges, and told once beyond its ceiling."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.runtime import resources
from bot.runtime.resources import CEILINGS, Resources, ceilings, read
from bot.runtime.vitals import Vitals


async def test_a_reading_has_every_name_that_has_a_ceiling(tmp_path: Path) -> None:
    books = tmp_path / "books.db"
    books.with_name("books.db-wal").write_bytes(b"x" * 2**20)
    found = read(books)
    assert found.keys() == CEILINGS.keys()
    assert found["wal_mb"] == 1
    assert 10 < found["memory_mb"] < 2_000
    assert found["tasks"] == 1
    with (tmp_path / "open").open("w"):
        assert read(books)["descriptors"] == found["descriptors"] + 1
    assert "wal_mb" not in read(None)


async def test_a_ceiling_is_told_once_and_again_after_it_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    values = iter([5.0, 11.0, 12.0, 10.0, 11.0])
    monkeypatch.setattr(resources, "read", lambda _: {"tasks": next(values)})
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

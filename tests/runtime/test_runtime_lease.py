"""The lease: without a fresh confirmation nothing is signed; a lock without a sign of life is put aside."""

import asyncio
import errno
import os
import time
from pathlib import Path

import pytest

from bot.ports import StoreError, TakenOverError
from bot.runtime import lease, lock
from bot.runtime.lease import Lease
from bot.runtime.lock import AlreadyRunningError, InstanceLock, locked_by
from bot.runtime.vitals import Vitals


class Books:
    def __init__(self) -> None:
        self.now_ms = 1_000
        self.error: StoreError | None = None
        self.lease = Lease(lambda: self.now_ms, self.confirm)

    async def confirm(self) -> None:
        if self.error is not None:
            raise self.error

    async def look(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One round of `keep`."""

        async def stop(_: float) -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(lease.asyncio, "sleep", stop)
        with pytest.raises(asyncio.CancelledError):
            await self.lease.keep(Vitals(lambda: self.now_ms))
        monkeypatch.undo()


async def test_nothing_is_signed_without_a_fresh_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    books = Books()
    assert books.lease.refusal() == "the books have not confirmed this daemon yet"
    await books.look(monkeypatch)
    assert books.lease.refusal() is None
    books.now_ms += lease.LEASE_MS
    assert books.lease.refusal() is None
    books.now_ms += 1
    assert books.lease.refusal() == "the books have not confirmed this daemon for 5.0 s"
    await books.look(monkeypatch)
    assert books.lease.refusal() is None


async def test_what_a_slow_disk_has_just_committed_may_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question of `keep` waits behind the commit: its last answer is older than the lease lasts."""
    books = Books()
    await books.look(monkeypatch)
    books.now_ms += 1_000

    async def slow(_: object) -> None:
        books.now_ms += 4_500
        if books.error is not None:
            raise books.error

    commit = books.lease.proving(slow)
    await commit([])
    assert books.lease.refusal() is None
    books.now_ms += 501
    assert books.lease.refusal() is not None, "it counts from its beginning"
    books.error = StoreError("full")
    with pytest.raises(StoreError):
        await commit([])
    assert books.lease.refusal() is not None


async def test_a_database_that_refuses_confirms_nothing_and_one_that_was_taken_over_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    books = Books()
    await books.look(monkeypatch)
    books.error, books.now_ms = StoreError("full"), books.now_ms + 6_000
    await books.look(monkeypatch)
    assert books.lease.refusal() is not None
    books.error = TakenOverError("books.db: a newer daemon has taken over")
    with pytest.raises(TakenOverError):
        await books.lease.keep(Vitals(lambda: books.now_ms))


def test_the_times_fit_together() -> None:
    """What a frozen daemon signed before it could know is refused by the venue before the next one acts."""
    from bot.venues.binance.rest import RECV_WINDOW_MS

    assert lock.STALE_S * 1000 > lease.LEASE_MS + RECV_WINDOW_MS
    assert lease.EVERY_S * 1000 < lease.LEASE_MS / 2
    assert lock.STALE_S > 5 * lock.TOUCH_S


def test_a_silent_holder_is_replaced_with_everything_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "TOUCH_S", 60.0)
    monkeypatch.setattr(lock, "WATCHED_S", 0.2)
    path, books = tmp_path / "carrybot.lock", tmp_path / "books.db.lock"
    books.touch()
    with InstanceLock(path):
        with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"), InstanceLock(path, [books]):
            pass
        assert books.exists()
        long_ago = time.time_ns() / 1e9 - lock.STALE_S - 1
        os.utime(path, (long_ago, long_ago))
        with InstanceLock(path, [books]) as second:
            assert second.taken_over == os.getpid()
            assert not books.exists()
            assert locked_by(path) == os.getpid()
            with pytest.raises(AlreadyRunningError), InstanceLock(path, [books]):
                pass


def test_a_holder_that_shows_life_while_it_is_watched_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the machine's wall clock jumped ahead."""
    monkeypatch.setattr(lock, "TOUCH_S", 0.05)
    path = tmp_path / "carrybot.lock"
    with InstanceLock(path):
        ahead_ns = time.time_ns() + 10**15
        monkeypatch.setattr(lock.time, "time_ns", lambda: ahead_ns)
        with pytest.raises(AlreadyRunningError), InstanceLock(path):
            pass


def test_life_is_shown_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "TOUCH_S", 0.02)
    path = tmp_path / "carrybot.lock"
    with InstanceLock(path):
        os.utime(path, (1, 1))
        until = time.monotonic() + 10
        while path.stat().st_mtime < 2:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_full_disk_refuses_nobody_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The books have to say that the disk is full, so that an alert leaves."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lock.os, "pwrite", full)
    path = tmp_path / "carrybot.lock"
    with InstanceLock(path):
        assert locked_by(path) == 0, "held, and it does not say by whom"
    assert locked_by(path) is None

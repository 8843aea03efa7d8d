"""One daemon for one data folder: a lock that the kernel drops when its holder dies, and a sign of its holder's life.

A thread of the holder touches the file each second. A lock whose holder lives but has not touched it for `STALE_S` (a
frozen process) may be taken over: its file is put aside and a new one is locked. What the old holder still tries is
stopped by the epoch in the books (`bot.runtime.lease`).
"""

import fcntl
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

LOCK_FILE = "carrybot.lock"
"""In the data folder."""
STALE_S = 15.0
WATCHED_S = 3.0
"""How long a stale lock is watched before it is taken: a wall clock that jumped must not make it stale."""
TOUCH_S = 1.0
TRIES = 10
PAUSE_S = 0.03


class AlreadyRunningError(Exception):
    """Another daemon holds the lock; `pid` is its process id, None when the file does not say."""

    def __init__(self, path: Path, pid: int | None, silent_s: float | None = None) -> None:
        silent = f"; it last showed life {silent_s:.0f} s ago" if silent_s is not None and silent_s > 2 else ""
        super().__init__(f"another carrybot holds {path}" + (f" (process {pid}{silent})" if pid else ""))
        self.pid = pid


class InstanceLock:
    """Holds an exclusive lock on a file that names the holder's process id.

    `beside` are lock files of the same holder that are put aside with it when it is taken over.
    """

    def __init__(self, path: Path, beside: Sequence[Path] = ()) -> None:
        self._path = path
        self._beside = beside
        self._file: int | None = None
        self._released = threading.Event()
        self.taken_over: int | None = None
        """Process id of the frozen holder that the lock was taken from."""
        self.died: int | None = None
        """Process id of the last holder, where it ended without giving the lock up: it was killed, or its machine."""

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = _acquire(self._path)
        if file is None:
            self._put_aside()
            file = _acquire(self._path)
            if file is None:
                raise AlreadyRunningError(self._path, holder(self._path))
        self.died = holder(self._path)
        with suppress(OSError):
            # The number is for whoever asks. On a full disk it is the books that have to say so, and alert.
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file
        threading.Thread(target=self._show_life, args=(file,), name="lock", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock up; harmless when it is free."""
        file, self._file = self._file, None
        if file is not None:
            self._released.set()
            with suppress(OSError):  # a disk that refuses by now must not hide why the daemon ended
                os.ftruncate(file, 0)
            os.close(file)

    def _show_life(self, file: int) -> None:
        """Until released; a process that is frozen shows none."""
        while not self._released.wait(TOUCH_S):
            with suppress(OSError):
                os.utime(file)

    def _put_aside(self) -> None:
        """Take the lock from a holder that shows no life. AlreadyRunningError when it does."""
        with self._path.with_name(self._path.name + ".takeover").open("a") as guard:
            if not _flock(guard.fileno()):
                raise AlreadyRunningError(self._path, holder(self._path))
            pid = holder(self._path)
            before = _touched_s(self._path)
            silent_s = time.time_ns() / 1e9 - before
            if silent_s < STALE_S:
                raise AlreadyRunningError(self._path, pid, silent_s)
            time.sleep(WATCHED_S)
            if _touched_s(self._path) != before:
                raise AlreadyRunningError(self._path, pid)
            for path in (self._path, *self._beside):
                path.unlink(missing_ok=True)
            self.taken_over = pid


def _acquire(path: Path) -> int | None:
    """Descriptor of the locked file, None when another process has it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _flock(file):
            os.close(file)
            return None
        try:
            if os.fstat(file).st_ino == path.stat().st_ino:
                return file
        except FileNotFoundError:
            pass
        # It was put aside between our opening and locking it.
        os.close(file)


def _flock(file: int) -> bool:
    """Try for a third of a second: `locked_by` of another command holds the lock for an instant."""
    for _ in range(TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(PAUSE_S)
        else:
            return True
    return False


def _touched_s(path: Path) -> float:
    """UTC seconds of the holder's last sign of life; now when the file is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time_ns() / 1e9


def holder(path: Path) -> int | None:
    """Process id written in a lock file, None when there is none."""
    try:
        return int(path.read_text().strip())
    except (OSError, ValueError):
        return None


def locked_by(path: Path) -> int | None:
    """Process id of the daemon that holds the lock now, 0 when it does not say, None when nobody holds it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return holder(path) or 0
    else:
        return None
    finally:
        os.close(file)

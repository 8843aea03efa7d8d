"""One daemon for one data directory: an advisory lock that the kernel drops when its holder dies."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class AlreadyRunningError(Exception):
    """Another daemon holds the lock; `pid` is its process id, None when the file does not say."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"another carrybot holds {path}" + (f" (process {pid})" if pid else ""))
        self.pid = pid


class InstanceLock:
    """Holds an exclusive lock on a file that names the holder's process id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(file):
            os.close(file)
            raise AlreadyRunningError(self._path, holder(self._path))
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def _lock(file: int) -> bool:
    """Try for a third of a second: `locked_by` of another command holds the lock for an instant."""
    for _ in range(10):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.03)
        else:
            return True
    return False


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

"""One writing process: a lock on a file beside the books, given back by the kernel when its process dies."""

import os
from pathlib import Path

from bot.ports import StoreError

try:
    import fcntl
except ImportError:  # pragma: no cover  Windows has no flock; the epoch still stops a second daemon's commits
    fcntl = None  # type: ignore[assignment]


def lock_file(books: Path) -> Path:
    """The file that is locked for these books."""
    return books.with_name(books.name + ".lock")


class WriterLock:
    """Held from `acquire` to `release`. Two SQLite writers can damage a WAL database before 3.51.3."""

    def __init__(self, books: Path) -> None:
        self._path = lock_file(books)
        self._descriptor: int | None = None
        self._books = books

    def acquire(self) -> None:
        """Take the lock at once or raise StoreError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise StoreError(
                    f"{self._books}: another carrybot is running on these books; stop it first"
                ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held. The file stays: removing it would race."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

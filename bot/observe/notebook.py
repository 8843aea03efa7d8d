"""One small file that is written again and again beside the event loop: its disk may be slow, or hang."""

import threading
from contextlib import suppress
from pathlib import Path

from bot.observe.api import write_private


class Notebook:
    """Keeps the newest of the texts that it is given; a disk that refuses them keeps the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next: str | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(self, content: str, wait_s: float = 0.0) -> None:
        """Begin to write; waits so long for the end of it."""
        with self._lock:
            self._next = content
            thread = self._thread
            if thread is None:
                # A daemon thread: a disk that hangs must not keep the process from ending.
                thread = self._thread = threading.Thread(target=self._work, name="notebook", daemon=True)
                thread.start()
        if wait_s:
            thread.join(wait_s)

    def _work(self) -> None:
        while True:
            with self._lock:
                content, self._next = self._next, None
                if content is None:
                    self._thread = None
                    return
            with suppress(OSError):
                write_private(self.path, content)

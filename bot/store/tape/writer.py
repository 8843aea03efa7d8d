"""Writes the tape beside the consumer: it hands over what it took, a thread makes bytes of it and writes them.

The order is the consumer's: one hand-over list, one queue, one thread. When the thread cannot keep up or the disk
refuses, taping pauses, which is told, and goes on later in a new file that begins with the state of that moment:
a file never has a gap. Trading never waits for the tape.
"""

import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from bot.domain.actions import Action, Severity
from bot.domain.events import Event
from bot.domain.time import Stamp
from bot.engine.state import EngineState
from bot.store.tape.blocks import MARK, Kind, Packer
from bot.store.tape.codec import NAMES, Taken, encode
from bot.store.tape.folder import SUFFIX, oldest_first
from bot.store.tape.frozen import core_digest, freeze

FILES = 8
"""Into how many files the allowed size is divided: the oldest one goes when a new one begins."""
HAND_OVER_EVENTS = 128
HAND_OVER_MS = 250
"""Small, so that the thread never keeps the interpreter for long; what a kill loses is this much at most."""
WAITING_MAX = 100_000
"""Events handed over and not written: beyond it taping pauses."""
PAUSE_MS = 30_000
"""How long taping pauses after the disk refused or the thread fell behind."""
CALM_WAIT_MS = 60_000
"""How long a new file waits for a moment without orders in flight: freezing the state takes milliseconds."""

Report = Callable[..., None]
"""report(severity, name, **fields): a log line, and an alert from warning on."""
_Job = tuple[bytes | None, Sequence[Taken]]
"""(state that begins a new file, or None; entries)."""


class TapeWriter:
    """`ports.Tape` on files in one folder, at most `size_bytes` altogether, with a thread that `close` ends."""

    def __init__(self, folder: Path, size_bytes: int, report: Report) -> None:
        self._folder = folder
        self._file_bytes = max(64 * 1024, size_bytes // FILES)
        self._size_bytes = size_bytes
        self._report = report
        self._state: EngineState | None = None
        self._part = 0
        self._taken: list[Taken] = []
        self._began_ms = 0
        self._due_ms: int | None = None
        """Since when a new file is due; None while the running one goes on."""
        self._resume_ms: int | None = 0
        """When taping begins (again); None while it runs."""
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._handed = 0
        self._asked = 0
        """New files that were asked for."""
        # The thread writes these, the consumer reads them.
        self._written = 0
        self._bytes = 0
        self._begun = 0
        self._full = False
        """Of the latest of the files that were begun."""
        self._error: str | None = None
        self.total_bytes = 0
        """Written since start."""

    def begin(self, state: EngineState) -> None:
        """Start taping with the state before the first step."""
        self._state = state
        self._thread = threading.Thread(target=self._work, name="tape", daemon=True)
        self._thread.start()
        self._new_file(0)

    def record(self, event: Event, at: Stamp, actions: Sequence[Action] | None) -> None:
        """Note one step. `actions` must not change any more; None says that the core raised."""
        if self._resume_ms is None:
            if not self._taken:
                self._began_ms = at.mono_ms
            self._taken.append((event, at, actions))

    def turn_ended(self, mono_ms: int) -> None:
        """The state is at rest between two steps: hand over what is due."""
        if self._resume_ms is not None:
            if mono_ms >= self._resume_ms and self._handed == self._written and self._thread is not None:
                self._new_file(mono_ms)
            return
        taken = self._taken
        if taken and (len(taken) >= HAND_OVER_EVENTS or mono_ms - self._began_ms >= HAND_OVER_MS):
            self._hand_over(None)
            if self._error is not None or self._handed - self._written > WAITING_MAX:
                self._pause(mono_ms)
            elif self._full and self._begun == self._asked:
                self._when_calm(mono_ms)

    def close(self) -> None:
        """Write what was handed over and end the file in order; waits a few seconds for the disk at most."""
        if self._thread is None:
            return
        if self._taken:
            self._hand_over(None)
        self._jobs.put(None)
        self._thread.join(5.0)
        self._thread = None

    def _hand_over(self, state: bytes | None) -> None:
        self._handed += len(self._taken)
        self._jobs.put((state, self._taken))
        self._taken = []

    def _new_file(self, mono_ms: int) -> None:
        self._resume_ms = self._due_ms = self._error = None
        self._began_ms = mono_ms
        self._asked += 1
        assert self._state is not None
        self._hand_over(freeze(self._state))

    def _when_calm(self, mono_ms: int) -> None:
        if self._due_ms is None:
            self._due_ms = mono_ms
        assert self._state is not None
        calm = all(order.settled for order in self._state.orders.values())
        if calm or mono_ms - self._due_ms >= CALM_WAIT_MS:
            self._new_file(mono_ms)

    def _pause(self, mono_ms: int) -> None:
        self._taken = []
        self._resume_ms = mono_ms + PAUSE_MS
        reason = self._error or f"the disk is too slow: {self._handed - self._written} events wait"
        self._report(Severity.WARNING, "tape.paused", reason=reason, done="taping goes on later in a new file")

    # From here on everything runs in the thread.

    def _work(self) -> None:
        file: BinaryIO | None = None
        packer = Packer()
        try:
            while (job := self._jobs.get()) is not None:
                state, taken = job
                if state is not None:
                    if file is not None:
                        self._write(file, packer.pack(Kind.END, b""))
                        file.close()
                    self._error, packer = None, Packer()
                    file = self._open(packer, state)
                    self._full = False
                    self._begun += 1
                if file is not None and self._error is None and taken:
                    self._put(file, packer, taken)
                self._written += len(taken)
            if file is not None and self._error is None:
                self._write(file, packer.pack(Kind.END, b""))
        finally:
            if file is not None:
                file.close()

    def _open(self, packer: Packer, state: bytes) -> BinaryIO | None:
        assert self._state is not None
        name = self._next_name(self._state.epoch)
        header = {"epoch": self._state.epoch, "part": self._part, "kinds": NAMES, "core": core_digest()}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room()
            file = (self._folder / name).open("xb", buffering=0)
        except OSError as error:
            self._error = f"{self._folder}: {error.strerror or error}"
            return None
        self._bytes = 0
        self._write(file, MARK + packer.pack(Kind.HEADER, json.dumps(header).encode()))
        self._write(file, packer.pack(Kind.STATE, state))
        if self._error is not None:
            file.close()
            with suppress(OSError):
                (self._folder / name).unlink()
            return None
        return file

    def _next_name(self, epoch: int) -> str:
        """The next number that no file has: of other books that were taped here there may be some."""
        while True:
            self._part += 1
            name = f"{epoch:06}-{self._part:04}{SUFFIX}"
            if not (self._folder / name).exists():
                return name

    def _put(self, file: BinaryIO, packer: Packer, taken: Sequence[Taken]) -> None:
        try:
            entries = encode(taken)
        except Exception as error:  # noqa: BLE001 - the thread would end, and with it the tape, without a word
            self._error = f"an entry cannot be written: {type(error).__name__}: {error}"
            return
        self._write(file, packer.pack(Kind.ENTRIES, entries))
        self._full = self._bytes >= self._file_bytes

    def _write(self, file: BinaryIO, data: bytes) -> None:
        """All of it, or the file ends here: its last block is torn, and readers drop it."""
        if self._error is not None:
            return
        try:
            if file.write(data) != len(data):
                self._error = f"{self._folder}: no space left"
        except OSError as error:
            self._error = f"{self._folder}: {error.strerror or error}"
        self._bytes += len(data)
        self.total_bytes += len(data)

    def _make_room(self) -> None:
        """Delete the oldest files until a new one fits, and leave the books their share of the disk."""
        found = oldest_first(self._folder)
        sizes = [path.stat().st_size for path in found]
        while found and sum(sizes) + self._file_bytes > self._size_bytes:
            found.pop(0).unlink()
            sizes.pop(0)
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize < 2 * self._file_bytes:
            raise OSError(0, f"less than {2 * self._file_bytes >> 20} MiB are free, which are left to the books")

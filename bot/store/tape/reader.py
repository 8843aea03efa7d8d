"""Reads one file of the tape back, block by block: memory stays small however long the file is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from bot.engine.state import EngineState
from bot.store.tape.blocks import Kind, NothingTapedError, TapeError, Unpacker
from bot.store.tape.codec import NAMES, Entry, decode
from bot.store.tape.frozen import core_digest, thaw


@dataclass(frozen=True, slots=True)
class Header:
    """`epoch` and `part` of the file; `same_core`: it was recorded by the very code that reads it."""

    epoch: int
    part: int
    same_core: bool


class TapeReader:
    """Open it, take `state`, then `entries` once; `note` afterwards says what was missing at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.note: str | None = None

    def __enter__(self) -> Self:
        """TapeError when the file cannot be read or is not a tape of this program's events."""
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            raise NothingTapedError(f"{self._path}: it is gone") from None
        except OSError as error:
            raise TapeError(f"{self._path}: {error.strerror or error}") from None
        try:
            self._unpacker = Unpacker(self._file, str(self._path))
            self._blocks = self._unpacker.blocks()
            self.header = self._header()
            self.state = self._state()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def entries(self) -> Iterator[Entry]:
        """Everything that entered the core, in order. TapeError for a block that holds something else."""
        ended = False
        for kind, payload in self._blocks:
            if kind is Kind.END:
                ended = True
                continue
            try:
                yield from decode(payload)
            except (msgspec.MsgspecError, IndexError, ValueError, ArithmeticError) as error:
                raise TapeError(f"{self._path}: an entry cannot be read ({type(error).__name__})") from None
        self.note = self._unpacker.note
        if not ended and self.note is None:
            self.note = "the file was not closed in order: the daemon runs, was killed, or its disk refused"

    def _header(self) -> Header:
        found = next(self._blocks, None)
        if found is None or found[0] is not Kind.HEADER:
            raise NothingTapedError(f"{self._path}: it ends before anything was recorded")
        facts = json.loads(found[1])
        if tuple(facts["kinds"]) != NAMES:
            raise TapeError(f"{self._path}: recorded by another version of carrybot; replay it with that one")
        return Header(facts["epoch"], facts["part"], facts["core"] == core_digest())

    def _state(self) -> EngineState:
        found = next(self._blocks, None)
        if found is None or found[0] is not Kind.STATE:
            raise NothingTapedError(f"{self._path}: it ends before anything was recorded")
        try:
            return thaw(found[1])
        except TapeError as error:
            raise TapeError(f"{self._path}: {error}; replay it with the version that recorded it") from None

"""The bytes of a tape's file: a mark, then blocks, each with its length and check sum over what was compressed.

All blocks of a file are one zlib stream that is flushed at each block's end: small blocks compress as well as large
ones, and everything up to the last whole block can be read after a crash.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

MARK = b"carrybot tape 1\n"
_FRAME = struct.Struct("<cII")
BLOCK_BYTES_MAX = 256 * 1024 * 1024
LEVEL = 3


class Kind(Enum):
    HEADER = b"H"
    """JSON: what the file is of."""
    STATE = b"S"
    """The frozen state of the engine before the first entry."""
    ENTRIES = b"E"
    END = b"X"
    """The file was closed in order."""


_LETTERS = frozenset(kind.value for kind in Kind)


class TapeError(Exception):
    """A file is no tape, or not one that this program can read. Its text names the file and the remedy."""


class NothingTapedError(TapeError):
    """The file ends before its first entry, or is gone: a kill as it was begun, or room that was made. No fault."""


class Packer:
    """Makes blocks of one file, in order."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(LEVEL)

    def pack(self, kind: Kind, payload: bytes) -> bytes:
        packed = self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return _FRAME.pack(kind.value, len(packed), zlib.crc32(packed)) + packed


@dataclass(slots=True)
class Unpacker:
    """Gives the blocks of one file. `note` says afterwards what was dropped at its end; None: nothing."""

    file: BinaryIO
    name: str
    note: str | None = None

    def blocks(self) -> Iterator[tuple[Kind, bytes]]:
        """Every whole block. TapeError when the file does not begin as a tape does, ends within its mark, or is
        damaged: a kill tears the last block, and only the last one.
        """
        mark = self.file.read(len(MARK))
        if mark != MARK and MARK.startswith(mark):
            raise NothingTapedError(f"{self.name}: it ends before anything was recorded")
        if mark != MARK:
            raise TapeError(f"{self.name}: this is not a tape of carrybot; tapes are in <data_dir>/tape")
        stream = zlib.decompressobj()
        while True:
            at = self.file.tell()
            frame = self.file.read(_FRAME.size)
            if not frame:
                return
            found = self._block(frame, stream)
            if found is None:
                if self._goes_on(at, frame):
                    raise TapeError(f"{self.name}: it is damaged at byte {at}, and what follows cannot be compared")
                rest = self.file.seek(0, 2) - at
                self.note = f"the last block is torn: {rest} bytes from byte {at} on are dropped"
                return
            yield found

    def _goes_on(self, at: int, frame: bytes) -> bool:
        """Whether a whole block follows where the one that begins at this byte should end."""
        if len(frame) < _FRAME.size:
            return False
        self.file.seek(at + _FRAME.size + min(_FRAME.unpack(frame)[1], BLOCK_BYTES_MAX))
        following = self.file.read(_FRAME.size)
        if len(following) < _FRAME.size:
            return False
        letter, length, check = _FRAME.unpack(following)
        packed = self.file.read(min(length, BLOCK_BYTES_MAX))
        return letter in _LETTERS and len(packed) == length and zlib.crc32(packed) == check

    def _block(self, frame: bytes, stream: "zlib._Decompress") -> tuple[Kind, bytes] | None:
        if len(frame) < _FRAME.size:
            return None
        letter, length, check = _FRAME.unpack(frame)
        if length > BLOCK_BYTES_MAX:
            return None
        packed = self.file.read(length)
        if len(packed) < length or zlib.crc32(packed) != check:
            return None
        try:
            return Kind(letter), stream.decompress(packed)
        except (ValueError, zlib.error):
            return None

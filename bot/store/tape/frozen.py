"""The engine's whole state as bytes, and back: what a tape's file begins with.

It is pickled, because nothing else keeps which objects are one and the same. Reading is restricted to the classes of
the core and a handful of the standard library's, so that a file can hold values only and run nothing.
"""

import hashlib
import io
import pickle
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import Path

from bot.engine.state import EngineState
from bot.store.tape.blocks import TapeError

_OURS = ("bot.domain.", "bot.ledger.", "bot.engine.")
_PLAIN = {
    ("decimal", "Decimal"),
    ("collections", "OrderedDict"),
    ("collections", "deque"),
    ("collections", "defaultdict"),
    ("collections", "Counter"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
}


_UNREADABLE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
)


def freeze(state: EngineState) -> bytes:
    """The state between two steps."""
    return pickle.dumps(state, protocol=5)


def thaw(frozen: bytes) -> EngineState:
    """A state equal to the frozen one. TapeError when the bytes are not one of this program's."""
    try:
        state = _Reader(io.BytesIO(frozen)).load()
    except _UNREADABLE as error:
        raise TapeError(f"the state at the tape's beginning cannot be read ({type(error).__name__})") from None
    if not isinstance(state, EngineState):
        raise TapeError("the tape does not begin with a state of the engine")
    return state


def _member(kind: object, name: str) -> Enum:
    """What the first releases of Python 3.11 write of a member of an enumeration: getattr(kind, name)."""
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        raise pickle.UnpicklingError(f"{kind!r}.{name} has no place in a state")
    return kind[name]


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) == ("builtins", "getattr"):
            return _member
        if (module, name) not in _PLAIN and not module.startswith(_OURS):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a state")
        found = super().find_class(module, name)
        if not isinstance(found, type):
            raise pickle.UnpicklingError(f"{module}.{name} is not a class")
        return found


@cache
def core_digest() -> str:
    """Of the source of everything that decides: tapes of another core may rightly decide otherwise."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for level in ("domain", "ledger", "strategy", "risk", "execution", "engine"):
        for path in sorted((root / level).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

"""One event with its stamp and what the core made of it, as bytes and back.

An entry is a MessagePack array: number of the event's kind, sequence number, market time, monotonic time, the
event's fields in the order of its dataclass, and the actions as one canonical byte string (nil: the core failed).
Amounts are written as decimal text, so that a replay gets exactly what the core got.
"""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import msgspec

from bot.domain.actions import Action, Persist
from bot.domain.events import Event
from bot.domain.hedges import Removal
from bot.domain.time import Stamp

KINDS: tuple[type[Any], ...] = get_args(Event)
"""Kinds of events by number. The header of a file names them, so that a tape of other kinds is refused."""
NAMES = tuple(kind.__name__ for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Entry:
    """`actions` are the canonical bytes of what the core decided; None when it raised."""

    event: Event
    at: Stamp
    actions: bytes | None


class _Row(msgspec.Struct, array_like=True):
    kind: int
    seq: int
    market_ms: int
    mono_ms: int
    fields: msgspec.Raw
    actions: bytes | None
    heard_mono_ms: int | None = None


def _given(kind: type[Any]) -> list[str]:
    """The fields that make an event; what it derives from them is not taped."""
    return [field.name for field in fields(kind) if field.init]


def _getter(kind: type[Any]) -> Any:
    names = _given(kind)
    if len(names) > 1:
        return attrgetter(*names)
    # attrgetter of one name gives the value itself, and of none is refused.
    return lambda event: tuple(getattr(event, name) for name in names)


def _default(field: Field[Any]) -> tuple[Any, ...]:
    """What a tape of before the field had come stands for; nothing where it has been there from the beginning."""
    if field.default_factory is not MISSING:
        return (msgspec.field(default_factory=field.default_factory),)
    return () if field.default is MISSING else (field.default,)


def _decoder(kind: type[Any]) -> msgspec.msgpack.Decoder[Any]:
    hints = get_type_hints(kind)
    defaults = {one.name: _default(one) for one in fields(kind)}
    given = [(name, hints[name], *defaults[name]) for name in _given(kind)]
    shape = msgspec.defstruct(kind.__name__, given, array_like=True)
    return msgspec.msgpack.Decoder(shape)


_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
_GETTERS = [_getter(kind) for kind in KINDS]
_DECODERS = [_decoder(kind) for kind in KINDS]
_ROWS = msgspec.msgpack.Decoder(_Row)
_ROW_LISTS = msgspec.msgpack.Decoder(list[msgspec.Raw])
_ENCODER = msgspec.msgpack.Encoder()
_CANONICAL = msgspec.msgpack.Encoder(order="deterministic")
"""Sets and mappings sorted: the same decision has the same bytes in every process."""


def actions_bytes(actions: Sequence[Action]) -> bytes:
    """What the core decided in one step, in order, as canonical bytes: equal if and only if the decisions are."""
    if not actions:
        return b""
    return _CANONICAL.encode([_named(action) for action in actions])


def _named(action: Action) -> tuple[str, Any]:
    if isinstance(action, Persist):
        record = action.record
        # A removal knows its days by number, and only mappings of texts can be sorted.
        shown = msgspec.to_builtins(record, str_keys=True) if isinstance(record, Removal) else record
        return f"Persist {type(record).__name__}", shown
    return type(action).__name__, action


def actions_shown(decided: bytes) -> list[Any]:
    """The same as plain lists, dicts and text: for people and for `--json`."""
    return list(msgspec.msgpack.decode(decided)) if decided else []


Taken = tuple[Event, Stamp, Sequence[Action] | None]
"""What the consumer hands over: an event, its stamp, and what the core decided; None when it raised."""


def encode(taken: Sequence[Taken]) -> bytes:
    """Entries of one block."""
    rows = []
    for event, at, actions in taken:
        number = _NUMBERS[type(event)]
        decided = None if actions is None else actions_bytes(actions)
        row = number, at.seq, at.market_ms, at.mono_ms, _GETTERS[number](event), decided
        rows.append(row if at.heard_mono_ms is None else (*row, at.heard_mono_ms))
    return _ENCODER.encode(rows)


def decode(block: bytes) -> Iterator[Entry]:
    """The entries of one block. msgspec.MsgspecError or IndexError when it holds none."""
    for raw in _ROW_LISTS.decode(block):
        row = _ROWS.decode(raw)
        kind = KINDS[row.kind]
        event = kind(*msgspec.structs.astuple(_DECODERS[row.kind].decode(row.fields)))
        yield Entry(event, Stamp(row.seq, row.market_ms, row.mono_ms, row.heard_mono_ms), row.actions)

"""Every kind of event comes back from the tape exactly as it entered the core; decisions have canonical bytes."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import book_records as make
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.actions import Emit, Persist, QueryOrder, Record, Severity
from bot.domain.events import AccountReported
from bot.domain.orders import OrderRecord
from bot.domain.time import Stamp
from bot.store.tape import codec
from bot.store.tape.codec import KINDS, actions_bytes, actions_shown, decode, encode

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    float: st.floats(allow_nan=False),
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=12),
    bool: st.booleans(),
    NoneType: st.none(),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as its annotation tells."""
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*(any_of(each) for each in get_args(kind)))
    if get_origin(kind) is tuple and get_args(kind)[-1] is not Ellipsis:
        return st.tuples(*(any_of(each) for each in get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(any_of(get_args(kind)[0]), max_size=2).map(tuple)
    if get_origin(kind) in (list, set):
        return st.lists(any_of(get_args(kind)[0]), max_size=2).map(get_origin(kind))
    if get_origin(kind) in (Mapping, dict):
        key, value = get_args(kind)
        return st.dictionaries(any_of(key), any_of(value), max_size=3)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    hints = get_type_hints(kind)
    return st.builds(kind, **{each.name: any_of(hints[each.name]) for each in fields(kind) if each.init})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_an_event_comes_back_to_the_last_digit(kind: type, data: st.DataObject) -> None:
    event = data.draw(any_of(kind))
    at = Stamp(3, 1_700_000_000_000, 77, data.draw(st.none() | st.integers(0, 77)))
    (entry,) = decode(encode([(event, at, [QueryOrder("x", "i", None, 5)])]))
    assert type(entry.event) is kind
    assert repr(entry.event) == repr(event), "also the exponent of each amount and the order of each mapping"
    assert entry.at == at
    assert entry.actions == actions_bytes([QueryOrder("x", "i", None, 5)])


@pytest.mark.parametrize("kind", get_args(Record), ids=lambda kind: kind.__name__)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_record_that_is_committed_has_bytes(kind: type, data: st.DataObject) -> None:
    record = data.draw(any_of(kind))
    ((name, shown),) = actions_shown(actions_bytes([Persist(record)]))
    assert name == f"Persist {kind.__name__}"
    assert shown.keys() == {each.name for each in fields(kind)}


def test_a_step_that_failed_is_told_from_one_that_decided_nothing() -> None:
    event, at = KINDS[0]("i", *(Decimal(1) for _ in range(4))), Stamp(1, 2, 3)
    failed, nothing = decode(encode([(event, at, None), (event, at, [])]))
    assert failed.actions is None
    assert nothing.actions == b""


def test_amounts_that_are_equal_but_written_otherwise_are_another_decision() -> None:
    one, other = (actions_bytes([Emit(Severity.INFO, "a.b", {"usd": Decimal(text)})]) for text in ("1.0", "1.00"))
    assert one != other
    assert actions_shown(one)[0][1]["fields"] == {"usd": "1.0"}


PROGRAM = """
import sys
sys.path[:0] = {path!r}
from bot.domain.actions import Persist
from bot.store.tape.codec import actions_bytes
from test_tape_codec import order
print(actions_bytes([Persist(order())]).hex())
"""


def order() -> OrderRecord:
    found = make.order()
    found.fill_keys.update({("binance", f"instrument {number}", str(number * number)) for number in range(20)})
    return found


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM.format(path=sys.path)],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
    assert found == {actions_bytes([Persist(order())]).hex() + "\n"}


def test_an_event_of_before_a_field_had_come_is_read() -> None:
    """An account of a tape that is older than what the venue says of each position's risk."""
    kind = codec.KINDS.index(AccountReported)
    told = msgspec.msgpack.encode(["binance", {"perp": {"USDT": "5"}}, {}, True])
    old = codec._DECODERS[kind].decode(told)
    assert (old.risks, old.at_ms) == ({}, None)
    now = AccountReported("binance", {}, {}, complete=True)
    assert len(codec._GETTERS[kind](now)) == 6

"""Documents that are nearly right: values that break programs, put into frames and rows that are valid otherwise."""

import copy
import json
import os
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("CARRYBOT_FUZZ_EXAMPLES", "60"))
"""For each test; `make fuzz` takes many more."""
fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

NASTY_TEXTS = (
    *("", " ", "0", "-0", "-1", "1", "NaN", "sNaN", "-Infinity", "Infinity", "1e999999999", "1E-999999999", "1_000"),
    *("0x10", "1,5", "١٢", "1" * 5_000, "null", "true", "\x00", "\ud7ff", "🦉", "..", "+-1", "1e", "9" * 40),
)
NASTY_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, -(2**63) - 1, 2**64, 10**30, 0.1, -0.0, 1e308, 5e-324)
NASTY_VALUES = (None, True, False, [], {}, [[]], [{}], {"": None}, *NASTY_TEXTS, *NASTY_NUMBERS)

values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(NASTY_VALUES).map(copy.deepcopy),
    st.text(max_size=12),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals().map(str),
)


@st.composite
def documents(draw: st.DrawFn, whole: Any) -> Any:
    """A copy of a valid document with up to three of its members replaced, dropped or added."""
    found = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(found))
        container, key = draw(st.sampled_from(places)) if places else (None, None)
        if container is None:
            return draw(values)
        match draw(st.sampled_from(("replace", "drop", "add"))):
            case "replace":
                container[key] = draw(values)
            case "drop":
                del container[key]
            case _ if isinstance(container, dict):
                container[draw(st.text(max_size=3))] = draw(values)
    return found


def _places(found: Any) -> Any:
    items = found.items() if isinstance(found, Mapping) else enumerate(found) if isinstance(found, list) else ()
    for key, value in items:
        yield found, key
        yield from _places(value)


@st.composite
def frames(draw: st.DrawFn, whole: Any) -> bytes:
    """The bytes of such a document, or of the valid one with bytes cut, flipped or nested deeply."""
    raw = bytearray(json.dumps(draw(documents(whole))).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        if not raw:
            break
        place = draw(st.integers(0, len(raw) - 1))
        match draw(st.sampled_from(("flip", "cut", "insert", "nest"))):
            case "flip":
                raw[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del raw[place : place + draw(st.integers(1, 20))]
            case "insert":
                raw[place:place] = draw(st.binary(max_size=6))
            case _:
                raw[place:place] = b"[" * draw(st.sampled_from((1, 50, 5_000)))
    return bytes(raw)

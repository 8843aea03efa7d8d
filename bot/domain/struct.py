"""`struct`: a frozen dataclass whose making costs a third, for what is made a thousand times a second.

mypy sees `dataclasses.dataclass` and refuses every assignment to a field. At run time nothing watches for it: the
generated `__init__` of a dataclass that is frozen at run time calls `object.__setattr__` for each field.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as struct
else:
    from dataclasses import dataclass

    def struct(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """`unsafe_hash` is the hash that a frozen dataclass has: of its fields."""
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["struct"]

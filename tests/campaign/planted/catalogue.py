"""The list of planted bugs, and how one is put into the product for a while.

Nothing of this is in the product. A planted bug is a function that patches what it breaks; its name says what a
careless change would have done.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from bot.risk.verdicts import judge

Patch = Callable[[ExitStack], None]


@dataclass(frozen=True, slots=True)
class Planted:
    name: str
    removes: str
    """The safeguard that is gone."""
    patch: Patch


BUGS: dict[str, Planted] = {}


def planted(removes: str) -> Callable[[Patch], Patch]:
    def register(patch: Patch) -> Patch:
        name = patch.__name__
        BUGS[name] = Planted(name, removes, patch)
        return patch

    return register


@contextmanager
def grown(name: str) -> Iterator[None]:
    """The product with this bug."""
    with ExitStack() as stack:
        BUGS[name].patch(stack)
        yield


def put(stack: ExitStack, owner: Any, attribute: str, value: Any) -> None:
    stack.enter_context(mock.patch.object(owner, attribute, value))


def approves(rule: str) -> Any:
    return judge(rule, ok=True, limit=0, observed=0, detail="not looked at")

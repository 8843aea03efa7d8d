"""The parameters of a sweep: axes of settings' keys and their values, and the cells that they span."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bot.settings.document import parse, read_text
from bot.settings.problems import Problem, SettingsError

CELLS_MAX = 10_000
Changes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Axis:
    """One key, such as `limits.per_coin_cap`, and the values that it takes, as text."""

    key: str
    values: tuple[str, ...]


def axis_of(text: str) -> Axis:
    """`key=v1,v2,...`; a value that is itself a list stands in brackets: `universe.coins=[BTC,ETH],[BTC]`.

    Raises SettingsError.
    """
    key, sign, values = text.partition("=")
    if not sign or not key.strip():
        raise _refused("sweep", text, "this is no axis", "write --set limits.per_coin_cap=0.05,0.1")
    return _axis("sweep", key.strip(), [each.strip() for each in _split(values)])


def _split(values: str) -> Iterator[str]:
    """At commas that do not stand in brackets; the brackets go."""
    depth, begun = 0, 0
    for place, letter in enumerate(values):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            yield values[begun:place].strip(" []")
            begun = place + 1
    yield values[begun:].strip(" []")


def read_axes(path: Path) -> list[Axis]:
    """The axes of a YAML file shaped like the settings, with a list of values for each key.

        limits: {per_coin_cap: [0.05, 0.1]}
        universe: {coins: [[BTC, ETH], [BTC]]}     # a value that is a list

    Dotted keys (`limits.per_coin_cap: [0.05, 0.1]`) do as well. Raises SettingsError.
    """
    document = parse(read_text(path, str(path)), str(path))
    if document.problems:
        raise SettingsError(document.problems)
    return list(_axes(str(path), document.data, ""))


def _axes(where: str, data: Mapping[str, Any], above: str) -> Iterator[Axis]:
    for name, value in data.items():
        key = f"{above}.{name}" if above else name
        if isinstance(value, dict):
            yield from _axes(where, value, key)
        elif isinstance(value, list):
            yield _axis(where, key, [_text(where, key, each) for each in value])
        else:
            yield _axis(where, key, [_text(where, key, value)])


def _text(where: str, key: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(where, key, each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, dict):
        raise _refused(where, key, "a value must be a number, a word or a list of them", "write key: [v1, v2]")
    return str(value)


def _axis(where: str, key: str, values: Sequence[str]) -> Axis:
    if not values or not all(values):
        raise _refused(where, key, "a value is missing", "write the values one after the other: 0.05, 0.1")
    repeated = next((each for place, each in enumerate(values) if each in values[:place]), None)
    if repeated is not None:
        raise _refused(where, key, f"{repeated} is listed twice", "keep one")
    return Axis(key, tuple(values))


def joined(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """All axes, each key once. Raises SettingsError for none, for a key given twice and for too many cells."""
    found = tuple(axes)
    if not found:
        raise _refused("sweep", "", "there is nothing to vary", "give --set KEY=V1,V2 or a file with --params")
    for place, axis in enumerate(found):
        if any(axis.key == other.key for other in found[:place]):
            raise _refused("sweep", axis.key, "the key is given twice", "write all its values in one place")
    count = 1
    for axis in found:
        count *= len(axis.values)
    if count > CELLS_MAX:
        raise _refused("sweep", "", f"{count:,} cells are more than {CELLS_MAX:,}", "vary less at once")
    return found


def cells(axes: Sequence[Axis]) -> list[dict[str, str]]:
    """Every combination of values, the last axis fastest."""
    return [
        {axis.key: value for axis, value in zip(axes, chosen, strict=True)}
        for chosen in product(*(axis.values for axis in axes))
    ]


def _refused(where: str, key: str, wrong: str, remedy: str) -> SettingsError:
    return SettingsError([Problem(where, None, key, wrong, remedy)])

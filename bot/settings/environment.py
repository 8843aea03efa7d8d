"""Environment variables -> overrides of the file's keys.

`CARRYBOT_` and the key with `__` for each dot: `CARRYBOT_LIMITS__PER_COIN_CAP=0.1`. With `_FILE` added, the value is
read from the file that the variable names (container secrets). `CARRYBOT_DATA` is data_dir. Variables without `__`
are otherwise not ours (a cluster sets `CARRYBOT_PORT` and the like for a service of this name) and are ignored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from bot.domain.config import CoreConfig
from bot.settings.document import KeyPath, unusable
from bot.settings.mirror import hints_of, without_none
from bot.settings.problems import Problem, SettingsError, did_you_mean
from bot.settings.scalars import EnvironmentText
from bot.settings.shell import Shell

PREFIX = "CARRYBOT_"
ENVIRONMENT = "environment "
"""Begins the place of a problem that a variable made."""
DATA = "CARRYBOT_DATA"
STRATEGIES = "CARRYBOT_STRATEGIES"
SECRET_FILE_BYTES_MAX = 16 * 1024


@dataclass(slots=True)
class Overrides:
    """`data` is nested as the file is; `names` tells what set a key: `environment NAME`, or an option."""

    data: dict[str, Any] = field(default_factory=dict)
    names: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def variable_of(path: KeyPath) -> str:
    """The variable that sets a key."""
    if path == ("data_dir",):
        return DATA
    return PREFIX + "__".join(str(each).upper() for each in path)


def read_overrides(environ: Mapping[str, str], venues: Iterable[str]) -> Overrides:
    """`venues` are those of the file: a variable cannot add one."""
    found = Overrides()
    known = tuple(venues)
    for name in sorted(environ):
        if name == DATA:
            _set(found, ("data_dir",), name, environ[name])
        elif name == STRATEGIES:
            _set(found, ("strategies",), name, environ[name])
        elif name.startswith(PREFIX) and "__" in name.removeprefix(PREFIX):
            _resolve(name, environ[name], known, found)
    return found


def _set(found: Overrides, path: KeyPath, name: str, value: str, *, is_file: bool = False) -> None:
    key = ".".join(map(str, path))
    where = ENVIRONMENT + name
    if path in found.names:
        wrong = f"{found.names[path].removeprefix(ENVIRONMENT)} sets the same key"
        found.problems.append(Problem(where, None, key, wrong, "unset one of them"))
        return
    found.names[path] = where
    if is_file:
        text = _read_file(Path(value), where, key, found)
        if text is None:
            return
        value = text
    if not value.strip():
        found.problems.append(Problem(where, None, key, "the value is empty", "unset it or give it a value"))
        return
    unfit = unusable(value.strip())
    if unfit is not None:
        found.problems.append(Problem(where, None, key, unfit, "write the value as UTF-8 text without it"))
        return
    target = found.data
    for part in path[:-1]:
        target = target.setdefault(str(part), {})
    target[str(path[-1])] = EnvironmentText(value.strip())


def _read_file(path: Path, where: str, key: str, found: Overrides) -> str | None:
    """The text of a secret's file without the line break at its end."""
    try:
        if not path.is_file():
            wrong = f"there is no file {path}" if not path.exists() else f"{path} is not a regular file"
            found.problems.append(Problem(where, None, key, wrong, "name a file that holds the value alone"))
            return None
        with path.open("rb") as stream:
            raw = stream.read(SECRET_FILE_BYTES_MAX + 1)
        if len(raw) > SECRET_FILE_BYTES_MAX:
            found.problems.append(Problem(where, None, key, f"{path} is too large", "it must hold the value alone"))
            return None
        return raw.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "it cannot be read"
        strerror = getattr(error, "strerror", None)
        detail = f"{path}: {reason}" + (f" ({strerror})" if strerror else "")
        found.problems.append(Problem(where, None, key, detail, "let the user that runs carrybot read it"))
        return None


def _resolve(name: str, value: str, venues: tuple[str, ...], found: Overrides) -> None:
    parts = name.removeprefix(PREFIX).split("__")
    top: dict[str, Any] = {**hints_of(CoreConfig), **hints_of(Shell)}
    where = ENVIRONMENT + name
    try:
        path = key_path(parts, top, venues, where)
    except SettingsError as refused:
        if not parts[-1].endswith("_FILE"):
            found.problems.extend(refused.problems)
            return
        try:
            path = key_path([*parts[:-1], parts[-1].removesuffix("_FILE")], top, venues, where)
        except SettingsError as error:
            found.problems.extend(error.problems)
            return
        _set(found, path, name, value, is_file=True)
    else:
        _set(found, path, name, value)


def key_path(parts: list[str], members: dict[str, Any], venues: tuple[str, ...], where: str) -> KeyPath:
    """The key that the parts of a name stand for, from `members` on top. Raises SettingsError where there is none.

    `where` is the place that a problem names.
    """
    path: list[str] = []
    hint: Any = None
    for part in parts:
        if hint is not None and is_dataclass(hint):
            assert isinstance(hint, type)
            members = hints_of(hint)
        if hint is None or is_dataclass(hint):
            key = part.lower()
            if key not in members:
                raise _unknown([*path, key], list(members), where)
            hint = without_none(members[key])
        elif get_origin(hint) is not None and len(get_args(hint)) == 2 and get_args(hint)[1] is not Ellipsis:
            value = get_args(hint)[1]
            key = part.lower() if is_dataclass(value) else part
            if is_dataclass(value) and key not in venues:
                raise _unknown([*path, key], venues, where)
            hint = value
        else:
            raise _unknown([*path, part.lower()], (), where)
        path.append(key)
    if is_dataclass(hint) or (get_origin(hint) is not None and get_origin(hint) is not tuple):
        wrong = "this is a section, not a single value"
        raise SettingsError([Problem(where, None, ".".join(path), wrong, f"add one of its keys: {_keys(hint)}")])
    return tuple(path)


def _keys(section: Any) -> str:
    return ", ".join(hints_of(section)) if is_dataclass(section) else "KEY"


def _unknown(path: list[str], known: Iterable[str], where: str) -> SettingsError:
    what = "the file has no such venue" if path[0] == "venues" and len(path) == 2 else "unknown key"
    return SettingsError([Problem(where, None, ".".join(path), what, did_you_mean(path[-1], known))])

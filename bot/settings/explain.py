"""Pydantic's findings -> problems with a line or a variable, a plain sentence and a remedy."""

from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bot.domain.config import CoreConfig
from bot.settings.contradictions import Contradiction
from bot.settings.document import Document, KeyPath
from bot.settings.environment import Overrides
from bot.settings.mirror import hints_of, without_none
from bot.settings.problems import Problem, did_you_mean
from bot.settings.shell import Shell


def problems(error: ValidationError, document: Document, overrides: Overrides) -> Iterator[Problem]:
    """One problem for each finding. Secrets are checked by functions that do not repeat them."""
    for each in error.errors(include_url=False):
        path = tuple(part for part in each["loc"] if part != "[key]")
        wrong, remedy = _words(each, path)
        yield located(path, wrong, remedy, document, overrides, at_key=each["type"] == "extra_forbidden")


def located(
    path: KeyPath, wrong: str, remedy: str, document: Document, overrides: Overrides, *, at_key: bool = False
) -> Problem:
    """The problem at the variable or option that set the key, else at the key's line in the file."""
    key = ".".join(map(str, path))
    for length in range(len(path), 0, -1):
        name = overrides.names.get(path[:length])
        if name is not None:
            return Problem(name, None, key, wrong, remedy)
    line = document.key_line_of(path) if at_key else document.line_of(path)
    return Problem(document.name, line, key, wrong, remedy)


def is_written(path: KeyPath, document: Document, overrides: Overrides) -> bool:
    """Whether the owner set the key (or anything in it), so that its value is not a default."""
    return path in document.marks or any(each[: len(path)] == path for each in overrides.names)


def contradiction(found: Contradiction, document: Document, overrides: Overrides) -> Problem:
    """At the key itself where the owner wrote it, else at the other key."""
    place = found.path if is_written(found.path, document, overrides) else found.other
    at = located(place, found.wrong, found.remedy, document, overrides)
    return replace(at, key=".".join(map(str, found.path)))


def _words(each: ErrorDetails, path: KeyPath) -> tuple[str, str]:
    kind, context = each["type"], each.get("ctx") or {}
    if kind == "extra_forbidden":
        return "unknown key", did_you_mean(str(path[-1]), _known_keys(path[:-1]))
    if kind == "missing":
        return "this key is required and missing", "add it"
    if kind == "value_error":
        wrong, _, remedy = str(context["error"]).partition("; ")
        return wrong, remedy
    return each["msg"], ""


def _known_keys(path: KeyPath) -> list[str]:
    """The keys that a section of the file takes, without secrets."""
    members: dict[str, Any] = {**hints_of(Shell), **hints_of(CoreConfig)}
    for part in path:
        hint = without_none(members.get(str(part)))
        if get_origin(hint) is not None and not is_dataclass(hint):
            inner = get_args(hint)[0] if get_origin(hint) is tuple else get_args(hint)[1]
            members = {str(each): inner for each in path}
            continue
        if not isinstance(hint, type) or not is_dataclass(hint):
            return []
        members = hints_of(hint)
    return [each for each in members if each not in ("api_key", "api_secret")]

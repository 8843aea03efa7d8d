"""The core's settings with some keys set to other values: what a sweep asks, cell by cell, of one file.

A key is written as in the file, with dots: `limits.per_coin_cap`. Values are text, lists separated by commas, and
pass the same checks as the file's.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from bot.domain.config import CoreConfig
from bot.settings import misplaced
from bot.settings.document import Document, KeyPath, Mark, NumberText, parse, read_text
from bot.settings.environment import Overrides, key_path, read_overrides
from bot.settings.load import judged, venues_of
from bot.settings.mirror import hints_of
from bot.settings.problems import Problem, SettingsError
from bot.settings.scalars import EnvironmentText

DEFAULTS = "the shipped defaults"


def core_of(path: Path | None, changes: Mapping[str, str], environ: Mapping[str, str] | None = None) -> CoreConfig:
    """The file's settings, or without one the shipped defaults at no cash rate, with `changes` over them.

    The environment overrides the file, as it does for the daemon, and the changes override both. Raises
    SettingsError, whose places are `KEY=VALUE` for what a change made wrong.
    """
    core, problems = _judged(path, changes, environ)
    if problems:
        raise SettingsError(problems)
    return core


def check_changes(
    path: Path | None, changes: Iterable[tuple[str, str]], environ: Mapping[str, str] | None = None
) -> None:
    """Judges every (key, value) by itself. Raises SettingsError that lists the unknown keys and unusable values.

    What contradicts another setting passes here: it may be right beside another change.
    """
    problems: list[Problem] = []
    for key, value in changes:
        try:
            _judged(path, {key: value}, environ)
        except SettingsError as error:
            problems.extend(each for each in error.problems if each not in problems)
    if problems:
        raise SettingsError(problems)


def _judged(
    path: Path | None, changes: Mapping[str, str], environ: Mapping[str, str] | None
) -> tuple[CoreConfig, list[Problem]]:
    problems: list[Problem] = []
    if path is None:
        document, overrides = _defaults(), Overrides()
    else:
        document = parse(read_text(path, str(path)), str(path))
        problems = [*document.problems, *misplaced.take_out(document)]
        overrides = read_overrides(os.environ if environ is None else environ, venues_of(document))
        problems += overrides.problems
    for key, value in changes.items():
        _put(overrides, _key_path(key, f"{key}={value}"), value, f"{key}={value}")
    core, _ = judged(document, overrides, problems)
    return core, problems


def _key_path(key: str, where: str) -> KeyPath:
    return key_path(key.split("."), hints_of(CoreConfig), (), where)


def _put(overrides: Overrides, path: KeyPath, value: str, where: str) -> None:
    target = overrides.data
    for part in path[:-1]:
        target = target.setdefault(str(part), {})
    target[str(path[-1])] = EnvironmentText(value)
    overrides.names[path] = where


def _defaults() -> Document:
    """What a backtest without a file runs on: idle cash earns nothing in the books that it is compared with."""
    data = {"venues": {"binance": {"adapter": "binance"}}, "limits": {"cash_rate": NumberText("0")}}
    return Document(DEFAULTS, data, {(): Mark(1, 1)})

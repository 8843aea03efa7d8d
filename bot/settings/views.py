"""Settings to look at: without secrets, compared with others, and as a JSON schema for editors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.settings.channels import parts
from bot.settings.load import Settings
from bot.settings.mirror import root_model

LIVE_SECTIONS = ("limits", "universe", "strategy", "execution", "strategies", "reverse_carry", "alerts")
"""What a running daemon takes over at once: the core's part by the event `Reconfigure`. All else needs a restart."""
LIVE_KEYS = ("log.level",)
HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs, shown as in `redacted`; None stands for a key that is not there."""

    key: str
    old: Any
    new: Any
    needs_restart: bool


def redacted(settings: Settings) -> dict[str, Any]:
    """The settings in force as plain JSON values, in the file's shape. Secrets are `(hidden)` where they are set."""
    return {name: _plain(value) for name, value in _tree(settings).items()}


def secrets(settings: Settings) -> tuple[str, ...]:
    """Every secret in force: what logs must never hold."""
    found = {
        each.get_secret_value()
        for venue in settings.venues.values()
        for each in (venue.api_key, venue.api_secret)
        if each is not None
    }
    for channel in settings.alerts.channels:
        if channel.url is not None:
            found.update(parts(channel.url.get_secret_value()))
    return tuple(sorted(found))


def changes(old: Settings, new: Settings) -> list[Change]:
    """The keys that differ, in order. A changed secret is a change whose values are not shown."""
    before, after = dict(_leaves(_tree(old), "")), dict(_leaves(_tree(new), ""))
    return [
        Change(key, _plain(before.get(key)), _plain(after.get(key)), _needs_restart(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of the YAML file. Secrets are not in it."""
    made = root_model().model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_tidy(made),
        "title": "carrybot settings",
        "description": "A carrybot YAML file. Secrets are not part of it: they come from the environment.",
    }


def _tree(settings: Settings) -> dict[str, Any]:
    core = settings.core
    return {
        "venues": settings.venues,
        "strategies": core.strategies,
        "reverse_carry": core.reverse_carry,
        "universe": core.universe,
        "limits": core.limits,
        "strategy": core.strategy,
        "execution": core.execution,
        "database": settings.database,
        "api": settings.api,
        "health": settings.health,
        "log": settings.log,
        "alerts": settings.alerts,
        "tape": settings.tape,
        "data_dir": settings.data_dir,
    }


def _needs_restart(key: str) -> bool:
    return key.partition(".")[0] not in LIVE_SECTIONS and key not in LIVE_KEYS


def _members(value: Any) -> dict[str, Any] | None:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    return {str(key): each for key, each in value.items()} if isinstance(value, Mapping) else None


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    members = _members(value)
    if members is None:
        yield path, value
        return
    for name, each in members.items():
        yield from _leaves(each, f"{path}.{name}" if path else name)


def _plain(value: Any) -> Any:
    members = _members(value)
    if members is not None:
        return {name: _plain(each) for name, each in members.items()}
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    return value.value if hasattr(value, "value") else value


def _tidy(node: Any) -> Any:
    """Decimal defaults become numbers, and the titles that repeat the keys go."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(each) for key, each in node.items() if not (key == "title" and isinstance(each, str))}
    if tidy.get("type") == "number" and isinstance(tidy.get("default"), str):
        tidy["default"] = float(tidy["default"])
    return tidy

"""The owner's settings: one YAML file and the environment -> frozen, checked values (docs/configuration.md)."""

from bot.settings.load import Settings, load, require_credentials, shipped_files
from bot.settings.problems import Problem, SettingsError
from bot.settings.shell import (
    Adapter,
    AlertLevel,
    Alerts,
    Api,
    Channel,
    Database,
    Health,
    Log,
    LogFormat,
    LogLevel,
    Paper,
    QuietHours,
    Simulator,
    Tape,
    Transport,
    Venue,
)
from bot.settings.views import Change, changes, redacted, schema, secrets

__all__ = [
    "Adapter",
    "AlertLevel",
    "Alerts",
    "Api",
    "Change",
    "Channel",
    "Database",
    "Health",
    "Log",
    "LogFormat",
    "LogLevel",
    "Paper",
    "Problem",
    "QuietHours",
    "Settings",
    "SettingsError",
    "Simulator",
    "Tape",
    "Transport",
    "Venue",
    "changes",
    "load",
    "redacted",
    "require_credentials",
    "schema",
    "secrets",
    "shipped_files",
]

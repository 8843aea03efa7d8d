"""Which file, which data folder, which daemon: what every command starts with."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import client
from bot.cli.failure import FAILED, Failure
from bot.runtime.lock import LOCK_FILE, locked_by

if TYPE_CHECKING:
    from bot.settings import Settings

DEFAULT_CONFIG = Path("config/demo.yaml")
ASKED_MAX = 1_000
"""Rows that a running daemon is asked for at once."""


def config_path(given: Path | None) -> Path:
    """The file to use: the given one, else `config/demo.yaml` here, else the one that ships with the program."""
    if given is not None:
        return given
    if DEFAULT_CONFIG.exists():
        return DEFAULT_CONFIG
    shipped = Path(__file__).resolve().parents[2] / DEFAULT_CONFIG
    return shipped if shipped.exists() else DEFAULT_CONFIG


def load(given: Path | None) -> "Settings":
    """The whole settings. Raises SettingsError (exit code 2)."""
    from bot.settings import load as load_settings

    return load_settings(config_path(given))


def running(given: Path | None) -> client.Daemon | None:
    """The daemon of this config's data folder, found without validating the config: a question must be quick."""
    data_dir = _data_dir(config_path(given))
    return client.find(data_dir) if data_dir is not None else None


def question(
    given: Path | None, name: str, offline: "Callable[[Settings], Awaitable[Any]]", **query: str | None
) -> Any:
    """The running daemon's answer; when it is down, `offline`'s answer out of the database."""
    daemon = running(given)
    if daemon is not None:
        try:
            return daemon.get(name, **query)
        except ConnectionError:
            pass
    settings = load(given)
    return asyncio.run(_await(offline(settings)))


def listing(
    given: Path | None,
    name: str,
    offline: "Callable[[Settings], Awaitable[Any]]",
    limit: int | None,
    **query: str | None,
) -> Any:
    """The same for lists out of the books. What a daemon has written in months is read and put into words here: it
    would decide nothing meanwhile. It is asked all the same where the books cannot be read."""
    if limit is None or limit > ASKED_MAX:
        from bot.ports import StoreError

        try:
            return asyncio.run(_await(offline(load(given))))
        except StoreError:
            if running(given) is None:
                raise
    return question(given, name, offline, **query, limit=None if limit is None else str(limit))


def order(given: Path | None, name: str, **fields: str) -> Any:
    """A command to the running daemon. Failure when there is none."""
    daemon = running(given)
    if daemon is not None:
        try:
            return daemon.post(name, fields)
        except ConnectionError:
            pass
    settings = load(given)
    holder = locked_by(settings.data_dir / LOCK_FILE)
    if holder is not None:
        raise Failure(
            FAILED,
            f"the daemon (process {holder}) takes no commands: it is starting or ending",
            "try again in a few seconds; nothing was done",
        )
    raise Failure(
        FAILED,
        f"no daemon is running on {settings.data_dir}",
        "start it with `carrybot run`, or name its config with -c",
    )


async def _await(work: Awaitable[Any]) -> Any:
    return await work


def _data_dir(path: Path) -> Path | None:
    """`data_dir` without validation; None when the file needs a closer look."""
    given = os.environ.get("CARRYBOT_DATA", "").strip()
    if given:
        return Path(given) if path.exists() else None
    import yaml

    try:
        document = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError):
        return None
    found = document.get("data_dir", "data") if isinstance(document, dict) else None
    return Path(found) if isinstance(found, str) else None

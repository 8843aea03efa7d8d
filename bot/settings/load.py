"""A YAML file and the environment -> frozen `Settings`, or a `SettingsError` that lists every problem found."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.domain.config import CoreConfig
from bot.settings import channels, contradictions, explain, misplaced
from bot.settings.document import Document, parse, read_text
from bot.settings.environment import Overrides, read_overrides, variable_of
from bot.settings.mirror import dataclass_of, root_model
from bot.settings.problems import Problem, SettingsError
from bot.settings.shell import Alerts, Api, Database, Health, Log, Shell, Tape, Venue

DATABASE_FILE = "carrybot.db"
TOKEN_FILE = "api.token"  # noqa: S105 - a file's name
DEMO_KEY, DEMO_SECRET = "demo-key", "demo-secret"
"""Public knowledge: the account that every simulated exchange opens with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the owner can set, complete and consistent. Paths are absolute."""

    core: CoreConfig
    venues: Mapping[str, Venue]
    database: Database
    api: Api
    health: Health
    log: Log
    alerts: Alerts
    tape: Tape
    data_dir: Path
    source: Path
    """The file that they came from."""

    @property
    def token_file(self) -> Path:
        """Holds the token that guards the control port."""
        return self.data_dir / TOKEN_FILE


def load(path: Path | str, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads and validates. Keys may be absent (see `require_credentials`). Raises SettingsError alone.

    `environ` is the process's own environment unless given.
    """
    path = Path(path)
    name = str(path)
    document = parse(read_text(path, name, _shipped_remedy()), name)
    found = misplaced.take_out(document)
    environ = os.environ if environ is None else environ
    overrides = read_overrides(environ, venues_of(document))
    problems = [*document.problems, *found, *overrides.problems]
    core, shell = judged(document, overrides, problems)
    alerts = channels.resolve(shell.alerts, document, overrides, environ, problems)
    if problems:
        raise SettingsError(problems)
    return _settled(core, replace(shell, alerts=alerts), path)


def judged(document: Document, overrides: Overrides, problems: list[Problem]) -> tuple[CoreConfig, Shell]:
    """The typed settings; contradictions join `problems`. Raises SettingsError where a value cannot be used."""
    try:
        model = _validate(document, overrides)
    except ValidationError as error:
        raise SettingsError([*problems, *explain.problems(error, document, overrides)]) from None
    core, shell = dataclass_of(CoreConfig, model), dataclass_of(Shell, model)
    problems.extend(
        explain.contradiction(each, document, overrides)
        for each in contradictions.find(core, shell)
        if explain.is_written(each.path, document, overrides) or not each.defaults_yield
    )
    return core, shell


def venues_of(document: Document) -> Iterable[str]:
    """The names of the accounts that the file has."""
    venues = document.data.get("venues")
    return venues if isinstance(venues, dict) else ()


def require_credentials(settings: Settings) -> None:
    """Raises SettingsError that names the variables of venues without keys: `run` needs them, `check` does not."""
    problems = [
        Problem(
            str(settings.source),
            None,
            f"venues.{name}",
            "the keys of this account are missing",
            " and ".join(
                f"set {variable_of(('venues', name, key))} (or {variable_of(('venues', name, key))}_FILE)"
                for key in ("api_key", "api_secret")
            ),
        )
        for name, venue in settings.venues.items()
        if not venue.on_paper and (venue.api_key is None or venue.api_secret is None)
    ]
    if problems:
        raise SettingsError(problems)


def shipped_files() -> tuple[Path, ...]:
    """The example files that come with the program; empty where it was installed without them."""
    folder = Path(__file__).resolve().parents[2] / "config"
    return tuple(sorted(folder.glob("*.yaml"))) if folder.is_dir() else ()


def _shipped_remedy() -> str:
    names = [str(each) for each in shipped_files()]
    return f"shipped files: {', '.join(names)}" if names else "check the path"


class _Given(PydanticBaseSettingsSource):
    """The file's or the environment's data as a source of pydantic-settings, exactly as it is."""

    def __init__(self, settings_cls: type[BaseSettings], data: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._data = data

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return self._data.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._data


def _validate(document: Document, overrides: Overrides) -> BaseSettings:
    """The environment's values over the file's; raises pydantic's ValidationError."""
    root = root_model()

    class Bound(root):  # type: ignore[misc, valid-type]
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], **_unused: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return _Given(settings_cls, _over(overrides.data, document.data)), _Given(settings_cls, document.data)

    bound: BaseSettings = Bound()
    return bound


def _over(given: dict[str, Any], file: dict[str, Any]) -> dict[str, Any]:
    """The environment's values, but not for a section that the file wrote as something else: it hid that fault."""
    kept = {}
    for key, value in given.items():
        below = file.get(key)
        if not isinstance(value, dict) or below is None:
            kept[key] = value
        elif isinstance(below, dict):
            kept[key] = _over(value, below)
    return kept


def _settled(core: CoreConfig, shell: Shell, source: Path) -> Settings:
    """Fills in what depends on other settings: the database in the data folder, the simulator's own account."""
    data_dir = shell.data_dir.absolute()
    url = shell.database.url or f"sqlite+aiosqlite:///{data_dir / DATABASE_FILE}"
    venues = {name: _with_demo_account(venue) for name, venue in shell.venues.items()}
    return Settings(
        core=core,
        venues=venues,
        database=Database(url=url),
        api=shell.api,
        health=shell.health,
        log=shell.log,
        alerts=shell.alerts,
        tape=shell.tape,
        data_dir=data_dir,
        source=source.absolute(),
    )


def _with_demo_account(venue: Venue) -> Venue:
    """The embedded simulator knows one account. Real keys in the environment are not for it and never reach it."""
    if not venue.embedded:
        return venue
    return replace(venue, api_key=SecretStr(DEMO_KEY), api_secret=SecretStr(DEMO_SECRET))

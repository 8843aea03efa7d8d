"""The URLs of alert channels: from the file where they bear no secret, else from a variable or a file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from bot.settings import checks
from bot.settings.document import Document, KeyPath
from bot.settings.environment import SECRET_FILE_BYTES_MAX, Overrides
from bot.settings.explain import located
from bot.settings.problems import Problem
from bot.settings.shell import Alerts, Channel, QuietHours

CHANNELS: KeyPath = ("alerts", "channels")
QUIET: KeyPath = ("alerts", "quiet_hours")
PART_CHARS_MIN = 8


def resolve(
    alerts: Alerts, document: Document, overrides: Overrides, environ: Mapping[str, str], problems: list[Problem]
) -> Alerts:
    """The section with the URL of each channel in it. Adds what is wrong to `problems`; no message holds a URL."""

    def complain(path: KeyPath, wrong: str, remedy: str) -> None:
        problems.append(located(path, wrong, remedy, document, overrides))

    channels = []
    for index, channel in enumerate(alerts.channels):
        path = (*CHANNELS, index)
        try:
            if channel.url is not None and CHANNELS not in overrides.names:
                _refuse_secret(channel.url.get_secret_value())
            url = _url(channel, environ)
        except ValueError as error:
            wrong, _, remedy = str(error).partition("; ")
            complain(path, wrong, remedy)
            continue
        channels.append(replace(channel, url=url))
    for wrong, remedy in _quiet_faults(alerts.quiet_hours):
        complain(QUIET, wrong, remedy)
    return replace(alerts, channels=tuple(channels))


def parts(url: str) -> Iterator[str]:
    """A URL that bears a secret, and each part of it that Apprise hides: an error message may hold a single one."""
    if not checks.bears_secret(url):
        return
    yield url
    shown = checks.without_secret(url)
    for part in re.split(r"[/?&=:@,]", url.partition("://")[2]):
        if len(part) >= PART_CHARS_MIN and part not in shown:
            yield part


def _refuse_secret(url: str) -> None:
    if checks.bears_secret(url):
        raise ValueError(
            "this URL bears a secret, which does not belong in this file; "
            "put the whole URL into a variable and name it with url_env, or into a file and name it with url_file"
        )


def _url(channel: Channel, environ: Mapping[str, str]) -> SecretStr:
    given = [channel.url is not None, bool(channel.url_env), channel.url_file is not None]
    if sum(given) != 1:
        what = "more than one of url, url_env and url_file is given" if any(given) else "the channel has no URL"
        raise ValueError(f"{what}; give one of url, url_env and url_file")
    if channel.url is not None:
        return channel.url
    if channel.url_env:
        text = environ.get(channel.url_env, "").strip()
        if not text:
            raise ValueError(f"the variable {channel.url_env} is not set; set it to the channel's URL")
    else:
        assert channel.url_file is not None
        text = _read(channel.url_file)
    return checks.channel_url(SecretStr(text))


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise ValueError(f"there is no file {path}; it must hold the channel's URL alone")
        with path.open("rb") as stream:
            raw = stream.read(SECRET_FILE_BYTES_MAX + 1)
        text = raw.decode("utf-8").strip()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); let the user that runs carrybot read it"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; it must hold the channel's URL alone") from None
    if not text or len(raw) > SECRET_FILE_BYTES_MAX:
        raise ValueError(f"{path} is {'too large' if text else 'empty'}; it must hold the channel's URL alone")
    return text


def _quiet_faults(quiet: QuietHours) -> Iterator[tuple[str, str]]:
    if bool(quiet.start) != bool(quiet.end):
        yield "start and end go together", "give both, or neither"
    elif quiet.start and quiet.start == quiet.end:
        yield f"they begin and end at {quiet.start}", "to silence a channel, raise its min_severity"

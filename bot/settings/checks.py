"""Checks of single values that bounds cannot express. Each returns the value and raises ValueError with the fault.

A message is `what is wrong; remedy` and is shown to the owner as it is.
"""

import ipaddress
import re
from pathlib import Path

from pydantic import SecretStr

from bot.settings.problems import did_you_mean, shown

STRATEGIES = ("cash_and_carry", "reverse_carry")
"""Strategies that this version has."""
SECRET_CHARS_MIN = 8
SECRET_CHARS_MAX = 4_096

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
_SQLITE = re.compile(r"sqlite(?:\+aiosqlite)?:///(?P<path>[^?#]+)")


def strategy(value: str) -> str:
    if value not in STRATEGIES:
        raise ValueError(f"this version has no strategy {shown(value)}; {did_you_mean(value, STRATEGIES)}")
    return value


def coin(value: str) -> str:
    """Base assets as the venue writes them, less its multiplier: upper case, no spaces."""
    if not value or len(value) > 30 or value != value.upper() or not value.isalnum():
        meant = "".join(value.split()).upper()
        hint = f"write {meant}" if meant.isalnum() and meant != value else "write it like BTC"
        raise ValueError(f"{shown(value)} is not a coin; {hint}")
    return value


def name(value: str) -> str:
    """Names of ours: they become parts of environment variables and of ids in the books."""
    if not _NAME.fullmatch(value) or len(value) > 32:
        raise ValueError(f"{shown(value)} is not a name; use small letters, digits and single underscores")
    return value


def secret(value: SecretStr) -> SecretStr:
    """The message never holds the value."""
    text = value.get_secret_value()
    if not SECRET_CHARS_MIN <= len(text) <= SECRET_CHARS_MAX:
        raise ValueError(f"a key or secret has at least {SECRET_CHARS_MIN} characters; copy it again, all of it")
    if not text.isprintable() or any(each.isspace() for each in text):
        raise ValueError("a key or secret has no spaces or line breaks; copy it again")
    return value


def host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not _HOST.fullmatch(value):
            raise ValueError(f"{shown(value)} is not a host name or address; example: 127.0.0.1") from None
    return value


def loopback(value: str) -> str:
    """The control port takes orders: it is not offered to a network."""
    if value == "localhost":
        return value
    try:
        inside = ipaddress.ip_address(value).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise ValueError(f"{shown(value)} is not a loopback address; use 127.0.0.1")
    return value


def path(value: Path) -> Path:
    if "\0" in str(value) or str(value) in ("", "."):
        raise ValueError("the path is empty; name a file or folder")
    return value


def folder(value: Path) -> Path:
    """The database's URL is made from it, where `?` and `#` have a meaning."""
    if not str(value) or any(each in str(value) for each in "?#\0"):
        raise ValueError(f"{shown(str(value))} is not a usable folder name; do without ? and #")
    return value


def variable(value: str) -> str:
    if value and not _VARIABLE.fullmatch(value):
        # Not repeated: whoever writes the URL itself here writes a secret.
        raise ValueError("this is not the name of a variable; write a name such as ALERTS_TELEGRAM")
    return value


def time_of_day(value: str) -> str:
    if value and not _TIME.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a time of day; write it like 22:00")
    return value


def channel_url(value: SecretStr) -> SecretStr:
    """The message holds the scheme at most. Apprise is asked, which is slow to import, so only where one is named."""
    from apprise import Apprise

    text = value.get_secret_value()
    if Apprise.instantiate(text) is None:
        scheme, found, _ = text.partition("://")
        what = f"Apprise cannot use this {scheme[:20]}:// URL" if found else "this is not an Apprise URL"
        raise ValueError(f"{what}; see https://github.com/caronc/apprise for the form of each service")
    return value


def bears_secret(url: str) -> bool:
    """Whether Apprise would hide a part of this URL."""
    return without_secret(url) != without_secret(url, hide=False)


def without_secret(url: str, *, hide: bool = True) -> str:
    """The URL as Apprise shows it; empty when it knows no such service."""
    from apprise import Apprise

    service = Apprise.instantiate(url)
    return "" if service is None else str(service.url(privacy=hide))  # type: ignore[no-untyped-call]


def database_url(value: str) -> str:
    """`sqlite:///relative`, `sqlite:////absolute`, with or without `+aiosqlite`; empty for the default."""
    if value == "":
        return value
    match = _SQLITE.fullmatch(value)
    if match is None:
        # The URL is not repeated: it may hold a password.
        raise ValueError("this version keeps its books in SQLite; write sqlite:///data/carrybot.db, or leave it out")
    if match["path"] in (":memory:", "/:memory:"):
        raise ValueError("books in memory would be lost at the end; name a file, such as sqlite:///data/carrybot.db")
    return "sqlite+aiosqlite:///" + match["path"]

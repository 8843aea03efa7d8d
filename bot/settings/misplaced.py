"""Secrets in the YAML file: found by the names of their keys, taken out unread, and sent where they belong."""

from collections.abc import Iterator
from typing import Any

from bot.settings.document import Document, KeyPath
from bot.settings.environment import variable_of
from bot.settings.problems import Problem

_KEY_WORDS = ("apikey", "accesskey", "keyid")
_SECRET_WORDS = ("secret", "privatekey", "password", "passphrase", "token", "signature", "credential")
_NAMES_OF_THE_OWNERS: tuple[KeyPath, ...] = (("venues",), ("limits", "per_coin_cap_overrides"))
"""Here keys are names of venues and coins, and there is a coin called TOKEN."""


def take_out(document: Document) -> list[Problem]:
    """Removes every secret from the document's data and says where it belongs. No message holds a value."""
    return list(_search(document.data, (), document))


def _search(data: Any, path: KeyPath, document: Document) -> Iterator[Problem]:
    if isinstance(data, list):
        for index, each in enumerate(data):
            yield from _search(each, (*path, index), document)
    if not isinstance(data, dict):
        return
    for key in list(data):
        here = (*path, key)
        field = _field(key, path)
        if field is None:
            yield from _search(data[key], here, document)
            continue
        del data[key]
        yield Problem(
            document.name,
            document.key_line_of(here),
            ".".join(map(str, here)),
            "a secret does not belong in this file",
            _remedy(path, field),
        )


def _field(key: str, path: KeyPath) -> str | None:
    """`api_key` or `api_secret` when the key's name is that of a secret."""
    if path in _NAMES_OF_THE_OWNERS:
        return None
    word = "".join(each for each in key.lower() if each.isalnum())
    if any(each in word for each in _SECRET_WORDS):
        return "api_secret"
    if any(each in word for each in _KEY_WORDS) or (word == "key" and path[:1] == ("venues",)):
        return "api_key"
    return None


def _remedy(path: KeyPath, field: str) -> str:
    if path[:1] == ("alerts",):
        return "remove it; put the channel's whole URL into a variable and name that one with url_env"
    venue = path[1] if len(path) > 1 and path[0] == "venues" else "<NAME>"
    variable = variable_of(("venues", venue, field))
    return f"remove it, and set {variable} to it, or {variable}_FILE to a file that holds it"

"""The list of all keys as Markdown, for docs/configuration.md; a test holds the two together.

Write it again with `python -m bot.settings.reference docs/configuration.md`.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin

from bot.domain.config import CoreConfig
from bot.settings.fields import Rule, rule_of
from bot.settings.mirror import hints_of, without_none
from bot.settings.shell import Shell

BEGIN = "<!-- keys: written by bot/settings/reference.py -->"
END = "<!-- end of keys -->"


def markdown() -> str:
    """A table with one row for each key that a file can hold."""
    rows = [*_rows(Shell, ""), *_rows(CoreConfig, "")]
    lines = ["| key | values | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| `{key}` | {kind} | {default} | {doc} |" for key, kind, default, doc in rows)])


def inserted(text: str) -> str:
    """The document with the table renewed between its two marks. Raises ValueError where they are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks {BEGIN} and {END} are not in the document")
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


def _rows(source: type, path: str) -> Iterator[tuple[str, str, str, str]]:
    for each in fields(source):
        rule, hint = rule_of(source, each.name), without_none(hints_of(source)[each.name])
        key = f"{path}.{each.name}" if path else each.name
        inner = get_args(hint)[-1] if _is_mapping(hint) else hint
        inner = get_args(hint)[0] if get_origin(hint) is tuple else inner
        if rule.secret:
            continue
        if is_dataclass(inner):
            assert isinstance(inner, type)
            yield from _rows(inner, f"{key}.<name>" if _is_mapping(hint) else key + "[]" * (inner is not hint))
        else:
            yield key, _kind(hint, rule), _default(each), rule.doc.replace("|", "\\|")


def _is_mapping(hint: Any) -> bool:
    return get_origin(hint) in (Mapping, dict)


def _kind(hint: Any, rule: Rule) -> str:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return ", ".join(hint)
    if _is_mapping(hint):
        return f"coin: {_kind(get_args(hint)[1], rule)}"
    if get_origin(hint) is tuple:
        return "list"
    names = {int: "whole number", float: "number", Decimal: "number", bool: "true, false", Path: "path"}
    signs = (("gt", "above"), ("ge", "from"), ("lt", "below"), ("le", "to"))
    bounds = [f"{sign} {_number(getattr(rule, name))}" for name, sign in signs if getattr(rule, name) is not None]
    return " ".join([names.get(hint, "text"), *bounds])


def _default(each: Field[Any]) -> str:
    if each.default is MISSING and each.default_factory is MISSING:
        return "required"
    value = each.default if each.default_factory is MISSING else each.default_factory()
    if value is None or value == "":
        return "none"
    if isinstance(value, (tuple, dict)):
        return f"[{', '.join(value)}]" if isinstance(value, tuple) else "{}"
    if isinstance(value, bool):
        return str(value).lower()
    return _number(value) if isinstance(value, (int, float, Decimal)) else str(value)


def _number(value: Any) -> str:
    """As it can be written in the file."""
    exact = Decimal(str(value)).normalize()
    return f"{exact:,f}".replace(",", "_") if abs(exact) >= 100_000 else f"{exact:f}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(inserted(target.read_text(encoding="utf-8")), encoding="utf-8")

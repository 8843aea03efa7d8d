"""Values of the file or the environment -> typed values, strictly: a number is not text, `yes` is not true.

Input is what `document.py` makes (str, NumberText, bool, None, list, dict), `EnvironmentText` for variables, or an
already typed default. Every function raises ValueError with `what is wrong; remedy`.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.settings.document import NumberText, is_number
from bot.settings.problems import nearest, shown


class EnvironmentText(str):
    """The text of an environment variable: it may stand for any type."""

    __slots__ = ()


def decimal(value: Any) -> Decimal:
    """Exact: never by way of a float."""
    if isinstance(value, Decimal):
        return value
    try:
        return Decimal(_number(value, "a number"))
    except InvalidOperation:
        raise ValueError(f"expected a number, got {shown(value)}") from None


def floating(value: Any) -> float:
    if isinstance(value, (float, int)) and not isinstance(value, bool):
        return float(value)
    return float(_number(value, "a number"))


def integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(value, "a whole number")
    if not number.lstrip("+-").replace("_", "").isdecimal():
        raise ValueError(f"expected a whole number, got {shown(number)}")
    return int(number)


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, EnvironmentText) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError(f"expected true or false, got {_kind(value)}")


def text(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, NumberText):
        return str(value)
    hint = "; put it in quotes" if isinstance(value, (NumberText, bool)) else ""
    raise ValueError(f"expected text, got {_kind(value)}{hint}")


def path(value: Any) -> Path:
    return value if isinstance(value, Path) else Path(text(value)).expanduser()


def secret(value: Any) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(str(value))


def choice_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def choice(value: Any) -> str:
        word = text(value)
        if word not in choices:
            meant = nearest(word, choices)
            remedy = f"; did you mean '{meant}'?" if meant else ""
            raise ValueError(f"expected one of {', '.join(choices)}, got {shown(word)}{remedy}")
        return word

    return choice


def mapping(value: Any) -> Any:
    """A section whose lines are all commented out is an empty one."""
    if value is None:
        return {}
    if isinstance(value, (str, bool, list)):
        raise ValueError(f"expected a section, got {_kind(value)}; write `key: value` lines, indented below it")  # noqa: TRY004 - pydantic collects ValueError alone
    return value


def entry_of(key: str) -> Callable[[Any], Any]:
    """An item of a list of sections; plain text stands for the section's first key."""

    def entry(value: Any) -> Any:
        if isinstance(value, str) and not isinstance(value, NumberText):
            return {key: value}
        return mapping(value)

    return entry


def items(value: Any) -> Any:
    """A list; from the environment, words separated by commas."""
    if isinstance(value, EnvironmentText):
        return [EnvironmentText(each.strip()) for each in value.strip("[] ").split(",") if each.strip()]
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"expected a list, got {_kind(value)}; write it like [BTC, ETH]")  # noqa: TRY004 - as above
    return value


def within(
    *, gt: float | None = None, ge: float | None = None, lt: float | None = None, le: float | None = None
) -> Callable[[Any], Any]:
    """A check of bounds. Whoever writes 5 where at most 1 is allowed means 5 %, and is told how to write it."""

    def check(value: Any) -> Any:
        exact = Decimal(str(value))
        faults = (
            ("above", gt, gt is not None and not exact > Decimal(str(gt))),
            ("at least", ge, ge is not None and not exact >= Decimal(str(ge))),
            ("below", lt, lt is not None and not exact < Decimal(str(lt))),
            ("at most", le, le is not None and not exact <= Decimal(str(le))),
        )
        for words, limit, broken in faults:
            if not broken:
                continue
            hint = ""
            if limit == 1 and words in ("below", "at most") and 1 < exact <= 100:
                hint = f"; it is a share: {_positional(exact)} % is written {_positional(exact.scaleb(-2))}"
            raise ValueError(f"must be {words} {_positional(limit)}, is {_positional(exact)}{hint}")
        return value

    return check


def distinct(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """A repeated entry is a slip of the owner's."""
    for index, each in enumerate(value):
        if each in value[:index]:
            raise ValueError(f"{shown(each)} is listed twice; keep one")
    return value


def _number(value: Any, wanted: str) -> str:
    if isinstance(value, str) and is_number(value.strip()):
        return value.strip()
    if value is None:
        raise ValueError(f"expected {wanted}, got nothing; write it after the colon, or delete the line")
    hint = ""
    if isinstance(value, str):
        if value.strip().endswith("%") and is_number(value.strip()[:-1]):
            hint = f"; write {_positional(Decimal(value.strip()[:-1]).scaleb(-2))}"
        elif "," in value and is_number(value.replace(",", "")):
            hint = "; write it without a comma, with a point for decimals"
    raise ValueError(f"expected {wanted}, got {_kind(value)}{hint}")


def _positional(value: Any) -> str:
    return f"{Decimal(str(value)).normalize():f}"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, (list, tuple)):
        return "a list"
    return shown(value)

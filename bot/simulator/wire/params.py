"""The parameters of one request, read with the venue's own complaints (-1100 .. -1131)."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from bot.simulator.model import VenueError
from bot.simulator.wire.auth import illegal, missing

SIGNING_NAMES = frozenset({"timestamp", "recvWindow", "signature", "apiKey"})
DECIMAL_RANGE = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
INTEGER_RANGE = "^[0-9]{1,20}$"
SYMBOL_RANGE = "^[A-Z0-9-_.]{1,20}$"
_DECIMAL = re.compile(DECIMAL_RANGE)
_INTEGER = re.compile(INTEGER_RANGE)
_SYMBOL = re.compile(SYMBOL_RANGE)
_LARGE = 10**19

Choice = TypeVar("Choice", bound=StrEnum)


def parse_pairs(query: str, body: str) -> dict[str, str]:
    """Query and form body together. Raises VenueError -1101 when a name comes twice with two values."""
    values: dict[str, str] = {}
    for text in (query, body):
        for name, value in parse_qsl(text, keep_blank_values=True):
            if values.setdefault(name, value) != value:
                raise VenueError(-1101, "Duplicate values for a parameter detected.")
    return values


class Params:
    """Typed reading of text parameters. `None` means not sent; an empty text counts as not sent."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def names(self) -> set[str]:
        return set(self._values)

    def raw(self) -> Mapping[str, str]:
        return self._values

    def text(self, name: str) -> str | None:
        return self._values.get(name) or None

    def need(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing(name)
        return value

    def matching(self, name: str, legal: str) -> str | None:
        value = self.text(name)
        if value is not None and re.fullmatch(legal, value) is None:
            raise illegal(name, legal)
        return value

    def decimal(self, name: str) -> Decimal | None:
        value = self.text(name)
        if value is None:
            return None
        if _DECIMAL.match(value) is None:
            raise illegal(name, DECIMAL_RANGE)
        return Decimal(value)

    def need_decimal(self, name: str) -> Decimal:
        value = self.decimal(name)
        if value is None:
            raise missing(name)
        return value

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if _INTEGER.match(value) is None or int(value) > _LARGE:
            raise illegal(name, INTEGER_RANGE)
        return int(value)

    def limit(self, default: int, largest: int) -> int:
        """`limit` capped as the venue caps it. Raises -1128 for 0."""
        value = self.integer("limit")
        if value is None:
            return default
        if value == 0:
            raise VenueError(-1128, "Combination of optional parameters invalid.")
        return min(value, largest)

    def boolean(self, name: str, *, default: bool = False) -> bool:
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in {"true", "false"}:
            raise illegal(name, "true|false")
        return value.lower() == "true"

    def choice(self, name: str, kind: type[Choice], code: int, message: str) -> Choice:
        value = self.need(name)
        try:
            return kind(value)
        except ValueError:
            raise VenueError(code, message) from None

    def symbol_text(self, name: str = "symbol") -> str | None:
        value = self.text(name)
        if value is not None and _SYMBOL.match(value) is None:
            raise illegal(name, SYMBOL_RANGE)
        return value

    def window(self) -> tuple[int | None, int | None]:
        """`startTime` and `endTime`, market milliseconds. Raises -1128 when they are the wrong way round."""
        start, end = self.integer("startTime"), self.integer("endTime")
        if start is not None and end is not None and start > end:
            raise VenueError(-1128, "Combination of optional parameters invalid.")
        return start, end

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """-1104, as spot answers to parameters that it does not know."""
        allowed = set(known) | SIGNING_NAMES
        unread = [name for name in self._values if name not in allowed]
        if unread:
            sent = len(self._values)
            raise VenueError(
                -1104,
                f"Not all sent parameters were read; read '{sent - len(unread)}' parameter(s) but was sent '{sent}'.",
            )

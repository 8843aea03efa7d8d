"""A sheet: the named figures of one calculation, its tables and its notes, as text and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from bot.domain.numbers import text

Value = Decimal | int | bool | str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One result. `key` is its JSON name with its unit; `form` how people see it: see `shown`."""

    key: str
    label: str
    value: Value
    form: str = "number"


@dataclass(frozen=True, slots=True)
class SheetTable:
    """Rows of figures under headings (key, heading, form)."""

    key: str
    title: str
    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[Mapping[str, Value], ...]

    def cells(self) -> list[list[str]]:
        return [[shown(row[key], form) for key, _, form in self.columns] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole answer: figures first, then tables, then sentences."""

    title: str
    figures: tuple[Figure, ...]
    tables: tuple[SheetTable, ...] = ()
    notes: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        """Keys to numbers (rates as fractions), tables to lists of rows; `notes` where there are any."""
        found: dict[str, Any] = {each.key: plain(each.value) for each in self.figures}
        for table in self.tables:
            found[table.key] = [{key: plain(row[key]) for key, _, _ in table.columns} for row in table.rows]
        if self.notes:
            found["notes"] = list(self.notes)
        return found

    def facts(self) -> list[tuple[str, str]]:
        return [(each.label, shown(each.value, each.form)) for each in self.figures]


def plain(value: Value) -> Any:
    """The value for JSON: a Decimal as a number."""
    return float(value) if isinstance(value, Decimal) else value


def fixed(value: Decimal, digits: int) -> str:
    """Rounded half to even to so many decimals, thousands separated; no minus sign before a zero."""
    rounded = value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return f"{rounded.copy_abs() if rounded == 0 else rounded:,f}"


def significant(value: Decimal, digits: int) -> str:
    """Rounded to so many significant digits, plain, without trailing zeros."""
    if value == 0:
        return "0"
    exponent = value.adjusted() - digits + 1
    return text(value.quantize(Decimal(1).scaleb(min(exponent, 0)), rounding=ROUND_HALF_EVEN))


def shown(value: Value, form: str) -> str:
    """A value for people: `percent`, `signed` (percent with its sign), `usd`, `coin`, `seconds`, `number`, `text`."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    amount = Decimal(value)
    match form:
        case "percent":
            return f"{_percent(amount)} %"
        case "signed":
            return f"{'+' if amount > 0 else ''}{_percent(amount)} %"
        case "usd":
            return f"{fixed(amount, 2)} USD"
        case "coin":
            return significant(amount, 7)
        case "seconds":
            return f"{fixed(amount, 0)} s"
        case _:
            return str(value) if isinstance(value, int) else significant(amount, 5)


def percent_text(value: Decimal) -> str:
    """A fraction in per cent, without the zeros that a product leaves."""
    return f"{text(100 * value)} %"


def _percent(value: Decimal) -> str:
    """Per cent with five significant digits."""
    return significant(100 * value, 5)

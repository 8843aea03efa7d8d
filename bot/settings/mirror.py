"""Pydantic models derived from the settings' dataclasses and their rules, and the way back to the dataclasses.

The dataclasses hold names, types and defaults; `fields.py` holds bounds and checks; nothing is written twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, WithJsonSchema, create_model
from pydantic import Field as ModelField
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from pydantic_settings import BaseSettings

from bot.domain.config import CoreConfig
from bot.settings import scalars
from bot.settings.fields import Rule, rule_of
from bot.settings.shell import Shell

T = TypeVar("T")


class Section(BaseModel):
    """A mapping of the file. Keys that are not fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, hide_input_in_errors=True)


@cache
def model_of(source: type) -> type[Section]:
    """The model of one dataclass."""
    return create_model(source.__name__, __base__=Section, **_members(source))


@cache
def root_model() -> type[BaseSettings]:
    """The model of the whole file: the core's keys and the shell's on one level.

    It reads nothing by itself; `bot.settings.load` binds it to a file and an environment.
    """

    class Root(BaseSettings):
        model_config = Section.model_config  # type: ignore[assignment]

    return create_model("Settings", __base__=Root, **_members(CoreConfig), **_members(Shell))


def dataclass_of(source: type[T], model: BaseModel) -> T:
    """The dataclass that a validated model (or the part of the root that it names) stands for."""
    hints = hints_of(source)
    return source(**{name: _plain(getattr(model, name), hint) for name, hint in hints.items()})


def without_none(hint: Any) -> Any:
    """`X` of `X | None`; any other hint as it is."""
    if get_origin(hint) in (Union, UnionType):
        rest = [each for each in get_args(hint) if each is not NoneType]
        assert len(rest) == 1, f"one type or None, not {hint}"
        return rest[0]
    return hint


def hints_of(source: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, in their order."""
    hints = _hints(source)
    return {each.name: hints[each.name] for each in _fields(source)}


@cache
def _hints(source: Any) -> dict[str, Any]:
    return get_type_hints(source)


def _fields(source: Any) -> tuple[Field[Any], ...]:
    return fields(source)


def _members(source: type) -> dict[str, Any]:
    return {each.name: (_annotation(source, each), _default(source, each)) for each in _fields(source)}


def _default(source: type, each: Field[Any]) -> FieldInfo:
    rule, hint = rule_of(source, each.name), _hints(source)[each.name]
    doc: dict[str, Any] = {"description": rule.doc}
    if is_dataclass(hint):
        if each.default is MISSING and each.default_factory is MISSING:
            return _field(**doc)
        return _field(default_factory=model_of(hint), **doc)  # type: ignore[arg-type]
    if each.default is not MISSING:
        return _field(default=each.default, **doc)
    if each.default_factory is not MISSING:
        return _field(default_factory=each.default_factory, **doc)
    return _field(**doc)


def _field(**arguments: Any) -> FieldInfo:
    made = ModelField(**arguments)
    assert isinstance(made, FieldInfo)
    return made


def _annotation(source: type, each: Field[Any]) -> Any:
    rule, hint = rule_of(source, each.name), _hints(source)[each.name]
    inner = without_none(hint)
    made: Any = _typed(inner, rule)
    if inner is not hint:
        made = made | None
    return SkipJsonSchema[made] if rule.secret else made  # type: ignore[misc] # a type made at run time


def _typed(hint: Any, rule: Rule) -> Any:
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return Annotated[model_of(hint), BeforeValidator(scalars.mapping)]
    if get_origin(hint) is tuple:
        item: Any = _item(get_args(hint)[0], rule)
        distinct = AfterValidator(scalars.distinct)
        return Annotated[tuple[item, ...], BeforeValidator(scalars.items), distinct]
    if get_origin(hint) is Mapping or get_origin(hint) is dict:
        key, value = get_args(hint)
        keys: Any = _typed(key, Rule(rule.doc, check=rule.check))
        values: Any = _typed(value, Rule(rule.doc, gt=rule.gt, ge=rule.ge, lt=rule.lt, le=rule.le))
        return Annotated[dict[keys, values], BeforeValidator(scalars.mapping)]
    return _scalar(hint, rule)


def _item(hint: Any, rule: Rule) -> Any:
    if not is_dataclass(hint):
        return _typed(hint, rule)
    assert isinstance(hint, type)
    first = fields(hint)[0].name
    return Annotated[model_of(hint), BeforeValidator(scalars.entry_of(first))]


def _scalar(hint: Any, rule: Rule) -> Any:
    before: Mapping[Any, Callable[[Any], Any]] = {
        Decimal: scalars.decimal,
        float: scalars.floating,
        int: scalars.integer,
        bool: scalars.boolean,
        str: scalars.text,
        Path: scalars.path,
        SecretStr: scalars.secret,
    }
    parts: list[Any] = []
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        parts.append(BeforeValidator(scalars.choice_of(tuple(hint))))
    else:
        parts.append(BeforeValidator(before[hint]))
    if hint in (Decimal, float, int):
        parts.append(AfterValidator(scalars.within(gt=rule.gt, ge=rule.ge, lt=rule.lt, le=rule.le)))
        parts.append(WithJsonSchema(_number_schema(hint, rule)))
    if rule.check is not None:
        parts.append(AfterValidator(rule.check))
    return Annotated[(hint, *parts)]


def _number_schema(hint: Any, rule: Rule) -> dict[str, Any]:
    names = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
    limits = {names[each]: getattr(rule, each) for each in names if getattr(rule, each) is not None}
    return {"type": "integer" if hint is int else "number", **limits}


def _plain(value: Any, hint: Any) -> Any:
    inner = without_none(hint)
    if isinstance(value, BaseModel):
        return dataclass_of(inner, value)
    if isinstance(value, Mapping):
        return {key: _plain(each, get_args(inner)[1]) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(each, get_args(inner)[0]) for each in value)
    return value

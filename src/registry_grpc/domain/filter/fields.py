"""The fields by which a list can be filtered, and the check of a tree against them.

To add a kind of field, add it to `Kind`, and its reader and operators to the tables below; then say how to evaluate it
in adapters/postgres/filtering.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from registry_grpc.domain.filter.parser import parse
from registry_grpc.domain.filter.syntax import And, Comparison, Name, Node, Operator, Value, invalid, mapped, quoted
from registry_grpc.domain.ids import parse_uuid

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)
_LONGEST_GUESS = 100
_EQUALITY = frozenset((Operator.EQ, Operator.NE, Operator.HAS))
_ALL = frozenset(Operator)


class Kind(StrEnum):
    """The type of a field."""

    TEXT = "text"
    INTEGER = "integer"
    BOOL = "bool"
    TIME = "time"
    ID = "id"
    WORD = "word"
    MAP = "map"
    PROPERTIES = "properties"
    LIST = "list"


class Field(NamedTuple):
    """A field by its path in the message. A word is one of `words`, or that with the `prefix` of its proto enum."""

    name: str
    kind: Kind
    words: Collection[str] = ()
    prefix: str = ""


Fields: TypeAlias = Mapping[str, Field]


def declared(*words: Field, **names: Collection[str]) -> dict[str, Field]:
    """Fields by the value of their kind, and those of words."""
    fields = {name: Field(name, Kind(kind)) for kind, of_kind in names.items() for name in of_kind}
    return fields | {field.name: field for field in words}


def within(path: str, fields: Fields) -> dict[str, Field]:
    """The fields of a message that another one has at this path."""
    return {f"{path}.{name}": field._replace(name=f"{path}.{name}") for name, field in fields.items()}


def word(name: str, words: Iterable[str], prefix: str = "") -> Field:
    return Field(name, Kind.WORD, tuple(words), prefix)


class Pattern(NamedTuple):
    """A text with wildcards: any text may stand between the parts."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison whose value has the type of the field. For a property, the value says which type it must have.

    `key` is the key of a map or the name of a property. HAS with None: the key is there; or without a key, the text,
    list or map is not empty, or the value is set. HAS with a value: the list contains it.
    """

    field: Field
    operator: Operator
    value: Any
    key: str | None = None


Filter: TypeAlias = Node[Condition]


def required(filter: Filter | None, name: str) -> Any:
    """The value that the field must have, because everything that matches has it; None if there are several or none."""
    match filter:
        case And(terms):
            return next((value for term in terms if (value := required(term, name)) is not None), None)
        case Condition(field, Operator.EQ, value) if field.name == name and not isinstance(value, Pattern):
            return value
    return None


def parse_filter(text: str, fields: Fields) -> Filter | None:
    """The filter of a request; None if it is blank. Raises InvalidRequest."""
    tree = parse(text)
    return None if tree is None else checked(tree, fields)


def checked(tree: Node[Comparison], fields: Fields) -> Filter:
    """The tree with fields and typed values. Raises InvalidRequest for a name, an operator or a value that is wrong."""
    return mapped(tree, lambda comparison: _condition(comparison, fields))


def _condition(comparison: Comparison, fields: Fields) -> Condition:
    field, rest = _field_at(comparison.path, fields)
    operator, value = comparison.operator, comparison.value
    if field.kind in _MAPS:
        return _condition_on_map(field, rest, operator, value)
    if rest:
        raise invalid(
            rest[0].position, f'"{field.name}" has no field {quoted(rest[0].text)}: it is {_DESCRIPTIONS[field.kind]}'
        )
    if operator is Operator.HAS and value.is_any:
        return Condition(field, operator, None)
    if field.kind is Kind.LIST:
        if operator is not Operator.HAS:
            raise invalid(value.position, f'"{field.name}" is a list: ask for one of its values by {field.name}:value')
        return Condition(field, operator, _literal(value, field))
    if operator is Operator.HAS:
        text = f'":" only asks whether "{field.name}" is set, by {field.name}:*; compare values by "="'
        raise invalid(value.position, text)
    if operator not in _OPERATORS.get(field.kind, _ALL):
        text = f'"{field.name}" is {_DESCRIPTIONS[field.kind]}, which has no order: use = or !='
        raise invalid(value.position, text)
    return Condition(field, operator, _READERS[field.kind](value, field, operator))


def _field_at(path: tuple[Name, ...], fields: Fields) -> tuple[Field, tuple[Name, ...]]:
    """The field at the beginning of the path, and the rest of the path."""
    for length in (2, 1):
        if field := fields.get(".".join(name.text for name in path[:length])):
            return field, path[length:]
    name = ".".join(name.text for name in path)
    guess = get_close_matches(name[:_LONGEST_GUESS], fields, 1)
    ask = f': did you mean "{guess[0]}"?' if guess else "."
    raise invalid(path[0].position, f"unknown field {quoted(name)}{ask} Fields: {', '.join(fields)}")


def _condition_on_map(field: Field, rest: tuple[Name, ...], operator: Operator, value: Value) -> Condition:
    if not rest:
        if operator is not Operator.HAS:
            raise invalid(
                value.position, f'"{field.name}" is a map: compare the value of a key, {field.name}.key {operator} …'
            )
        return Condition(field, operator, None, None if value.is_any else _literal(value, field))
    # Keys often have dots. A map has no inner maps, so that the rest of the path is the key.
    key = ".".join(name.text for name in rest)
    if operator is Operator.HAS:
        if value.is_any:
            return Condition(field, operator, None, key)
        operator = Operator.EQ
    return Condition(field, operator, _READERS[field.kind](value, field, operator), key)


def _literal(value: Value, field: Field) -> str:
    if len(value.parts) > 1:
        raise invalid(
            value.position, f'"{field.name}:" finds whole values: write a "*" that is part of it as "\\*", in quotes'
        )
    return value.text


def _text(value: Value, _field: Field, operator: Operator) -> str | Pattern:
    if len(value.parts) == 1:
        return value.text
    if operator not in _EQUALITY:
        raise invalid(
            value.position, f'"{operator}" does not know the wildcard "*": use = or !=, or write "\\*" in quotes'
        )
    return Pattern(value.parts)


def _integer(value: Value, field: Field, _operator: Operator) -> int:
    number = int(value.text) if _INTEGER.fullmatch(value.text) else 2**63
    if not -(2**63) <= number < 2**63:
        raise invalid(
            value.position, f'"{field.name}" is {_DESCRIPTIONS[field.kind]}, which {quoted(value.text)} is not'
        )
    return number


def _bool(value: Value, field: Field, _operator: Operator) -> bool:
    if value.text not in {"true", "false"}:
        raise invalid(value.position, f'"{field.name}" is true or false, not {quoted(value.text)}')
    return value.text == "true"


def _time(value: Value, field: Field, _operator: Operator) -> datetime:
    if found := _TIME.fullmatch(value.text):
        date, time, fraction, zone = found.groups()
        try:
            # PostgreSQL keeps microseconds.
            return datetime.fromisoformat(f"{date}T{time}{(fraction or '')[:7]}{zone.upper()}").astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    text = f'"{field.name}" is a time: write it like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00'
    raise invalid(value.position, text)


def _id(value: Value, field: Field, _operator: Operator) -> Any:
    if (id_ := parse_uuid(value.text)) is None:
        raise invalid(value.position, f'"{field.name}" is a UUID, which {quoted(value.text)} is not')
    return id_


def _word(value: Value, field: Field, _operator: Operator) -> str:
    found = value.text.removeprefix(field.prefix)
    if found not in field.words:
        raise invalid(
            value.position, f'"{field.name}" has no value {quoted(value.text)}. Values: {", ".join(field.words)}'
        )
    return found


def _property(value: Value, field: Field, operator: Operator) -> Any:
    """Quotes make a string of anything. Integers and doubles are compared as numbers."""
    text = value.text
    if value.is_quoted or len(value.parts) > 1:
        return _text(value, field, operator)
    if text in {"true", "false"}:
        if operator not in _EQUALITY:
            raise invalid(value.position, f"{text} is a boolean, which has no order: use = or !=")
        return text == "true"
    if _TIME.fullmatch(text):
        return _time(value, field, operator)
    if not _NUMBER.fullmatch(text):
        return text
    if _INTEGER.fullmatch(text):
        return Decimal(text)
    if not math.isfinite(number := float(text)):
        raise invalid(value.position, f"{quoted(text)} is not a double: put it in quotes if it is a string")
    return Decimal(repr(number))


_MAPS = frozenset((Kind.MAP, Kind.PROPERTIES))
_DESCRIPTIONS = {
    Kind.TEXT: "a text",
    Kind.INTEGER: "a 64-bit integer",
    Kind.BOOL: "a boolean",
    Kind.TIME: "a time",
    Kind.ID: "a UUID",
    Kind.WORD: "one of a few words",
    Kind.LIST: "a list",
}
_READERS: Mapping[Kind, Callable[[Value, Field, Operator], Any]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.BOOL: _bool,
    Kind.TIME: _time,
    Kind.ID: _id,
    Kind.WORD: _word,
    Kind.MAP: _text,
    Kind.PROPERTIES: _property,
}
_OPERATORS = dict.fromkeys((Kind.BOOL, Kind.ID, Kind.WORD), _EQUALITY)

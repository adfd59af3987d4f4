"""Filters as conditions of statements. Names of columns are written into them, but values are always parameters.

NULL stands for false, in which the operators of SQL agree with domain.filter.syntax: a comparison with NULL is NULL,
AND and OR treat it like false, and only NOT needs IS NOT TRUE.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from registry_grpc.adapters.postgres.listing import Conditions
from registry_grpc.domain.filter.fields import Condition, Fields, Filter, Kind, Pattern
from registry_grpc.domain.filter.syntax import And, Not, Operator, Or
from registry_grpc.domain.properties import of_time

_INDEXED = 500
"""How many characters of a text are indexed. An index refuses texts of more than some 2,700 bytes."""
_MAPS = {Kind.MAP, Kind.PROPERTIES}
_KEYS = "jsonb_path_query_array({}, '$.keyvalue().key', '{{}}', true)"
"""The keys of a column, as the index has them. The last argument: anything but an object has none."""
_WITH_WILDCARDS = re.compile(r"[\\%_]")


def filter_columns(fields: Fields, **others: str) -> dict[str, str]:
    """The expressions of fields. `{t}` stands for the table. Fields without an entry in `others` are columns."""
    columns = {name: f"{{t}}.{name}" for name, field in fields.items() if field.kind is not Kind.LIST}
    lists = (name.partition(".") for name, field in fields.items() if field.kind is Kind.LIST)
    return columns | {f"{column}.{key}": f"({{t}}.{column} -> '{key}')" for column, _, key in lists if key} | others


@dataclass(frozen=True, slots=True)
class FilterIndex:
    """The GIN index for filters of a table: on an array with the project and `words`, on all columns of JSON, and on
    the keys of maps. `others` are conditions by another index for values of lists; `{}` stands for the value."""

    words: Collection[str] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    columns: Collection[str] = ("id", "created_at")
    """Those that have an index of their own."""

    @property
    def array(self) -> str:
        """The array as the migration has it."""
        words = (f"'{name}=' || left({name}::text, {_INDEXED})" for name in self.words)
        return f"ARRAY[{', '.join(['project_id::text', *words])}]"


def add_filter(
    conditions: Conditions, filter: Filter | None, columns: Mapping[str, str], index: FilterIndex | None = None
) -> None:
    """With an index, the first parameter of the conditions must be the project."""
    if filter is None:
        return
    text = condition_of(filter, conditions, columns)
    conditions.filter = f"{conditions.filter} AND {text}" if conditions.filter else text
    if index and _is_indexed(filter, index):
        conditions.narrowing = [_narrowed(filter, conditions, index)]
    conditions.is_indexed = bool(conditions.narrowing) or bool(index and _has_column(filter, index.columns))


def _has_column(filter: Filter, columns: Collection[str]) -> bool:
    """Whether everything that matches is in a range of one of the columns."""
    match filter:
        case And(terms):
            return any(_has_column(term, columns) for term in terms)
        case Condition(operator=operator, value=value):
            is_range = operator not in {Operator.NE, Operator.HAS} and not isinstance(value, Pattern)
            return filter.field.name in columns and is_range
    return False


def _is_indexed(filter: Filter, index: FilterIndex) -> bool:
    """Whether the index finds the rows, perhaps with others that the filter refuses."""
    match filter:
        case And(terms):
            return any(_is_indexed(term, index) for term in terms)
        case Or(terms):
            return all(_is_indexed(term, index) for term in terms)
        case Not():
            return False
    if filter.field.kind in _MAPS:
        return filter.key is not None or filter.value is not None
    if filter.field.kind is Kind.LIST:
        return filter.value is not None
    return filter.field.name in index.words and filter.operator is Operator.EQ and not isinstance(filter.value, Pattern)


def _narrowed(filter: Filter, conditions: Conditions, index: FilterIndex) -> str:
    match filter:
        case And(terms):
            indexed = [term for term in terms if _is_indexed(term, index)]
            # These find ids of the project: intersecting them with the index would read all that it has.
            by_id = [term for term in indexed if isinstance(term, Condition) and term.field.name in index.others]
            return " AND ".join(_narrowed(term, conditions, index) for term in by_id or indexed)
        case Or(terms):
            return "(" + " OR ".join(f"({_narrowed(term, conditions, index)})" for term in terms) + ")"
        case Not():
            raise AssertionError("no index finds what does not match")
    if filter.field.name in index.others:
        return index.others[filter.field.name].replace("{}", f"{conditions.parameter(filter.value)}::text")
    return f"{index.array} @> ARRAY[$1::uuid::text] AND {_leaf(filter, conditions, index)}"


def _leaf(filter: Condition, conditions: Conditions, index: FilterIndex) -> str:
    """What the index finds, of all projects."""
    name, value = filter.field.name, filter.value
    if filter.field.kind is Kind.LIST:
        column, _, key = name.partition(".")
        return f"{column} @> {conditions.parameter({key: [value]})}"
    if filter.field.kind in _MAPS:
        if filter.operator is not Operator.EQ or isinstance(value, Pattern):
            # No index has the order of values, but the key must be there.
            return f"{_KEYS.format(name)} @> {conditions.parameter([value if filter.key is None else filter.key])}"
        stored = [value] if filter.field.kind is Kind.MAP else _stored(value)
        return "(" + " OR ".join(f"{name} @> {conditions.parameter({filter.key: each})}" for each in stored) + ")"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{index.array} @> ARRAY['{name}=' || left({conditions.parameter(text)}::text, {_INDEXED})]"


def _stored(value: Any) -> list[Mapping[str, Any]]:
    """The properties that are equal to the value."""
    match value:
        case bool():
            return [{"bool": value}]
        case datetime():
            return [of_time(value)]
        case Decimal():
            is_whole = value == value.to_integral_value()
            number = int(value) if is_whole and abs(value) < 2**63 else float(value)
            return [{"int": number}, {"double": number}] if is_whole else [{"double": number}]
    return [{"string": value}]


def condition_of(filter: Filter, conditions: Conditions, columns: Mapping[str, str]) -> str:
    """The text of the filter, whose values become parameters of the conditions."""
    match filter:
        case And(terms):
            return "(" + " AND ".join(condition_of(term, conditions, columns) for term in terms) + ")"
        case Or(terms):
            return "(" + " OR ".join(condition_of(term, conditions, columns) for term in terms) + ")"
        case Not(term):
            return f"({condition_of(term, conditions, columns)}) IS NOT TRUE"
    return _comparison(filter, conditions, columns[filter.field.name])


def _comparison(condition: Condition, conditions: Conditions, column: str) -> str:
    kind, key, value, operator = condition.field.kind, condition.key, condition.value, condition.operator
    if operator is Operator.HAS:
        return _has(condition, conditions, column)
    if kind is Kind.MAP:
        column = f"({column} ->> {conditions.parameter(key)}::text)"
    if kind is Kind.PROPERTIES:
        column, value = _property(column, conditions.parameter(key), value)
    if isinstance(value, Pattern):
        like = "LIKE" if operator is Operator.EQ else "NOT LIKE"
        return f"{column} {like} {conditions.parameter(_like(value))}"
    # A column may be of a smaller type than the values with which it can be compared.
    cast = "::bigint" if kind is Kind.INTEGER else ""
    return f"{column} {operator} {conditions.parameter(value)}{cast}"


def _property(column: str, key: str, value: Any) -> tuple[str, Any]:
    """The expression for a property of the value's type, which is NULL for those of other types, and the value as a
    parameter."""
    content = f"({column} -> {key}::text)"
    match value:
        case bool():
            return f"({content} ->> 'bool')::bool", value
        case datetime():
            return f"({content} ->> 'time')", of_time(value)["time"]
        case Decimal():
            return f"coalesce({content} ->> 'int', {content} ->> 'double')::numeric", value
    return f"({content} ->> 'string')", value


def _has(condition: Condition, conditions: Conditions, column: str) -> str:
    wanted = condition.value if condition.key is None else condition.key
    if wanted is not None:
        return f"{column} ? {conditions.parameter(wanted)}::text"
    match condition.field.kind:
        case Kind.MAP | Kind.PROPERTIES:
            return f"{column} <> '{{}}'::jsonb"
        case Kind.LIST:  # the Go service stores null for an empty list
            return f"{column} NOT IN ('[]'::jsonb, 'null'::jsonb)"
        case Kind.TEXT | Kind.WORD:
            return f"{column} <> ''"
    return f"{column} IS NOT NULL"


def _like(pattern: Pattern) -> str:
    return "%".join(_WITH_WILDCARDS.sub(r"\\\g<0>", part) for part in pattern.parts)

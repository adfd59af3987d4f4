"""Random filters whose values are those of rows, so that many of them match some rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any

from tests.fakes.filtering import value_of

from registry_grpc.domain.filter.fields import Field, Fields, Kind

_ORDERED = ("=", "!=", "<", "<=", ">", ">=")
_MOST_TERMS = 3
_ODD = ("", "%", "_", "\\", "'", '"', "*", "Ä", "true", "1", "{t}", "$1", "a b")


class RandomFilters:
    """Writes filters for a list with these fields and rows."""

    def __init__(self, fields: Fields, rows: Sequence[Any], seed: int) -> None:
        self._fields, self._rows, self._choose = list(fields.values()), rows, Random(seed)

    def text(self, depth: int = 2) -> str:
        choose = self._choose
        kind = choose.choice(("leaf", "and", "or", "not", "side by side")) if depth else "leaf"
        if kind == "leaf":
            return self._leaf()
        if kind == "not":
            return f"{choose.choice(('NOT ', '-'))}({self.text(depth - 1)})"
        joint = {"and": " AND ", "or": " OR ", "side by side": " "}[kind]
        return joint.join(f"({self.text(depth - 1)})" for _ in range(choose.randint(2, _MOST_TERMS)))

    def _leaf(self) -> str:
        field = self._choose.choice(self._fields)
        value = value_of(self._choose.choice(self._rows), field.name)
        if self._choose.random() < 0.1:
            return f"{field.name}:*"
        if field.kind is Kind.LIST:
            return f"{field.name}:{_quoted(self._choose.choice([*value, 'none']))}"
        if field.kind in {Kind.MAP, Kind.PROPERTIES}:
            return self._of_map(field, value)
        ordered = field.kind not in {Kind.BOOL, Kind.ID, Kind.WORD}
        operator = self._choose.choice(_ORDERED if ordered else _ORDERED[:2])
        if value is None or value == "":
            return f"{field.name}:*"
        if field.kind is Kind.WORD:
            return f"{field.name} {operator} {value}"
        return f"{field.name} {operator} {self._literal(value, operator)}"

    def _of_map(self, field: Field, value: Any) -> str:
        key = self._choose.choice([*value, "none"])
        name = f"{field.name}.{_quoted(key)}"
        if self._choose.random() < 0.2:
            return f"{field.name}:{_quoted(key)}" if self._choose.random() < 0.5 else f"{name}:*"
        # Often a value of another key, which may have another type.
        stored = value.get(self._choose.choice([key, key, *value]), "none")
        content = next(iter(stored.values())) if isinstance(stored, dict) else stored
        is_bool = isinstance(content, bool) and field.kind is Kind.PROPERTIES
        operator = self._choose.choice(_ORDERED[:2] if is_bool else _ORDERED)
        if field.kind is Kind.MAP:
            return f"{name} {operator} {self._literal(str(content), operator)}"
        if isinstance(stored, dict) and "time" in stored:
            return f"{name} {operator} {content}"
        return f"{name} {operator} {self._literal(content, operator)}"

    def _literal(self, value: Any, operator: str) -> str:
        choose = self._choose
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            near = value + choose.choice((0, 0, 1, -1))
            return repr(near if abs(near) < 2**63 else value)
        if isinstance(value, datetime):
            return value.isoformat()
        if not isinstance(value, str):
            return str(value)
        if operator in {"=", "!="} and choose.random() < 0.3:
            start = choose.randint(0, len(value))
            return f'"{_escaped(value[:start])}*{_escaped(value[start + choose.randint(0, 2) :])}"'
        return _quoted(choose.choice((value, value, value, choose.choice(_ODD))))


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\\"'*" else letter for letter in text)


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'

"""The reference evaluation of filters, on objects in memory."""

from __future__ import annotations

import operator
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from registry_grpc.domain.filter.fields import Condition, Filter, Kind, Pattern
from registry_grpc.domain.filter.syntax import And, Not, Operator, Or
from registry_grpc.domain.properties import Property

_COMPARE = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}
_SIZED = {Kind.TEXT, Kind.WORD, Kind.MAP, Kind.PROPERTIES, Kind.LIST}
# Clients know these fields by other names.
_INSIDE = {
    "registered_model_id": ("spec", "registered_model_id"),
    "model_version_id": ("spec", "model_version_id"),
    "target_revision": ("generation",),
    "serving_revision": ("serving_generation",),
}


def matches(filter: Filter | None, item: Any) -> bool:
    match filter:
        case None:
            return True
        case And(terms):
            return all(matches(term, item) for term in terms)
        case Or(terms):
            return any(matches(term, item) for term in terms)
        case Not(term):
            return not matches(term, item)
    value = value_of(item, filter.field.name)
    if filter.field.kind is Kind.PROPERTIES and filter.key is not None:
        return filter.key in value and _holds(filter, value[filter.key])
    if filter.field.kind is Kind.MAP and filter.key is not None:
        return _has(filter, value.get(filter.key)) if filter.key in value else False
    if filter.operator is Operator.HAS and filter.value is None:
        return bool(value) if filter.field.kind in _SIZED else value is not None
    return _has(filter, value)


def _holds(condition: Condition, stored: Property) -> bool:
    """A value of another type is neither equal nor different."""
    ((kind, value),) = stored.items()
    match condition.value:
        case None:
            return True
        case bool():
            kinds = {"bool"}
        case Decimal():
            kinds, value = {"int", "double"}, Decimal(repr(value)) if kind in {"int", "double"} else None
        case datetime():
            kinds, value = {"time"}, datetime.fromisoformat(value) if kind == "time" else None
        case _:
            kinds = {"string"}
    return kind in kinds and _has(condition, value)


def _has(condition: Condition, value: Any) -> bool:
    wanted = condition.value
    if condition.operator is Operator.HAS:
        return wanted is None or wanted in value
    if value is None:
        return False
    if isinstance(wanted, Pattern):
        is_like = re.fullmatch(".*".join(map(re.escape, wanted.parts)), value, re.DOTALL) is not None
        return is_like == (condition.operator is Operator.EQ)
    return bool(_COMPARE[condition.operator](value, wanted))


def value_of(item: Any, name: str) -> Any:
    """The value of the field with this path."""
    if name == "aliases":
        return item.all_aliases
    path = (name,) if hasattr(item, name) else _INSIDE.get(name) or name.split(".")
    for part in path:
        item = getattr(item, part)
    return item

"""JSON schemas of what a client gets, made of the TypedDicts of adapters.rest.encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict
from uuid import UUID

from scripts.openapi.comments import comment

from registry_grpc.adapters.rest.encoders import Time

JSON = dict[str, Any]

_TIME: JSON = {"type": "string", "format": "date-time"}
_VALUES: dict[Any, JSON] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    UUID: {"type": "string", "format": "uuid"},
    datetime: _TIME,
    Time: _TIME,
}


def name_of(shape: type) -> str:
    return shape.__name__.removesuffix("Json")


def objects_in(shape: type) -> dict[str, JSON]:
    """The schema of the TypedDict, and of those in it, by name."""
    kinds = get_type_hints(shape, include_extras=True)
    message = f"modelregistry.v1.{name_of(shape)}"
    found = {
        name_of(shape): {
            "type": "object",
            "description": comment(message),
            "required": [key for key, kind in kinds.items() if get_origin(kind) is not NotRequired],
            "properties": {key: _schema(kind) | _described(message, key) for key, kind in kinds.items()},
        }
    }
    for kind in kinds.values():
        for inner in (kind, *get_args(kind), *(each for arg in get_args(kind) for each in get_args(arg))):
            if is_typeddict(inner):
                found |= objects_in(inner)
    return found


def _described(message: str, key: str) -> JSON:
    try:
        return {"description": comment(f"{message}.{key}")}
    except KeyError:  # the contract has it, but it is always null
        return {"description": "Always null."}


def _schema(kind: Any) -> JSON:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return _schema(parts[0])
    if origin is Sequence:
        return {"type": "array", "items": _schema(parts[0])}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(parts[1])}
    if origin is UnionType:
        value = _schema(parts[0])
        return value | {"type": [value["type"], "null"]}
    if is_typeddict(kind):
        return {"$ref": f"#/components/schemas/{name_of(kind)}"}
    return dict(_VALUES[kind])


def page_of(name: str) -> JSON:
    """The schema of a page of a list (contract 0.9)."""
    number = _VALUES[int]
    return {
        "type": "object",
        "description": "One page of the list.",
        "required": ["items", "total", "page_size", "next_offset"],
        "properties": {
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            "total": number | {"description": "How many objects match, on all pages together."},
            "page_size": number | {"description": "The `limit` of the request, before it is capped at 100."},
            "next_offset": number
            | {"description": "The `offset` of the next page. There is none if it is not less than `total`."},
        },
    }

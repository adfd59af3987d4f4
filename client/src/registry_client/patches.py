"""Requests that set only what is given."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from modelregistry.v1.property_pb2 import PropertyMap
from registry_client import values

_M = TypeVar("_M", bound=Message)


def filled(kind: type[_M], given: Mapping[str, Any]) -> _M:
    """A message with the fields that are given, which are those that are not None. Raises TypeError."""
    fields = kind.DESCRIPTOR.fields_by_name
    message = kind()
    for name, value in given.items():
        if value is not None:
            try:
                message.MergeFrom(kind(**{name: _converted(fields[name], value)}))
            except TypeError as error:
                raise TypeError(_refusal(fields[name], value) or f"{name}: {error}") from None
    return message


def mask(given: Mapping[str, Any], clear: Iterable[str]) -> FieldMask | None:
    """The mask that also clears fields; None if there are none to clear."""
    cleared, changed = list(clear), [name for name, value in given.items() if value is not None]
    return FieldMask(paths=[*changed, *cleared]) if cleared else None


def is_id(text: str) -> bool:
    """Whether a text is the id of an object rather than its name."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _refusal(field: Any, value: Any) -> str:
    """What is wrong with a value that is not text; empty if the field wants something else. It does not say the value,
    which may be a secret."""
    if field.message_type is not None and isinstance(value, Mapping) and field.name == "labels":
        for key, each in value.items():
            if not isinstance(key, str):
                return f"The keys and values of labels must be texts, but the key {key!r} is {_a(key)}."
            if not isinstance(each, str):
                return f"The keys and values of labels must be texts, but the value of {key!r} is {_a(each)}."
    if field.type == field.TYPE_STRING and not field.is_repeated:
        return f"{field.name} must be a text, but this is {_a(value)}."
    return ""


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _converted(field: Any, value: Any) -> Any:
    kind = field.message_type.full_name if field.message_type else ""
    if kind == Struct.DESCRIPTOR.full_name:
        return values.struct(value)
    if kind == PropertyMap.DESCRIPTOR.full_name:
        return values.property_map(value)
    if field.name == "properties":
        return values.properties(value)
    return value

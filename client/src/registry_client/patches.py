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
    """A message with the fields that are given, which are those that are not None."""
    fields = kind.DESCRIPTOR.fields_by_name
    return kind(**{name: _converted(fields[name], value) for name, value in given.items() if value is not None})


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


def _converted(field: Any, value: Any) -> Any:
    kind = field.message_type.full_name if field.message_type else ""
    if kind == Struct.DESCRIPTOR.full_name:
        return values.struct(value)
    if kind == PropertyMap.DESCRIPTOR.full_name:
        return values.property_map(value)
    if field.name == "properties":
        return values.properties(value)
    return value

"""Python values as messages, and messages as Python values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from modelregistry.v1.property_pb2 import PropertyMap, PropertyValue

Property = bool | int | float | str | datetime
"""The value of a property, which keeps its type."""


def property_of(message: PropertyValue) -> Property:
    kind = message.WhichOneof("kind")
    if kind == "timestamp_value":
        return message.timestamp_value.ToDatetime(UTC)
    value: Property = getattr(message, kind or "string_value")
    return value


def property_message(value: Property, name: str = "this") -> PropertyValue:
    """A datetime without a zone is local time. Raises TypeError."""
    match value:
        case bool():  # before int, of which it is a kind
            return PropertyValue(bool_value=value)
        case int():
            return PropertyValue(int_value=value)
        case float():
            return PropertyValue(double_value=value)
        case str():
            return PropertyValue(string_value=value)
        case datetime():
            return PropertyValue(timestamp_value=timestamp(value))
    if hasattr(value, "item"):  # a number of NumPy
        return property_message(value.item(), name)
    raise TypeError(f"A property is a bool, int, float, str or datetime, but {name} is a {type(value).__name__}.")


def properties(values: Mapping[str, Property]) -> dict[str, PropertyValue]:
    return {key: property_message(value, key) for key, value in values.items()}


def property_map(values: Mapping[str, Property]) -> PropertyMap:
    return PropertyMap(values=properties(values))


def timestamp(time: datetime) -> Timestamp:
    """A time without a zone is local time."""
    message = Timestamp()
    message.FromDatetime(time.astimezone(UTC))
    return message


def quoted(text: str) -> str:
    """A text as a value of a filter, in which a star is a star."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")
    return f'"{escaped}"'


def struct(values: Mapping[str, Any]) -> Struct:
    message = Struct()
    message.update(values)
    return message


def plain(message: Struct) -> dict[str, Any]:
    """As dicts, lists, texts, numbers, booleans and None. Whole numbers are ints, although a Struct has only floats."""
    values: dict[str, Any] = _with_ints(json_format.MessageToDict(message))
    return values


def _with_ints(value: Any) -> Any:
    match value:
        case dict():
            return {key: _with_ints(each) for key, each in value.items()}
        case list():
            return [_with_ints(each) for each in value]
        case float():
            return int(value) if value.is_integer() else value
    return value


def prefix_of(enum: EnumDescriptor) -> str:
    """What all words of an enum begin with, such as DEPLOYMENT_PHASE_."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"


def word(enum: EnumDescriptor, number: int) -> str:
    """A value of an enum without the prefix; the number if only a newer release knows it."""
    value = enum.values_by_number.get(number)
    return value.name.removeprefix(prefix_of(enum)) if value is not None else str(number)


def fields_of(message: Message) -> dict[str, Any]:
    """The fields of a message that are set, as Python values: words without their prefix, durations as seconds."""
    values = {}
    for field, value in message.ListFields():
        if not field.is_repeated:
            values[field.name] = _field_value(field, value)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            values[field.name] = dict(value)
        else:
            values[field.name] = [_field_value(field, each) for each in value]
    return {name: value for name, value in values.items() if value != {}}


def _field_value(field: Any, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.ToDatetime(UTC)
    if isinstance(value, Duration):
        return value.ToTimedelta().total_seconds()
    if isinstance(value, Message):
        return fields_of(value)
    return word(field.enum_type, value) if field.enum_type is not None else value

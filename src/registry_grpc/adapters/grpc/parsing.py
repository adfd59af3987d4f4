"""Decodes the requests of gRPC clients.

Refuses bytes that do not decode, too many values, and NUL characters, which PostgreSQL cannot store. All other rules
are in the domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct

from registry_grpc.adapters.rest.body import MOST_VALUES
from registry_grpc.domain.errors import InvalidRequest, Violation


def parse(kind: Descriptor, data: bytes) -> Message:
    """Decodes a request. Raises InvalidRequest."""
    try:
        message: Message = GetMessageClass(kind).FromString(data)
    except DecodeError as error:
        text = f"the request cannot be decoded as {kind.name}: its bytes are malformed or a string is not UTF-8"
        raise InvalidRequest((), text) from error
    if len(data) > MOST_VALUES and _values_in(message, MOST_VALUES) > MOST_VALUES:
        raise InvalidRequest((), f"the request must not hold more than {MOST_VALUES} values")
    # Walking all fields is slow, so it is done only when there is a zero byte, which is rare.
    if b"\x00" in data and (paths := list(_with_nul(message))):
        raise InvalidRequest(Violation(path, "must not hold NUL characters") for path in paths)
    return message


def path_of(kind: Descriptor, field: str) -> str:
    """The path of a field from the request: rules name it as in JSON, so `name` becomes `registered_model.name`."""
    first = field.partition(".")[0]
    if first not in kind.fields_by_name:
        for outer in kind.fields:
            if outer.message_type and first in outer.message_type.fields_by_name:
                return f"{outer.name}.{field}"
    return field


def _values_in(message: Message, most: int) -> int:
    """How many values the message holds. Stops counting above `most`, because two million would take seconds."""
    count = 0
    for field, value in message.ListFields():
        values = (value,) if not field.is_repeated else value.values() if hasattr(value, "values") else value
        count += len(values)
        for item in values if field.message_type else ():
            if count > most:
                return count
            if isinstance(item, Message):
                count += _values_in(item, most - count)
    return count


def _with_nul(value: Any, path: str = "") -> Iterator[str]:
    """The paths of the strings that hold NUL characters, as in JSON, where structs have no fields of their own."""
    if isinstance(value, str):
        yield from [path] if "\x00" in value else []
    elif isinstance(value, Message):
        is_struct = value.DESCRIPTOR.file is Struct.DESCRIPTOR.file
        for field, content in value.ListFields():
            yield from _with_nul(content, path if is_struct else f"{path}.{field.name}".removeprefix("."))
    elif hasattr(value, "items"):
        for key, content in value.items():
            yield from [path] if isinstance(key, str) and "\x00" in key else _with_nul(content, f"{path}.{key}")
    elif isinstance(value, Sequence):
        for content in value:
            yield from _with_nul(content, path)

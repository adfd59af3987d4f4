"""Requests of gRPC clients: bytes that are no such message, and texts with NUL characters, which PostgreSQL cannot
store, are the client's mistake. All other rules are the domain's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct

from registry_grpc.adapters.rest.body import MOST_VALUES
from registry_grpc.domain.errors import InvalidRequest, Violation


def parse(kind: Descriptor, data: bytes) -> Message:
    """The request's message. Raises InvalidRequest."""
    try:
        message: Message = GetMessageClass(kind).FromString(data)
    except DecodeError as error:
        raise InvalidRequest((), f"the request is not a {kind.name}, or a string in it is not UTF-8") from error
    if len(data) > MOST_VALUES and _values_in(message) > MOST_VALUES:
        raise InvalidRequest((), f"the request must not hold more than {MOST_VALUES} values")
    # A zero byte is rare, and seldom anything but the text in question: only then the fields are walked.
    if b"\x00" in data and (paths := list(_with_nul(message))):
        raise InvalidRequest(Violation(path, "must not hold NUL characters") for path in paths)
    return message


def path_of(kind: Descriptor, field: str) -> str:
    """From the request to a field that a rule names as in JSON: `name` becomes `registered_model.name`."""
    first = field.partition(".")[0]
    if first not in kind.fields_by_name:
        for outer in kind.fields:
            if outer.message_type and first in outer.message_type.fields_by_name:
                return f"{outer.name}.{field}"
    return field


def _values_in(message: Message) -> int:
    """How many entries its lists and maps have: to read two million of them would take seconds."""
    return sum(
        len(value) if field.is_repeated else _values_in(value) if isinstance(value, Message) else 1
        for field, value in message.ListFields()
    )


def _with_nul(message: Message, path: str = "") -> Iterator[str]:
    """The paths of the fields with NUL characters. Maps and lists are named as a whole."""
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        if isinstance(value, Message) and not isinstance(value, Struct):
            yield from _with_nul(value, f"{name}.")
        elif any("\x00" in text for text in _texts(value)):
            yield name


def _texts(value: Any) -> Iterator[str]:
    """All texts in the value of a field, keys of maps included. In a Struct there is nothing else, or it is refused."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Struct):
        for key, item in value.fields.items():
            yield from (key, item.string_value)
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from pair
    elif isinstance(value, Sequence):
        yield from value

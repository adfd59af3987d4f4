"""Mapping that all aggregates share: messages by field names, sorting and paging."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache, partial
from typing import Any, TypeVar, cast
from uuid import UUID

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.properties import property_message
from registry_grpc.adapters.grpc.page_tokens import cursor_of
from registry_grpc.adapters.rest.body import numbers_of, seconds_name
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.paging import DEFAULT_LIMIT, Slice, Sort, View, effective_limit
from registry_grpc.domain.times import NOT_STORED

# The gateway buffers a REST page, and REST clients do not expect fewer objects than they asked for, so that a page
# above this size is refused instead of cut.
LARGEST_REST_PAGE = 16 * 1024 * 1024

_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])|[- ]")
_UNKNOWN = "unknown_"
LONGEST_DURATION = 315_576_000_000  # ten thousand years, as google.protobuf.Duration says

E = TypeVar("E", bound=StrEnum)
M = TypeVar("M", bound=Message)
S = TypeVar("S")


def timestamp(time: datetime) -> Timestamp:
    """Built from whole seconds and nanoseconds, which is cheaper than FromDatetime."""
    return Timestamp(seconds=int(time.timestamp() // 1), nanos=time.microsecond * 1000)


def word_in(message: Message, field: str, kind: type[E], at: str = "") -> E | None:
    """The word that an enum field of a request has; None for UNSPECIFIED. Raises InvalidRequest for a number that this
    release does not know."""
    number, enum = getattr(message, field), cast("EnumDescriptor", message.DESCRIPTOR.fields_by_name[field].enum_type)
    for name, value in numbers_of(enum).items():
        if value == number:
            return kind[name] if name else None
    known = ", ".join(name for name in numbers_of(enum) if name)
    raise InvalidRequest([Violation(f"{at}{field}", f"has the unknown number {number}: it must be one of {known}")])


@lru_cache(maxsize=1024)
def number_of(enum: EnumDescriptor, word: str | None) -> int:
    """The number of a word in a proto enum: `grpc-v1` is SERVING_PROTOCOL_GRPC_V1. 0 for one that only a newer release
    has."""
    return numbers_of(enum).get(_BOUNDARY.sub("_", word or "").upper(), 0)


def time_of(message: Message, field: str) -> datetime | None:
    """None if no time is given. Raises InvalidRequest if it is not a valid google.protobuf.Timestamp."""
    if not message.HasField(field):
        return None
    try:
        time: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except ValueError as error:
        text = "must be a time in the years 1 to 9999, with 0 to 999999999 nanoseconds"
        raise InvalidRequest([Violation(field, text)]) from error
    return time


def seconds_in(message: Any, field: str, at: str = "") -> int | None:
    """None if no duration is given. Raises InvalidRequest unless it has whole seconds, as Kubernetes needs them."""
    duration: Duration = getattr(message, field)
    if not message.HasField(field):
        return None
    if duration.nanos or abs(duration.seconds) > LONGEST_DURATION:
        rule = f"must be whole seconds, at most {LONGEST_DURATION}, without nanoseconds"
        raise InvalidRequest([Violation(f"{at}{field}", rule)])
    return duration.seconds


def duration_of(seconds: int | None) -> Duration | None:
    return None if seconds is None else Duration(seconds=seconds)


def struct_of(values: Mapping[str, Any]) -> Struct | None:
    if not values:
        return None
    struct = Struct()
    struct.update(values)
    return struct


def message(kind: type[M]) -> Callable[[object], M]:
    """A function that makes messages of this kind from domain objects."""
    return lambda thing: message_of(kind, thing)


def message_of(kind: type[M], thing: object, /, **given: Any) -> M:
    """A message whose fields have the values of the attributes with their names, or those `given` instead."""
    values = given
    for name, attribute, value, has_presence in _fields(kind.DESCRIPTOR):
        if name not in given:
            held = getattr(thing, attribute)
            if held or has_presence:  # an empty value is the default of other fields, and setting it takes longer
                values[name] = value(held) if value else held
    return kind(**values)


@cache
def _fields(kind: Descriptor) -> tuple[tuple[str, str, Callable[[Any], Any] | None, bool], ...]:
    """The names of the fields, each with the attribute of the domain object, the function that makes its value unless
    they are the same, and whether the field has presence.

    A field `unknown_x` has the word of the enum field `x` if the enum does not have it.
    """
    fields = []
    for field in kind.fields:
        attribute, value = field.name, _maker(field)
        if field.enum_type:
            value = partial(number_of, field.enum_type)
        elif field.message_type is Duration.DESCRIPTOR:
            attribute, value = seconds_name(field.name), partial(duration_of)
        elif field.name.startswith(_UNKNOWN):
            attribute = field.name.removeprefix(_UNKNOWN)
            value = partial(_unknown, cast("EnumDescriptor", kind.fields_by_name[attribute].enum_type))
        fields.append((field.name, attribute, value, field.has_presence))
    return tuple(fields)


def _unknown(enum: EnumDescriptor, word: str) -> str:
    return "" if number_of(enum, word) else word


def _maker(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    if inner := _message_in(field):
        return partial(_value, inner=inner)
    return _text if field.type == FieldDescriptor.TYPE_STRING else None


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _message_in(field: FieldDescriptor) -> type[Message] | None:
    kind = field.message_type
    if kind and kind.GetOptions().map_entry:
        kind = kind.fields_by_name["value"].message_type
    return GetMessageClass(kind) if kind else None


def _value(value: Any, inner: type[Message]) -> Any:
    if value is None:
        return None
    if inner is Struct:
        return struct_of(value)
    if isinstance(value, Mapping):  # the only messages in maps are properties
        return {key: property_message(each) for key, each in value.items()}
    if isinstance(value, datetime):
        return None if value is NOT_STORED else timestamp(value)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return [message_of(inner, each) for each in value]
    return message_of(inner, value)


def sort_of(request: Any, allowed: Collection[str]) -> Sort:
    if request.order_by and (request.sort_by or request.order):
        raise InvalidRequest([Violation("order_by", "cannot be combined with sort_by or order: give one of them")])
    return order_of(request, allowed, None) or Sort.parse(request.sort_by, request.order, allowed)


def order_of(request: Any, allowed: Collection[str], default: S) -> Sort | S:
    return Sort.by(request.order_by, allowed) if request.order_by.strip() else default


def view_of(request: Any, default: View = View.FULL) -> View:
    """The view asked for. Raises InvalidRequest."""
    return (word_in(request, "view", View) if hasattr(request, "view") else None) or default


def slice_of(request: Any, call: Call) -> Slice:
    """The page asked for: by limit and offset for REST or if one of them is given, else by page token."""
    by_offset = request.HasField("limit") or request.HasField("offset")
    if call.is_rest or (by_offset and not request.page_token):
        slice_ = Slice.at_offset(requested_limit(request), request.offset)
        if call.is_rest:
            return replace(slice_.refusing_above(LARGEST_REST_PAGE), view=View.CONTRACT)
        return replace(slice_, view=view_of(request, View.BASIC))
    if by_offset:
        raise InvalidRequest([Violation("page_token", "cannot go together with limit or offset")])
    return cursor_slice_of(request, call)


def cursor_slice_of(request: Any, call: Call, value_type: type = object) -> Slice:
    if request.page_size < 0:
        raise InvalidRequest([Violation("page_size", "must not be negative")])
    after, view = cursor_of(request, call, value_type), view_of(request, View.BASIC)
    return Slice(limit=effective_limit(request.page_size), by_cursor=True, after=after, view=view)


def requested_limit(request: Any) -> int:
    """The limit before it is capped, which REST answers repeat (quirk Q21)."""
    return request.limit if request.HasField("limit") else DEFAULT_LIMIT

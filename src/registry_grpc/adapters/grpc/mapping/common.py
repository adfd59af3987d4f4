"""Mapping that all aggregates share: messages by field names, sorting and paging."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.page_tokens import cursor_of
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.paging import DEFAULT_LIMIT, Slice, Sort, effective_limit
from registry_grpc.domain.times import NOT_STORED

# The gateway buffers a REST page, and REST clients do not expect fewer objects than they asked for, so that a page
# above this size is refused instead of cut.
LARGEST_REST_PAGE = 16 * 1024 * 1024


def timestamp(time: datetime) -> Timestamp:
    """Built from whole seconds and nanoseconds, which is cheaper than FromDatetime."""
    return Timestamp(seconds=int(time.timestamp() // 1), nanos=time.microsecond * 1000)


M = TypeVar("M", bound=Message)


def message(kind: type[M]) -> Callable[[object], M]:
    """A function that makes messages of this kind from domain objects."""
    return lambda thing: message_of(kind, thing)


def message_of(kind: type[M], thing: object, **given: Any) -> M:
    """A message whose fields have the values of the attributes with their names, or those `given` instead."""
    fields = _fields(kind.DESCRIPTOR)
    return kind(
        **{name: given[name] if name in given else _value(getattr(thing, name), inner) for name, inner in fields}
    )


@cache
def _fields(kind: Descriptor) -> tuple[tuple[str, type[Message] | None], ...]:
    """The names of the fields, each with the class of the messages it holds, if it holds messages."""
    return tuple(
        (field.name, GetMessageClass(field.message_type) if field.message_type else None) for field in kind.fields
    )


def _value(value: Any, inner: type[Message] | None) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if inner is None or value is None or isinstance(value, Mapping):
        return value
    if isinstance(value, datetime):
        return None if value is NOT_STORED else timestamp(value)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return [message_of(inner, each) for each in value]
    return message_of(inner, value)


def sort_of(request: Any, allowed: Collection[str]) -> Sort:
    return Sort.parse(request.sort_by, request.order, allowed)


def slice_of(request: Any, call: Call) -> Slice:
    """The page asked for: by limit and offset for REST or if one of them is given, else by page token."""
    by_offset = request.HasField("limit") or request.HasField("offset")
    if call.is_rest or (by_offset and not request.page_token):
        slice_ = Slice.at_offset(requested_limit(request), request.offset)
        return slice_.refusing_above(LARGEST_REST_PAGE) if call.is_rest else slice_
    if by_offset:
        raise InvalidRequest([Violation("page_token", "cannot go together with limit or offset")])
    return cursor_slice_of(request, call)


def cursor_slice_of(request: Any, call: Call, value: type = object) -> Slice:
    """`value` is the type of the sorted field. Needed where PostgreSQL would accept a cursor of another type."""
    if request.page_size < 0:
        raise InvalidRequest([Violation("page_size", "must not be negative")])
    return Slice(limit=effective_limit(request.page_size), by_cursor=True, after=cursor_of(request, call, value))


def requested_limit(request: Any) -> int:
    """The limit before it is capped, which REST answers repeat (quirk Q21)."""
    return request.limit if request.HasField("limit") else DEFAULT_LIMIT

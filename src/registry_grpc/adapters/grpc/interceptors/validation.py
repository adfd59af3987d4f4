"""Requests are read here: bytes that are no such message, and texts with NUL characters, which PostgreSQL cannot store,
are the client's mistake. All other rules are the domain's.

Ids in the path of a route are left to the servicer, which refuses them before it looks at anything else: it knows the
contract's words for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct
from google.protobuf.unknown_fields import UnknownFieldSet

from registry_grpc.adapters.grpc.call import Call, Handler
from registry_grpc.adapters.grpc.interceptors.fields import client_name, is_in_route, method_of
from registry_grpc.domain.errors import InvalidRequest, Violation


def validation(proceed: Handler) -> Handler:
    async def handle(call: Call, request: bytes) -> Any:
        try:
            message = call.rpc.parse(request)
        except DecodeError as error:
            message = _readable(call, request, error)
        # A zero byte is rare, and seldom anything but the text in question: only then the fields are walked.
        if b"\x00" in request:
            _check_nul(call, message)
        return await proceed(call, message)

    return handle


def _readable(call: Call, request: bytes, error: DecodeError) -> Message:
    """Of a request with unreadable ids in its path, these ids. Raises InvalidRequest for other unreadable requests."""
    kind = method_of(call).input_type
    wrong = dict(_unreadable(kind, request))
    if ids := [path for path in wrong if is_in_route(call, path)]:
        return GetMessageClass(kind)(**dict.fromkeys(ids, "\ufffd"))
    violations = [Violation(client_name(call, path), text) for path, text in wrong.items()]
    raise InvalidRequest(violations, None if violations else "the request is no message of this method") from error


def _unreadable(kind: Descriptor, data: bytes, path: str = "", *, is_whole: bool = False) -> Iterator[tuple[str, str]]:
    """The paths of the fields that cannot be read, and why. Maps are named as a whole."""
    is_entry = kind.GetOptions().map_entry
    try:
        parts = UnknownFieldSet(Empty.FromString(data))
    except DecodeError:
        if is_entry:  # Envoy breaks off the entry where an object stands in place of a text
            yield path, "must hold strings only"
        return
    is_whole = is_whole or is_entry or kind is Struct.DESCRIPTOR
    for part in (parts[place] for place in range(len(parts))):
        field = kind.fields_by_number.get(part.field_number)
        if field is None or not isinstance(part.data, bytes):
            continue
        name = path if is_whole else f"{path}.{field.name}".removeprefix(".")
        if field.message_type:
            yield from _unreadable(field.message_type, part.data, name, is_whole=is_whole)
        elif not _is_utf_8(part.data):
            yield name, "must be UTF-8"


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_nul(call: Call, message: Message) -> None:
    paths = list(_with_nul(message))
    if paths and not any(is_in_route(call, path) for path in paths):
        raise InvalidRequest(Violation(client_name(call, path), "must not hold NUL characters") for path in paths)


def _with_nul(message: Message, path: str = "") -> Iterator[str]:
    """The paths of the fields with NUL characters. Maps and lists are named as a whole."""
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        if isinstance(value, Message) and not isinstance(value, Struct):
            yield from _with_nul(value, f"{name}.")
        elif any("\x00" in text for text in _texts(value)):
            yield name


def _texts(value: Any) -> Iterator[str]:
    """All texts in the value of a field, keys of maps included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Message):
        for _, inner in value.ListFields():
            yield from _texts(inner)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (*_texts(key), *_texts(item))
    elif isinstance(value, Sequence):
        for item in value:
            yield from _texts(item)

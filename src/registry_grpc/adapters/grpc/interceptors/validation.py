"""No text of any request holds a NUL character: PostgreSQL cannot store it. All other rules are the domain's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from registry_grpc.adapters.grpc.call import Call, Handler
from registry_grpc.domain.errors import InvalidRequest, Violation


def validation(proceed: Handler) -> Handler:
    async def handle(call: Call, request: Any) -> Any:
        # A zero byte is rare, and in few places anything but the text in question: only then the fields are walked.
        if b"\x00" in request.SerializeToString() and (fields := list(_with_nul(request))):
            raise InvalidRequest([Violation(field, "must not hold NUL characters") for field in fields])
        return await proceed(call, request)

    return handle


def _with_nul(message: Message, path: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        if isinstance(value, str):
            texts = [value]
        elif isinstance(value, Message):
            yield from _with_nul(value, f"{name}.")
            continue
        elif field.type == field.TYPE_STRING:
            texts = list(value)
        elif field.message_type is not None:
            yield from _in_map_or_list(value, name)
            continue
        else:
            continue
        if any("\x00" in text for text in texts):
            yield name


def _in_map_or_list(value: Any, name: str) -> Iterator[str]:
    items = value.items() if hasattr(value, "items") else enumerate(value)
    for key, item in items:
        if isinstance(item, Message):
            yield from _with_nul(item, f"{name}.{key}.")
        elif "\x00" in f"{key}{item}":
            yield name
        if isinstance(key, str) and isinstance(item, Message) and "\x00" in key:
            yield name

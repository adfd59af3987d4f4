"""Requests are read here: bytes that are no such message, and texts with NUL characters, which PostgreSQL cannot store,
are the client's mistake. All other rules are the domain's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError, Message

from registry_grpc.adapters.grpc.call import Call, Handler
from registry_grpc.domain.errors import InvalidRequest, Violation


def validation(proceed: Handler) -> Handler:
    async def handle(call: Call, request: bytes) -> Any:
        try:
            message = call.rpc.parse(request)
        except DecodeError as error:
            # Envoy hands on what it does not understand: bytes in queries that are no UTF-8, objects as labels' values.
            raise InvalidRequest(
                [], "the request cannot be read: texts must be UTF-8, values of labels texts"
            ) from error
        # A zero byte is rare, and seldom anything but the text in question: only then the fields are walked.
        if b"\x00" in request and (fields := list(_with_nul(message))):
            raise InvalidRequest([Violation(field, "must not hold NUL characters") for field in fields])
        return await proceed(call, message)

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

"""Page tokens: a cursor bound to its list, order, filter and project (https://google.aip.dev/158)."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from google.protobuf.message import Message

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.domain.errors import InvalidPageToken
from registry_grpc.domain.paging import Cursor

# The service makes no longer tokens.
LONGEST_TOKEN = 16_384


def page_token(cursor: Cursor | None, request: Any, call: Call) -> str:
    """The token for the next page; empty on the last page."""
    if cursor is None:
        return ""
    kind, value = _encoded(cursor.value)
    content = orjson.dumps([_fingerprint(request, call), str(cursor.id), kind, value])
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def cursor_of(request: Any, call: Call, value_type: type = object) -> Cursor | None:
    """The cursor in the request's token, or None without one. Raises InvalidPageToken if it belongs to another list, or
    if its value is not of the type by which the list is sorted."""
    token = request.page_token
    if not token:
        return None
    if len(token) > LONGEST_TOKEN:
        raise InvalidPageToken
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        fingerprint, id_, kind, value = orjson.loads(content)
        cursor = Cursor(_decoded(kind, value), UUID(id_))
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise InvalidPageToken from error
    if fingerprint != _fingerprint(request, call) or value_type not in {object, type(cursor.value)}:
        raise InvalidPageToken
    return cursor


def _fingerprint(request: Message, call: Call) -> str:
    query = type(request)()
    query.CopyFrom(request)
    query.ClearField("page_token")
    query.ClearField("page_size")  # may differ from page to page
    content = query.DESCRIPTOR.full_name.encode() + query.SerializeToString(deterministic=True)
    return blake2b(content, digest_size=9, key=call.project_id.bytes, person=b"page-token").hexdigest()


def _encoded(value: Any) -> tuple[str, Any]:
    match value:
        case datetime():
            return "time", value.isoformat()
        case UUID():
            return "uuid", str(value)
    return "plain", value


def _decoded(kind: str, value: Any) -> Any:
    match kind:
        case "time":
            return datetime.fromisoformat(value)
        case "uuid":
            return UUID(value)
    if isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    raise ValueError("no list is sorted by such a value")

"""Decodes the requests that kubectl sends in protobuf: access reviews, and new objects of a few built-in kinds."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError

_MAGIC = b"k8s\x00"
_TEXTS, _BYTES = "map of texts", "map of bytes"

# The fields of each message by number, with their name and type.
_TYPE_META = {1: ("apiVersion", str), 2: ("kind", str)}
_METADATA = {1: ("name", str), 3: ("namespace", str), 11: ("labels", _TEXTS), 12: ("annotations", _TEXTS)}
_NAMES = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
_ATTRIBUTES = {number: (name, str) for number, name in enumerate(_NAMES, start=1)}
_KINDS: dict[str, Mapping[int, tuple[str, Any]]] = {
    "SelfSubjectAccessReview": {2: ("spec", {1: ("resourceAttributes", _ATTRIBUTES)})},
    "Namespace": {1: ("metadata", _METADATA)},
    "ServiceAccount": {1: ("metadata", _METADATA)},
    "Secret": {1: ("metadata", _METADATA), 2: ("data", _BYTES), 3: ("type", str)},
}


def decoded(body: bytes) -> dict[str, Any] | None:
    """The object as in JSON; None for a body that is not protobuf. Raises ApiError for other kinds."""
    if not body.startswith(_MAGIC):
        return None
    envelope = _members(body.removeprefix(_MAGIC), {1: ("type", _TYPE_META), 2: ("raw", bytes)})
    kind = envelope["type"]["kind"]
    if kind not in _KINDS:
        raise ApiError(415, "UnsupportedMediaType", f"the simulated cluster takes a {kind} as JSON or YAML only")
    return {**envelope["type"], **_members(envelope["raw"], _KINDS[kind])}


def _members(data: bytes, fields: Mapping[int, tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _numbered(data):
        name, kind = fields.get(number, ("", None))
        if isinstance(kind, str):
            entry = dict(_numbered(value))
            content = entry.get(2, b"")
            text = content if kind == _TEXTS else base64.b64encode(content)
            found.setdefault(name, {})[entry[1].decode()] = text.decode()
        elif isinstance(kind, Mapping):
            found[name] = _members(value, kind)
        elif kind is not None:
            found[name] = value.decode() if kind is str else value
    return found


def _numbered(data: bytes) -> list[tuple[int, Any]]:
    fields: Iterable[Any] = UnknownFieldSet(Empty.FromString(data))  # type: ignore[assignment]
    return [(field.field_number, field.data) for field in fields]

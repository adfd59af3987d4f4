"""Reads `metadata.managedFields`, which has the owners of an object's fields.

Fields without an owner are defaults of webhooks and CRDs. They may change with every write, and with every release of
KServe. What KServe's controller owns is its own affair, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from registry_grpc.adapters.kserve.identity import is_ours

Fields = Mapping[str, Any] | None
"""A part of the tree of owned fields (FieldsV1). None owns nothing, and an empty tree owns everything below."""
Entry = Mapping[str, Any]


def fields_of_ours(metadata: Mapping[str, Any]) -> Fields:
    """The fields that we own, or KServe's controller: the manager that writes the status."""
    return _merged(entry for entry in _entries(metadata) if _is_trusted(entry, metadata))


def fields_of_others(metadata: Mapping[str, Any]) -> Fields:
    return _merged(_entries_of_others(metadata))


def last_other(metadata: Mapping[str, Any]) -> str:
    """The other manager that was the last to write spec, labels or annotations. Empty if there is none."""
    writers = [(entry.get("time") or "", entry.get("manager") or "") for entry in _entries_of_others(metadata)]
    return max(writers, default=("", ""))[1]


def below(fields: Fields, whole: Any, key: str, part: Any) -> Fields:
    """The owned fields of a part of a map or a list."""
    if not fields:
        return fields
    if isinstance(whole, dict):
        return fields.get(f"f:{key}")
    items = ((json.loads(name[2:]), owned) for name, owned in fields.items() if name.startswith("k:"))
    return next((owned for keys, owned in items if keys.items() <= part.items()), None)


def _entries(metadata: Mapping[str, Any]) -> list[Entry]:
    """The owners of content. Finalizers and owner references are not content."""
    return [
        entry
        for entry in metadata.get("managedFields") or ()
        if not entry.get("subresource") and _writes_content(entry.get("fieldsV1") or {})
    ]


def _writes_content(fields: Mapping[str, Any]) -> bool:
    return "f:spec" in fields or bool({"f:labels", "f:annotations"} & (fields.get("f:metadata") or {}).keys())


def _entries_of_others(metadata: Mapping[str, Any]) -> list[Entry]:
    return [entry for entry in _entries(metadata) if not _is_trusted(entry, metadata)]


def _is_trusted(entry: Entry, metadata: Mapping[str, Any]) -> bool:
    manager = entry.get("manager") or ""
    writers = {other.get("manager") for other in metadata["managedFields"] if other.get("subresource") == "status"}
    return is_ours(manager) or manager in writers


def _merged(entries: Iterable[Entry]) -> Fields:
    merged: Fields = None
    for entry in entries:
        merged = _both(merged, entry["fieldsV1"])
    return merged


def _both(one: Fields, other: Fields) -> Fields:
    if one is None or other is None:
        return other if one is None else one
    return {key: _both(one.get(key), other.get(key)) for key in one.keys() | other.keys()}

"""Finds how an object differs from what was applied, and the patch that removes fields added by others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from registry_grpc.adapters.kserve.manifests import Manifest
from registry_grpc.domain.deployment import Applied, FieldDifference

_ABSENT = object()


def content_of(live: Manifest, manifest: Manifest) -> dict[str, Any]:
    """The part of a live object that is compared: its whole spec, and those labels and annotations that we apply.

    Others, such as kubectl and controllers, may add labels and annotations of their own, but no fields to the spec.
    """
    metadata, ours = live["metadata"], manifest["metadata"]
    return {
        "spec": live.get("spec") or {},
        "labels": _picked(metadata.get("labels"), ours["labels"]),
        "annotations": _picked(metadata.get("annotations"), ours["annotations"]),
    }


def _picked(found: Mapping[str, str] | None, keys: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in (found or {}).items() if key in keys}


def drift(applied: Applied, live: Manifest) -> tuple[FieldDifference, ...]:
    """How the live object differs from what the API server stored at the last apply.

    If the generation is the same, nobody has written the spec: differences come from a new version of the CRD and are
    ignored.
    """
    metadata, content = live["metadata"], applied.content
    is_unwritten = metadata["generation"] == applied.k8s_generation
    found = {
        "spec": content["spec"] if is_unwritten else live.get("spec") or {},
        "labels": _picked(metadata.get("labels"), content["labels"]),
        "annotations": _picked(metadata.get("annotations"), content["annotations"]),
    }
    return content_differences(content, found)


def content_differences(applied: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[FieldDifference, ...]:
    """The differences between two contents made by `content_of`."""
    return (
        *differences(applied["spec"], found["spec"], "spec"),
        *differences(applied["labels"], found["labels"], "metadata.labels"),
        *differences(applied["annotations"], found["annotations"], "metadata.annotations"),
    )


def differences(applied: Any, found: Any, path: str) -> Iterator[FieldDifference]:
    """The differences field by field. Maps are compared recursively; a list is one value."""
    if isinstance(applied, dict) and isinstance(found, dict):
        for key in sorted(applied.keys() | found.keys()):
            yield from differences(applied.get(key, _ABSENT), found.get(key, _ABSENT), _join(path, key))
    elif applied != found:
        yield FieldDifference(path, _json(applied), _json(found))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if key.isalnum() else f"{path}[{key}]"


def _json(value: Any) -> str:
    return "" if value is _ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)


def removal_of_additions(applied: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch that removes the fields of `found` that are not in `applied`; empty if there are none.

    Server-side apply leaves fields of other managers that the manifest does not mention. Changed values are not in the
    patch, because the apply that follows sets them and must be their only owner.
    """
    patch: dict[str, Any] = {}
    for key, value in found.items():
        before = applied.get(key)
        if key not in applied:
            patch[key] = None
        elif isinstance(value, dict) and isinstance(before, dict):
            if nested := removal_of_additions(before, value):
                patch[key] = nested
        elif isinstance(value, list) and isinstance(before, list):
            known = {_name(item) for item in before}
            kept = [item for item in value if _name(item) in known]
            if len(kept) < len(value):
                patch[key] = kept
    return patch


def _name(item: Any) -> str:
    """The identity of an item of a list: its name, as in `env`, or the whole value."""
    return str(item.get("name")) if isinstance(item, dict) else _json(item)

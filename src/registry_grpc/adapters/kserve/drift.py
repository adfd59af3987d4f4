"""Finds how an object differs from what was applied, and the patch that removes fields added by others.

A field of ours is drift if it changed and we lost it: webhooks can change it too, but then it stays ours. Any other
field of the spec is drift if others have added it. The rest are defaults.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from registry_grpc.adapters.kserve.manifests import Manifest
from registry_grpc.adapters.kserve.owners import Fields, below, fields_of_others, fields_of_ours
from registry_grpc.domain.deployment import Applied, FieldDifference

_ABSENT = object()
_METADATA = ("labels", "annotations")


def content_of(live: Manifest, manifest: Manifest) -> dict[str, Any]:
    """The part of a live object that is compared: its whole spec, and those labels and annotations that we apply.

    Others, such as kubectl and controllers, may add labels and annotations of their own, but no fields to the spec.
    """
    metadata, ours = live["metadata"], manifest["metadata"]
    return {
        "spec": spec_of(live),
        **{kind: _picked(metadata.get(kind), ours[kind]) for kind in _METADATA},
    }


def spec_of(live: Manifest) -> dict[str, Any]:
    """The spec of a live object; empty if it has none."""
    spec = live.get("spec")
    return spec if isinstance(spec, dict) else {}


def _picked(found: Mapping[str, str] | None, keys: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in (found or {}).items() if key in keys}


def applied_content(stored: Manifest, manifest: Manifest, before: Applied | None) -> dict[str, Any]:
    """The content of an object as the API server stored it when it was applied, but without what others had added.

    `ours` is the spec that was sent. An object that we did not apply `before` is adopted as it is.
    """
    content, ours = content_of(stored, manifest), manifest["spec"]
    known = content["spec"]
    if before is not None and before.uid == stored["metadata"]["uid"]:
        known = _without(before.content["spec"], before.ours)
    return content | {"spec": _without_additions(stored, known, ours), "ours": ours}


def drift(applied: Applied, live: Manifest) -> tuple[FieldDifference, ...]:
    """How the live object differs from what was applied."""
    metadata, content, spec = live["metadata"], applied.content, spec_of(live)
    owned = fields_of_ours(metadata)
    spec_owned, metadata_owned = below(owned, live, "spec", spec), below(owned, live, "metadata", metadata)
    found = [
        *_losses(applied.ours, content["spec"], spec, spec_owned, "spec"),
        *differences(without_additions(applied, live), spec, "spec"),
    ]
    for kind in _METADATA:
        ours, now = content[kind], metadata.get(kind) or {}
        found += _losses(ours, ours, now, below(metadata_owned, metadata, kind, now), f"metadata.{kind}")
    return tuple(found)


def without_additions(applied: Applied, live: Manifest) -> dict[str, Any]:
    """The spec of the live object without what others have added since it was applied."""
    return _without_additions(live, applied.content["spec"], applied.ours)


def _without_additions(live: Manifest, known: Any, ours: Any) -> dict[str, Any]:
    spec = spec_of(live)
    kept: dict[str, Any] = _kept(spec, known, ours, below(fields_of_others(live["metadata"]), live, "spec", spec))
    return kept


def _losses(ours: Any, before: Any, found: Any, owned: Fields, path: str) -> Iterator[FieldDifference]:
    """The fields of ours that differ from `before` and are no longer owned."""
    for key, value in (_parts(ours) or {}).items():
        was, now = _part(before, key), _part(found, key)
        if was == now:
            continue
        where, still_owned = _join(path, ours, key), below(owned, ours, key, value)
        if None not in (_parts(value), _parts(was), _parts(now)):
            yield from _losses(value, was, now, still_owned, where)
        elif still_owned is None:
            yield FieldDifference(where, _json(was), _json(now))


def _kept(found: Any, known: Any, ours: Any, owned: Fields) -> Any:
    """`found` without the parts that others own and that are neither known nor ours. Empty additions are kept: they
    are how other programs write an unset field."""
    kept = {}
    for key, value in (_parts(found) or {}).items():
        was, mine, of_others = _part(known, key), _part(ours, key), below(owned, found, key, value)
        if of_others is None or value == was or (mine is _ABSENT and _is_empty(value)):
            kept[key] = value
        elif _parts(value) is not None and (_parts(was) is not None or _parts(mine) is not None):
            kept[key] = _kept(value, was, mine, of_others)
        elif mine is not _ABSENT:
            kept[key] = value
    return list(kept.values()) if isinstance(found, list) else kept


def _without(found: Any, ours: Any) -> Any:
    """The part of `found` that is not ours."""
    left = {}
    for key, value in (_parts(found) or {}).items():
        mine = _part(ours, key)
        if mine is _ABSENT:
            left[key] = value
        elif _parts(value) is not None and _parts(mine) is not None:
            left[key] = _without(value, mine)
    return left


def _is_empty(value: Any) -> bool:
    return all(map(_is_empty, value.values())) if isinstance(value, dict) else value in (None, "", [])


def content_differences(applied: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[FieldDifference, ...]:
    """The differences between two contents made by `content_of`."""
    return (
        *differences(applied["spec"], found["spec"], "spec"),
        *differences(applied["labels"], found["labels"], "metadata.labels"),
        *differences(applied["annotations"], found["annotations"], "metadata.annotations"),
    )


def differences(applied: Any, found: Any, path: str) -> Iterator[FieldDifference]:
    """The differences part by part."""
    before, now = _parts(applied), _parts(found)
    if before is not None and now is not None and isinstance(applied, type(found)):
        for key in sorted(before.keys() | now.keys()):
            yield from differences(_part(applied, key), _part(found, key), _join(path, found, key))
    elif applied != found:
        yield FieldDifference(path, _json(applied), _json(found))


def _parts(value: Any) -> Mapping[str, Any] | None:
    """The parts of a value that may have different owners: the fields of a map, or the items of a list by their names.
    None if it is one value."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        named = {str(item["name"]): item for item in value if isinstance(item, dict) and "name" in item}
        return named if len(named) == len(value) else None
    return None


def _part(value: Any, key: str) -> Any:
    return (_parts(value) or {}).get(key, _ABSENT)


def _join(path: str, whole: Any, key: str) -> str:
    return f"{path}.{key}" if key.isalnum() and isinstance(whole, dict) else f"{path}[{key}]"


def _json(value: Any) -> str:
    return "" if value is _ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)


def removal_of_additions(kept: Any, found: Any) -> dict[str, Any]:
    """The JSON merge patch that removes the parts of `found` that are not in `kept`; empty if there are none.

    Server-side apply leaves fields of other managers that the manifest does not mention. Changed values are not in the
    patch, because the apply that follows sets them and must be their only owner.
    """
    patch: dict[str, Any] = {}
    for key, value in found.items():
        left = kept.get(key, _ABSENT)
        if left is _ABSENT:
            patch[key] = None
        elif isinstance(value, dict):
            if nested := removal_of_additions(left, value):
                patch[key] = nested
        elif value != left:
            patch[key] = left
    return patch

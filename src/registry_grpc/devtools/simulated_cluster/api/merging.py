"""The two ways a patch changes an object: server-side apply's merge, and JSON merge patch."""

from __future__ import annotations

import copy
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.fields import Path, child_schema, granular_list, item_element
from registry_grpc.devtools.simulated_cluster.api.schemas import Schema


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def merged(live: Any, applied: Any, schema: Schema | None) -> Any:
    """The live value with everything the applied one says laid over it, list items matched by their keys."""
    if isinstance(live, dict) and isinstance(applied, dict):
        if (schema or {}).get("x-kubernetes-map-type") == "atomic":
            return copy.deepcopy(applied)
        result = dict(live)
        for key, value in applied.items():
            result[key] = merged(live.get(key), value, child_schema(schema, key))
        return result
    if isinstance(live, list) and (granular := granular_list(schema, applied)):
        return _merged_lists(live, applied, granular)
    return copy.deepcopy(applied)


def _merged_lists(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    items = {item_element(schema, item): item for item in live}
    for item in applied:
        element = item_element(schema, item)
        items[element] = merged(items[element], item, schema["items"]) if element in items else copy.deepcopy(item)
    return list(items.values())


def without(value: Any, paths: set[Path], schema: Schema | None) -> Any:
    """The value with the given members removed."""
    here = {path[0] for path in paths if len(path) == 1}
    below: dict[str, set[Path]] = {}
    for path in paths:
        if len(path) > 1:
            below.setdefault(path[0], set()).add(path[1:])
    if isinstance(value, dict):
        return {
            key: without(item, below.get(f"f:{key}", set()), child_schema(schema, key))
            for key, item in value.items()
            if f"f:{key}" not in here
        }
    if granular := granular_list(schema, value):
        kept = [(item_element(granular, item), item) for item in value]
        return [
            without(item, below.get(element, set()), granular["items"]) for element, item in kept if element not in here
        ]
    return value

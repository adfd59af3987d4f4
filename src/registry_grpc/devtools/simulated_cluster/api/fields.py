"""Splits an object into the fields that can have an owner, and builds it from them.

A path is a tuple of elements in the notation of `metadata.managedFields`: `f:name` for a field, `k:{"name":"x"}` for
an item of a keyed list, `v:"x"` for an item of a set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.schemas import Schema

Path = tuple[str, ...]

PRESENT = object()
"""The value of fields that only consist of members: a key of a map, an item of a keyed list."""

_NOBODYS = {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
_SYSTEM_METADATA = {
    "f:name", "f:namespace", "f:creationTimestamp", "f:deletionTimestamp", "f:deletionGracePeriodSeconds",
    "f:generation", "f:managedFields", "f:resourceVersion", "f:selfLink", "f:uid",
}  # fmt: skip


def child_schema(schema: Schema, key: str) -> Schema:
    """The schema of a field; {} if the field has none."""
    return schema.get("properties", {}).get(key) or schema.get("additionalProperties") or {}


def fields_of(obj: dict[str, Any], schema: Schema) -> dict[Path, Any]:
    """Every field of the object that can have an owner, with its value."""
    found: dict[Path, Any] = {}
    _take_apart(obj, schema, (), found)
    return {path: value for path, value in found.items() if not _is_systems(path)}


def _is_systems(path: Path) -> bool:
    return path in _NOBODYS or (path[0] == "f:metadata" and path[1] in _SYSTEM_METADATA)


def _take_apart(value: Any, schema: Schema, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict):
        if path and (not value or path[-1].startswith("k:")):
            found[path] = PRESENT
        for key, item in value.items():
            child = (*path, f"f:{key}")
            if isinstance(item, dict) and key not in schema.get("properties", {}):
                found[child] = PRESENT
            _take_apart(item, child_schema(schema, key), child, found)
    elif isinstance(value, list) and "x-kubernetes-list-type" in schema:
        for item in value:
            _take_apart(item, schema["items"], (*path, _item_element(item, schema)), found)
    else:
        found[path] = value


def _item_element(item: Any, schema: Schema) -> str:
    if schema["x-kubernetes-list-type"] == "set":
        return f"v:{json.dumps(item)}"
    keys = {key: item[key] for key in schema["x-kubernetes-list-map-keys"] if key in item}
    return f"k:{json.dumps(keys, separators=(',', ':'))}"


def put_together(fields: Mapping[Path, Any]) -> dict[str, Any]:
    """The object with these fields. The items of lists keep their order."""
    root: dict[str, Any] = {}
    for path, value in fields.items():
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["value"] = value
    return _members(root)


def _members(node: dict[str, Any]) -> dict[str, Any]:
    return {element[2:]: _value(child) for element, child in node.items() if element != "value"}


def _value(node: dict[str, Any]) -> Any:
    elements = [element for element in node if element != "value"]
    if not elements:
        return {} if node["value"] is PRESENT else node["value"]
    if elements[0].startswith("v:"):
        return [json.loads(element[2:]) for element in elements]
    if elements[0].startswith("k:"):
        return [{**json.loads(element[2:]), **_members(node[element])} for element in elements]
    return _members(node)


def dotted(path: Path) -> str:
    """The notation of error messages: `.spec.predictor.model.env[name="A"].value`."""
    text = ""
    for element in path:
        kind, content = element[0], element[2:]
        if kind == "f":
            text += f".{content}"
        elif kind == "v":
            text += f"[={content}]"
        else:
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(content).items()) + "]"
    return text


def to_fields_v1(paths: Iterable[Path]) -> dict[str, Any]:
    """The tree of paths in managedFields. A node that is also a field itself has a member `.`."""
    tree: dict[str, Any] = {}
    for path in sorted(paths, reverse=True):  # the longer ones first
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        if node:
            node["."] = {}
    return tree


def from_fields_v1(tree: dict[str, Any], path: Path = ()) -> frozenset[Path]:
    paths = {path} if path and (not tree or "." in tree) else set()
    return frozenset(paths.union(*(from_fields_v1(tree[key], (*path, key)) for key in tree if key != ".")))

"""Field sets: which fields of an object somebody owns, as `metadata.managedFields` records it.

A path is a tuple of elements in the notation of FieldsV1: `f:name` for a field, `k:{"name":"x"}` for an item of a
keyed list, `v:"x"` for an item of a set. A field set is a set of such paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.schemas import Schema

Path = tuple[str, ...]
FieldSet = frozenset[Path]

PRESENT = object()
"""The value of a member that has no value of its own: a key of a map, an item of a keyed list."""

_NOBODYS = ("apiVersion", "kind")
_SYSTEM_METADATA = (
    "name", "namespace", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation",
    "managedFields", "resourceVersion", "selfLink", "uid",
)  # fmt: skip


class UndeclaredField(Exception):
    """The object has a field its schema does not declare; the text is what a kube-apiserver says."""


def child_schema(schema: Schema | None, key: str) -> Schema | None:
    """The schema of a field, None where nothing is said about it."""
    if schema is None:
        return None
    return schema.get("properties", {}).get(key) or schema.get("additionalProperties")


def item_element(schema: Schema, item: Any) -> str:
    """The path element of an item of a keyed list or a set."""
    if schema["x-kubernetes-list-type"] == "set":
        return f"v:{json.dumps(item)}"
    keys = {key: item[key] for key in schema["x-kubernetes-list-map-keys"] if key in item}
    return f"k:{json.dumps(keys, separators=(',', ':'))}"


def granular_list(schema: Schema | None, value: Any) -> Schema | None:
    """The schema of a list that is merged item by item; None for every other value, which is taken as a whole."""
    if schema is None or not isinstance(value, list):
        return None
    return schema if schema.get("x-kubernetes-list-type") in {"map", "set"} else None


def owned_values(obj: dict[str, Any], schema: Schema) -> dict[Path, Any]:
    """Every field of the object that can have an owner, with its value.

    Raises UndeclaredField when the schema is closed and lacks a field.
    """
    return {path: value for path, value in _walk(obj, schema, ()) if not _is_system_field(path)}


def _is_system_field(path: Path) -> bool:
    if path[0].removeprefix("f:") in _NOBODYS:
        return True
    return path[0] == "f:metadata" and (len(path) == 1 or path[1].removeprefix("f:") in _SYSTEM_METADATA)


def _walk(value: Any, schema: Schema | None, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and (schema or {}).get("x-kubernetes-map-type") != "atomic":
        yield from _walk_map(value, schema, path)
    elif granular := granular_list(schema, value):
        for item in value:
            child = (*path, item_element(granular, item))
            yield child, PRESENT
            if isinstance(item, dict):
                yield from _walk_map(item, granular["items"], child)
    elif path:
        yield path, value


def _walk_map(value: dict[str, Any], schema: Schema | None, path: Path) -> Iterator[tuple[Path, Any]]:
    declared = (schema or {}).get("properties", {})
    closed = bool(declared) and not (schema or {}).get("x-kubernetes-preserve-unknown-fields")
    for key, item in value.items():
        child = (*path, f"f:{key}")
        if closed and key not in declared:
            raise UndeclaredField(f"{dotted(child)}: field not declared in schema")
        nested = list(_walk(item, child_schema(schema, key), child))
        if nested:
            yield from nested
        if isinstance(item, dict) and (not item or key not in declared):
            yield child, PRESENT


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
            keys = json.loads(content)
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]"
    return text


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """The paths and everything above them."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def to_fields_v1(paths: Iterable[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    members = set(paths)
    for path in sorted(members):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    for path in members:
        node = tree
        for element in path:
            node = node[element]
        if node:
            node["."] = {}
    return tree


def from_fields_v1(tree: dict[str, Any]) -> FieldSet:
    paths: set[Path] = set()

    def visit(node: dict[str, Any], path: Path) -> None:
        if path and (not node or "." in node):
            paths.add(path)
        for element, child in node.items():
            if element != ".":
                visit(child, (*path, element))

    visit(tree, ())
    return frozenset(paths)

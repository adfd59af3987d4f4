"""JSON patches (RFC 6902) with `add`, `replace` and `remove` of members and items, as kubectl sends them."""

from __future__ import annotations

import copy
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request


def patched(obj: dict[str, Any], operations: list[Any]) -> dict[str, Any]:
    """A copy of the object after all operations. Raises 400 for a wrong operation, 422 if one does not fit."""
    root = {"": copy.deepcopy(obj)}
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise bad_request("every operation of a JSON patch must be an object with `op` and `path`")
        _carry_out(root, operation)
    if not isinstance(root.get(""), dict):
        raise bad_request("a JSON patch must leave an object")
    return root[""]


def _carry_out(root: dict[str, Any], operation: dict[str, Any]) -> None:
    op, path = operation.get("op"), operation["path"]
    if op not in {"add", "replace", "remove"}:
        raise bad_request(f"the simulated cluster takes the operations add, replace and remove, not {op!r}")
    if op != "remove" and "value" not in operation:
        raise bad_request(f"the operation {op} needs a `value`")
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in path.split("/"))
    try:
        node: Any = root
        for part in parents:
            node = node[_key(node, part)]
        key = len(node) if last == "-" else _key(node, last)
        if op == "add" and isinstance(node, list):
            node.insert(range(len(node) + 1)[key], operation["value"])
        elif op == "add":
            node[key] = operation["value"]
        else:
            del node[key]
            if op == "replace":
                _carry_out(root, {**operation, "op": "add"})
    except (KeyError, IndexError, ValueError, TypeError):
        text = f"{op} operation does not apply: doc is missing path: {path}: missing value"
        raise ApiError(422, "Invalid", text) from None


def _key(node: Any, part: str) -> Any:
    """The key of a map's member, or the index of a list's item. Raises ValueError for an index that is none."""
    if isinstance(node, list) and not part.isdecimal():
        raise ValueError(part)
    return int(part) if isinstance(node, list) else part

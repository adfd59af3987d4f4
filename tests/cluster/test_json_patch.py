"""JSON patches as kube-apiserver carries them out."""

from __future__ import annotations

from typing import Any

import pytest

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.json_patch import patched

THING: dict[str, Any] = {"metadata": {"labels": {"a/b": "1", "c~d": "2"}}, "items": [1, 2]}


@pytest.mark.parametrize(
    ("operation", "path", "after"),
    [
        ({"op": "add", "path": "/metadata/labels/e", "value": "3"}, ("metadata", "labels", "e"), "3"),
        ({"op": "replace", "path": "/metadata/labels/a~1b", "value": "9"}, ("metadata", "labels", "a/b"), "9"),
        ({"op": "remove", "path": "/metadata/labels/c~0d"}, ("metadata", "labels"), {"a/b": "1"}),
        ({"op": "add", "path": "/items/-", "value": 3}, ("items",), [1, 2, 3]),
        ({"op": "add", "path": "/items/1", "value": 3}, ("items",), [1, 3, 2]),
        ({"op": "replace", "path": "/items/1", "value": 3}, ("items",), [1, 3]),
        ({"op": "remove", "path": "/items/0"}, ("items",), [2]),
    ],
    ids=str,
)
def test_operations(operation: dict[str, Any], path: tuple[str, ...], after: object) -> None:
    before = repr(THING)
    found: Any = patched(THING, [operation])
    for key in path:
        found = found[key]
    assert found == after
    assert repr(THING) == before


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "replace", "path": "/metadata/labels/no", "value": "3"}, 422),
        ({"op": "remove", "path": "/metadata/labels/no"}, 422),
        ({"op": "add", "path": "/metadata/no/e", "value": "3"}, 422),
        ({"op": "add", "path": "/items/9", "value": "3"}, 422),
        ({"op": "add", "path": "/items/-1", "value": "3"}, 422),
        ({"op": "add", "path": "/items/0/x", "value": "3"}, 422),
        ({"op": "remove", "path": ""}, 400),
        ({"op": "add", "path": "/items/-"}, 400),
        ({"op": "test", "path": "/items/0", "value": 1}, 400),
        ({"op": "move", "path": "/items/0", "from": "/items/1"}, 400),
        ({"op": "add", "value": 1}, 400),
        ("add", 400),
    ],
    ids=str,
)
def test_operations_that_cannot_be_carried_out(operation: object, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        patched(THING, [operation])
    assert refused.value.code == code

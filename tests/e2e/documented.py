"""Compares the answers of the real service with gateway/web/openapi.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, Final

import jsonschema_rs

from registry_grpc.shipped import GATEWAY

DOCUMENT: Final[dict[str, Any]] = json.loads((GATEWAY / "web" / "openapi.json").read_text(encoding="utf-8"))
_IS_JSON: Final = "application/json; charset=utf-8"


def assert_documented(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """The document has this answer: its status, its headers, and all its keys with values of their types.

    Does nothing if the document has no such route: then the request is for another protocol, or finds nothing.
    """
    for pattern, operations in _routes():
        if pattern.fullmatch(path) and method.lower() in operations:
            _assert_answer(operations[method.lower()], status, headers, body)


def _assert_answer(operation: dict[str, Any], status: int, headers: Mapping[str, str], body: bytes) -> None:
    name = operation["operationId"]
    assert str(status) in operation["responses"], f"{name} does not declare {status}: {body[:500]!r}"
    response = resolved(operation["responses"][str(status)])
    for header, declared in response["headers"].items():
        assert not resolved(declared)["required"] or header in headers, f"{name} {status} has no {header}"
    if "content" not in response:
        assert body == b"", f"{name} {status} has a body"
        return
    assert headers["content-type"] == _IS_JSON
    schema = response["content"]["application/json"]["schema"]
    errors = [error.message for error in _validator(json.dumps(schema)).iter_errors(json.loads(body))]
    assert not errors, f"{name} {status}: {errors}"


@cache
def _routes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), found) for path, found in DOCUMENT["paths"].items()]


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    whole = json.loads(schema) | {"components": deepcopy(DOCUMENT["components"])}
    for part in _objects_in(whole):
        part.setdefault("additionalProperties", False)
    return jsonschema_rs.validator_for(whole, validate_formats=True)


def _objects_in(part: Any) -> Iterator[dict[str, Any]]:
    """The schemas of objects with known keys. Clients may meet others in later releases, but these tests must not."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            yield part
        for each in part.values():
            yield from _objects_in(each)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """The part of the document that is meant, if this one is a reference to it."""
    if "$ref" not in part:
        return part
    found: dict[str, Any] = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found

"""Each field of each body, with values that people send by mistake: the service refuses exactly what
gateway/web/openapi.json forbids. Schemathesis tries some of these at random; these are tried each time."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema_rs
import pytest
from tests.e2e.api import Api
from tests.e2e.documented import DOCUMENT, resolved
from tests.e2e.schemathesis.hooks import is_refusal_beyond_schemas

Place = tuple[str | int, ...]

ID = "8c0a4a5e-5d1b-4d6c-9a53-0000000000ff"
VALUES: list[Any] = [
    *("", " ", "x", "1", "true", "x" * 300, "é" * 100, ID),
    *(None, 0, 1, -1, 1.5, 1e30, False, True),
    *([], {}, [None], [""], ["x"], [[]], [1], [{}]),
    *({"k": None}, {"k": ""}, {"k": "v"}, {"": "v"}, {"k": 1}, {"k": {}}),
]
OPERATIONS: dict[str, tuple[str, str, Any]] = {
    operation["operationId"]: (verb.upper(), path, operation["requestBody"]["content"]["application/json"])
    for path, found in DOCUMENT["paths"].items()
    for verb, operation in found.items()
    if "requestBody" in operation
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_service_refuses_what_the_document_forbids_and_nothing_else(name: str, api: Api) -> None:
    method, path, content = OPERATIONS[name]
    schema = content["schema"]
    validator = jsonschema_rs.validator_for(
        schema | {"components": deepcopy(DOCUMENT["components"])}, validate_formats=True
    )
    example = content["example"]
    differences = []
    for place in _places_in(schema):
        for value in VALUES:
            body = _with(_renamed(example), place, value)
            answer = api.request(method, "!" + re.sub(r"{\w+}", ID, path), body)
            is_right = answer.status_code == 400
            if validator.is_valid(body):
                is_right = answer.status_code < 500 and (not is_right or is_refusal_beyond_schemas(answer))
            if not is_right:
                differences.append(f"{place} {json.dumps(value)[:50]}: {answer.status_code} {answer.text[:200]}")
    assert not differences, "\n".join(differences)


def _renamed(body: Any) -> Any:
    """A name can be given once only."""
    return body | {"name": uuid.uuid4().hex} if "name" in body else body


def _places_in(schema: Any, at: Place = ()) -> Iterator[Place]:
    """The places of all fields in a body with this schema; of a list, those in its first element."""
    schema = resolved(schema)
    for key, field in schema.get("properties", {}).items():
        yield (*at, key)
        for kind in field.get("anyOf", [field]):
            yield from _places_in(kind, (*at, key))
    if "items" in schema:
        yield from _places_in(schema["items"], (*at, 0))


def _with(body: Any, place: Place, value: Any) -> Any:
    """The body with the value at that place, and whatever the way there needs."""
    if not place:
        return value
    first, *rest = place
    if first == 0:
        return [_with(body[0] if body else {}, tuple(rest), value)]
    return (body or {}) | {first: _with((body or {}).get(first), tuple(rest), value)}

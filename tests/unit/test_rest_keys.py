"""The keys of REST answers are those of the contract, in its order, and those that docs/rest-compat.md adds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from registry_grpc.adapters.rest import encoders
from registry_grpc.shipped import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
TABLES: dict[str, encoders._Table[Any]] = {
    "RegisteredModel": encoders._MODEL,
    "ModelVersion": encoders._VERSION,
    "ModelArtifact": encoders._ARTIFACT,
    "ServingEnvironment": encoders._ENVIRONMENT,
    "InferenceService": encoders._SERVICE,
    "ServeModel": encoders._SERVE_MODEL,
}


def of_contract(thing: str) -> Iterator[str]:
    """The keys in the order of the contract: those of a table, or of the sentence that lists them."""
    text = (DOCS / "contract" / "rest.md").read_text(encoding="utf-8")
    (part,) = re.findall(
        rf"^(?:## \d\.\d {thing} object|{thing}:)$(.+?)^(?:#|\w+:$|Examples? \()", text, re.MULTILINE | re.DOTALL
    )
    lines = re.findall(r"^\|([^|]+)\|", part, re.MULTILINE) or re.findall(
        r"Exactly these keys, in this order:(.+?)\(", part
    )
    for line in lines:
        yield from re.findall(r"`(\w+)`", line)


def additional(thing: str) -> list[str]:
    text = (DOCS / "rest-compat.md").read_text(encoding="utf-8")
    return re.findall(rf"^\| {thing} \| `(\w+)` \|", text, re.MULTILINE)


@pytest.mark.parametrize("thing", TABLES)
def test_keys(thing: str) -> None:
    keys, more = list(TABLES[thing]._nulls), additional(thing)
    assert [key for key in keys if key not in more] == list(of_contract(thing))
    assert set(more) <= set(keys)


def test_registry_objects_have_no_others() -> None:
    """Decision 2."""
    assert [additional(thing) for thing in ("RegisteredModel", "ModelVersion", "ModelArtifact")] == [[], [], []]

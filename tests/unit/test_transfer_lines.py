"""The lines of exported files: how they are split, and that each record comes back as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import CREATED_AT, a_model, a_version, an_environment

from registry_grpc.adapters.grpc.mapping.transfer import LONGEST_LINE, line_of, lines_in, parts_of
from registry_grpc.domain.artifact import Artifact, ArtifactKind
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.model_alias import ModelAlias
from registry_grpc.domain.transfer import Header, ModelParent, Record, Trailer
from registry_grpc.services.transfer import Line

PROJECT = UUID(int=1)
NO_PROJECT = UUID(int=0)
MODEL = a_model(PROJECT, labels={"é": ""})
VERSION = a_version(MODEL, number=7, size_bytes=2**40, is_default=True, description='"\n')
ARTIFACT = Artifact(
    id=uuid4(),
    created_at=CREATED_AT,
    updated_at=CREATED_AT,
    project_id=NO_PROJECT,
    model_version_id=VERSION.id,
    kind=ArtifactKind.PARAMETER,
    name="rate",
    description="",
    uri="",
    digest=f"sha256:{1:064}",
    size_bytes=1,
    value={"int": -(2**63)},
    labels={"a": "b"},
    external_id="x",
    properties={"then": {"time": "2026-01-02T03:04:05.000006Z"}},
)
ALIAS = ModelAlias(
    registered_model_id=MODEL.id, name="a", model_version_id=VERSION.id, version_number=7, is_protected=True,
    moved_at=CREATED_AT, moved_by="ann",
)  # fmt: skip
RECORDS = [
    Record(content=Header(project_id=PROJECT, exported_at=datetime(2026, 1, 1, tzinfo=UTC))),
    Record(content=an_environment(NO_PROJECT)),
    Record(content=MODEL._replace(project_id=NO_PROJECT), last_version_number=9),
    Record(content=VERSION, has_keys=True),
    Record(content=VERSION._replace(prebuilt_container_id=None, metadata={}, properties={}, labels={})),
    Record(content=ALIAS, model_version_name=VERSION.name),
    Record(content=ARTIFACT, model_version_name=VERSION.name),
    Record(content=replace(ARTIFACT, model_version_id=None, kind=ArtifactKind.DATASET, value=None)),
    Record(
        content=ModelParent(
            registered_model_id=MODEL.id, registered_model_name="m", parent_model_id=uuid4(), parent_model_name="p"
        )
    ),
    Record(content=Trailer(record_count=9)),
]


async def read(*parts: bytes) -> list[Line]:
    async def arriving() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return [line async for line in lines_in(arriving())]


async def written(*records: Record) -> list[bytes]:
    async def arriving() -> AsyncGenerator[Record, None]:
        for record in records:
            yield record

    return [part async for part in parts_of(arriving())]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record.content).__name__)
async def test_a_record_comes_back_as_it_was(record: Record) -> None:
    (line,) = await read(line_of(record))
    content: Any = line.record.content
    if hasattr(content, "aliases"):
        line = line._replace(record=replace(line.record, content=content._replace(aliases=None)))
    assert line.record == record


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_parts_may_end_anywhere(size: int) -> None:
    file = b"".join(await written(*RECORDS)).rstrip(b"\n")
    lines = await read(*(file[start : start + size] for start in range(0, len(file), size)))
    assert [line.number for line in lines] == list(range(1, len(RECORDS) + 1))
    assert [type(line.record.content) for line in lines] == [type(record.content) for record in RECORDS]


async def test_parts_of_large_lines_fit_into_messages() -> None:
    large = replace(RECORDS[3], content=VERSION._replace(description="\x01" * 2**19))
    parts = await written(*[large] * 3)
    assert max(map(len, parts)) <= 2**20
    assert len(await read(*parts)) == 3


async def test_a_line_without_end_is_refused_before_it_is_in_memory() -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 2**20

    with pytest.raises(InvalidRequest, match="line 1: is longer than 16 MiB"):
        await asyncio.wait_for(anext(lines_in(endless())), 10)
    assert asked * 2**20 <= LONGEST_LINE + 2**20


def a_version_line(**fields: Any) -> dict[str, Any]:
    return {"model_version": {"id": str(uuid4()), "registered_model_id": str(uuid4()), "name": "n"} | fields}


def an_artifact_line(**fields: Any) -> dict[str, Any]:
    return {"artifact": {"id": str(uuid4()), "name": "n", "kind": "ARTIFACT_KIND_METRIC"} | fields}


OWN_PARENT = {name: str(MODEL.id) for name in ("registered_model_id", "parent_model_id")}
ENVIRONMENT = {"id": str(uuid4()), "name": "n"}


def an_alias_line(name: str) -> dict[str, Any]:
    ids = {"registered_model_id": str(uuid4()), "model_version_id": str(uuid4())}
    return {"model_alias": ids | {"name": name}}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (a_version_line(id="x"), "model_version.id must be a UUID"),
        ({"model_version": 5}, "is not a TransferRecord"),
        (a_version_line(number="many"), "is not a TransferRecord"),
        (a_version_line(created_at="yesterday"), "is not a TransferRecord"),
        (a_version_line(size_bytes=-1, digest="x"), "model_version.size_bytes must not be negative"),
        (a_version_line(access_key="k"), 'has no field named "access_key"'),
        (an_artifact_line(kind="ARTIFACT_KIND_MODEL"), "artifact.kind must be DOCUMENT, DATASET, METRIC or PARAMETER"),
        (an_artifact_line(value={}), "artifact.value must have a value"),
        (
            {"serving_environment": ENVIRONMENT | {"drift_policy": "never"}},
            "serving_environment.drift_policy must be `report` or",
        ),
        (
            {"registered_model": ENVIRONMENT, "last_version_number": str(2**53 + 1)},
            "last_version_number must be from 0 to",
        ),
        ({"registered_model": ENVIRONMENT, "last_version_number": "-1"}, "last_version_number must be from 0 to"),
        (a_version_line(number=str(2**63 - 1)), "model_version.number must be from 0 to"),
        ({"model_parent": OWN_PARENT}, "model_parent.parent_model_id must be another model"),
        (an_alias_line("default"), "model_alias.name must not be default"),
        (an_alias_line("7"), "model_alias.name must be 1 to 63 of"),
        ({"registered_model": {}, "trailer": {}}, "is not a TransferRecord"),
        ({"last_version_number": "1"}, "must have one of header,"),
        ("text", "is not a JSON object"),
    ],
)
async def test_a_line_that_breaks_a_rule_is_refused(line: Any, rule: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await read(line_of(RECORDS[0]), json.dumps(line).encode())
    assert refusal.value.message.startswith("line 2: ")
    assert rule in refusal.value.message


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"model_version":{"name":"\xff"}}', "is not JSON"),
        (b'{"model_version":{"metadata":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}}", "is not JSON"),
        (b'{"model_version":{"metadata":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}}", "is not a TransferRecord"),
        (b'{"model_version":{"metadata":{"a":NaN}}}', "is not JSON"),
        (b'{"model_version":{"name":"\\ud800"}}', "is not JSON"),
        (b'{"model_version":{"number":1e400}}', "is not"),
        (b'{"model_version":{"secret_key":"hidden"}}', 'has no field named "secret_key"'),
        (b"\0", "is not JSON"),
        (b"", "is not JSON"),
    ],
)
async def test_a_hostile_line_is_refused(line: bytes, rule: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await read(line_of(RECORDS[0]), line + b"\n")
    assert refusal.value.message.startswith("line 2: ")
    assert rule in refusal.value.message
    assert "hidden" not in refusal.value.message


async def test_keys_in_a_header_are_not_read() -> None:
    header = json.loads(line_of(RECORDS[0]))
    header["header"] |= {"access_key": "hidden"}
    (line,) = await read(json.dumps(header).encode())
    assert "hidden" not in repr(line)


async def test_of_duplicate_keys_the_last_one_counts() -> None:
    line = b'{"model_parent":{"registered_model_id":"x"},"model_parent":' + line_of(RECORDS[8]).partition(b":")[2]
    assert (await read(line_of(RECORDS[0]), line))[1].record == RECORDS[8]


async def test_a_long_line_is_read() -> None:
    large = replace(RECORDS[3], content=VERSION._replace(description="\x01" * (5 * 2**20 // 12)))
    assert len(line_of(large)) > 2 * 2**20
    assert (await read(line_of(large)))[0].record.content == large.content._replace(aliases=())  # type: ignore[union-attr, call-arg]

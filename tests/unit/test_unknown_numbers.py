"""A request with a number that an enum does not have is refused, in every RPC. It must not be taken for UNSPECIFIED."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message_factory import GetMessageClass
from tests.unit.test_every_field_arrives import UNARY, Recorder, filled

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.domain.errors import InvalidRequest

PACKAGE = "modelregistry.v1"
UNKNOWN = 99


def enums_in(kind: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field in kind.fields:
        if field.enum_type:
            yield (*path, field.name)
        elif field.message_type and field.message_type.file.package == PACKAGE:
            yield from enums_in(field.message_type, (*path, field.name))


CASES = [
    (servicer, use_cases, name, rpc, path)
    for servicer, use_cases, name, rpc in UNARY
    for path in enums_in(servicer.SERVICE.methods_by_name[name].input_type)
]


IDS = [f"{name} {'.'.join(path)}" for _, _, name, _, path in CASES]


@pytest.mark.parametrize(("servicer", "use_cases", "name", "rpc", "path"), CASES, ids=IDS)
async def test_an_unknown_number_is_refused_by_its_path(
    servicer: Any, use_cases: int, name: str, rpc: Rpc, path: tuple[str, ...]
) -> None:
    request: Any = GetMessageClass(servicer.SERVICE.methods_by_name[name].input_type)()
    if path[0] == "update":  # takes the place of all other fields
        filled(request.update, "UpdateDeployment")
    else:
        filled(request, name)
    place = request
    for part in path[:-1]:
        place = getattr(place, part)
        if hasattr(place, "add"):
            place = place[0] if len(place) else place.add()
    setattr(place, path[-1], UNKNOWN)
    with pytest.raises(InvalidRequest) as raised:
        await rpc.serve(servicer(*[Recorder()] * use_cases), request, Call(method=name, project_id=uuid4()))
    [violation] = [each for each in raised.value.violations if f"unknown number {UNKNOWN}" in each.description]
    assert violation.field.rpartition(".")[2] == path[-1]
    assert "it must be one of " in violation.description


def test_there_are_enums_in_requests() -> None:
    assert {name for _, _, name, _, path in CASES} >= {
        "ListArtifacts",
        "CreateArtifact",
        "UpdateWebhook",
        "DeployModel",
    }

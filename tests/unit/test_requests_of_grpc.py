"""Decoding the requests of gRPC clients."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.parsing import parse
from registry_grpc.adapters.grpc.servicers.deployments import DeploymentServicer
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.gen.modelregistry.v1 import deployment_pb2
from registry_grpc.gen.modelregistry.v1 import registered_model_pb2 as pb

CREATE: Any = pb.CreateRegisteredModelRequest.DESCRIPTOR
UPDATE: Any = pb.UpdateRegisteredModelRequest.DESCRIPTOR


@pytest.mark.parametrize("count", [40_000, 60_000])
@pytest.mark.parametrize("field", ["tags", "labels", "struct", "nested"])
def test_a_request_of_more_than_50_000_values_is_refused(field: str, count: int) -> None:
    """Reading two million empty tags, which have 4 MiB, would take seconds."""
    model = pb.NewRegisteredModel(name="m")
    patch = pb.RegisteredModelPatch()
    if field == "tags":
        model.tags.tasks.extend([""] * count)
    elif field == "labels":
        model.labels.update({str(number): "" for number in range(count)})
    elif field == "struct":
        patch.labels.update({str(number): "" for number in range(count // 2)})  # each is a value inside a value
    else:
        patch.labels.update({"k": [[None] * (count // 200) for _ in range(100)]})
    kind, request = (
        (UPDATE, pb.UpdateRegisteredModelRequest(registered_model=patch))
        if field in {"struct", "nested"}
        else (CREATE, pb.CreateRegisteredModelRequest(registered_model=model))
    )
    data = request.SerializeToString()
    if count < 50_000:
        assert parse(kind, data) == request
    else:
        with pytest.raises(InvalidRequest, match="the request must not hold more than 50000 values"):
            parse(kind, data)


def test_nul_characters_are_found_in_the_labels_of_a_patch() -> None:
    patch = pb.RegisteredModelPatch()
    patch.labels.update({"key": "a\x00"})
    with pytest.raises(InvalidRequest) as error:
        parse(UPDATE, pb.UpdateRegisteredModelRequest(registered_model=patch).SerializeToString())
    assert [violation.field for violation in error.value.violations] == ["registered_model.labels.key"]


def test_a_watch_goes_on_after_one_event_only() -> None:
    parts: Any = [None] * 5
    request = deployment_pb2.WatchDeploymentRequest(id=str(uuid4()), after_sequence=0, resume_token="a-1")
    with pytest.raises(InvalidRequest, match="resume_token cannot be combined with after_sequence: give one of them"):
        DeploymentServicer.WatchDeployment.serve(DeploymentServicer(*parts), request, Call(method="m"))

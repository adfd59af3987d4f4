"""Decoding the requests of gRPC clients."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration

from modelregistry.v1 import deployment_pb2
from modelregistry.v1 import registered_model_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.deployment import options_of
from registry_grpc.adapters.grpc.parsing import parse
from registry_grpc.adapters.grpc.servicers.deployments import DeploymentServicer
from registry_grpc.domain.errors import InvalidRequest

CREATE: Any = pb.CreateRegisteredModelRequest.DESCRIPTOR
UPDATE: Any = pb.UpdateRegisteredModelRequest.DESCRIPTOR
ABROAD: Any = 99
"""A number that only a newer release has in its enums."""


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


def test_all_faults_of_options_are_named_at_once() -> None:
    options = deployment_pb2.DeploymentOptions(
        scale_metric=ABROAD, protocol_version=ABROAD, min_replicas=-1, scale_target=0, tolerations=[{"effect": ABROAD}]
    )
    with pytest.raises(InvalidRequest) as refusal:
        options_of(options)
    fields = ["scale_metric", "protocol_version", "tolerations[0].effect", "min_replicas", "scale_target"]
    assert [violation.field for violation in refusal.value.violations] == [f"options.{field}" for field in fields]


def test_durations_are_whole_seconds() -> None:
    half, ages = Duration(seconds=1, nanos=500_000_000), Duration(seconds=315_576_000_001)
    options = deployment_pb2.DeploymentOptions(timeout=half, deadline=ages, probes={"startup": half}, min_replicas=-1)
    options.tolerations.add(key="a", effect=deployment_pb2.TAINT_EFFECT_NO_EXECUTE, toleration_period=half)
    with pytest.raises(InvalidRequest) as refusal:
        options_of(options)
    fields = ["timeout", "deadline", "tolerations[0].toleration_period", "probes.startup", "min_replicas"]
    assert [violation.field for violation in refusal.value.violations] == [f"options.{field}" for field in fields]
    assert "options.timeout must be whole seconds" in refusal.value.message


def test_an_unknown_mode_makes_nothing_else_wrong() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        options_of(deployment_pb2.DeploymentOptions(deployment_mode=ABROAD, min_replicas=0))
    assert [violation.field for violation in refusal.value.violations] == ["options.deployment_mode"]

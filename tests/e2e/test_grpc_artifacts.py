"""Artifacts over gRPC."""

from __future__ import annotations

from grpc import StatusCode
from tests.e2e.api import Api
from tests.e2e.builders import an_id
from tests.e2e.rpc import Rpc
from tests.e2e.test_grpc_properties import new_model, new_version

from modelregistry.v1 import artifact_pb2 as pb
from modelregistry.v1.property_pb2 import PropertyValue


def test_artifacts_live_beside_the_model_artifact(rpc: Rpc, api: Api) -> None:
    version = new_version(rpc, new_model(rpc).id)
    accuracy = PropertyValue(double_value=0.97)
    new = pb.NewArtifact(
        model_version_id=version.id, kind=pb.ARTIFACT_KIND_METRIC, name="accuracy", value=accuracy, labels={"a": "b"}
    )
    metric = rpc.call(rpc.things.CreateArtifact, pb.CreateArtifactRequest(artifact=new)).artifact
    assert (metric.kind, metric.value, metric.model_version_id) == (pb.ARTIFACT_KIND_METRIC, accuracy, version.id)
    listed = rpc.call(rpc.things.ListArtifacts, pb.ListArtifactsRequest(model_version_id=version.id)).artifacts
    assert [(each.id, each.kind) for each in listed] == [
        (metric.id, pb.ARTIFACT_KIND_METRIC),
        (version.id, pb.ARTIFACT_KIND_MODEL),
    ]
    assert listed[1].uri == version.uri
    # The preserved routes only know versions.
    assert [each["id"] for each in api.get("/model_artifacts").json()["items"]] == [version.id]
    patch = pb.ArtifactPatch(value=PropertyValue(double_value=0.98))
    update = pb.UpdateArtifactRequest(id=metric.id, artifact=patch, etag=metric.etag)
    assert rpc.call(rpc.things.UpdateArtifact, update).artifact.value.double_value == 0.98
    stale = rpc.refused(rpc.things.DeleteArtifact, pb.DeleteArtifactRequest(id=metric.id, etag=metric.etag))
    assert stale.code is StatusCode.ABORTED
    rpc.call(rpc.things.DeleteArtifact, pb.DeleteArtifactRequest(id=metric.id))
    gone = rpc.refused(rpc.things.GetArtifact, pb.GetArtifactRequest(id=metric.id))
    assert (gone.code, gone.reason) == (StatusCode.NOT_FOUND, "ARTIFACT_NOT_FOUND")


def test_wrong_artifacts_are_refused_by_their_fields(rpc: Rpc) -> None:
    def violations(**fields: object) -> dict[str, str]:
        request = pb.CreateArtifactRequest(artifact=pb.NewArtifact(**fields))  # type: ignore[arg-type]
        return rpc.refused(rpc.things.CreateArtifact, request).violations

    required = {"artifact.kind": "is required", "artifact.name": "is required"}
    assert violations() == violations(value=PropertyValue(int_value=1)) == required
    unknown = "has the unknown number 99: it must be one of MODEL, DOCUMENT, DATASET, METRIC, PARAMETER"
    assert violations(kind=99, name="n") == {"artifact.kind": unknown}
    assert violations(kind=pb.ARTIFACT_KIND_METRIC, name="n" * 251, digest="x") == {
        "artifact.value": "is required",
        "artifact.name": "must be at most 250 characters",
        "artifact.digest": "must be `sha256:` and 64 lower-case hexadecimal digits",
    }
    assert violations(kind=pb.ARTIFACT_KIND_MODEL, name="n", uri="u", value=PropertyValue()) == {
        "artifact.value": "is only for metrics and parameters",
        "artifact.kind": "must not be MODEL: use AttachModelArtifact",
    }


def test_a_wrong_value_is_named_once_and_with_other_faults(rpc: Rpc) -> None:
    wrong, rule = PropertyValue(double_value=float("nan")), "must be a finite number"
    metric = pb.CreateArtifactRequest(artifact=pb.NewArtifact(kind=pb.ARTIFACT_KIND_METRIC, name="n", value=wrong))
    refusal = rpc.refused(rpc.things.CreateArtifact, metric)
    assert (refusal.violations, refusal.text) == ({"artifact.value": rule}, f"value {rule}")
    update = pb.UpdateArtifactRequest(id=an_id(), artifact=pb.ArtifactPatch(name="n" * 251, value=wrong))
    assert rpc.refused(rpc.things.UpdateArtifact, update).violations == {
        "artifact.value": rule, "artifact.name": "must be at most 250 characters",
    }  # fmt: skip

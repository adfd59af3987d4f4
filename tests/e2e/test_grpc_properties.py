"""Properties and external ids, over gRPC and beside REST."""

from __future__ import annotations

from typing import Any

from grpc import StatusCode
from tests.e2e.api import Api
from tests.e2e.builders import an_id, fresh
from tests.e2e.rpc import Rpc

from modelregistry.v1 import inference_service_pb2, model_version_pb2, registered_model_pb2, serving_environment_pb2
from modelregistry.v1.property_pb2 import PropertyMap, PropertyValue

M, V = registered_model_pb2, model_version_pb2
E, S = serving_environment_pb2, inference_service_pb2


def properties() -> dict[str, PropertyValue]:
    time = PropertyValue()
    time.timestamp_value.FromJsonString("2026-01-02T03:04:05.000006Z")
    return {
        "int": PropertyValue(int_value=2**63 - 1),
        "double": PropertyValue(double_value=1.0),
        "bool": PropertyValue(bool_value=False),
        "string": PropertyValue(string_value=""),
        "time": time,
    }


def new_model(rpc: Rpc, **fields: Any) -> Any:
    new = M.NewRegisteredModel(name=fresh("model"), **fields)
    request = M.CreateRegisteredModelRequest(registered_model=new)
    return rpc.call(rpc.models.CreateRegisteredModel, request).registered_model


def new_version(rpc: Rpc, model_id: str, **fields: Any) -> Any:
    new = V.NewModelVersion(
        name=fresh("v"), model_framework="onnx", model_framework_version="1", uri="s3://b/k", **fields
    )
    request = V.CreateModelVersionRequest(registered_model_id=model_id, model_version=new)
    return rpc.call(rpc.versions.CreateModelVersion, request).model_version


def test_every_aggregate_keeps_typed_properties(rpc: Rpc) -> None:
    model = new_model(rpc, properties=properties())
    version = new_version(rpc, model.id, properties=properties())
    environment = rpc.call(
        rpc.environments.CreateServingEnvironment,
        E.CreateServingEnvironmentRequest(
            serving_environment=E.NewServingEnvironment(name=fresh("env"), properties=properties())
        ),
    ).serving_environment
    service = rpc.call(
        rpc.services.CreateInferenceService,
        S.CreateInferenceServiceRequest(
            inference_service=S.NewInferenceService(
                name=fresh("svc"),
                serving_environment_id=environment.id,
                registered_model_id=model.id,
                properties=properties(),
            )
        ),
    ).inference_service
    for created in (model, version, environment, service):
        assert dict(created.properties) == properties()
    listed = rpc.call(rpc.models.ListRegisteredModels, M.ListRegisteredModelsRequest()).registered_models
    assert [dict(each.properties) for each in listed] == [properties()]


def test_a_rest_client_neither_sees_nor_changes_properties_and_external_ids(rpc: Rpc, api: Api) -> None:
    model = new_model(rpc, properties=properties(), external_id="mlflow/7", labels={"a": "b"})
    new_version(rpc, model.id, properties=properties(), external_id="mlflow/8")
    read = api.get(f"/models/{model.id}").json()
    assert {"properties", "external_id", "readme"}.isdisjoint(read)
    assert {"properties", "external_id"}.isdisjoint(read["latest_version"])
    body = {"labels": {}, "properties": {"a": 1}, "external_id": "other", "description": "d"}
    assert api.patch(f"/models/{model.id}", body).status_code == 200
    after = rpc.call(rpc.models.GetRegisteredModel, M.GetRegisteredModelRequest(id=model.id)).registered_model
    assert (after.description, dict(after.labels), after.external_id) == ("d", {}, "mlflow/7")
    assert dict(after.properties) == properties()


def test_models_and_versions_are_found_by_their_external_ids(rpc: Rpc) -> None:
    model = new_model(rpc, external_id="x")
    version = new_version(rpc, model.id, external_id="x")
    find = M.FindRegisteredModelRequest(external_id="x")
    assert rpc.call(rpc.models.FindRegisteredModel, find).registered_model.id == model.id
    found = rpc.call(rpc.versions.FindModelVersion, V.FindModelVersionRequest(external_id="x")).model_version
    assert found == version
    by_id = rpc.refused(rpc.models.FindRegisteredModel, M.FindRegisteredModelRequest(external_id=model.id))
    assert by_id.code is StatusCode.NOT_FOUND
    refusal = rpc.refused(
        rpc.models.CreateRegisteredModel,
        M.CreateRegisteredModelRequest(registered_model=M.NewRegisteredModel(name=fresh("m"), external_id="x")),
    )
    assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "EXTERNAL_ID_TAKEN")
    elsewhere = rpc.of_another_project()
    assert new_model(elsewhere, external_id="x").external_id == "x"


def test_environments_are_found_by_their_external_ids(rpc: Rpc) -> None:
    request = E.CreateServingEnvironmentRequest(
        serving_environment=E.NewServingEnvironment(name=fresh("env"), external_id="ns")
    )
    environment = rpc.call(rpc.environments.CreateServingEnvironment, request).serving_environment
    find = rpc.environments.FindServingEnvironment
    assert rpc.call(find, E.FindServingEnvironmentRequest(external_id="ns")).serving_environment == environment
    both = rpc.refused(find, E.FindServingEnvironmentRequest(external_id="ns", name=environment.name))
    assert both.violations == {"external_id": "cannot be combined with name: give one of them"}


def test_a_patch_replaces_or_clears_properties(rpc: Rpc) -> None:
    model = new_model(rpc, properties=properties())
    patch = M.RegisteredModelPatch(description="d")
    request = M.UpdateRegisteredModelRequest(id=model.id, registered_model=patch)
    kept = rpc.call(rpc.models.UpdateRegisteredModel, request).registered_model
    assert dict(kept.properties) == properties()
    patch.properties.values["only"].int_value = 1
    request = M.UpdateRegisteredModelRequest(id=model.id, registered_model=patch)
    replaced = rpc.call(rpc.models.UpdateRegisteredModel, request).registered_model
    assert dict(replaced.properties) == {"only": PropertyValue(int_value=1)}
    patch.properties.Clear()
    patch.properties.SetInParent()
    request = M.UpdateRegisteredModelRequest(id=model.id, registered_model=patch)
    assert not rpc.call(rpc.models.UpdateRegisteredModel, request).registered_model.properties


def test_wrong_properties_are_refused_by_their_paths(rpc: Rpc) -> None:
    new = M.NewRegisteredModel(
        name=fresh("m"), properties={"a": PropertyValue(), "b": PropertyValue(double_value=1e999)}
    )
    request = M.CreateRegisteredModelRequest(registered_model=new)
    refusal = rpc.refused(rpc.models.CreateRegisteredModel, request)
    assert refusal.code is StatusCode.INVALID_ARGUMENT
    assert refusal.violations == {
        "registered_model.properties.a": "must have a value",
        "registered_model.properties.b": "must be a finite number",
    }
    patch = M.RegisteredModelPatch(properties=PropertyMap(values=new.properties))
    update = M.UpdateRegisteredModelRequest(id=an_id(), registered_model=patch)
    in_patch = {path.replace("properties", "properties.values"): rule for path, rule in refusal.violations.items()}
    assert rpc.refused(rpc.models.UpdateRegisteredModel, update).violations == in_patch


def test_a_version_has_a_readme_metadata_and_a_digest(rpc: Rpc, api: Api) -> None:
    digest = "sha256:" + "a" * 64
    model = new_model(rpc)
    version = new_version(
        rpc,
        model.id,
        readme="# é",
        metadata={"signature": {"inputs": [{"name": "x", "shape": [-1, 4]}]}, "note": None},
        digest=digest,
        size_bytes=2**40,
    )
    assert (version.readme, version.digest, version.size_bytes) == ("# é", digest, 2**40)
    assert version.metadata["signature"]["inputs"][0]["shape"][1] == 4
    assert version.metadata.fields["note"].WhichOneof("kind") == "null_value"
    assert {"readme", "metadata", "digest", "size_bytes"}.isdisjoint(api.get(f"/model_versions/{version.id}").json())
    moved = api.patch(f"/model_versions/{version.id}", {"uri": "s3://b/other", "digest": "x"})
    assert moved.status_code == 200
    request = V.GetModelVersionRequest(id=version.id)
    after = rpc.call(rpc.versions.GetModelVersion, request).model_version
    assert (after.digest, after.size_bytes, after.readme) == ("", 0, "# é")


def test_long_names_and_uris_are_only_written_over_grpc(rpc: Rpc, api: Api) -> None:
    name, uri = "n" * 250, "s3://b/" + "k" * 1993
    new = M.NewRegisteredModel(name=name)
    create = M.CreateRegisteredModelRequest(registered_model=new)
    model = rpc.call(rpc.models.CreateRegisteredModel, create).registered_model
    made = V.NewModelVersion(name=name, uri=uri, model_framework="onnx", model_framework_version="1")
    request = V.CreateModelVersionRequest(registered_model_id=model.id, model_version=made)
    version = rpc.call(rpc.versions.CreateModelVersion, request).model_version
    read = api.get(f"/model_versions/{version.id}").json()
    assert (read["name"], read["uri"]) == (name, uri)
    refused = api.patch(f"/models/{model.id}", {"name": "n" * 101})
    assert (refused.status_code, refused.json()) == (400, {"error": "name must be at most 100 characters"})
    refused = api.patch(f"/model_versions/{version.id}", {"uri": "u" * 501, "name": "n" * 101})
    assert refused.status_code == 400
    assert refused.json() == {"error": "name must be at most 100 characters; uri must be at most 500 characters"}
    patch = V.ModelVersionPatch(name=name + "n", uri=uri + "k")
    update = V.UpdateModelVersionRequest(id=version.id, model_version=patch)
    assert rpc.refused(rpc.versions.UpdateModelVersion, update).violations == {
        "model_version.name": "must be at most 250 characters",
        "model_version.uri": "must be at most 2000 characters",
    }


def test_a_version_is_created_without_files_and_gets_them_once(rpc: Rpc) -> None:
    model = new_model(rpc)
    create = V.CreateModelVersionRequest(registered_model_id=model.id, model_version=V.NewModelVersion(name="v"))
    version = rpc.call(rpc.versions.CreateModelVersion, create).model_version
    assert (version.uri, version.model_framework, version.status) == ("", "", "PENDING")
    incomplete = V.AttachModelArtifactRequest(id=version.id, files=V.ModelFiles(uri="s3://b/k", digest="x"))
    assert rpc.refused(rpc.versions.AttachModelArtifact, incomplete).violations == {
        "files.model_framework": "is required",
        "files.model_framework_version": "is required",
        "files.digest": "must be `sha256:` and 64 lower-case hexadecimal digits",
    }
    files = V.ModelFiles(uri="s3://b/k", model_framework="onnx", model_framework_version="1")
    attach = V.AttachModelArtifactRequest(id=version.id, files=files, request_id="once", etag=version.etag)
    attached = rpc.call(rpc.versions.AttachModelArtifact, attach).model_version
    assert (attached.uri, attached.model_framework, attached.status) == ("s3://b/k", "onnx", "READY")
    assert rpc.call(rpc.versions.AttachModelArtifact, attach).model_version == attached
    again = rpc.refused(rpc.versions.AttachModelArtifact, V.AttachModelArtifactRequest(id=version.id, files=files))
    assert (again.code, again.reason) == (StatusCode.FAILED_PRECONDITION, "MODEL_ARTIFACT_ATTACHED")
    assert again.metadata == {"id": version.id, "uri": "s3://b/k"}

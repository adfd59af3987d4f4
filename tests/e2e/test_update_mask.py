"""Updates with a mask, over gRPC. REST has none, and no more fields than the contract."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from tests.e2e.api import Api
from tests.e2e.builders import a_model, a_version, an_environment
from tests.e2e.checks import json_of
from tests.e2e.rpc import Rpc

from modelregistry.v1 import inference_service_pb2 as i
from modelregistry.v1 import model_version_pb2 as v
from modelregistry.v1 import registered_model_pb2 as m


def test_optional_fields_are_set_and_cleared(rpc: Rpc, api: Api) -> None:
    parent, model = a_model(api), a_model(api, owner_email="a@b", model_type="PRETRAIN")
    version = a_version(api, model["id"])
    body = {
        "name": "s",
        "serving_environment_id": an_environment(api)["id"],
        "registered_model_id": model["id"],
        "model_version_id": version["id"],
    }
    service = json_of(api.post("/inference_services", body), 201)

    def update_model(paths: list[str], **fields: Any) -> m.RegisteredModel:
        request = m.UpdateRegisteredModelRequest(
            id=model["id"], registered_model=fields, update_mask=FieldMask(paths=paths)
        )
        updated: m.RegisteredModel = rpc.call(rpc.models.UpdateRegisteredModel, request).registered_model
        return updated

    assert update_model([], parent_model_id=parent["id"]).parent_model_id == parent["id"]
    masked = update_model(["owner_email", "model_type"], parent_model_id="ignored", description="ignored")
    assert (masked.owner_email, masked.model_type, masked.parent_model_id) == ("", "CUSTOMTRAIN", parent["id"])
    assert not update_model(["parent_model_id"]).HasField("parent_model_id")

    container = str(uuid.uuid4())
    for paths, expected in (([], container), (["prebuilt_container_id"], "")):
        patch = v.ModelVersionPatch(prebuilt_container_id=None if paths else container)
        request = v.UpdateModelVersionRequest(id=version["id"], model_version=patch, update_mask=FieldMask(paths=paths))
        updated = rpc.call(rpc.versions.UpdateModelVersion, request).model_version
        assert updated.prebuilt_container_id == expected

    clear = i.UpdateInferenceServiceRequest(id=service["id"], update_mask=FieldMask(paths=["model_version_id"]))
    cleared = rpc.call(rpc.services.UpdateInferenceService, clear).inference_service
    assert not cleared.HasField("model_version_id")
    assert "model_version_id" not in api.read(f"/inference_services/{service['id']}")


def test_a_parent_is_another_model_of_the_project(rpc: Rpc, api: Api) -> None:
    model, foreign = a_model(api), a_model(api.of_another_project())
    for parent, code in ((model, grpc.StatusCode.INVALID_ARGUMENT), (foreign, grpc.StatusCode.NOT_FOUND)):
        request = m.UpdateRegisteredModelRequest(id=model["id"], registered_model={"parent_model_id": parent["id"]})
        assert rpc.refused(rpc.models.UpdateRegisteredModel, request).code == code


def test_a_path_that_is_no_field_is_refused(rpc: Rpc, api: Api) -> None:
    request = m.UpdateRegisteredModelRequest(id=a_model(api)["id"], update_mask=FieldMask(paths=["nothing"]))
    refusal = rpc.refused(rpc.models.UpdateRegisteredModel, request)
    assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.violations == {"update_mask": "names `nothing`, which is not a field that can be updated"}


def test_rest_still_ignores_what_the_contract_does_not_change(api: Api) -> None:
    parent, model = a_model(api), a_model(api, owner_email="a@b")
    body = {"parent_model_id": parent["id"], "owner_email": "c@d"}
    patched = json_of(api.patch(f"/models/{model['id']}", body))
    assert (patched["parent_model_id"], patched["owner_email"]) == (None, "a@b")
    version = a_version(api, model["id"])
    body = {"prebuilt_container_id": str(uuid.uuid4()), "model_catalog_name": "c"}
    for path in (f"/model_versions/{version['id']}", f"/model_artifacts/{version['id']}"):
        assert json_of(api.patch(path, body))["prebuilt_container_id"] is None

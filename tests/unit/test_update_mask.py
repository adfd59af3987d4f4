"""Which fields an update changes: those that its mask names, or else those that are present."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from tests.unit.deployed_world import World, a_world

from modelregistry.v1 import deployment_pb2 as d
from modelregistry.v1 import inference_service_pb2 as i
from modelregistry.v1 import model_artifact_pb2 as a
from modelregistry.v1 import model_version_pb2 as v
from modelregistry.v1 import registered_model_pb2 as m
from modelregistry.v1 import serving_environment_pb2 as e
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.deployment import option_names_of
from registry_grpc.adapters.grpc.request_fields import patch_of, within
from registry_grpc.adapters.grpc.servicers.deployments import _update
from registry_grpc.adapters.grpc.servicers.registered_models import _model_patch
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch, NewInferenceService
from registry_grpc.domain.model_version import ModelVersion, ModelVersionPatch, NewModelVersion
from registry_grpc.domain.patch import UNSET, changes, cleared
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModel, RegisteredModelPatch, Tags
from registry_grpc.domain.serving_environment import NewServingEnvironment, ServingEnvironment, ServingEnvironmentPatch

ID = UUID(int=7)
NEW_VERSION = NewModelVersion(name="v", model_framework="f", model_framework_version="1", uri="s3://b/k")
NEW_SERVICE = NewInferenceService(name="s", serving_environment_id=ID, registered_model_id=ID)
# Each patch with its message, its request, and an object that has nothing but what is required.
PATCHES: list[tuple[Any, Any, Any, Any]] = [
    (
        RegisteredModelPatch,
        m.RegisteredModelPatch,
        m.UpdateRegisteredModelRequest,
        RegisteredModel.register(NewRegisteredModel(name="m"), id=ID, project_id=ID),
    ),
    (
        ModelVersionPatch,
        v.ModelVersionPatch,
        v.UpdateModelVersionRequest,
        ModelVersion.create(NEW_VERSION, id=ID, registered_model_id=ID),
    ),
    (
        ModelVersionPatch,
        a.ModelArtifactPatch,
        a.UpdateModelArtifactRequest,
        ModelVersion.create(NEW_VERSION, id=ID, registered_model_id=ID),
    ),
    (
        ServingEnvironmentPatch,
        e.ServingEnvironmentPatch,
        e.UpdateServingEnvironmentRequest,
        ServingEnvironment.create(NewServingEnvironment(name="e"), id=ID, project_id=ID),
    ),
    (
        InferenceServicePatch,
        i.InferenceServicePatch,
        i.UpdateInferenceServiceRequest,
        InferenceService.create(NEW_SERVICE, id=ID, project_id=ID),
    ),
]
every_patch = pytest.mark.parametrize(
    ("kind", "message", "request_", "bare"), PATCHES, ids=[each[1].DESCRIPTOR.name for each in PATCHES]
)
# What cannot be empty, and the states of a service, which a request has to name.
REQUIRED = {"name", "uri", "model_framework", "model_framework_version", "desired_state", "current_state"}


@every_patch
def test_every_optional_field_is_cleared_to_its_default(kind: Any, message: Any, request_: Any, bare: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        mask = FieldMask(paths=[field.name])
        if field.name in {"name", "desired_state", "current_state"}:
            with pytest.raises(InvalidRequest) as refused:
                patch_of(kind, message(), request_(update_mask=mask))
            assert [violation.field for violation in refused.value.violations] == [field.name]
            continue
        patch = patch_of(kind, message(), request_(update_mask=mask))
        assert changes(patch).keys() == {field.name}
        if field.name not in REQUIRED:
            default = getattr(bare, field.name, "")  # a version does not show its keys
            assert getattr(patch, field.name) == default, field.name


@every_patch
def test_only_the_fields_of_the_mask_are_set(kind: Any, message: Any, request_: Any, bare: Any) -> None:
    names = [field.name for field in message.DESCRIPTOR.fields if field.type == field.TYPE_STRING]
    one, other = [name for name in names if not name.endswith(("_id", "_state")) and name != "drift_policy"][:2]
    filled = message(**{one: "text", other: "text"})
    assert changes(patch_of(kind, filled, request_())) == {one: "text", other: "text"}
    assert changes(patch_of(kind, filled, request_(update_mask=FieldMask()))) == {one: "text", other: "text"}
    assert changes(patch_of(kind, filled, request_(update_mask=FieldMask(paths=[one])))) == {one: "text"}


@every_patch
def test_unknown_paths_are_named(kind: Any, message: Any, request_: Any, bare: Any) -> None:
    mask = FieldMask(paths=["nothing", "labels.team", "id", "*"])
    with pytest.raises(InvalidRequest) as refused:
        patch_of(kind, message(), request_(update_mask=mask))
    texts = [f"names `{path}`, which is not a field that can be updated" for path in mask.paths]
    assert [(each.field, each.description) for each in refused.value.violations] == [
        ("update_mask", text) for text in texts
    ]


def test_tags_are_cleared_and_kept() -> None:
    tags = m.RegisteredModelPatch(tags={"tasks": ["x"]})
    both = m.UpdateRegisteredModelRequest(registered_model=tags, update_mask=FieldMask(paths=["tags"]))
    assert _model_patch(both, Call(method="m")).tags == Tags(tasks=("x",))
    without = m.UpdateRegisteredModelRequest(registered_model=tags, update_mask=FieldMask(paths=["labels"]))
    assert _model_patch(without, Call(method="m")).tags is UNSET
    empty = m.UpdateRegisteredModelRequest(update_mask=FieldMask(paths=["tags"]))
    assert _model_patch(empty, Call(method="m")).tags == Tags() == cleared(RegisteredModelPatch, "tags")


# --- options -----------------------------------------------------------------------------------------------------


def names_of(options: d.DeploymentOptions, *paths: str) -> set[str]:
    return option_names_of(options, FieldMask(paths=paths))


def test_without_a_mask_those_that_are_present_change() -> None:
    assert names_of(d.DeploymentOptions()) == set()
    options = d.DeploymentOptions(min_replicas=0, env={"A": ""}, args=["x"], runtime="r")
    options.storage.anonymous = False
    options.resources.limits["cpu"] = "1"
    options.probes.SetInParent()
    assert names_of(options) == {"min_replicas", "env", "args", "runtime", "storage_anonymous", "limits"}


def test_a_mask_names_options_groups_of_them_or_all() -> None:
    full = d.DeploymentOptions(runtime="r")
    assert names_of(full, "options.env", "options.resources.limits") == {"env", "limits"}
    assert names_of(full, "options.storage") == {
        f"storage_{name}" for name in ("endpoint", "region", "anonymous", "ca_bundle", "verify_ssl")
    }
    assert names_of(full, "options") == {field.name for field in fields(DeploymentOptions)}
    assert names_of(full, "model_version_id", "traffic_percent") == set()
    with pytest.raises(InvalidRequest, match=r"names `options\.storag`, which is not a field that can be updated"):
        names_of(full, "options.storag", "options.env")


def test_every_option_has_a_path() -> None:
    for field in d.DeploymentOptions.DESCRIPTOR.fields:
        assert names_of(d.DeploymentOptions(), f"options.{field.name}"), field.name


def test_an_update_takes_what_its_mask_names() -> None:
    request = d.UpdateDeploymentRequest(model_version_id=str(ID), traffic_percent=5, options={"runtime": "r"})
    assert _update(request).keys() == {"model_version_id", "options", "option_names", "traffic_percent"}
    assert (_update(request)["model_version_id"], _update(request)["traffic_percent"]) == (ID, 5)
    request.update_mask.paths.append("options.env")
    update = _update(request)
    assert (update["model_version_id"], update["traffic_percent"], update["option_names"]) == (None, None, {"env"})
    request.update_mask.paths[:] = ["traffic_percent"]
    update = _update(request)
    assert (update["options"], update["traffic_percent"]) == (None, 5)
    cleared_version = d.UpdateDeploymentRequest(update_mask=FieldMask(paths=["model_version_id"]))
    with pytest.raises(InvalidRequest, match="model_version_id cannot be cleared"):
        _update(cleared_version)


def test_an_update_only_takes_the_version_if_its_mask_names_it() -> None:
    request = d.UpdateDeploymentRequest(version="champion")
    assert _update(request)["model_version_id"] == "champion"
    request.update_mask.paths.append("version")
    assert _update(request)["model_version_id"] == "champion"
    request.update_mask.paths[:] = ["options.env"]
    assert _update(request)["model_version_id"] is None
    with pytest.raises(InvalidRequest, match=r"^version cannot be cleared"):
        _update(d.UpdateDeploymentRequest(update_mask=FieldMask(paths=["version"])))


@pytest.fixture
async def world(project_id: UUID) -> World:
    return await a_world(project_id)


async def test_other_options_keep_their_values(world: World) -> None:
    async def options_after(update: d.UpdateDeploymentRequest) -> DeploymentOptions:
        await world.deployments.update(world.project_id, world.id, **_update(update))
        return (await world.repositories.deployments.get(world.project_id, world.id)).spec.options

    first = d.DeploymentOptions(min_replicas=2, resources={"limits": {"cpu": "1"}}, timeout=Duration(seconds=7))
    await options_after(d.UpdateDeploymentRequest(options=first))
    second = d.DeploymentOptions(max_replicas=3, resources={"requests": {"cpu": "500m"}})
    now = await options_after(d.UpdateDeploymentRequest(options=second))
    assert (now.min_replicas, now.max_replicas, now.timeout_seconds) == (2, 3, 7)
    assert (now.limits, now.requests) == ({"cpu": "1"}, {"cpu": "500m"})
    mask = FieldMask(paths=["options.resources.limits", "options.timeout"])
    now = await options_after(d.UpdateDeploymentRequest(update_mask=mask))
    assert (now.min_replicas, now.max_replicas, now.timeout_seconds) == (2, 3, None)
    assert (now.limits, now.requests) == ({}, {"cpu": "500m"})
    with pytest.raises(InvalidRequest, match=r"options\.min_replicas"):
        await options_after(d.UpdateDeploymentRequest(options=d.DeploymentOptions(max_replicas=1)))


def test_a_refusal_within_a_field_names_its_path_or_keeps_its_text() -> None:
    with pytest.raises(InvalidRequest) as named, within("update"):
        raise InvalidRequest([Violation("id", "must be a UUID")], "invalid id")
    assert named.value.message == "update.id must be a UUID"
    with pytest.raises(InvalidRequest) as told, within("update"):
        raise InvalidRequest((), "the request is too large")
    assert told.value.message == "the request is too large"

"""A revision keeps its copy of the version, even if the version is changed afterwards."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.projects import OPEN
from tests.fakes.seeding import stored_version
from tests.refusals import refused
from tests.unit.deployed_world import World, a_world

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Cause, DeploymentSpec, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import FailedPrecondition, Reason
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.model_version import COPIED, ModelVersion, ModelVersionPatch
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.services.model_versions import ModelVersions

EDIT = ModelVersionPatch(
    uri="s3://elsewhere/model", model_framework="onnx", model_framework_version="9", container_image="another"
)


@pytest.fixture
async def world(project_id: UUID) -> World:
    return await a_world(project_id)


async def test_an_update_without_a_version_repeats_the_snapshot(world: World) -> None:
    before = (await world.deployment()).spec
    await world.repositories.versions.update(world.project_id, world.version.id, EDIT)

    scaled = await world.update(DeploymentOptions(min_replicas=2))

    assert scaled.spec == replace(before, options=DeploymentOptions(min_replicas=2))
    assert (scaled.spec.storage_uri, scaled.spec.runtime) == (world.version.uri, world.version.container_image)


async def test_without_a_requested_runtime_the_image_of_the_snapshot_is_used(world: World) -> None:
    await world.update(DeploymentOptions(runtime="asked-for"))
    await world.repositories.versions.update(world.project_id, world.version.id, EDIT)

    assert (await world.update(DeploymentOptions())).spec.runtime == world.version.container_image


async def test_an_update_without_a_version_keeps_all_served_versions(world: World) -> None:
    model = world.store.models[world.version.registered_model_id]
    other = await stored_version(world.repositories, model, name="v2", status="READY")
    environment_id = next(iter(world.store.environments))
    ids = (world.version.id, other.id)
    new = NewDeployment(
        serving_environment_id=environment_id, registered_model_id=model.id, model_version_ids=ids, name="both"
    )
    world.id = (await world.deployments.deploy(world.project_id, new)).service.id

    assert (await world.update(DeploymentOptions(min_replicas=2))).spec.served_version_ids == ids
    assert (await world.update(version=other)).spec.served_version_ids == (other.id,)


async def test_an_update_that_names_the_version_serves_it_as_it_is_now(world: World) -> None:
    edited = await world.repositories.versions.update(world.project_id, world.version.id, EDIT)

    assert (await world.update(version=edited)).spec.storage_uri == "s3://elsewhere/model"


def versions_of(world: World) -> ModelVersions:
    return ModelVersions(versions=world.repositories.versions, deployments=world.repositories.deployments, tenants=OPEN)


@pytest.mark.parametrize("name", COPIED)
async def test_the_served_fields_of_a_deployed_ready_version_are_fixed(world: World, name: str) -> None:
    edit: dict[str, Any] = {name: "s3://bucket/edited"}
    versions, patch = versions_of(world), ModelVersionPatch(**edit)

    with pytest.raises(FailedPrecondition) as refusal:
        await versions.update(world.project_id, world.version.id, patch)
    assert refusal.value.reason is Reason.MODEL_VERSION_DEPLOYED
    assert refusal.value.metadata == {"id": str(world.version.id), "fields": name}
    with refused(FailedPrecondition, Reason.MODEL_VERSION_DEPLOYED):
        await versions.update(world.project_id, world.version.id, replace(patch, status="PENDING"))

    edited = await versions.update(world.project_id, world.version.id, patch, edits_deployed=True)
    assert getattr(edited, name) == "s3://bucket/edited"
    assert (await world.deployment()).edited_version_fields == (name,)


@pytest.mark.parametrize("name", COPIED)
async def test_the_fields_of_all_versions_of_a_deployment_are_fixed(
    world: World, other: ModelVersion, name: str
) -> None:
    spec = replace((await world.deployment()).spec, served_version_ids=(world.version.id, other.id))
    await world.repositories.deployments.revise(
        world.project_id, world.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by=""
    )
    edit: dict[str, Any] = {name: "s3://bucket/edited"}

    with refused(FailedPrecondition, Reason.MODEL_VERSION_DEPLOYED):
        await versions_of(world).update(world.project_id, other.id, ModelVersionPatch(**edit))


async def test_changeable_fields_of_a_deployed_version(world: World) -> None:
    same = ModelVersionPatch(**{name: getattr(world.version, name) for name in COPIED}, secret_key="new", name="v0")
    assert (await versions_of(world).update(world.project_id, world.version.id, same)).name == "v0"
    assert (await world.deployment()).edited_version_fields == ()


async def test_a_version_that_was_not_deployed_can_be_changed(world: World, other: ModelVersion) -> None:
    edited = await versions_of(world).update(world.project_id, other.id, ModelVersionPatch(uri="s3://new"))
    assert edited.uri == "s3://new"


async def test_a_status_that_was_set_back_does_not_open_a_deployed_version(world: World) -> None:
    await versions_of(world).update(world.project_id, world.version.id, ModelVersionPatch(status="PENDING"))

    with refused(FailedPrecondition, Reason.MODEL_VERSION_DEPLOYED):
        await versions_of(world).update(world.project_id, world.version.id, ModelVersionPatch(uri="s3://new"))


async def archive(world: World, what: str) -> None:
    model_id = world.version.registered_model_id
    if what == "model":
        await world.repositories.models.update(world.project_id, model_id, RegisteredModelPatch(state="ARCHIVED"))
    else:
        patch = ModelVersionPatch(state="ARCHIVED")
        await world.repositories.versions.update(world.project_id, world.version.id, patch)


ARCHIVED = pytest.mark.parametrize(
    ("what", "reason"), [("model", Reason.REGISTERED_MODEL_ARCHIVED), ("version", Reason.MODEL_VERSION_ARCHIVED)]
)


@ARCHIVED
async def test_archived_models_and_versions_are_not_deployed_again(world: World, what: str, reason: Reason) -> None:
    await archive(world, what)
    new = NewDeployment(
        registered_model_id=world.version.registered_model_id,
        serving_environment_id=next(iter(world.store.environments)),
        name="anew",
    )

    with refused(FailedPrecondition, reason):
        await world.deployments.deploy(world.project_id, new)

    await world.deployments.deploy(world.project_id, new, ignore_archived=True)
    await world.update(DeploymentOptions(min_replicas=2))
    await world.deployments.roll_back(world.project_id, world.id, 1)


@pytest.mark.parametrize("by", ["state", "update", "rollback"])
@ARCHIVED
async def test_what_was_archived_is_not_brought_up_again(world: World, what: str, reason: Reason, by: str) -> None:
    await world.services.undeploy(world.project_id, world.id)
    await archive(world, what)

    with refused(FailedPrecondition, reason):
        match by:
            case "state":
                await patched(world, desired_state="DEPLOYED")
            case "update":
                await world.update(DeploymentOptions(min_replicas=2))
            case "rollback":
                await world.deployments.roll_back(world.project_id, world.id, 1)
    await patched(world, desired_state="DEPLOYED", by_contract=True)
    assert (await world.deployment()).want is Want.PRESENT


async def test_all_versions_of_a_repeated_revision_must_be_ready(world: World, other: ModelVersion) -> None:
    spec = DeploymentSpec.serving((world.version, other), {}, DeploymentOptions())
    await world.repositories.deployments.revise(
        world.project_id, world.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by=""
    )
    await world.repositories.versions.update(world.project_id, other.id, ModelVersionPatch(status="FAILED"))

    with refused(FailedPrecondition, Reason.MODEL_VERSION_NOT_READY):
        await world.deployments.roll_back(world.project_id, world.id, 2)


@ARCHIVED
async def test_no_update_names_an_archived_version(world: World, what: str, reason: Reason) -> None:
    await archive(world, what)

    with refused(FailedPrecondition, reason):
        await world.update(version=world.version)


@ARCHIVED
async def test_no_update_brings_another_version_of_an_archived_model(world: World, what: str, reason: Reason) -> None:
    model = world.store.models[world.version.registered_model_id]
    other = await stored_version(world.repositories, model, name="v2", status="READY", state="ARCHIVED")
    if what == "model":
        other = await stored_version(world.repositories, model, name="v3", status="READY")
    await archive(world, what)

    with refused(FailedPrecondition, reason):
        await world.update(version=other)
    assert (await world.deployment()).generation == 1


@pytest.mark.parametrize("status", ["PENDING", "FAILED"])
async def test_only_an_update_that_names_the_version_needs_it_ready(world: World, status: str) -> None:
    await world.set_status(status)

    assert (await world.update(DeploymentOptions(min_replicas=2))).spec.storage_uri == world.version.uri
    with refused(FailedPrecondition, Reason.MODEL_VERSION_NOT_READY):
        await world.update(DeploymentOptions(min_replicas=3), version=world.version)


@pytest.fixture
async def other(world: World) -> ModelVersion:
    """Another version of the deployed model."""
    model = world.store.models[world.version.registered_model_id]
    return await stored_version(world.repositories, model, name="v2", status="READY", uri="s3://bucket/v2")


async def patched(world: World, *, by_contract: bool = False, **fields: Any) -> InferenceService:
    patch = InferenceServicePatch(**fields)
    return await world.services.update(world.project_id, world.id, patch, "ann", by_contract=by_contract)


@pytest.mark.parametrize("states", [{}, {"desired_state": "DEPLOYED"}])
async def test_the_version_of_a_deployed_service_is_that_of_its_deployment(
    world: World, other: ModelVersion, states: dict[str, Any]
) -> None:
    with pytest.raises(FailedPrecondition, match=r"^model_version_id cannot be changed .* use UpdateDeployment") as it:
        await patched(world, model_version_id=other.id, name="renamed", **states)

    assert it.value.reason is Reason.DEPLOYED_VERSION_FIXED
    assert it.value.metadata == {"id": str(world.id), "model_version_id": str(world.version.id)}
    assert (await world.repositories.services.get(world.project_id, world.id)).name != "renamed"
    same = await patched(world, model_version_id=world.version.id, name="renamed", **states)
    assert (same.name, same.model_version_id) == ("renamed", world.version.id)
    by_contract = await patched(world, by_contract=True, model_version_id=other.id, **states)
    assert by_contract.model_version_id == other.id
    assert (await world.deployment()).generation == 1


async def test_the_version_can_be_changed_with_the_undeployment(world: World, other: ModelVersion) -> None:
    service = await patched(world, model_version_id=other.id, desired_state="UNDEPLOYED")

    assert (service.model_version_id, service.desired_state) == (other.id, "UNDEPLOYED")


@pytest.mark.parametrize("by_contract", [True, False])
@pytest.mark.parametrize("when", ["before", "together", "while deployed"])
async def test_a_redeployment_serves_the_version_that_the_service_names(
    world: World, other: ModelVersion, when: str, by_contract: bool
) -> None:
    if when == "while deployed":
        await patched(world, by_contract=True, model_version_id=other.id)
    await world.services.undeploy(world.project_id, world.id)
    if when == "before":
        await patched(world, by_contract=by_contract, model_version_id=other.id)
    before = (await world.deployment()).spec
    named = {"model_version_id": other.id} if when == "together" else {}

    service = await patched(world, by_contract=by_contract, desired_state="DEPLOYED", **named)

    after = await world.deployment()
    assert after.want is Want.PRESENT
    assert after.spec == DeploymentSpec.serving((other,), before.labels, before.options)
    assert service.model_version_id == other.id
    assert other.id in {served.model_version_id for served in service.served_models}


async def test_a_redeployment_of_the_same_version_repeats_the_snapshot(world: World) -> None:
    before = (await world.deployment()).spec
    await world.services.undeploy(world.project_id, world.id)
    await world.repositories.versions.update(world.project_id, world.version.id, EDIT)

    await patched(world, desired_state="DEPLOYED", model_version_id=world.version.id)

    assert (await world.deployment()).spec == before


@pytest.mark.parametrize("by_contract", [True, False])
async def test_a_redeployment_to_another_version_is_checked_like_a_deploy(
    world: World, other: ModelVersion, by_contract: bool
) -> None:
    await world.services.undeploy(world.project_id, world.id)
    before = await world.repositories.services.get(world.project_id, world.id)
    up = {"desired_state": "DEPLOYED", "model_version_id": other.id}
    await world.repositories.versions.update(world.project_id, other.id, ModelVersionPatch(status="PENDING"))

    with refused(FailedPrecondition, Reason.MODEL_VERSION_NOT_READY):
        await patched(world, by_contract=by_contract, **up)

    ready = ModelVersionPatch(status="READY", state="ARCHIVED")
    await world.repositories.versions.update(world.project_id, other.id, ready)
    assert await world.repositories.services.get(world.project_id, world.id) == before
    with nullcontext() if by_contract else refused(FailedPrecondition, Reason.MODEL_VERSION_ARCHIVED):
        await patched(world, by_contract=by_contract, **up)
    assert (await world.deployment()).want is (Want.PRESENT if by_contract else Want.ABSENT)

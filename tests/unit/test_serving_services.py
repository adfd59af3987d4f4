"""Use cases of inference services and serve models, with deploying to Kubernetes switched off."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_service
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version
from tests.refusals import refused
from tests.unit.conftest import Registry

from registry_grpc.domain.deployment import Cause, DeploymentSpec, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.inference_service import (
    InferenceService,
    InferenceServiceFilter,
    InferenceServicePatch,
    NewInferenceService,
)
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serve_model import NewServeModel, ServeModelFilter
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.ports.deployments import NewIntent


@pytest.fixture
async def environment(registry: Registry, project_id: UUID) -> ServingEnvironment:
    return await stored_environment(registry.repositories, project_id)


@pytest.fixture
async def model(registry: Registry, project_id: UUID) -> RegisteredModel:
    return await stored_model(registry.repositories, project_id)


@pytest.fixture
async def version(registry: Registry, model: RegisteredModel) -> ModelVersion:
    return await stored_version(registry.repositories, model)


@pytest.fixture
async def service(registry: Registry, environment: ServingEnvironment, model: RegisteredModel) -> InferenceService:
    return await stored_service(registry.repositories, environment, model)


@pytest.fixture
async def controlled(
    registry: Registry, environment: ServingEnvironment, model: RegisteredModel, version: ModelVersion
) -> InferenceService:
    """A service under deployment control."""
    spec = DeploymentSpec.serving((version,), {}, DeploymentOptions())
    service, _ = await registry.repositories.deployments.deploy(
        a_service(environment, model), (), NewIntent(namespace=environment.namespace, spec=spec, created_by="")
    )
    return service


async def test_creates_a_service_with_its_versions(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, model: RegisteredModel
) -> None:
    versions = [await stored_version(registry.repositories, model, status="PENDING") for _ in range(2)]
    new = NewInferenceService(
        name="s",
        serving_environment_id=environment.id,
        registered_model_id=model.id,
        model_version_ids=(versions[1].id, versions[0].id),
    )

    service = await registry.services.create(project_id, new)

    assert (service.desired_state, service.current_state) == ("DEPLOYED", "UNDEPLOYED")
    assert service.created_at >= registry.clock.now()
    assert service.model_version_id == versions[1].id
    assert {served.model_version_id for served in service.served_models} == {v.id for v in versions}
    assert {served.last_known_state for served in service.served_models} == {"PENDING"}
    assert await registry.repositories.services.get(project_id, service.id) == service
    assert await registry.repositories.services.find_by_name(project_id, environment.id, "s") == service
    with refused(AlreadyExists, Reason.INFERENCE_SERVICE_NAME_TAKEN):
        await registry.services.create(project_id, new)


FIRST_REFUSAL = {
    ("environment", "model", "version"): Reason.SERVING_ENVIRONMENT_NOT_FOUND,
    ("model", "version"): Reason.REGISTERED_MODEL_NOT_FOUND,
    ("version",): Reason.MODEL_VERSION_NOT_FOUND,
    ("version of another model",): Reason.MODEL_VERSION_NOT_FOUND,
}


@pytest.mark.parametrize("wrong", FIRST_REFUSAL)
async def test_looks_for_environment_then_model_then_versions(
    registry: Registry,
    project_id: UUID,
    environment: ServingEnvironment,
    version: ModelVersion,
    wrong: tuple[str, ...],
) -> None:
    other_model = await stored_model(registry.repositories, project_id)
    other_version = await stored_version(registry.repositories, other_model)
    second = uuid4() if "version" in wrong else version.id
    if "version of another model" in wrong:
        second = other_version.id
    new = NewInferenceService(
        name="s",
        serving_environment_id=uuid4() if "environment" in wrong else environment.id,
        registered_model_id=uuid4() if "model" in wrong else version.registered_model_id,
        model_version_ids=(version.id, second),
    )

    with refused(NotFound, FIRST_REFUSAL[wrong]):
        await registry.services.create(project_id, new)

    page = await registry.repositories.services.list(project_id, InferenceServiceFilter(), Sort(), Slice())
    assert page == Page((), total=0)


async def test_a_service_may_be_given_versions_of_its_own_model_only(
    registry: Registry, project_id: UUID, service: InferenceService, version: ModelVersion
) -> None:
    other_model = await stored_model(registry.repositories, project_id)
    other_version = await stored_version(registry.repositories, other_model)

    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await registry.services.update(
            project_id, service.id, InferenceServicePatch(model_version_id=other_version.id, url="not written")
        )
    updated = await registry.services.update(project_id, service.id, InferenceServicePatch(model_version_id=version.id))

    assert (updated.model_version_id, updated.url) == (version.id, service.url)


@pytest.mark.parametrize("desired_state", ["DEPLOYED", "UNDEPLOYED"])
async def test_states_of_a_mere_record_are_written_down(
    registry: Registry, project_id: UUID, service: InferenceService, desired_state: str
) -> None:
    patch = InferenceServicePatch(desired_state=desired_state, current_state="DEPLOYED", last_error="e", url="u")

    updated = await registry.services.update(project_id, service.id, patch)

    assert (updated.desired_state, updated.current_state) == (desired_state, "DEPLOYED")
    assert (updated.last_error, updated.url, updated.external_id) == ("e", "u", service.external_id)
    assert await registry.repositories.services.find_by_external_id(project_id, service.external_id) == updated


async def test_the_desired_state_of_a_deployment_is_the_intent(
    registry: Registry, project_id: UUID, controlled: InferenceService
) -> None:
    async def intent() -> tuple[Want, int]:
        deployment = await registry.history.get(project_id, controlled.id)
        return deployment.want, deployment.generation

    async def patched(**fields: Any) -> InferenceService:
        return await registry.services.update(project_id, controlled.id, InferenceServicePatch(**fields), "ann")

    await patched(desired_state="DEPLOYED", url="http://x")
    assert await intent() == (Want.PRESENT, 1)
    down = await patched(desired_state="UNDEPLOYED")
    assert await intent() == (Want.ABSENT, 2)
    assert (down.desired_state, down.current_state, down.url) == ("UNDEPLOYED", "UNDEPLOYED", "")
    await patched(desired_state="UNDEPLOYED")
    assert await intent() == (Want.ABSENT, 2)
    assert (await patched(desired_state="DEPLOYED")).desired_state == "DEPLOYED"
    assert await intent() == (Want.PRESENT, 3)

    revisions = (await registry.history.revisions(project_id, controlled.id, Slice())).items
    assert [(r.cause, r.created_by) for r in revisions] == [
        (Cause.REDEPLOY, "ann"),
        (Cause.UNDEPLOY, "ann"),
        (Cause.DEPLOY, ""),
    ]


async def test_deletes_the_record_and_leaves_a_tombstone_of_the_deployment(
    registry: Registry, project_id: UUID, controlled: InferenceService
) -> None:
    await registry.services.delete(project_id, controlled.id)

    with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
        await registry.services.delete(project_id, controlled.id)
    assert (await registry.history.get(project_id, controlled.id)).want is Want.ABSENT


async def test_deletes_no_deployed_service(registry: Registry, project_id: UUID, controlled: InferenceService) -> None:
    await registry.services.update(project_id, controlled.id, InferenceServicePatch(current_state="DEPLOYED"))

    with refused(FailedPrecondition, Reason.INFERENCE_SERVICE_DEPLOYED):
        await registry.services.delete(project_id, controlled.id)

    deployment = await registry.history.get(project_id, controlled.id)
    assert (deployment.want, deployment.phase) == (Want.PRESENT, Phase.PENDING)


async def test_links_and_unlinks_a_version(
    registry: Registry, project_id: UUID, service: InferenceService, version: ModelVersion
) -> None:
    new = NewServeModel(inference_service_id=service.id, model_version_id=version.id)

    link = await registry.serve_models.create(project_id, new)

    assert (link.inference_service_name, link.model_version_name) == (service.name, version.name)
    assert link.last_known_state == "PENDING"
    assert link.created_at >= registry.clock.now()
    assert await registry.repositories.serve_models.get(project_id, link.id) == link
    page = await registry.repositories.serve_models.list(project_id, ServeModelFilter(), Sort(), Slice())
    assert page == Page((link,), total=1)
    with refused(AlreadyExists, Reason.SERVE_MODEL_EXISTS):
        await registry.serve_models.create(project_id, new)
    await registry.repositories.serve_models.delete(project_id, link.id)
    with refused(NotFound, Reason.SERVE_MODEL_NOT_FOUND):
        await registry.repositories.serve_models.get(project_id, link.id)


async def test_a_link_needs_the_service_first_and_then_a_version_of_its_model(
    registry: Registry, project_id: UUID, service: InferenceService, version: ModelVersion
) -> None:
    other_model = await stored_model(registry.repositories, project_id)
    other_version = await stored_version(registry.repositories, other_model)

    for project, service_id, version_id, reason in [
        (project_id, uuid4(), uuid4(), Reason.INFERENCE_SERVICE_NOT_FOUND),
        (uuid4(), service.id, version.id, Reason.INFERENCE_SERVICE_NOT_FOUND),
        (project_id, service.id, uuid4(), Reason.MODEL_VERSION_NOT_FOUND),
        (project_id, service.id, other_version.id, Reason.MODEL_VERSION_NOT_FOUND),
    ]:
        with refused(NotFound, reason):
            await registry.serve_models.create(
                project, NewServeModel(inference_service_id=service_id, model_version_id=version_id)
            )

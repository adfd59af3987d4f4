"""The checks before a deployment, and deploying to Kubernetes switched off (contract 2.4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import CREATED_AT
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version
from tests.refusals import refused
from tests.unit.conftest import Registry

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Reason,
    RegistryError,
)
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serving_environment import ServingEnvironment


@pytest.fixture
async def environment(registry: Registry, project_id: UUID) -> ServingEnvironment:
    return await stored_environment(registry.repositories, project_id, external_id="namespace-x")


@pytest.fixture
async def model(registry: Registry, project_id: UUID) -> RegisteredModel:
    return await stored_model(registry.repositories, project_id, slug="bert")


@pytest.fixture
async def version(registry: Registry, model: RegisteredModel) -> ModelVersion:
    return await stored_version(registry.repositories, model, name="v1", status="READY")


def of(environment: ServingEnvironment, model: RegisteredModel, **fields: Any) -> NewDeployment:
    return NewDeployment(serving_environment_id=environment.id, registered_model_id=model.id, **fields)


async def text_of_refusal(registry: Registry, project_id: UUID, new: NewDeployment) -> str:
    with pytest.raises(RegistryError) as refusal:
        await registry.deployments.deploy(project_id, new)
    return str(refusal.value)


async def test_checks_environment_then_model_then_versions_then_their_status(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, model: RegisteredModel
) -> None:
    pending = await stored_version(registry.repositories, model, name="v2", status="PENDING")
    failed = await stored_version(registry.repositories, model, name="v3", status="FAILED")
    elsewhere = await stored_version(registry.repositories, await stored_model(registry.repositories, project_id))
    unknown = uuid4()

    for new, text in [
        (
            NewDeployment(serving_environment_id=unknown, registered_model_id=unknown, model_version_ids=(unknown,)),
            "get serving environment: serving environment not found",
        ),
        (
            NewDeployment(
                serving_environment_id=environment.id, registered_model_id=unknown, model_version_ids=(unknown,)
            ),
            "get model: registered model not found",
        ),
        (
            of(environment, model, model_version_ids=(pending.id, unknown, uuid4())),
            f"get version {unknown}: model version not found",
        ),
        (
            of(environment, model, model_version_ids=(elsewhere.id,)),
            f"get version {elsewhere.id}: model version not found",
        ),
        (
            of(environment, model, model_version_ids=(failed.id, pending.id)),
            "version v3: model version is not ready for deployment",
        ),
    ]:
        assert await text_of_refusal(registry, project_id, new) == text


async def test_refusals_keep_their_reasons(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, model: RegisteredModel
) -> None:
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await registry.deployments.deploy(project_id, of(environment, model))
    await stored_version(registry.repositories, model, status="PENDING")
    with refused(FailedPrecondition, Reason.MODEL_VERSION_NOT_READY):
        await registry.deployments.deploy(project_id, of(environment, model))
    with refused(NotFound, Reason.SERVING_ENVIRONMENT_NOT_FOUND):
        await registry.deployments.deploy(uuid4(), of(environment, model))


async def test_the_error_for_a_model_without_versions_has_no_prefix(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, model: RegisteredModel
) -> None:
    assert await text_of_refusal(registry, project_id, of(environment, model)) == "model version not found"


async def test_takes_the_default_version_or_else_the_latest_ready_or_not(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, model: RegisteredModel
) -> None:
    default = await stored_version(registry.repositories, model, is_default=True, state="ARCHIVED")
    latest = await stored_version(
        registry.repositories, model, name="latest", created_at=CREATED_AT + timedelta(days=1), status="PENDING"
    )
    chosen = await registry.drafting.draft(project_id, of(environment, model))
    assert chosen.service.model_version_id == default.id

    other_model = await stored_model(registry.repositories, project_id)
    await stored_version(registry.repositories, other_model, status="READY")
    await stored_version(registry.repositories, other_model, name="v9", created_at=latest.created_at, status="PENDING")
    text = await text_of_refusal(registry, project_id, of(environment, other_model))
    assert text == "version v9: model version is not ready for deployment"


async def test_deploys_what_the_request_calls_the_version(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, model: RegisteredModel
) -> None:
    r = registry.repositories
    first, second = [await stored_version(r, model, name=name) for name in ("v1", "v2")]
    await r.aliases.set(project_id, model.id, AliasChange(name="champion", version="2"), "")
    calls = {"champion": second, "1": first, "v1": first, "latest": second}
    for called, version in calls.items():
        draft = await registry.drafting.draft(project_id, of(environment, model, version=called, name=called))
        assert draft.spec.served_version_ids == (version.id,)
        assert draft.spec.requested_version == f"{called} → version {version.number}"
    text = await text_of_refusal(registry, project_id, of(environment, model, version="challenger"))
    assert text == "get version challenger: model version not found"
    with pytest.raises(InvalidRequest, match="version cannot be combined with ids"):
        of(environment, model, version="champion", model_version_ids=(first.id,))
    by_id = await registry.drafting.draft(project_id, of(environment, model, model_version_ids=(first.id,)))
    assert by_id.spec.requested_version == ""


async def test_without_kubernetes_a_deploy_stores_the_record(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, version: ModelVersion, model: RegisteredModel
) -> None:
    versions = [version] + [await stored_version(registry.repositories, model) for _ in range(4)]
    ids = tuple(v.id for v in versions)

    deployed = await registry.deployments.deploy(
        project_id, of(environment, model, model_version_ids=ids, labels={"a": "1"})
    )

    service = deployed.service
    assert (deployed.status, deployed.message, deployed.deployment) == ("PENDING", "Deployment initiated", None)
    assert (service.name, service.runtime) == (f"bert-{version.id.hex[:8]}", "kserve")
    assert (service.desired_state, service.current_state, service.url) == ("DEPLOYED", "UNDEPLOYED", "")
    assert (service.model_version_id, service.labels) == (version.id, {"a": "1"})
    assert tuple(served.model_version_id for served in service.served_models) == ids
    assert {served.last_known_state for served in service.served_models} == {"PENDING"}
    stored = await registry.repositories.services.get(project_id, service.id)
    assert set(stored.served_models) == set(service.served_models)
    assert (await registry.models.get(project_id, model.id)).deployment_status == model.deployment_status


async def test_names_are_given_or_made_and_unique(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, version: ModelVersion, model: RegisteredModel
) -> None:
    named = await registry.deployments.deploy(project_id, of(environment, model, name="Any Name"))

    assert named.service.name == "Any Name"
    with refused(AlreadyExists, Reason.INFERENCE_SERVICE_NAME_TAKEN):
        await registry.deployments.deploy(project_id, of(environment, model, name="Any Name"))
    text = await text_of_refusal(registry, project_id, of(environment, model, name="Any Name"))
    assert text == "create inference service: inference service with this name already exists"
    with pytest.raises(InvalidRequest):
        of(environment, model, name="n" * 101)


@pytest.mark.usefixtures("version")
@pytest.mark.parametrize(
    "options",
    [DeploymentOptions(service_account="admin"), DeploymentOptions(env={"LOG_LEVEL": "debug", "LD_PRELOAD": "x"})],
)
async def test_options_must_be_allowed_by_the_operator(
    registry: Registry,
    project_id: UUID,
    environment: ServingEnvironment,
    model: RegisteredModel,
    options: DeploymentOptions,
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await registry.drafting.draft(project_id, of(environment, model, options=options))

    assert len(refusal.value.violations) == 1


async def test_the_draft_serves_the_first_version(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, version: ModelVersion, model: RegisteredModel
) -> None:
    second = await stored_version(registry.repositories, model)
    options = DeploymentOptions(service_account="reader", env={"LOG_LEVEL": "debug"})

    draft = await registry.drafting.draft(
        project_id, of(environment, model, model_version_ids=(version.id, second.id), options=options)
    )

    assert draft.namespace == "namespace-x"
    assert (draft.spec.model_version_id, draft.spec.served_version_ids) == (version.id, (version.id, second.id))
    assert (draft.spec.storage_uri, draft.spec.model_format) == (version.uri, version.model_framework)
    assert (draft.spec.runtime, draft.spec.options) == (version.container_image, options)


async def test_without_kubernetes_undeploy_and_sync_keep_books(
    registry: Registry, project_id: UUID, environment: ServingEnvironment, model: RegisteredModel
) -> None:
    service = await stored_service(registry.repositories, environment, model, current_state="DEPLOYED", url="http://x")
    before = await registry.repositories.services.get(project_id, service.id)
    assert await registry.services.sync(project_id, service.id) == before

    for _ in range(2):
        await registry.services.undeploy(project_id, service.id)
        after = await registry.repositories.services.get(project_id, service.id)
        assert (after.desired_state, after.current_state) == ("UNDEPLOYED", "UNDEPLOYED")
        assert (after.url, after.external_id, after.last_error) == ("", "", before.last_error)
    for missing in (
        registry.services.undeploy(project_id, uuid4()),
        registry.services.undeploy(uuid4(), service.id),
        registry.services.sync(project_id, uuid4()),
    ):
        with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
            await missing


async def test_without_kubernetes_there_is_no_revision_to_make(registry: Registry, project_id: UUID) -> None:
    with refused(FailedPrecondition, Reason.CLUSTER_DISABLED):
        await registry.deployments.update(project_id, uuid4(), model_version_id=None, options=None)
    with refused(FailedPrecondition, Reason.CLUSTER_DISABLED):
        await registry.deployments.roll_back(project_id, uuid4(), None)

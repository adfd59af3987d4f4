"""Plans, and checking a deploy without making it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest
from tests.fakes.model_versions import InMemoryModelVersionRepository
from tests.fakes.seeding import stored_version
from tests.refusals import refused
from tests.unit.deployed_world import World, a_world

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment, FieldDifference
from registry_grpc.domain.deployment_options import NO_OPTIONS, DeploymentOptions
from registry_grpc.domain.errors import (
    AlreadyExists,
    DeploymentBlocked,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Reason,
    Unavailable,
)
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.model_version import Credentials, ModelVersionPatch
from registry_grpc.domain.preflight import ClusterFacts
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.services.planning import Planning


class Stage:
    """A cluster in which nothing is applied or deleted."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal

    async def facts(
        self, namespace: str, options: DeploymentOptions = NO_OPTIONS, *, canary_of: str = ""
    ) -> ClusterFacts:
        return ClusterFacts(
            kserve_installed=True,
            namespace_exists=True,
            service_account_exists=not options.service_account,
            priority_class_exists=not options.priority_class_name,
        )

    async def manifest(self, deployment: Deployment, _credentials: object) -> str:
        return json.dumps({"name": deployment.name})

    async def dry_run(self, _deployment: Deployment, _credentials: object) -> tuple[FieldDifference, ...]:
        if self.refusal:
            raise self.refusal
        return (FieldDifference("spec", "1", "2"),)


@pytest.fixture
async def world(project_id: UUID) -> World:
    return await a_world(project_id)


@pytest.fixture
def wish(world: World) -> NewDeployment:
    return NewDeployment(
        registered_model_id=world.version.registered_model_id,
        serving_environment_id=next(iter(world.store.environments)),
        name="iris",
    )


def planning(world: World, cluster: Any = None) -> Planning:
    return Planning(
        drafting=world.drafting,
        services=world.repositories.services,
        deployments=world.repositories.deployments,
        versions=world.repositories.versions,
        cluster=cluster,
    )


async def taken(world: World, wish: NewDeployment) -> NewDeployment:
    """A deployment whose name a service of the environment has."""
    service = await world.repositories.services.get(world.project_id, world.id)
    return replace(wish, name=service.name)


async def test_a_plan_has_everything_that_speaks_against_it(world: World, wish: NewDeployment) -> None:
    wish = replace(
        await taken(world, wish), options=DeploymentOptions(service_account="reader", priority_class_name="high")
    )
    refusal = ApplyRefused(Why.REJECTED, "not today")

    plan = await planning(world, Stage(refusal)).plan(world.project_id, wish)

    codes = [(finding.code, finding.field) for finding in plan.blocking]
    assert codes == [
        ("INFERENCE_SERVICE_NAME_TAKEN", "name"),
        ("SERVICE_ACCOUNT_NOT_FOUND", "options.service_account"),
        ("PRIORITY_CLASS_NOT_FOUND", "options.priority_class_name"),
        ("REJECTED", ""),
    ]
    assert (json.loads(plan.manifest), plan.differences) == ({"name": wish.name}, ())


async def test_a_plan_for_keys_that_cannot_be_decrypted(world: World, wish: NewDeployment) -> None:
    class Unreadable(InMemoryModelVersionRepository):
        async def credentials(self, project_id: UUID, id: UUID, uri: str) -> Credentials:
            raise SecretUnreadable("a stored secret needs the encryption key 'k1', which is not configured")

    planned = Planning(
        drafting=world.drafting,
        services=world.repositories.services,
        deployments=world.repositories.deployments,
        versions=Unreadable(world.store),
        cluster=cast("Cluster", Stage()),
    )

    (finding,) = (await planned.plan(world.project_id, wish)).blocking

    assert (finding.code, "'k1'" in finding.message) == ("CREDENTIALS_UNREADABLE", True)


async def test_a_plan_for_keys_of_another_place(world: World, wish: NewDeployment) -> None:
    versions, id_ = world.repositories.versions, world.version.id
    await versions.update(world.project_id, id_, ModelVersionPatch(secret_key="secret"))
    await versions.update(world.project_id, id_, ModelVersionPatch(uri="s3://elsewhere/key"))

    (finding,) = (await planning(world, Stage()).plan(world.project_id, wish)).blocking
    assert finding.code == "CREDENTIALS_NEEDED"
    with pytest.raises(DeploymentBlocked, match="s3://elsewhere"):
        await planning(world, Stage()).validate(world.project_id, wish)

    await versions.update(world.project_id, id_, ModelVersionPatch(secret_key=""))
    assert (await planning(world, Stage()).plan(world.project_id, wish)).blocking == ()


async def test_a_plan_for_a_free_name(world: World, wish: NewDeployment) -> None:
    plan = await planning(world, Stage()).plan(world.project_id, wish)

    assert plan.blocking == ()
    assert plan.differences == (FieldDifference("spec", "1", "2"),)


async def test_the_name_of_another_environments_service_is_free(
    world: World, wish: NewDeployment, project_id: UUID
) -> None:
    environment = replace(world.store.environments[wish.serving_environment_id], id=UUID(int=7), name="elsewhere")
    await world.repositories.environments.create(environment)
    wish = replace(await taken(world, wish), serving_environment_id=environment.id)

    assert (await planning(world, Stage()).plan(project_id, wish)).blocking == ()


async def test_validation_refuses_as_the_deploy_would(world: World, wish: NewDeployment) -> None:
    for bad, error in (
        (await taken(world, wish), AlreadyExists),
        (replace(wish, registered_model_id=UUID(int=1)), NotFound),
        (replace(wish, options=DeploymentOptions(service_account="admin")), InvalidRequest),
    ):
        texts = []
        for attempt in (
            planning(world, Stage()).validate(world.project_id, bad),
            planning(world).validate(world.project_id, bad),
            world.deployments.deploy(world.project_id, bad),
        ):
            with pytest.raises(error) as refusal:
                await attempt
            texts.append(str(refusal.value))
        assert len(set(texts)) == 1


async def test_validation_refuses_certain_failures(world: World, wish: NewDeployment) -> None:
    with pytest.raises(DeploymentBlocked) as refusal:
        await planning(world, Stage(ApplyRefused(Why.REJECTED, "not today"))).validate(world.project_id, wish)
    assert [(v.field, v.description) for v in refusal.value.violations] == [("REJECTED", "not today")]


@pytest.mark.parametrize("cluster", [Stage(), None], ids=["with a cluster", "without"])
async def test_validation_answers_the_service_that_would_be_stored(
    world: World, wish: NewDeployment, cluster: Any
) -> None:
    answer = await planning(world, cluster).validate(world.project_id, wish)

    assert (answer.service.name, answer.status, answer.message) == ("iris", "PENDING", "validation passed")
    assert answer.service.model_version_id == world.version.id
    assert len(world.store.services) == 1


async def test_a_cluster_that_does_not_answer(world: World, wish: NewDeployment) -> None:
    with refused(Unavailable, Reason.CLUSTER_UNAVAILABLE):
        await planning(world, Stage(Unavailable(Reason.CLUSTER_UNAVAILABLE))).plan(world.project_id, wish)
    with refused(FailedPrecondition, Reason.CLUSTER_DISABLED):
        await planning(world).plan(world.project_id, wish)


async def test_a_plan_reports_archived_unready_and_edited_versions(world: World, wish: NewDeployment) -> None:
    versions, models = world.repositories.versions, world.repositories.models
    patch = ModelVersionPatch(status="FAILED", state="ARCHIVED", uri="s3://bucket/edited")
    await versions.update(world.project_id, world.version.id, patch)
    await models.update(world.project_id, world.version.registered_model_id, RegisteredModelPatch(state="ARCHIVED"))

    found = (await planning(world, Stage()).plan(world.project_id, wish)).findings

    assert [finding.code for finding in found if finding.blocking] == [
        "MODEL_VERSION_NOT_READY", "REGISTERED_MODEL_ARCHIVED", "MODEL_VERSION_ARCHIVED",
    ]  # fmt: skip
    (edited,) = [finding for finding in found if finding.code == "VERSION_EDITED"]
    assert (edited.blocking, edited.message) == (
        False,
        f"uri of version {world.version.id} changed since it was last deployed",
    )
    with refused(FailedPrecondition, Reason.MODEL_VERSION_NOT_READY):
        await planning(world, Stage()).validate(world.project_id, wish)


async def test_a_plan_says_what_a_version_without_files_lacks(world: World, wish: NewDeployment) -> None:
    patch = ModelVersionPatch(status="PENDING", uri="", model_framework="")
    await world.repositories.versions.update(world.project_id, world.version.id, patch)

    found = (await planning(world, Stage()).plan(world.project_id, wish)).findings

    (refusal,) = [finding for finding in found if finding.code == "MODEL_VERSION_NOT_READY"]
    assert refusal.message.endswith(
        'status is "PENDING", must be READY; it has no model_framework, uri: attach a model artifact'
    )


async def test_a_plan_names_each_edited_version(world: World, wish: NewDeployment) -> None:
    r, model = world.repositories, world.store.models[world.version.registered_model_id]
    other = await stored_version(r, model, name="v2", status="READY")
    both = replace(wish, model_version_ids=(world.version.id, other.id))
    await world.deployments.deploy(world.project_id, both)
    await r.versions.update(world.project_id, other.id, ModelVersionPatch(model_framework="x", uri="s3://bucket/2"))

    plan = await planning(world, Stage()).plan(world.project_id, replace(both, name="anew"))

    (edited,) = [finding for finding in plan.findings if finding.code == "VERSION_EDITED"]
    assert edited.message == f"uri, model_framework of version {other.id} changed since it was last deployed"


async def test_no_finding_has_the_keys_of_the_deployment(world: World, wish: NewDeployment) -> None:
    keys = ModelVersionPatch(secret_key="key-of-the-version")
    await world.repositories.versions.update(world.project_id, world.version.id, keys)
    wish = replace(wish, options=DeploymentOptions(env={"DB_PASSWORD": "hunter22"}))
    refusal = ApplyRefused(Why.ADMISSION, "key-of-the-version and hunter22 are wrong")
    (finding,) = (await planning(world, Stage(refusal)).plan(world.project_id, wish)).blocking
    assert finding.message == "[hidden] and [hidden] are wrong"

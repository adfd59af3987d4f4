"""The contract of DeploymentRepository."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from tests.contract.intents import an_intent, deployed
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.refusals import refused

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.deployment import Cause, Deployment, Outcome, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.paging import Cursor, Page, Slice
from registry_grpc.domain.serving_environment import DriftPolicy, ServingEnvironmentPatch
from registry_grpc.ports.deployments import DeploymentFilter


async def test_stores_service_and_intent_at_once(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = around.service(model_version_id=around.version.id)
    intent = an_intent(around)

    stored, deployment = await repositories.deployments.deploy(
        service, [a_serve_model(service, around.version)], intent
    )

    assert stored == await repositories.services.get(project_id, service.id)
    assert [served.model_version_id for served in stored.served_models] == [around.version.id]
    assert deployment == Deployment(
        id=service.id,
        project_id=project_id,
        created_at=deployment.created_at,
        updated_at=deployment.created_at,
        namespace="models",
        name=service.name,
        want=Want.PRESENT,
        spec=intent.spec,
        generation=1,
        revised_at=deployment.created_at,
        phase=Phase.PENDING,
        phase_since=deployment.created_at,
        drift_policy=around.environment.drift_policy,
    )
    assert await repositories.deployments.get(project_id, service.id) == deployment
    first = await repositories.deployments.revision(project_id, service.id, 1)
    assert (first.spec, first.cause, first.created_by, first.outcome) == (
        intent.spec,
        Cause.DEPLOY,
        "ann",
        Outcome.PENDING,
    )
    [event] = await repositories.deployments.events(project_id, service.id, 0, 10)
    assert (event.deployment_id, event.generation, event.phase) == (service.id, 1, Phase.PENDING)


async def test_values_that_later_rules_refuse_stay_readable(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    intent = an_intent(around)
    options = DeploymentOptions(limits={"cpu": "lots"}, deadline_seconds=0)

    stored = await deployed(repositories, around, spec=replace(intent.spec, options=options))

    assert (await repositories.deployments.get(project_id, stored.id)).spec.options == options
    assert (await repositories.deployments.revision(project_id, stored.id, 1)).spec.options == options


async def test_a_refused_deploy_leaves_nothing(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    first = around.service()
    await repositories.services.create(first, ())
    second = around.service(name=first.name)

    with refused(AlreadyExists, Reason.INFERENCE_SERVICE_NAME_TAKEN):
        await repositories.deployments.deploy(second, (), an_intent(around))
    with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
        await repositories.deployments.get(project_id, second.id)

    third = around.service()
    stored, _ = await repositories.deployments.deploy(third, (), an_intent(around))
    assert stored.id == third.id


async def test_the_deployment_outlives_its_service(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    deployment = await deployed(repositories, around)

    await repositories.services.delete(project_id, deployment.id)

    tombstone = await repositories.deployments.get(project_id, deployment.id)
    assert (tombstone.want, tombstone.spec, tombstone.namespace) == (Want.ABSENT, deployment.spec, "models")


async def test_lists_the_newest_first_by_cursor(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    deployments = [await deployed(repositories, around) for _ in range(5)]
    other = await deployed(repositories, replace(around, **vars(await Surroundings.stored(repositories, project_id))))

    async def ids(filter: DeploymentFilter) -> list[UUID]:
        found: list[UUID] = []
        after: Cursor | None = None
        while True:
            page = await repositories.deployments.list(project_id, filter, Slice(limit=2, by_cursor=True, after=after))
            found += [deployment.id for deployment in page.items]
            if (after := page.next) is None:
                return found

    newest_first = [d.id for d in reversed(deployments)]
    assert await ids(DeploymentFilter()) == [other.id, *newest_first]
    assert await ids(DeploymentFilter(registered_model_id=around.model.id)) == newest_first
    assert await ids(DeploymentFilter(phase=Phase.PENDING)) == [other.id, *newest_first]
    assert await ids(DeploymentFilter(phase=Phase.FAILED)) == []


async def test_served_at_is_none_if_nothing_ever_served(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id

    assert await repositories.deployments.served_at(project_id, id_, None) is None
    for generation in (None, 0, 2):
        with refused(NotFound, Reason.REVISION_NOT_FOUND):
            await repositories.deployments.revision(project_id, id_, generation)
    assert list(await repositories.deployments.orphans(project_id)) == []


async def test_reads_the_drift_policy_that_the_environment_has_now(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id
    await repositories.environments.update(
        project_id, around.environment.id, ServingEnvironmentPatch(drift_policy=DriftPolicy.REPORT)
    )

    assert (await repositories.deployments.get(project_id, id_)).drift_policy is DriftPolicy.REPORT


@pytest.mark.parametrize("is_stored_elsewhere", [False, True])
async def test_knows_the_deployments_of_the_project_only(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, is_stored_elsewhere: bool
) -> None:
    elsewhere = await Surroundings.stored(repositories, other_project_id)
    before = await deployed(repositories, elsewhere)
    id_ = before.id if is_stored_elsewhere else uuid4()
    deployments = repositories.deployments

    for missing in (
        deployments.get(project_id, id_),
        deployments.revise(project_id, id_, want=Want.ABSENT, spec=None, cause=Cause.UNDEPLOY, created_by=""),
        deployments.revisions(project_id, id_, Slice(by_cursor=True)),
        deployments.revision(project_id, id_, 1),
        deployments.served_at(project_id, id_, None),
        deployments.events(project_id, id_, 0, 10),
        deployments.revise(project_id, id_, want=Want.PRESENT, spec=None, cause=Cause.UPDATE, created_by="", after=1),
    ):
        with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
            await missing
    with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
        await deployments.undeploy(project_id, id_, "")
    assert await deployments.list(project_id, DeploymentFilter(), Slice(by_cursor=True)) == Page(())
    assert await deployments.get(other_project_id, before.id) == before


async def test_nobody_waits_for_the_deployments_of_another_project(
    postgres_repositories: Repositories, database: Database, project_id: UUID, other_project_id: UUID
) -> None:
    r = postgres_repositories
    id_ = (await deployed(r, await Surroundings.stored(r, other_project_id))).id
    async with database.transaction() as connection, asyncio.timeout(10):
        await connection.execute("SELECT FROM deployment WHERE id = $1 FOR UPDATE", id_)
        for refusal in (
            r.services.delete(project_id, id_),
            r.deployments.undeploy(project_id, id_, ""),
            r.deployments.change_service(project_id, id_, InferenceServicePatch(desired_state="DEPLOYED"), ""),
            r.deployments.revise(project_id, id_, want=Want.ABSENT, spec=None, cause=Cause.UNDEPLOY, created_by=""),
        ):
            with pytest.raises(NotFound):
                await refusal

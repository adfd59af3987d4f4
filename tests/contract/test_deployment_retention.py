"""The contract of DeploymentQueue.forget: which history is deleted, and which is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.queues import SERVING, Queues, queues_on
from tests.contract.surroundings import Surroundings
from tests.deployments import RETENTION
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_version
from tests.refusals import refused

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.domain.deployment import Cause, Deployment, DeploymentSpec, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import EventLogChanged, HistoryForgotten, NotFound, Reason
from registry_grpc.domain.inference_service import ServiceState
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.reason import DeploymentReason

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
LONG = RETENTION.age + DAY
UNDEPLOYED: dict[str, Any] = {
    "phase": Phase.UNDEPLOYED,
    "serving_generation": None,
    "applied": None,
    "applied_generation": 0,
    "service": replace(SERVING, current_state=ServiceState.UNDEPLOYED, url="", external_id=""),
}


@pytest.fixture
def repositories(queues: Queues) -> Repositories:
    return queues.repositories


async def revised(
    queues: Queues, deployment: Deployment, times: int = 1, spec: DeploymentSpec | None = None
) -> Deployment:
    """The deployment after this many more revisions, which repeat its spec by default."""
    of, deployments = (deployment.project_id, deployment.id), queues.repositories.deployments
    for _ in range(times):
        await deployments.revise(*of, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="ann")
    return await deployments.get(*of)


async def forget(queues: Queues) -> None:
    await queues.queue.forget(RETENTION)


async def revisions_of(queues: Queues, deployment: Deployment) -> list[int]:
    """The numbers of its revisions, oldest first."""
    all_of_them = Slice(limit=1000, by_cursor=True)
    page = await queues.repositories.deployments.revisions(deployment.project_id, deployment.id, all_of_them)
    return [revision.generation for revision in page.items][::-1]


async def events_of(queues: Queues, deployment: Deployment, after: int | None = 0) -> list[int]:
    """The sequence numbers of its events."""
    events = await queues.repositories.deployments.events(deployment.project_id, deployment.id, after, 100)
    return [event.sequence for event in events]


# Events


async def test_old_events_are_forgotten_but_for_the_newest(queues: Queues, around: Surroundings) -> None:
    busy = await revised(queues, await deployed(queues.repositories, around), 3)
    quiet = await deployed(queues.repositories, around)
    before, only = await events_of(queues, busy), await events_of(queues, quiet)

    await forget(queues)
    assert await events_of(queues, busy) == before
    await queues.grow_old(LONG)
    await forget(queues)

    assert await events_of(queues, busy) == await events_of(queues, busy, None) == before[-1:]
    assert await events_of(queues, quiet) == await events_of(queues, quiet, None) == only
    for seen_last, deployment in ((before[-1], busy), (only[0], quiet)):
        assert await events_of(queues, deployment, seen_last) == []


async def test_a_watch_continues_after_the_last_old_event_but_not_after_an_earlier_one(
    queues: Queues, around: Surroundings
) -> None:
    deployment = await revised(queues, await deployed(queues.repositories, around), 3)
    await queues.grow_old(LONG)
    await revised(queues, deployment, 2)
    *overtaken, last_old, young, newest = await events_of(queues, deployment)

    await forget(queues)

    assert await events_of(queues, deployment) == [last_old, young, newest], "how it stood then is known"
    assert await events_of(queues, deployment, last_old) == [young, newest]
    assert await events_of(queues, deployment, young) == [newest]
    for seen_last in overtaken:
        with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
            await events_of(queues, deployment, seen_last)


async def test_events_of_passes_are_deleted_in_their_order(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    first, served = await events_of(queues, deployment)
    await queues.grow_old(LONG)
    await queues.passed(deployment, phase=Phase.DEGRADED)

    await forget(queues)

    assert len(await events_of(queues, deployment, served)) == 1
    with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
        await events_of(queues, deployment, first)


# Revisions


async def test_the_last_revisions_are_kept_however_old(queues: Queues, around: Surroundings) -> None:
    busy = await revised(queues, await deployed(queues.repositories, around), 24)
    few = await revised(queues, await deployed(queues.repositories, around), 19)

    await queues.grow_old(RETENTION.age - DAY)
    await forget(queues)
    assert await revisions_of(queues, busy) == list(range(1, 26))
    await queues.grow_old(2 * DAY)
    await revised(queues, busy)
    await forget(queues)

    assert await revisions_of(queues, busy) == list(range(7, 27))
    assert await revisions_of(queues, few) == list(range(1, 21))
    with refused(NotFound, Reason.REVISION_NOT_FOUND):
        await queues.repositories.deployments.revision(busy.project_id, busy.id, 6)


async def test_a_revision_that_served_within_the_retention_is_known_from_its_beginning(
    queues: Queues, around: Surroundings
) -> None:
    deployments = queues.repositories.deployments
    deployment = await queues.passed(await deployed(queues.repositories, around))
    of = deployment.project_id, deployment.id
    await queues.grow_old(20 * DAY)
    await queues.passed(await revised(queues, deployment))
    await queues.passed(await revised(queues, deployment, 20))
    now = await queues.grow_old(80 * DAY)

    async def served(days_ago: float) -> int | None:
        revision = await deployments.served_at(*of, now - days_ago * DAY)
        return revision.generation if revision else None

    await forget(queues)
    assert [await served(days) for days in (101, 99, 91, 81, 79)] == [None, 1, 1, 1, 22]

    now = await queues.grow_old(11 * DAY)
    await forget(queues)
    assert await revisions_of(queues, deployment) == list(range(2, 23)), "the last that served before is kept"
    assert [await served(days) for days in (90.5, 1)] == [22, 22]
    assert await deployments.served_at(*of, None) == await deployments.revision(*of, 22)
    for days in (91.5, 200):
        with pytest.raises(HistoryForgotten) as refusal:
            await served(days)
        known_from = refusal.value.metadata["known_from"]
        assert known_from in refusal.value.message
        assert known_from.startswith(f"{now - 91 * DAY:%Y-%m-%d}")

    await queues.passed(await revised(queues, deployment, 25))
    await queues.passed(await revised(queues, deployment))
    now = await queues.grow_old(LONG)
    await forget(queues)
    assert await revisions_of(queues, deployment) == list(range(29, 49))
    with pytest.raises(HistoryForgotten) as refusal:
        await served(LONG.days + 1)
    assert refusal.value.metadata["known_from"].startswith(f"{now - LONG:%Y-%m-%d}"), "that of the last forgotten"


async def test_the_applied_revision_and_the_last_one_that_served_are_kept(queues: Queues, around: Surroundings) -> None:
    deployments = queues.repositories.deployments
    deployment = await queues.passed(await deployed(queues.repositories, around))
    deployment = await queues.passed(await revised(queues, deployment))
    deployment = await revised(queues, deployment)
    await queues.passed(deployment, phase=Phase.FAILED, serving_generation=None)
    await revised(queues, deployment, 30)
    await queues.grow_old(LONG)

    await forget(queues)

    assert await revisions_of(queues, deployment) == [2, 3, *range(14, 34)]
    last = await deployments.revision(deployment.project_id, deployment.id, None)
    assert last.generation == 2, "a rollback goes back to it"


async def test_the_serving_revision_is_kept(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    await queues.passed(await revised(queues, deployment))
    await queues.passed(await revised(queues, deployment), phase=Phase.UPDATING, serving_generation=1)
    await revised(queues, deployment, 30)
    await queues.grow_old(LONG)

    await forget(queues)

    assert await revisions_of(queues, deployment) == [1, 2, 3, *range(14, 34)]
    serving = await queues.repositories.deployments.served_at(deployment.project_id, deployment.id, None)
    assert serving is not None
    assert serving.generation == 1


async def test_the_revision_that_served_before_the_known_history_is_not_guessed(
    queues: Queues, around: Surroundings
) -> None:
    """The first revision serves again, as if it had never stopped; the second one, which served meanwhile, is
    forgotten."""
    deployment = await queues.passed(await deployed(queues.repositories, around))
    for _ in range(2):
        await queues.grow_old(DAY)
        await queues.passed(await revised(queues, deployment))
    await queues.grow_old(DAY)
    await queues.passed(await revised(queues, deployment), phase=Phase.UPDATING, serving_generation=1)
    await revised(queues, deployment, 30)
    now = await queues.grow_old(LONG)

    await forget(queues)

    assert 2 not in await revisions_of(queues, deployment)
    of = deployment.project_id, deployment.id
    with refused(HistoryForgotten, Reason.HISTORY_FORGOTTEN):
        await queues.repositories.deployments.served_at(*of, now - LONG - 1.5 * DAY)


async def test_links_of_a_revision_that_never_served_are_removed_by_the_next_success(
    queues: Queues, around: Surroundings
) -> None:
    repositories = queues.repositories
    deployment = await queues.passed(await deployed(repositories, around))
    broken = await stored_version(repositories, around.model)
    back, other = (DeploymentSpec.serving((version,), {}, DeploymentOptions()) for version in (around.version, broken))
    await revised(queues, deployment, spec=other)
    deployment = await revised(queues, deployment, 25, spec=back)
    await queues.grow_old(LONG)

    await forget(queues)
    assert await revisions_of(queues, deployment) == [1, 2, *range(8, 28)]
    await queues.passed(deployment)
    service = await repositories.services.get(deployment.project_id, deployment.id)
    assert [served.model_version_id for served in service.served_models] == [around.version.id]
    await forget(queues)
    assert await revisions_of(queues, deployment) == [1, *range(8, 28)]


# Deployments of deleted services


async def gone(queues: Queues, around: Surroundings) -> Deployment:
    """A deployment whose service was deleted and whose object is no longer in the cluster."""
    deployment = await queues.passed(await deployed(queues.repositories, around))
    await undeployed(queues, deployment)
    await queues.repositories.services.delete(deployment.project_id, deployment.id)
    return await queues.passed(deployment, **UNDEPLOYED)


async def undeployed(queues: Queues, deployment: Deployment) -> None:
    of = deployment.project_id, deployment.id
    await queues.repositories.deployments.undeploy(*of, "ann")
    await queues.passed(await queues.repositories.deployments.get(*of), **UNDEPLOYED)


async def is_known(queues: Queues, deployment: Deployment) -> bool:
    try:
        await queues.repositories.deployments.get(deployment.project_id, deployment.id)
    except NotFound:
        return False
    return True


async def test_the_deployment_of_a_deleted_service_is_deleted_in_the_end(queues: Queues, around: Surroundings) -> None:
    deployment = await gone(queues, around)
    await queues.grow_old(RETENTION.age - DAY)
    young = await gone(queues, around)

    await forget(queues)
    assert await is_known(queues, deployment)
    await queues.grow_old(2 * DAY)
    await forget(queues)

    assert not await is_known(queues, deployment)
    assert await is_known(queues, young)
    with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
        await events_of(queues, deployment)


async def test_it_is_as_old_as_the_last_look_at_the_cluster(queues: Queues, around: Surroundings) -> None:
    deployment = await gone(queues, around)
    await queues.grow_old(LONG)
    await queues.queue.mark_changed([deployment.id])
    await forget(queues)
    assert await is_known(queues, deployment), "there may be something again"

    await queues.passed(deployment, **UNDEPLOYED)
    await forget(queues)
    assert await is_known(queues, deployment)
    await queues.grow_old(LONG)
    await forget(queues)
    assert not await is_known(queues, deployment)


async def test_a_deployment_whose_object_may_still_exist_is_kept(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    of = deployment.project_id, deployment.id
    await queues.repositories.deployments.undeploy(*of, "ann")
    await queues.repositories.services.delete(*of)
    deployment = await queues.repositories.deployments.get(*of)
    deleting: dict[str, Any] = {**UNDEPLOYED, "phase": Phase.DELETING, "reason": DeploymentReason.DELETE_STUCK}
    await queues.passed(deployment, **deleting)
    await queues.grow_old(10 * LONG)

    await forget(queues)

    assert await is_known(queues, deployment)


async def test_the_deployment_of_a_service_is_kept(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await undeployed(queues, deployment)
    await queues.grow_old(10 * LONG)

    await forget(queues)

    assert await is_known(queues, deployment)
    assert await revisions_of(queues, deployment) == [1, 2]


# Only in PostgreSQL


async def test_waits_for_nobody(own_database: Database, project_id: UUID) -> None:
    repositories = repositories_on(own_database)
    queues = queues_on(own_database, repositories)
    around = await Surroundings.stored(repositories, project_id)
    busy, free = [await revised(queues, await deployed(repositories, around), 24) for _ in range(2)]
    tombstone = await gone(queues, around)
    await queues.grow_old(LONG)

    async with own_database.transaction() as somebody:
        await somebody.execute("SELECT FROM deployment WHERE id = ANY($1) FOR UPDATE", [busy.id, tombstone.id])
        await forget(queues)
    assert len(await revisions_of(queues, busy)) == 25
    assert len(await revisions_of(queues, free)) == 20
    assert await is_known(queues, tombstone)

    await forget(queues)
    assert len(await revisions_of(queues, busy)) == 20
    assert not await is_known(queues, tombstone)


async def test_forgets_more_than_a_batch(own_database: Database, project_id: UUID) -> None:
    repositories = repositories_on(own_database)
    queues = queues_on(own_database, repositories)
    deployment = await deployed(repositories, await Surroundings.stored(repositories, project_id))
    many = 1200
    await own_database.execute("UPDATE deployment SET generation = $2 WHERE id = $1", deployment.id, many)
    await own_database.execute(
        "INSERT INTO deployment_revision (deployment_id, generation, cause, spec) "
        "SELECT id, g, 'UPDATE', spec FROM deployment, generate_series(2, $2::int) AS g WHERE id = $1",
        deployment.id,
        many,
    )
    await own_database.execute(
        "INSERT INTO deployment_event (deployment_id, generation, phase) "
        "SELECT $1, g, 'DEPLOYED' FROM generate_series(2, $2::int) AS g",
        deployment.id,
        many,
    )
    await queues.grow_old(LONG)

    await PostgresDeploymentQueue(own_database).forget(RETENTION)

    assert await revisions_of(queues, deployment) == list(range(many - 19, many + 1))
    assert len(await events_of(queues, deployment)) == 1

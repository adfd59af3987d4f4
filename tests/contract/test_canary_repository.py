"""The contract of a canary in DeploymentRepository and DeploymentQueue: its rows, its revisions and its service."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.contract.intents import deployed
from tests.contract.queues import APPLIED, Queues, a_result, seen
from tests.contract.surroundings import Surroundings
from tests.deployments import RETENTION
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_version

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.canary import Canary, CanaryStep, Replicas, Split
from registry_grpc.domain.deployment import Cause, Deployment, DeploymentSpec, Outcome, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import ConcurrentChange, FailedPrecondition, NotFound
from registry_grpc.domain.inference_service import InferenceServicePatch, ServiceState
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.ports.cluster import EVERYWHERE

SPLIT = Split(percent=25, target=Replicas(1, 1), stable=Replicas(3, 2))
SHARED: dict[str, Any] = {
    "phase": Phase.UPDATING,
    "reason": DeploymentReason.CANARY,
    "serving_generation": 1,
    "split": SPLIT,
    "is_shared": True,
}


@pytest.fixture(autouse=True)
async def _no_others(own_database: Database) -> None:
    await own_database.fetch("TRUNCATE deployment, orphan CASCADE")


@pytest.fixture
def repositories(queues: Queues) -> Repositories:
    return queues.repositories


async def revise(queues: Queues, deployment: Deployment, around: Surroundings, percent: int | None) -> Deployment:
    """The deployment with a revision of another version."""
    version = await stored_version(queues.repositories, around.model, status="READY")
    spec = DeploymentSpec.serving((version,), {}, DeploymentOptions())
    deployments, project_id = queues.repositories.deployments, deployment.project_id
    await deployments.revise(
        project_id, deployment.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="ann",
        canary_percent=percent,
    )  # fmt: skip
    return await deployments.get(project_id, deployment.id)


async def tried(queues: Queues, around: Surroundings) -> Deployment:
    """Revision 2 has a quarter of the requests beside revision 1."""
    before = await queues.passed(await deployed(queues.repositories, around))
    return await queues.passed(await revise(queues, before, around, 25), **SHARED)


async def move(queues: Queues, deployment: Deployment, step: CanaryStep, percent: int | None = None) -> Deployment:
    deployments, project_id = queues.repositories.deployments, deployment.project_id
    await deployments.move_canary(
        project_id, deployment.id, step, percent, message="by ann", after=deployment.generation
    )
    return await deployments.get(project_id, deployment.id)


async def revisions(queues: Queues, deployment: Deployment) -> list[tuple[Outcome, bool, bool]]:
    """Outcome, whether it began to serve, and whether it still does, of all revisions in their order."""
    page = await queues.repositories.deployments.revisions(deployment.project_id, deployment.id, Slice(limit=9))
    return [
        (r.outcome, r.served_from is not None, bool(r.served_from and not r.served_until)) for r in page.items[::-1]
    ]


async def service_version(queues: Queues, deployment: Deployment) -> object:
    return (await queues.repositories.services.get(deployment.project_id, deployment.id)).model_version_id


async def test_a_revision_is_tried_beside_the_present_one(queues: Queues, around: Surroundings) -> None:
    before = await queues.passed(await deployed(queues.repositories, around))
    after = await revise(queues, before, around, 25)
    stable_version = before.spec.model_version_id
    assert after.canary == Canary(stable_generation=1, stable_version_id=stable_version, percent=25)
    assert (after.generation, after.serving_generation, after.split) == (2, 1, None)
    assert await service_version(queues, after) == stable_version
    after = await queues.passed(after, **SHARED)
    assert after.split == SPLIT
    assert await revisions(queues, after) == [(Outcome.SERVED, True, True), (Outcome.SERVED, True, True)]
    served = await queues.repositories.deployments.served_at(after.project_id, after.id, None)
    assert served is not None
    assert served.generation == 1
    assert await revisions(queues, await queues.passed(after, **SHARED | {"is_shared": False, "message": "none"})) == [
        (Outcome.SERVED, True, True),
        (Outcome.SERVED, True, False),
    ]


async def test_another_revision_takes_the_place_of_the_tried_one(queues: Queues, around: Surroundings) -> None:
    deployment = await tried(queues, around)
    stable_version = deployment.canary and deployment.canary.stable_version_id
    after = await revise(queues, deployment, around, 40)
    assert after.canary is not None
    assert (after.generation, after.canary.stable_generation, after.canary.percent) == (3, 1, 40)
    assert after.canary.stable_version_id == stable_version == await service_version(queues, after)
    assert await revisions(queues, after) == [
        (Outcome.SERVED, True, True),
        (Outcome.ABORTED, True, False),
        (Outcome.PENDING, False, False),
    ]
    # When the new one is promoted, a rollback returns to what served beside it, and not to what was only tried.
    after = await queues.passed(await move(queues, after, CanaryStep.PROMOTE), **SHARED | {"ended": CanaryStep.PROMOTE})
    promoted = await queues.passed(after)
    back = await queues.repositories.deployments.revision(promoted.project_id, promoted.id, None)
    assert back.generation == 1


@pytest.mark.parametrize("step", list(CanaryStep))
async def test_another_project_moves_nothing(
    queues: Queues, around: Surroundings, other_project_id: UUID, step: CanaryStep
) -> None:
    before = await tried(queues, around)
    with pytest.raises(ConcurrentChange):
        await queues.repositories.deployments.move_canary(
            other_project_id, before.id, step, 50, message="by bob", after=before.generation
        )
    assert await queues.repositories.deployments.get(before.project_id, before.id) == before


async def test_a_promotion(queues: Queues, around: Surroundings) -> None:
    deployment = await tried(queues, around)
    promoting = await move(queues, deployment, CanaryStep.PROMOTE)
    assert promoting.canary is not None
    assert (promoting.canary.step, promoting.canary.percent, promoting.message) == (CanaryStep.PROMOTE, 25, "by ann")
    assert await service_version(queues, promoting) == deployment.spec.model_version_id
    done = await queues.passed(promoting, **SHARED | {"ended": CanaryStep.PROMOTE})
    assert (done.canary, done.split, done.generation, done.spec) == (None, None, 2, deployment.spec)
    [claim] = await queues.claimed()
    assert claim.deployment.id == done.id, "it is due at once"
    await queues.queue.release(claim)
    done = await queues.passed(done)
    assert await revisions(queues, done) == [(Outcome.SERVED, True, False), (Outcome.SERVED, True, True)]
    last = await queues.repositories.deployments.revision(done.project_id, done.id, None)
    assert last.generation == 1


async def test_an_abort(queues: Queues, around: Surroundings) -> None:
    deployment = await tried(queues, around)
    stable = (await queues.repositories.deployments.revision(deployment.project_id, deployment.id, 1)).spec
    promoting = await move(queues, deployment, CanaryStep.PROMOTE)
    aborting = await move(queues, promoting, CanaryStep.ABORT)
    assert await service_version(queues, aborting) == stable.model_version_id
    done = await queues.passed(aborting, **SHARED | {"ended": CanaryStep.ABORT})
    assert (done.canary, done.split, done.generation, done.spec) == (None, None, 1, stable)
    assert await revisions(queues, done) == [(Outcome.SERVED, True, True), (Outcome.ABORTED, True, False)]
    done = await queues.passed(done, applied_generation=1)
    services = queues.repositories.services
    linked = (await services.get(done.project_id, done.id)).served_models
    assert [(each.model_version_id, each.last_known_state) for each in linked] == [
        (stable.model_version_id, ServeModelState.RUNNING)
    ]
    # No number is given twice, and the aborted revision is none to go back to.
    later = await queues.passed(await revise(queues, done, around, None))
    assert later.generation == 3
    last = await queues.repositories.deployments.revision(later.project_id, later.id, None)
    assert last.generation == 1


async def test_an_object_that_was_listed_before_an_abort_is_not_ahead(queues: Queues, around: Surroundings) -> None:
    aborting = await move(queues, await tried(queues, around), CanaryStep.ABORT)
    listed = seen(aborting, revision=2)
    done = await queues.passed(aborting, **SHARED | {"ended": CanaryStep.ABORT})
    await queues.queue.compare(EVERYWHERE, [listed])
    after = await queues.repositories.deployments.get(done.project_id, done.id)
    assert after.generation == 1
    assert len(await revisions(queues, after)) == 2


async def test_an_aborted_revision_that_never_served(queues: Queues, around: Surroundings) -> None:
    before = await queues.passed(await deployed(queues.repositories, around))
    aborting = await move(queues, await revise(queues, before, around, 25), CanaryStep.ABORT)
    done = await queues.passed(aborting, **SHARED | {"is_shared": False, "ended": CanaryStep.ABORT})
    assert await revisions(queues, done) == [(Outcome.SERVED, True, True), (Outcome.ABORTED, False, False)]


async def test_a_share_is_changed_without_a_revision(queues: Queues, around: Surroundings) -> None:
    deployment = await tried(queues, around)
    after = await move(queues, deployment, CanaryStep.TRY, 60)
    assert after.canary is not None
    assert (after.generation, after.canary.percent, after.canary.step) == (2, 60, CanaryStep.TRY)
    [claim] = await queues.claimed() or [await queues.taken(after)]
    await queues.queue.release(claim)
    with pytest.raises(ConcurrentChange):
        await move(queues, replace(after, generation=1), CanaryStep.PROMOTE)


@pytest.mark.parametrize("ending", [CanaryStep.PROMOTE, CanaryStep.ABORT])
async def test_a_request_that_read_the_step_before_does_not_undo_the_end(
    queues: Queues, around: Surroundings, ending: CanaryStep
) -> None:
    before = await tried(queues, around)
    after = await move(queues, before, ending)
    with pytest.raises(ConcurrentChange):
        await move(queues, before, CanaryStep.TRY, 60)
    with pytest.raises(ConcurrentChange):
        await move(queues, before, CanaryStep.PROMOTE)
    with pytest.raises(ConcurrentChange):
        await revise(queues, before, around, 60)
    assert await queues.repositories.deployments.get(before.project_id, before.id) == after


async def test_without_a_canary_nothing_moves(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    for step in CanaryStep:
        with pytest.raises(ConcurrentChange):
            await move(queues, deployment, step)


@pytest.mark.parametrize("change", [{"step": CanaryStep.ABORT}, {"step": CanaryStep.TRY, "percent": 30}])
async def test_a_pass_that_a_request_overtook_does_not_end_the_canary(
    queues: Queues, around: Surroundings, change: dict[str, Any]
) -> None:
    deployment = await tried(queues, around)
    if change["step"] is CanaryStep.ABORT:
        deployment = await move(queues, deployment, CanaryStep.PROMOTE)
    claim = await queues.taken(deployment)
    await move(queues, deployment, **change)
    split = replace(APPLIED, split=deployment.wanted_split)
    assert await queues.queue.record(
        claim, a_result(deployment, **SHARED | {"ended": CanaryStep.PROMOTE, "applied": split})
    )
    after = await queues.repositories.deployments.get(deployment.project_id, deployment.id)
    assert after.canary is not None
    assert after.canary.step is change["step"]
    assert after.applied == split
    assert [claim.deployment.id for claim in await queues.claimed()] == [after.id]


async def test_an_undeployment_ends_it_with_the_stable_revision(queues: Queues, around: Surroundings) -> None:
    deployment = await tried(queues, around)
    stable = (await queues.repositories.deployments.revision(deployment.project_id, deployment.id, 1)).spec
    await queues.repositories.deployments.undeploy(deployment.project_id, deployment.id, "ann")
    gone = await queues.repositories.deployments.get(deployment.project_id, deployment.id)
    assert (gone.canary, gone.split, gone.spec, gone.generation) == (None, None, stable, 3)
    assert await service_version(queues, gone) == stable.model_version_id
    assert (await revisions(queues, gone))[1] == (Outcome.ABORTED, True, False)
    back = await queues.repositories.deployments.revision(gone.project_id, gone.id, None)
    assert (back.generation, back.spec) == (1, stable)
    up = InferenceServicePatch(desired_state=ServiceState.DEPLOYED)
    await queues.repositories.deployments.change_service(gone.project_id, gone.id, up, "ann")
    assert (await queues.repositories.deployments.get(gone.project_id, gone.id)).spec == stable


async def test_the_service_keeps_naming_the_stable_version(queues: Queues, around: Surroundings) -> None:
    deployment = await tried(queues, around)
    deployments, project_id = queues.repositories.deployments, deployment.project_id
    assert deployment.canary is not None
    same = InferenceServicePatch(model_version_id=deployment.canary.stable_version_id)
    await deployments.change_service(project_id, deployment.id, same, "ann", keeps_version=True)
    other = InferenceServicePatch(model_version_id=deployment.spec.model_version_id)
    with pytest.raises(FailedPrecondition):
        await deployments.change_service(project_id, deployment.id, other, "ann", keeps_version=True)


async def test_a_promotion_keeps_the_version_that_it_gives_to_the_service(queues: Queues, around: Surroundings) -> None:
    deployment = await move(queues, await tried(queues, around), CanaryStep.PROMOTE)
    deployments, project_id = queues.repositories.deployments, deployment.project_id
    same = InferenceServicePatch(model_version_id=deployment.spec.model_version_id)
    await deployments.change_service(project_id, deployment.id, same, "ann", keeps_version=True)
    assert deployment.canary is not None
    other = InferenceServicePatch(model_version_id=deployment.canary.stable_version_id)
    with pytest.raises(FailedPrecondition):
        await deployments.change_service(project_id, deployment.id, other, "ann", keeps_version=True)


async def test_aborted_revisions_are_forgotten_and_what_served_beside_them_is_known(
    queues: Queues, around: Surroundings
) -> None:
    deployments = queues.repositories.deployments
    before = await queues.passed(await deployed(queues.repositories, around))
    await queues.grow_old(timedelta(days=1))
    deployment = before
    for _ in range(24):
        deployment = await queues.passed(await revise(queues, deployment, around, 25), **SHARED)
    aborting = await move(queues, deployment, CanaryStep.ABORT)
    done = await queues.passed(aborting, **SHARED | {"ended": CanaryStep.ABORT})
    done = await queues.passed(done)
    now = await queues.grow_old(RETENTION.age + timedelta(days=1))

    await queues.queue.forget(RETENTION)

    page = await deployments.revisions(done.project_id, done.id, Slice(limit=100))
    assert [r.generation for r in page.items] == [*range(25, 5, -1), 1]
    for at in (None, now - RETENTION.age - timedelta(days=1, hours=1)):
        served = await deployments.served_at(done.project_id, done.id, at)
        assert served is not None
        assert served.generation == 1
    assert (await revise(queues, done, around, None)).generation == 26


async def test_the_stable_revision_is_kept_while_others_are_tried(queues: Queues, around: Surroundings) -> None:
    before = await queues.passed(await deployed(queues.repositories, around))
    deployment = before
    for _ in range(24):
        deployment = await queues.passed(await revise(queues, deployment, around, 25), **SHARED)
    await queues.grow_old(RETENTION.age + timedelta(days=1))
    await queues.queue.forget(RETENTION)
    assert await queues.queue.spec_of(deployment.id, 1) == before.spec
    with pytest.raises(NotFound):
        await queues.queue.spec_of(deployment.id, 99)


async def test_the_revision_that_an_abort_returns_to_is_kept(queues: Queues, around: Surroundings) -> None:
    """It no longer serves, because somebody has deleted the object, and it is not applied again yet."""
    deployment = before = await queues.passed(await deployed(queues.repositories, around))
    for _ in range(24):
        deployment = await queues.passed(await revise(queues, deployment, around, 25), **SHARED)
    gone = SHARED | {"serving_generation": None, "is_shared": False, "ended": CanaryStep.ABORT}
    done = await queues.passed(await move(queues, deployment, CanaryStep.ABORT), **gone)
    await queues.grow_old(RETENTION.age + timedelta(days=1))
    await queues.queue.forget(RETENTION)
    assert (done.generation, done.applied_generation) == (1, 25)
    stable = await queues.repositories.deployments.revision(done.project_id, done.id, 1)
    assert stable.spec == before.spec

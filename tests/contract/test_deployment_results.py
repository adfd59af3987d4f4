"""The contract of DeploymentQueue: recorded results, revisions and what follows from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from tests.contract.intents import deployed
from tests.contract.queues import AFTER_THE_LEASE, APPLIED, SERVING, Queues, a_result
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_version
from tests.refusals import refused

from registry_grpc.domain.deployment import Cause, DeploymentSpec, FieldDifference, Outcome, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.ports.deployments import DeploymentFilter

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("no_other_deployments")


@pytest.fixture
def repositories(queues: Queues) -> Repositories:
    return queues.repositories


# Results


async def test_a_result_is_stored_and_makes_an_event(queues: Queues, around: Surroundings) -> None:
    before = await deployed(queues.repositories, around)
    result = a_result(
        before,
        phase=Phase.DRIFTED,
        reason=DeploymentReason.SPEC_CHANGED,
        message="somebody changed it",
        drift=(FieldDifference("spec.x", "1", "2"),),
        attempts=3,
        again_in=HOUR,
    )
    claim = await queues.taken(before)
    assert await queues.queue.record(claim, result)

    after = await queues.repositories.deployments.get(before.project_id, before.id)
    assert after.observed_at is not None
    assert after.observed_at == after.updated_at == after.phase_since > before.created_at
    assert after == replace(
        before,
        phase=Phase.DRIFTED,
        reason=DeploymentReason.SPEC_CHANGED,
        message="somebody changed it",
        next_step=DeploymentReason.SPEC_CHANGED.next_step,
        url="http://iris",
        drift=result.drift,
        attempts=3,
        applied=APPLIED,
        applied_generation=1,
        applied_at=before.revised_at,
        serving_generation=1,
        observed_at=after.observed_at,
        updated_at=after.updated_at,
        phase_since=after.phase_since,
    )
    event = (await queues.repositories.deployments.events(before.project_id, before.id, None, 1))[0]
    told = (event.generation, event.serving_generation, event.phase, event.reason, event.message, event.next_step)
    assert told == (1, 1, Phase.DRIFTED, DeploymentReason.SPEC_CHANGED, "somebody changed it", after.next_step)


async def test_the_service_follows(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    by_hand = await stored_version(queues.repositories, around.model)
    before = await queues.repositories.services.get(deployment.project_id, deployment.id)
    await queues.repositories.serve_models.create(a_serve_model(before, by_hand, last_known_state="PENDING"))

    await queues.passed(deployment)
    service = await queues.repositories.services.get(deployment.project_id, deployment.id)
    assert (service.current_state, service.external_id, service.url) == ("DEPLOYED", "uid-1", "http://iris")
    assert service.last_error == ""
    assert service.updated_at > before.updated_at
    states = {served.model_version_id: served.last_known_state for served in service.served_models}
    assert states == {around.version.id: "RUNNING", by_hand.id: "PENDING"}

    view = replace(SERVING, last_error=None, served_state=ServeModelState.FAILED)
    await queues.passed(deployment, service=replace(view, last_error="it broke"))
    await queues.passed(deployment, service=view)
    service = await queues.repositories.services.get(deployment.project_id, deployment.id)
    assert service.last_error == "it broke", "None leaves the text that is there"
    assert "FAILED" in {served.last_known_state for served in service.served_models}


async def test_an_unchanged_result_makes_no_event(queues: Queues, around: Surroundings) -> None:
    first = await queues.passed(await deployed(queues.repositories, around))
    second = await queues.passed(first)

    assert second.observed_at is not None
    assert first.observed_at is not None
    assert second.observed_at > first.observed_at
    assert second == replace(first, observed_at=second.observed_at)
    assert len(await queues.repositories.deployments.events(first.project_id, first.id, 0, 10)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"reason": DeploymentReason.QUOTA},
        {"message": "x"},
        {"url": "http://other"},
        {"serving_generation": None},
        {"applied": replace(APPLIED, uid="uid-2")},
        {"applied": None},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_changed_result_makes_an_event(queues: Queues, around: Surroundings, change: dict[str, object]) -> None:
    first = await queues.passed(await deployed(queues.repositories, around))
    second = await queues.passed(first, **change)

    assert second.updated_at > first.updated_at
    assert second.phase_since == first.phase_since
    assert len(await queues.repositories.deployments.events(first.project_id, first.id, 0, 10)) == 3


async def test_a_result_sets_the_time_of_the_next_pass(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)

    await queues.passed(deployment, again_in=HOUR)
    delay = await queues.queue.next_due()
    assert delay is not None
    assert HOUR / 2 < delay <= HOUR
    assert await queues.claimed() == []
    await queues.let_pass(HOUR + timedelta(seconds=1))
    assert len(await queues.claimed()) == 1

    await queues.let_pass(AFTER_THE_LEASE)
    await queues.passed(deployment, again_in=None)
    await queues.let_pass(100 * HOUR)
    assert await queues.claimed() == []
    assert await queues.queue.next_due() is None


async def test_a_deployment_that_changed_since_the_claim_is_due_at_once(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await queues.queue.mark_changed([deployment.id])
    claim = await queues.taken(deployment)
    await queues.queue.record(claim, a_result(deployment, again_in=HOUR))
    assert await queues.claimed() == [], "the pass has seen what changed before its claim"

    claim = await queues.taken(deployment)
    await queues.queue.mark_changed([deployment.id])
    await queues.queue.record(claim, a_result(deployment, again_in=HOUR))
    assert [claim.deployment.id for claim in await queues.claimed()] == [deployment.id]


async def test_a_newer_revision_keeps_its_own_state_but_learns_the_applied_object(
    queues: Queues, around: Surroundings
) -> None:
    deployment = await deployed(queues.repositories, around)
    claim = await queues.taken(deployment)
    await queues.repositories.deployments.revise(
        deployment.project_id, deployment.id, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
    )
    revised = await queues.repositories.deployments.get(deployment.project_id, deployment.id)

    assert await queues.queue.record(claim, a_result(deployment, again_in=HOUR)) is True

    after = await queues.repositories.deployments.get(deployment.project_id, deployment.id)
    assert after == replace(revised, applied=APPLIED, applied_generation=1, applied_at=deployment.revised_at)
    assert len(await queues.repositories.deployments.events(deployment.project_id, deployment.id, 0, 10)) == 2
    assert [claim.deployment for claim in await queues.claimed()] == [after]


async def test_an_undeployment_forgets_which_revision_the_object_is_of(queues: Queues, around: Surroundings) -> None:
    """A redeployment must know that the object was not deleted by somebody else."""
    deployment = await queues.passed(await deployed(queues.repositories, around))
    assert deployment.applied_generation == 1

    await queues.repositories.deployments.undeploy(deployment.project_id, deployment.id, "")

    after = await queues.repositories.deployments.get(deployment.project_id, deployment.id)
    assert (after.applied, after.applied_generation) == (APPLIED, 0)


async def test_a_deletion_meanwhile_keeps_the_applied_object(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    claim = await queues.taken(deployment)
    await queues.repositories.services.delete(deployment.project_id, deployment.id)

    assert await queues.queue.record(claim, a_result(deployment, again_in=HOUR)) is True

    (claim,) = await queues.claimed()
    assert (claim.deployment.want, claim.deployment.phase) == (Want.ABSENT, Phase.PENDING)
    assert (claim.deployment.applied, claim.deployment.applied_generation) == (APPLIED, 0)


async def test_a_tombstone_is_recorded_without_a_service(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await queues.repositories.services.delete(deployment.project_id, deployment.id)

    gone = await queues.passed(
        deployment, phase=Phase.UNDEPLOYED, applied=None, applied_generation=0, applied_at=None, serving_generation=None
    )

    assert (gone.phase, gone.applied) == (Phase.UNDEPLOYED, None)


# Revisions


async def test_a_reason_of_a_newer_release_is_stored_and_answered_unchanged(
    queues: Queues, around: Surroundings
) -> None:
    deployments, project_id = queues.repositories.deployments, around.environment.project_id
    word = DeploymentReason.stored("TOO_COLD")
    deployment = await deployed(queues.repositories, around)

    after = await queues.passed(deployment, phase=Phase.FAILED, reason=word, serving_generation=None)

    (listed,) = (await deployments.list(project_id, DeploymentFilter(), Slice(by_cursor=True))).items
    revision = await deployments.revision(project_id, after.id, 1)
    (event,) = await deployments.events(project_id, after.id, None, 1)
    assert {after.reason, listed.reason, revision.reason, event.reason} == {"TOO_COLD"}
    assert after.next_step == event.next_step == word.next_step


async def test_revisions_have_outcomes(queues: Queues, around: Surroundings) -> None:
    deployments, project_id = queues.repositories.deployments, around.environment.project_id
    first = await queues.passed(await deployed(queues.repositories, around))
    for _ in range(2):
        await deployments.revise(
            project_id, first.id, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
        )
    third = await deployments.get(project_id, first.id)

    await queues.passed(third, phase=Phase.FAILED, reason=DeploymentReason.MODEL_LOAD, serving_generation=1)
    one, two, three = [await deployments.revision(project_id, first.id, generation) for generation in (1, 2, 3)]
    assert (one.outcome, two.outcome, three.outcome) == (Outcome.SERVED, Outcome.SUPERSEDED, Outcome.FAILED)
    assert (one.served_from, one.served_until) == (first.observed_at, None)
    assert (three.reason, three.served_from) == (DeploymentReason.MODEL_LOAD, None)

    after = await queues.passed(third)
    one, three = [await deployments.revision(project_id, first.id, generation) for generation in (1, 3)]
    assert (one.served_until, three.served_from) == (after.observed_at, after.observed_at)
    assert (three.outcome, three.reason) == (Outcome.SERVED, "")
    at = [first.created_at, first.observed_at, after.observed_at, None]
    served = [await deployments.served_at(project_id, first.id, moment) for moment in at]
    assert [revision and revision.generation for revision in served] == [None, 1, 3, 3]
    assert await deployments.revision(project_id, first.id, None) == one, "the last one that served before"

    await queues.passed(third, phase=Phase.STOPPED, serving_generation=None)
    await queues.passed(third, phase=Phase.FAILED, serving_generation=None)
    assert (await deployments.revision(project_id, first.id, 3)).outcome is Outcome.SERVED, "it did once"


async def test_a_revision_that_is_stopped_and_resumed_serves_in_periods(queues: Queues, around: Surroundings) -> None:
    deployments, project_id = queues.repositories.deployments, around.environment.project_id
    began = await queues.passed(await deployed(queues.repositories, around))
    await queues.passed(began, phase=Phase.DEGRADED, serving_generation=1)
    stopped = await queues.passed(began, phase=Phase.STOPPED, serving_generation=None)
    assert await deployments.served_at(project_id, began.id, None) is None
    resumed = await queues.passed(began)
    stopped_again = await queues.passed(began, phase=Phase.STOPPED, serving_generation=None)
    last = await queues.passed(began)

    one = await deployments.revision(project_id, began.id, 1)
    assert (one.served_from, one.served_until) == (began.observed_at, None)
    times = [passed.observed_at for passed in (began, stopped, resumed, stopped_again, last)]
    served = [await deployments.served_at(project_id, began.id, at) for at in (began.created_at, *times, None)]
    assert [revision and (revision.served_from, revision.served_until) for revision in served] == [
        None,
        (times[0], times[1]),
        None,
        (times[2], times[3]),
        None,
        (times[4], None),
        (times[4], None),
    ]
    assert all(revision.spec == one.spec for revision in served if revision)


async def test_no_time_is_before_an_earlier_one_after_a_failover(queues: Queues, around: Surroundings) -> None:
    """The clock of the new primary is slower."""
    deployments, project_id = queues.repositories.deployments, around.environment.project_id
    deployment = await queues.passed(await deployed(queues.repositories, around))
    await queues.grow_old(-HOUR)

    await deployments.revise(
        project_id, deployment.id, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
    )
    revised = await deployments.get(project_id, deployment.id)
    assert revised.updated_at >= revised.created_at
    passed = await queues.passed(revised)
    assert passed.updated_at >= passed.created_at
    one, two = [await deployments.revision(project_id, deployment.id, generation) for generation in (1, 2)]
    assert one.served_from is not None
    assert one.served_until is not None
    assert one.served_until >= one.served_from
    assert await deployments.served_at(project_id, deployment.id, None) == two

    await queues.grow_old(-HOUR)
    assert await deployments.served_at(project_id, deployment.id, None) is not None, "it still serves"


async def test_only_the_own_project_can_read_the_served_revision(
    queues: Queues, around: Surroundings, other_project_id: UUID
) -> None:
    deployments = queues.repositories.deployments
    first = await queues.passed(await deployed(queues.repositories, around))
    await deployments.revise(
        first.project_id, first.id, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
    )

    for missing in (
        deployments.served_at(other_project_id, first.id, None),
        deployments.served_at(other_project_id, first.id, first.observed_at),
        deployments.revision(other_project_id, first.id, None),
        deployments.revision(other_project_id, first.id, 1),
    ):
        with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
            await missing


async def test_links_of_superseded_versions_go_when_the_new_one_serves(queues: Queues, around: Surroundings) -> None:
    project_id = around.environment.project_id
    first = await queues.passed(await deployed(queues.repositories, around))
    service = await queues.repositories.services.get(project_id, first.id)
    new, by_hand = [await stored_version(queues.repositories, around.model) for _ in range(2)]
    await queues.repositories.serve_models.create(a_serve_model(service, by_hand))
    spec = DeploymentSpec.serving((new,), {}, DeploymentOptions())
    await queues.repositories.deployments.revise(
        project_id, first.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by=""
    )

    async def linked() -> set[UUID]:
        service = await queues.repositories.services.get(project_id, first.id)
        return {served.model_version_id for served in service.served_models}

    second = await queues.repositories.deployments.get(project_id, first.id)
    await queues.passed(second, phase=Phase.UPDATING, serving_generation=1)
    assert await linked() == {around.version.id, new.id, by_hand.id}
    await queues.passed(second)
    assert await linked() == {new.id, by_hand.id}

"""The contract of DeploymentQueue: claims of deployments, their times, and recorded results."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.contract.conftest import repositories_on
from tests.contract.intents import an_intent, deployed
from tests.contract.queues import (
    AFTER_THE_LEASE,
    AFTER_THE_REQUEST,
    APPLIED,
    SERVING,
    Queues,
    a_result,
    queues_on,
    seen,
)
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_version
from tests.refusals import refused

from registry_grpc.adapters.postgres import deployment_queue
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.domain.deployment import Cause, DeploymentSpec, FieldDifference, Outcome, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import NotFound, Reason, Unavailable
from registry_grpc.domain.inference_service import ServiceState
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.reason import NO_ACCESS, DeploymentReason
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch
from registry_grpc.ports.cluster import EVERYWHERE
from registry_grpc.ports.deployments import DeploymentFilter

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def _no_others(own_database: Database) -> None:
    await own_database.fetch("TRUNCATE deployment, orphan CASCADE")


@pytest.fixture
def repositories(queues: Queues) -> Repositories:
    return queues.repositories


# Claims


async def test_a_new_deployment_is_left_to_its_request_for_a_moment(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)

    assert await queues.claimed() == []
    delay = await queues.queue.next_due()
    assert delay is not None
    assert timedelta() < delay <= AFTER_THE_REQUEST
    await queues.let_pass(AFTER_THE_REQUEST)

    (claim,) = await queues.claimed()
    assert claim.deployment == deployment
    assert claim.now >= deployment.created_at


async def test_deployments_of_all_projects_are_worked_on(
    queues: Queues, around: Surroundings, other_project_id: UUID
) -> None:
    elsewhere = await Surroundings.stored(queues.repositories, other_project_id)
    deployments = [await deployed(queues.repositories, place) for place in (around, elsewhere)]
    await queues.let_pass(AFTER_THE_REQUEST)

    assert {claim.deployment.project_id for claim in await queues.claimed()} == {d.project_id for d in deployments}


async def test_deployments_that_have_been_due_longest_come_first(queues: Queues, around: Surroundings) -> None:
    first, second, third = [await deployed(queues.repositories, around) for _ in range(3)]
    await queues.let_pass(AFTER_THE_REQUEST)
    await queues.queue.mark_changed([third.id])
    await queues.queue.mark_changed([second.id])

    assert [claim.deployment.id for claim in await queues.queue.claim(1)] == [first.id]
    assert {claim.deployment.id for claim in await queues.queue.claim(2)} == {second.id, third.id}


async def test_projects_take_turns(queues: Queues, around: Surroundings, other_project_id: UUID) -> None:
    """Even if a claim takes only one, because all others are being worked on."""
    crowd = [await deployed(queues.repositories, around) for _ in range(5)]
    one = await deployed(queues.repositories, await Surroundings.stored(queues.repositories, other_project_id))
    await queues.let_pass(AFTER_THE_REQUEST)

    order = [(await queues.queue.claim(1))[0].deployment for _ in range(6)]
    assert [d.project_id for d in order] == [crowd[0].project_id, one.project_id] + [crowd[0].project_id] * 4


async def test_applied_objects_come_before_those_to_be_applied(queues: Queues, around: Surroundings) -> None:
    waiting = await deployed(queues.repositories, around)
    applied = await queues.passed(await deployed(queues.repositories, around))
    await queues.let_pass(AFTER_THE_REQUEST)
    await queues.queue.mark_changed([applied.id])

    order = [(await queues.queue.claim(1))[0].deployment.id for _ in range(2)]
    assert order == [applied.id, waiting.id]


@pytest.mark.parametrize(
    ("reason", "applied_generation", "is_due"), [("REJECTED", 1, True), ("QUOTA", 1, False), ("REJECTED", 0, False)]
)
async def test_one_that_is_no_longer_refused_makes_others_due(
    queues: Queues, around: Surroundings, reason: str, applied_generation: int, is_due: bool
) -> None:
    hour = timedelta(hours=1)
    one, other = [await deployed(queues.repositories, around) for _ in range(2)]
    for deployment, why in ((one, "REJECTED"), (other, reason)):
        refusal = DeploymentReason(why)
        await queues.passed(deployment, phase=Phase.FAILED, reason=refusal, applied_generation=0, again_in=hour)

    await queues.passed(one, phase=Phase.PENDING, applied_generation=applied_generation, again_in=hour)
    assert [claim.deployment.id for claim in await queues.claimed()] == [other.id] * is_due


async def test_a_leased_deployment_is_not_claimed_again(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await queues.taken(deployment)
    await queues.let_pass(AFTER_THE_REQUEST)
    await queues.queue.mark_changed([deployment.id])

    for queue in (queues.queue, queues.elsewhere):
        assert await queue.claim(100) == []
        assert await queue.claim_one(deployment.id) is None


async def test_many_claims_at_once_share_the_work(queues: Queues, around: Surroundings) -> None:
    deployments = [await deployed(queues.repositories, around) for _ in range(20)]
    await queues.let_pass(AFTER_THE_REQUEST)

    claims = await asyncio.gather(*(queue.claim(3) for queue in (queues.queue, queues.elsewhere) * 8))

    claimed = [claim.deployment.id for some in claims for claim in some]
    claimed += [claim.deployment.id for claim in await queues.claimed()]  # they may skip locked rows
    assert sorted(claimed) == sorted(d.id for d in deployments)


async def test_one_that_is_not_due_can_be_claimed_and_one_that_is_not_there_cannot(
    queues: Queues, around: Surroundings
) -> None:
    deployment = await deployed(queues.repositories, around)

    assert (await queues.taken(deployment)).deployment == deployment
    assert await queues.queue.claim_one(uuid4()) is None


@pytest.mark.parametrize("is_claimed_again", [False, True])
async def test_a_claim_whose_lease_has_ended_records_nothing(
    queues: Queues, around: Surroundings, *, is_claimed_again: bool
) -> None:
    deployment = await deployed(queues.repositories, around)
    lost = await queues.taken(deployment)
    await queues.let_pass(AFTER_THE_LEASE)
    again = await queues.elsewhere.claim_one(deployment.id) if is_claimed_again else None

    assert await queues.queue.record(lost, a_result(deployment)) is False

    deployments = queues.repositories.deployments
    assert await deployments.get(deployment.project_id, deployment.id) == deployment
    assert len(await deployments.events(deployment.project_id, deployment.id, 0, 10)) == 1
    service = await queues.repositories.services.get(deployment.project_id, deployment.id)
    assert service.current_state == ServiceState.UNDEPLOYED
    if again:
        await queues.queue.release(lost)
        assert await queues.queue.claim_one(deployment.id) is None, "the lease of another is not given back"
        assert await queues.elsewhere.record(again, a_result(deployment))
    else:
        assert [claim.deployment.id for claim in await queues.claimed()] == [deployment.id]


async def test_a_renewed_lease_lasts_and_a_lost_one_is_not_renewed(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    claim = await queues.taken(deployment)
    for _ in range(3):
        await queues.let_pass(AFTER_THE_LEASE / 2)
        await queues.queue.renew(claim)
    assert await queues.elsewhere.claim_one(deployment.id) is None

    await queues.let_pass(AFTER_THE_LEASE)
    await queues.queue.renew(claim)
    assert await queues.queue.record(claim, a_result(deployment)) is False
    again = await queues.elsewhere.claim_one(deployment.id)
    assert again is not None
    await queues.queue.renew(claim)
    await queues.let_pass(AFTER_THE_LEASE / 2)
    assert await queues.elsewhere.record(again, a_result(deployment)) is True


async def test_a_lease_on_a_due_deployment_is_waited_for(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await queues.queue.mark_changed([deployment.id])
    await queues.taken(deployment)
    delay = await queues.queue.next_due()
    assert delay is not None
    assert timedelta(0) < delay < AFTER_THE_LEASE


async def test_a_recorded_claim_records_once(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    claim = await queues.taken(deployment)

    assert await queues.queue.record(claim, a_result(deployment)) is True
    assert await queues.queue.record(claim, a_result(deployment, phase=Phase.FAILED)) is False


async def test_a_released_deployment_is_due_again_soon(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await queues.queue.release(await queues.taken(deployment))

    assert await queues.claimed() == []
    await queues.let_pass(timedelta(seconds=1.1))
    assert [claim.deployment for claim in await queues.claimed()] == [deployment]


async def test_a_claim_does_not_wait_for_a_row_that_is_being_written(own_database: Database) -> None:
    """A fake has no locks."""
    queues = queues_on(own_database, repositories_on(own_database))
    deployment = await deployed(queues.repositories, await Surroundings.stored(queues.repositories, uuid4()))
    await queues.queue.mark_changed([deployment.id])

    async with own_database.transaction() as connection:
        await connection.execute("SELECT FROM deployment FOR UPDATE")
        assert await queues.claimed() == []
        assert await queues.queue.claim_one(deployment.id) is None
    assert len(await queues.claimed()) == 1


async def test_a_cancelled_claim_leaves_no_lease(own_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is cancelled after the commit. A fake has no such moment."""
    queues = queues_on(own_database, repositories_on(own_database))
    deployment = await deployed(queues.repositories, await Surroundings.stored(queues.repositories, uuid4()))
    queue = PostgresDeploymentQueue(own_database)
    fetchrow = queue._database.fetchrow

    async def broken_off(statement: str, *args: object) -> None:
        await fetchrow(statement, *args)
        raise asyncio.CancelledError

    monkeypatch.setattr(queue._database, "fetchrow", broken_off)
    with pytest.raises(asyncio.CancelledError):
        await queue.claim_one(deployment.id)
    assert (await queues.taken(deployment)).deployment == deployment


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


# Becoming due


async def test_a_change_makes_due(queues: Queues, around: Surroundings) -> None:
    deployments = [await deployed(queues.repositories, around) for _ in range(3)]
    await queues.passed(deployments[0], again_in=None)
    await queues.queue.mark_changed([deployments[0].id, deployments[1].id, uuid4()])

    assert {claim.deployment.id for claim in await queues.claimed()} == {d.id for d in deployments[:2]}


async def test_the_object_of_a_deleted_service_is_due_at_once(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await queues.passed(
        deployment,
        phase=Phase.FAILED,
        serving_generation=None,
        service=replace(SERVING, current_state=ServiceState.UNDEPLOYED),
        again_in=HOUR,
    )
    await queues.repositories.services.delete(deployment.project_id, deployment.id)

    assert [(claim.deployment.id, claim.deployment.want) for claim in await queues.claimed()] == [
        (deployment.id, Want.ABSENT)
    ]


async def test_a_free_name_makes_the_deployments_due_that_wait_for_it(
    queues: Queues, around: Surroundings, other_project_id: UUID
) -> None:
    """Two environments, even of two projects, may use the same namespace."""
    other = await Surroundings.stored(queues.repositories, other_project_id)
    holder = await deployed(queues.repositories, around)

    async def waiting(namespace: str, reason: DeploymentReason) -> UUID:
        environment = await stored_environment(queues.repositories, other_project_id)
        service = replace(other.service(name=holder.name), serving_environment_id=environment.id)
        _, deployment = await queues.repositories.deployments.deploy(service, (), an_intent(other, namespace=namespace))
        await queues.passed(deployment, phase=Phase.FAILED, reason=reason, serving_generation=None, again_in=HOUR)
        return deployment.id

    waits = await waiting("models", DeploymentReason.NAME_TAKEN)
    await waiting("others", DeploymentReason.NAME_TAKEN)
    await waiting("models", DeploymentReason.QUOTA)
    await queues.repositories.services.delete(holder.project_id, holder.id)
    gone = await queues.repositories.deployments.get(holder.project_id, holder.id)
    await queues.passed(gone, phase=Phase.UNDEPLOYED, serving_generation=None)

    assert [claim.deployment.id for claim in await queues.claimed()] == [waits]


@pytest.mark.parametrize(
    ("change", "is_due"),
    [
        ({}, False),
        ({"uid": "another"}, True),
        ({"k8s_generation": 2}, True),
        ({"is_ready": False}, True),
        ({"namespace": "elsewhere"}, True),
        ({"name": "a-copy"}, True),
        ({"deployment_id": uuid4()}, True),
        (None, True),
    ],
    ids=["as applied", "uid", "generation", "readiness", "namespace", "name", "of another", "missing"],
)
async def test_a_relist_makes_differing_deployments_due(
    queues: Queues, around: Surroundings, change: dict[str, object] | None, *, is_due: bool
) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))

    objects = [] if change is None else [seen(deployment, **change)]
    assert await queues.queue.compare(EVERYWHERE, objects) == is_due

    assert [claim.deployment.id for claim in await queues.claimed()] == [deployment.id] * is_due


async def test_a_relist_makes_deployments_due_that_did_not_reach_the_cluster_or_are_not_removed(
    queues: Queues, around: Surroundings
) -> None:
    never_applied = await deployed(queues.repositories, around)
    out_of_reach = await deployed(queues.repositories, around)
    await queues.passed(out_of_reach, phase=Phase.PENDING, applied=None, serving_generation=None, attempts=1)
    going = await queues.passed(await deployed(queues.repositories, around))
    gone = await queues.passed(await deployed(queues.repositories, around))
    for deployment in (going, gone):
        await queues.repositories.deployments.undeploy(deployment.project_id, deployment.id, "")
    gone = await queues.repositories.deployments.get(gone.project_id, gone.id)
    gone = await queues.passed(gone, phase=Phase.UNDEPLOYED, applied=None, serving_generation=None)

    assert await queues.queue.compare(EVERYWHERE, []) == 2
    assert {claim.deployment.id for claim in await queues.claimed()} == {out_of_reach.id, going.id}
    assert never_applied.applied is None
    assert await queues.queue.compare(EVERYWHERE, [seen(gone), seen(going)]) == 3


async def test_a_deployment_that_a_relist_marks_is_due_at_once(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    claim = await queues.taken(deployment)
    await queues.queue.compare(EVERYWHERE, [])
    await queues.queue.record(claim, a_result(deployment, again_in=HOUR))

    assert len(await queues.claimed()) == 1


async def test_a_revision_that_only_the_cluster_knows_is_gone_past(queues: Queues, around: Surroundings) -> None:
    """A restored database does not have this revision, and must not give its number again."""
    r, applied = queues.repositories.deployments, {"uid": "uid-1", "k8s_generation": 9}
    before = await queues.passed(await deployed(queues.repositories, around))
    pending = await deployed(queues.repositories, around)
    going = await queues.passed(await deployed(queues.repositories, around))
    await r.undeploy(going.project_id, going.id, "")
    there = [seen(deployment, **applied, revision=5) for deployment in (before, pending, going)]

    for _ in range(2):
        await queues.queue.compare(EVERYWHERE, [*there, seen(before, name="a-copy", revision=99)])
    after = await r.get(before.project_id, before.id)
    assert (after.generation, after.spec, after.phase) == (6, before.spec, Phase.UPDATING)
    assert (after.applied, after.applied_generation) == (before.applied, 1), "what it can be compared with"
    assert before.id in {claim.deployment.id for claim in await queues.claimed()}, "at once"
    assert (await r.get(going.project_id, going.id)).generation == 2, "it goes, whatever its revision"

    revisions = (await r.revisions(pending.project_id, pending.id, Slice(limit=9, by_cursor=True))).items
    assert [(revision.generation, revision.cause, revision.outcome) for revision in revisions] == [
        (6, Cause.RESTORE, Outcome.PENDING),
        (1, Cause.DEPLOY, Outcome.SUPERSEDED),
    ]


async def test_a_relist_of_a_namespace_says_nothing_of_others(
    queues: Queues, around: Surroundings, project_id: UUID
) -> None:
    here = await queues.passed(await deployed(queues.repositories, around, namespace="here"))
    there = await queues.passed(await deployed(queues.repositories, around, namespace="there"))
    strays = [seen(here, deployment_id=uuid4(), uid="a"), seen(there, deployment_id=uuid4(), uid="b")]
    await queues.queue.compare(EVERYWHERE, [seen(here), seen(there), *strays])

    assert await queues.queue.compare("here", []) == 1
    assert [claim.deployment.id for claim in await queues.claimed()] == [here.id]
    assert await queues.queue.namespaces() == {"here", "there"}
    await queues.queue.compare("there", [seen(there)])
    for deployment in (here, there):
        await queues.repositories.deployments.undeploy(project_id, deployment.id, "")
        await queues.let_pass(AFTER_THE_LEASE)
        await queues.passed(
            await queues.repositories.deployments.get(project_id, deployment.id), phase=Phase.UNDEPLOYED, applied=None
        )
    assert await queues.queue.namespaces() == set(), "neither unfinished deployments nor orphans"


@pytest.mark.parametrize("reason", NO_ACCESS)
async def test_a_relist_makes_due_what_could_not_be_seen(
    queues: Queues, around: Surroundings, reason: DeploymentReason
) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around), reason=reason, again_in=HOUR)

    await queues.queue.mark_unseen(deployment.namespace)
    assert await queues.claimed() == [], "it says so already"
    assert await queues.queue.compare(deployment.namespace, [seen(deployment)]) == 1
    assert len(await queues.claimed()) == 1


async def test_unseen_deployments_are_due_if_they_are_not_finished(queues: Queues, around: Surroundings) -> None:
    here, there = [
        await queues.passed(await deployed(queues.repositories, around, namespace=namespace), again_in=HOUR)
        for namespace in ("here", "there")
    ]
    gone = await deployed(queues.repositories, around, namespace="here")
    await queues.repositories.deployments.undeploy(gone.project_id, gone.id, "")
    gone = await queues.repositories.deployments.get(gone.project_id, gone.id)
    await queues.passed(gone, phase=Phase.UNDEPLOYED, applied=None)

    await queues.queue.mark_unseen("here")
    assert [claim.deployment.id for claim in await queues.claimed()] == [here.id]
    await queues.queue.mark_unseen(EVERYWHERE)
    assert [claim.deployment.id for claim in await queues.claimed()] == [there.id]


async def test_a_pass_that_saw_nothing_keeps_the_time_of_the_last_look(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    assert deployment.observed_at is not None
    reason = DeploymentReason.NAMESPACE_NOT_VISIBLE
    unseen = await queues.passed(deployment, phase=Phase.FAILED, reason=reason, has_seen=False)
    assert unseen.observed_at == deployment.observed_at
    assert (await queues.passed(deployment)).observed_at != deployment.observed_at


async def test_a_revision_does_not_fail_by_being_out_of_sight(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    failed = {"phase": Phase.FAILED, "serving_generation": None}
    await queues.passed(deployment, reason=DeploymentReason.MODEL_LOAD, **failed)
    await queues.passed(deployment, reason=DeploymentReason.NAMESPACE_NOT_VISIBLE, **failed)
    revision = await queues.repositories.deployments.revision(deployment.project_id, deployment.id, 1)
    assert (revision.outcome, revision.reason) == (Outcome.FAILED, DeploymentReason.MODEL_LOAD)


async def test_the_deployment_with_keys_that_was_looked_at_longest_ago_is_looked_at_again(
    queues: Queues, around: Surroundings
) -> None:
    with_keys = replace(an_intent(around).spec, needs_keys=True)
    rows = [await deployed(queues.repositories, around, spec=with_keys) for _ in range(3)]
    rows.append(await deployed(queues.repositories, around))
    for row, phase in zip(rows, (Phase.FAILED, Phase.DEPLOYED, Phase.DEPLOYED, Phase.DEPLOYED), strict=True):
        await queues.passed(row, phase=phase, again_in=timedelta(hours=1))
        await queues.grow_old(timedelta(seconds=2))
    await queues.queue.look_again()
    assert await queues.claimed() == [], "not those that were looked at just now"

    await queues.grow_old(timedelta(seconds=31))
    looked_at = []
    for _ in range(3):
        await queues.queue.look_again()
        looked_at += [claim.deployment.id for claim in await queues.claimed()]
    assert looked_at == [rows[1].id, rows[2].id]


async def test_deployments_of_a_version_with_new_keys_are_due(queues: Queues, around: Surroundings) -> None:
    r, project_id = queues.repositories, around.environment.project_id
    other_version = await stored_version(r, around.model)
    other = replace(an_intent(around).spec, model_version_id=other_version.id)
    rows = [await deployed(r, around) for _ in range(3)] + [await deployed(r, around, spec=other)]
    await r.deployments.undeploy(project_id, rows[1].id, "ann")
    await r.deployments.revise(
        project_id, rows[2].id, want=Want.PRESENT, spec=other, cause=Cause.UPDATE, created_by="bob"
    )
    for row in rows:
        await queues.passed(await r.deployments.get(project_id, row.id), again_in=timedelta(hours=1))

    await r.deployments.give_new_keys(uuid4(), around.version.id)
    assert await queues.claimed() == []
    await r.deployments.give_new_keys(project_id, around.version.id)
    assert [claim.deployment.id for claim in await queues.claimed()] == [rows[0].id]


# Orphans


async def test_objects_without_a_deployment_are_noted_until_they_are_gone(queues: Queues, around: Surroundings) -> None:
    project_id, namespace = around.environment.project_id, around.environment.namespace
    deployment = await deployed(queues.repositories, around, namespace=namespace)
    own = seen(deployment)
    strays = [
        replace(own, uid="a", deployment_id=uuid4()),
        replace(own, uid="b", name="a-copy"),
        replace(own, uid="c", name="not-ours", deployment_id=None),
    ]

    for _ in range(2):
        await queues.queue.compare(EVERYWHERE, [own, *strays])
    orphans = await queues.repositories.deployments.orphans(project_id)
    assert {(orphan.uid, orphan.name, orphan.deployment_id) for orphan in orphans} == {
        ("a", own.name, str(strays[0].deployment_id)),
        ("b", "a-copy", str(deployment.id)),
        ("c", "not-ours", ""),
    }
    await queues.queue.compare(EVERYWHERE, [own, strays[1]])
    kept = [orphan for orphan in orphans if orphan.uid == "b"]
    assert list(await queues.repositories.deployments.orphans(project_id)) == kept, "with the time it was first seen"


async def test_an_applied_object_whose_label_was_changed_is_no_orphan(queues: Queues, around: Surroundings) -> None:
    project_id, namespace = around.environment.project_id, around.environment.namespace
    deployment = await queues.passed(await deployed(queues.repositories, around, namespace=namespace))
    relabelled = replace(seen(deployment), uid=APPLIED.uid, deployment_id=uuid4())

    await queues.queue.compare(EVERYWHERE, [relabelled, replace(relabelled, name="a-copy", uid="a")])
    assert [orphan.uid for orphan in await queues.repositories.deployments.orphans(project_id)] == ["a"]
    assert [claim.deployment.id for claim in await queues.claimed()] == [deployment.id], "a pass reads it by its name"


async def test_an_orphan_is_forgotten_when_its_deployment_is_back(
    queues: Queues, around: Surroundings, other_project_id: UUID
) -> None:
    """This happens when a relist comes in the middle of a restore."""
    project_id, namespace = around.environment.project_id, around.environment.namespace
    service = around.service(name="iris")
    stray = seen(await deployed(queues.repositories, await Surroundings.stored(queues.repositories, other_project_id)))
    stray = replace(stray, namespace=namespace, name="iris", deployment_id=service.id)
    await queues.queue.compare(EVERYWHERE, [stray])
    assert [orphan.uid for orphan in await queues.repositories.deployments.orphans(project_id)] == [stray.uid]

    await queues.repositories.deployments.deploy(service, (), an_intent(around, namespace=namespace))
    await queues.queue.compare(EVERYWHERE, [stray])
    assert list(await queues.repositories.deployments.orphans(project_id)) == []


async def test_orphans_are_listed_for_the_projects_of_their_namespace_only(
    queues: Queues, around: Surroundings, project_id: UUID, other_project_id: UUID
) -> None:
    elsewhere = await Surroundings.stored(queues.repositories, other_project_id)
    theirs = await stored_environment(queues.repositories, other_project_id, external_id="", name="their-namespace")
    deployment = await deployed(queues.repositories, elsewhere)
    stray = seen(deployment, deployment_id=uuid4())
    await queues.queue.compare(
        EVERYWHERE,
        [
            replace(stray, uid="1", namespace=around.environment.namespace),
            replace(stray, uid="2", namespace=theirs.name, name="second"),
            replace(stray, uid="3", namespace="of-nobody"),
        ],
    )
    await queues.repositories.environments.update(
        other_project_id, elsewhere.environment.id, ServingEnvironmentPatch(external_id="not-that-one")
    )

    orphans = queues.repositories.deployments.orphans
    assert [orphan.uid for orphan in await orphans(project_id)] == ["1"]
    assert [orphan.uid for orphan in await orphans(other_project_id)] == ["2"]


# Waking and leading


async def test_controllers_wake_at_the_start_and_when_something_changes(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    wake_ups = queues.queue.wake_ups()
    async with asyncio.timeout(20):
        await anext(wake_ups)
        await queues.elsewhere.mark_changed([deployment.id])
        await anext(wake_ups)
    await wake_ups.aclose()  # type: ignore[attr-defined]


async def test_listeners_are_woken_when_the_epoch_changes(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment_queue, "_POLL_EVENTS_SECONDS", 3600.0)
    queues = queues_on(own_database, repositories_on(own_database))
    news = PostgresDeploymentQueue(own_database).listen(uuid4())
    async with asyncio.timeout(20), aclosing(news):
        await anext(news)
        await anext(news)  # the session is open
        await queues.restore()
        await anext(news)


async def test_one_leads_and_another_after_it(queues: Queues) -> None:
    async with asyncio.timeout(20):
        async with queues.queue.leadership() as first, queues.elsewhere.leadership() as second:
            assert [await anext(first), await anext(second)] == [True, False]
            assert [await anext(first), await anext(second)] == [True, False]
        async with queues.elsewhere.leadership() as third:
            while not await anext(third):
                pass


async def test_a_leadership_ends_with_the_history_that_it_began_in(queues: Queues) -> None:
    async with asyncio.timeout(20):
        async with queues.queue.leadership() as first, queues.elsewhere.leadership() as second:
            assert [await anext(first), await anext(second)] == [True, False]
            await queues.restore()
            assert [state async for state in first] == []
            assert [state async for state in second] == []
        async with queues.queue.leadership() as again:
            assert [await anext(again), await anext(again)] == [True, True]


async def test_nobody_leads_where_nothing_can_be_written_or_the_restore_is_not_through(
    own_database: Database, project_id: UUID
) -> None:
    """A standby would also give the lock. During a restore, the objects of missing deployments would be noted as
    orphans, and the writes of a pass would prevent the restore from creating foreign keys."""
    queues = queues_on(own_database, repositories_on(own_database))
    around = await Surroundings.stored(queues.repositories, project_id)
    deployment = await deployed(queues.repositories, around)
    await queues.queue.mark_changed([deployment.id])
    drop = "ALTER TABLE deployment_event DROP CONSTRAINT deployment_event_deployment_id_fkey"
    add = "ALTER TABLE deployment_event ADD FOREIGN KEY (deployment_id) REFERENCES deployment ON DELETE CASCADE"
    row = await own_database.fetchrow("SELECT current_database() AS name, id FROM registry_installation")
    assert row is not None
    for breaking, mending in (
        ("ALTER DATABASE {name} SET default_transaction_read_only = on", "ALTER DATABASE {name} RESET ALL"),
        ("DELETE FROM registry_installation", "INSERT INTO registry_installation (id) VALUES ('{id}')"),
        (drop, add),
    ):
        await own_database.fetch(breaking.format(**row))
        try:
            async with asyncio.timeout(20), queues.queue.leadership() as none:
                assert [state async for state in none] == []
            if "DATABASE" not in breaking:  # this setting only applies to new sessions
                assert await queues.queue.claim(9) == []
                assert await queues.queue.claim_one(deployment.id) is None
                with refused(Unavailable, Reason.DATABASE_UNAVAILABLE):
                    await queues.repositories.deployments.events(project_id, deployment.id, 0, 9)
        finally:
            await own_database.fetch(mending.format(**row))
    assert len(await queues.claimed()) == 1


async def test_a_leader_notices_that_its_session_is_lost(own_database: Database) -> None:
    """Its lock is lost as well, so another one leads now."""
    queues = queues_on(own_database, repositories_on(own_database))
    async with asyncio.timeout(20), queues.queue.leadership() as first:
        assert await anext(first)
        await own_database.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await anext(first)
        async with queues.elsewhere.leadership() as second:
            assert await anext(second)

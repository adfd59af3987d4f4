"""The contract of DeploymentQueue: which deployments are claimed, in which turns, and their leases."""

from __future__ import annotations

import asyncio
from contextvars import Context
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.queues import AFTER_THE_LEASE, AFTER_THE_REQUEST, Queues, a_result, queues_on, seen
from tests.contract.surroundings import Surroundings
from tests.fakes.repositories import Repositories

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.domain.deployment import Deployment, Phase
from registry_grpc.domain.inference_service import ServiceState
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.ports.cluster import EVERYWHERE

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("no_other_deployments")


@pytest.fixture
def repositories(queues: Queues) -> Repositories:
    return queues.repositories


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
    for marked in (third, second, first):
        await queues.queue.mark_changed([marked.id])

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


async def test_what_has_changed_comes_before_what_is_only_looked_at_again(queues: Queues, around: Surroundings) -> None:
    at_once = {"again_in": timedelta(0)}
    looked_at = await queues.passed(await deployed(queues.repositories, around), **at_once)
    changed = await queues.passed(await deployed(queues.repositories, around), **at_once)
    claim = await queues.taken(changed)
    await queues.queue.mark_changed([changed.id])  # during its pass
    await queues.queue.record(claim, a_result(changed))
    order = [(await queues.queue.claim(1))[0].deployment.id for _ in range(2)]
    assert order == [changed.id, looked_at.id]


async def waits(queues: Queues, deployment: Deployment, reason: str = "REJECTED", **result: Any) -> Deployment:
    """The deployment after a pass that can do nothing for it until others help."""
    waits: dict[str, Any] = {"applied_generation": 0, "serving_generation": None, "again_in": HOUR}
    waits |= {"phase": Phase.FAILED, "reason": DeploymentReason(reason), "waits_for_turn": True}
    return await queues.passed(deployment, **waits | result)


@pytest.mark.parametrize(
    ("reason", "result", "is_due"),
    [
        ("REJECTED", {"applied_generation": 1}, True),
        ("QUOTA", {"applied_generation": 1}, False),
        ("REJECTED", {"applied_generation": 0}, False),
        ("REJECTED", {"has_seen": False}, False),
        ("REJECTED", {"waits_for_turn": True}, False),
    ],
)
async def test_one_that_is_no_longer_held_up_makes_others_due(
    queues: Queues, around: Surroundings, reason: str, result: dict[str, Any], is_due: bool
) -> None:
    one, other = [await deployed(queues.repositories, around) for _ in range(2)]
    for deployment, why in ((one, "REJECTED"), (other, reason)):
        await waits(queues, deployment, why)

    await queues.passed(one, phase=Phase.PENDING, again_in=HOUR, **result)
    assert [claim.deployment.id for claim in await queues.claimed()] == [other.id] * is_due


@pytest.mark.parametrize(
    ("reason", "result", "is_due"),
    [
        ("", {}, True),
        ("SPEC_CHANGED", {}, True),
        ("API_UNAVAILABLE", {"has_seen": False}, False),
        ("NAMESPACE_NOT_VISIBLE", {"waits_for_turn": True}, False),
    ],
)
async def test_one_that_is_visible_again_makes_others_due(
    queues: Queues, around: Surroundings, reason: str, result: dict[str, Any], is_due: bool
) -> None:
    one, other, well = [await deployed(queues.repositories, around) for _ in range(3)]
    for deployment in (one, other):
        await waits(queues, deployment, "NAMESPACE_NOT_VISIBLE", phase=Phase.DEPLOYED, has_seen=False)
    await queues.passed(well, again_in=HOUR)

    await queues.passed(one, reason=DeploymentReason(reason), again_in=HOUR, **result)
    assert [claim.deployment.id for claim in await queues.claimed()] == [other.id] * is_due


async def turns(queues: Queues, number: int) -> list[UUID]:
    """Those that get a turn one after the other, each of which is refused again."""
    tried = []
    for _ in range(number):
        await queues.queue.look_again()
        for claim in await queues.claimed():
            tried.append(claim.deployment.id)
            await queues.queue.release(claim)
            await waits(queues, claim.deployment, claim.deployment.reason)
    return tried


async def test_those_that_wait_for_the_same_reason_take_turns(queues: Queues, around: Surroundings) -> None:
    rows = [await waits(queues, await deployed(queues.repositories, around)) for _ in range(3)]
    alone = await waits(queues, await deployed(queues.repositories, around), "QUOTA")

    await queues.grow_old(timedelta(seconds=46))
    assert await turns(queues, 4) == [rows[0].id, alone.id]
    await queues.grow_old(timedelta(seconds=46))
    assert await turns(queues, 4) == [rows[1].id, alone.id]
    await queues.grow_old(timedelta(seconds=29))
    assert await turns(queues, 2) == [], "92 seconds old, so the next try is after a third of that"


async def test_what_has_just_been_refused_is_tried_again_soon(queues: Queues, around: Surroundings) -> None:
    row = await waits(queues, await deployed(queues.repositories, around))
    assert await turns(queues, 1) == [row.id]


async def test_those_that_are_under_way_or_no_longer_wait_get_no_turn(queues: Queues, around: Surroundings) -> None:
    first, second = [await waits(queues, await deployed(queues.repositories, around)) for _ in range(2)]
    await queues.queue.mark_changed([first.id])
    (claim,) = await queues.claimed()
    await queues.queue.look_again()
    assert await queues.claimed() == []
    await queues.queue.release(claim)
    await queues.passed(first, phase=Phase.PENDING, again_in=HOUR, applied_generation=0)
    await queues.passed(second, phase=Phase.PENDING, again_in=HOUR, applied_generation=0)
    assert await turns(queues, 1) == []


async def test_a_relist_tries_the_first_of_those_without_access(queues: Queues, around: Surroundings) -> None:
    rows = [await waits(queues, await deployed(queues.repositories, around), "FORBIDDEN") for _ in range(2)]
    assert await queues.queue.compare(EVERYWHERE, [seen(row, is_ready=False) for row in rows]) == 1
    assert [claim.deployment.id for claim in await queues.claimed()] == [rows[0].id]


@pytest.mark.parametrize(("phase", "is_due"), [(Phase.FAILED, 0), (Phase.DRIFTED, 0), (Phase.DEGRADED, 1)])
async def test_a_relist_knows_that_those_that_wait_may_serve(
    queues: Queues, around: Surroundings, phase: Phase, is_due: int
) -> None:
    row = await deployed(queues.repositories, around)
    applied = row.generation if phase is Phase.DEGRADED else 0
    row = await waits(queues, row, phase=phase, applied_generation=applied, serving_generation=1)
    assert await queues.queue.compare(EVERYWHERE, [seen(row)]) == is_due


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


_HOLD = """
ALTER TABLE registry_installation RENAME TO installation_behind_gate;
CREATE VIEW registry_installation AS
SELECT installation.*, installation.xmin FROM installation_behind_gate installation, pg_advisory_xact_lock_shared(1)
"""
_LET_GO = "DROP VIEW registry_installation; ALTER TABLE installation_behind_gate RENAME TO registry_installation"
_WAITS = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_claim_has_what_was_written_before_it_took_the_row(own_database: Database, is_named: bool) -> None:
    """A claim reads the installation first, and is stopped there. A fake has no such moment."""
    queues = queues_on(own_database, repositories_on(own_database))
    deployment = await deployed(queues.repositories, await Surroundings.stored(queues.repositories, uuid4()))
    await queues.queue.mark_changed([deployment.id])
    async with own_database.transaction() as connection:
        await connection.execute(_HOLD)
    try:
        async with own_database.transaction() as gate:
            await gate.execute("SELECT pg_advisory_xact_lock(1)")
            claim = asyncio.create_task(queues.taken(deployment) if is_named else queues.next())
            while not await own_database.fetch(_WAITS):  # noqa: ASYNC110 - nothing tells of a lock
                await asyncio.sleep(0.01)
            await own_database.execute("UPDATE deployment SET message = 'written meanwhile'")
        claimed = await claim
    finally:
        async with own_database.transaction() as connection:
            await connection.execute(_LET_GO)
    assert claimed.deployment.message == "written meanwhile"


async def test_new_keys_are_given_if_a_pass_ran_before_their_commit(own_database: Database) -> None:
    """A fake has no transactions."""
    queues = queues_on(own_database, repositories_on(own_database))
    around = await Surroundings.stored(queues.repositories, uuid4())
    deployment = await deployed(queues.repositories, around)
    async with own_database.unit():
        claim = await asyncio.create_task(queues.taken(deployment), context=Context())
        await queues.repositories.deployments.give_new_keys(deployment.project_id, around.version.id)
    assert await queues.queue.record(claim, a_result(deployment))
    assert [claim.deployment.id for claim in await queues.claimed()] == [deployment.id]


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

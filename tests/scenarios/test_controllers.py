"""Several controllers on one row, lost leases, broken watches, and a database that fails."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.cluster.faulty import Fault
from tests.scenarios.world import World

from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES
from registry_grpc.domain.deployment import Phase

pytestmark = pytest.mark.slow

SLOW_TO_RECONNECT = Pace(first_pause=0.02, longest_pause=0.1, shortest_watch=0.05, relist=(3600.0, 3600.0))


async def test_two_controllers_share_the_work(faulty: World) -> None:
    async with faulty.controller(), faulty.controller():
        ids = [await faulty.intent(name=f"iris-{i}") for i in range(6)]
        for id_ in ids:
            await faulty.until_deployed(id_)
        assert len(await faulty.kube.items(INFERENCE_SERVICES)) == len(ids)
        for id_ in ids:
            assert len(await faulty.revisions(id_)) == 1
            assert {phase for phase, _ in await faulty.log(id_)} <= {"PENDING", "DEPLOYING", "DEPLOYED"}
            await faulty.undeploy(id_)
        for id_ in ids:
            await faulty.until_phase(id_, Phase.UNDEPLOYED)
        await faulty.until_nothing_is_left()


async def test_two_passes_on_one_row_do_no_harm(world: World) -> None:
    """A controller that has lost its lease records nothing, and its changes are the same as those of the other one."""
    id_ = await world.intent()
    first = await world.queue.claim_one(id_)
    assert first is not None
    await world.make_due(id_)  # as if its lease had expired
    second = await PostgresDeploymentQueue(world.database).claim_one(id_)
    assert second is not None
    await asyncio.gather(world.reconciler.work(first), world.reconciler.work(second))
    (live,) = await world.kube.items(INFERENCE_SERVICES)
    deployment = await world.deployment(id_)
    assert deployment.applied is not None
    assert deployment.applied.uid == live["metadata"]["uid"]
    assert len(await world.secrets()) == 1
    async with world.controller():
        await world.until_deployed(id_)
        await world.until_undeployed(id_)


async def test_a_pass_on_an_old_row_does_not_undo_a_newer_revision(world: World) -> None:
    async with world.controller():
        id_ = (await world.deploy()).service.id
        await world.until_deployed(id_)
    held_up = await world.queue.claim_one(id_)
    assert held_up is not None
    await world.make_due(id_)
    version = await world.version("s3://models/other")
    await world.deployments.update(world.project_id, id_, model_version_id=version.id, options=None)
    await world.reconciler.work(held_up)
    async with world.controller():
        deployment = await world.until_deployed(id_, revision=2)
    live = await world.live(deployment)
    assert live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/other"
    assert "DRIFTED" not in {phase for phase, _ in await world.log(id_)}


async def test_the_result_of_a_lost_lease_is_dropped(world: World) -> None:
    id_ = await world.intent()
    lost = await world.queue.claim_one(id_)
    assert lost is not None
    await world.make_due(id_)
    before = await world.events(id_)
    await world.reconciler.work(lost)
    assert await world.events(id_) == before
    assert (await world.deployment(id_)).applied is None
    async with world.controller():
        await world.until_deployed(id_)


async def test_a_lease_of_the_dead_ends_by_itself(faulty: World) -> None:
    id_ = await faulty.intent()
    assert await faulty.queue.claim_one(id_) is not None
    async with faulty.controller():
        await asyncio.sleep(0.3)
        assert (await faulty.deployment(id_)).applied is None
        await faulty.database.execute("UPDATE deployment SET lease_until = now()")
        await faulty.until_deployed(id_)  # the poll finds it


async def test_a_cancelled_request_leaves_no_lease(faulty: World) -> None:
    slow = faulty.simulated.faults.add(Fault(verb="patch", resource="inferenceservices", delay=3600, drop=True))
    deploying = asyncio.create_task(faulty.deploy())
    while not slow.hits:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    deploying.cancel()
    await asyncio.gather(deploying, return_exceptions=True)
    faulty.simulated.faults.clear()
    (row,) = await faulty.database.fetch("SELECT id, lease_by FROM deployment")
    assert row["lease_by"] is None
    async with faulty.controller():
        await faulty.until_deployed(row["id"])


async def test_a_controller_that_stops_gives_its_leases_back(faulty: World) -> None:
    slow = faulty.simulated.faults.add(Fault(verb="patch", resource="inferenceservices", delay=1))
    async with faulty.controller():
        id_ = await faulty.intent()
        while not slow.hits:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (row,) = await faulty.database.fetch("SELECT lease_by, applied FROM deployment WHERE id = $1", id_)
    assert row["lease_by"] is None
    assert row["applied"] is not None, "the pass under way was let finish"


async def test_a_change_is_seen_at_once(faulty: World) -> None:
    """The best of three, because the machine may be busy. The next relist is in an hour."""
    async with faulty.controller(pace=SLOW_TO_RECONNECT):
        id_ = (await faulty.deploy()).service.id
        before = await faulty.until_deployed(id_)
        took = []
        for _ in range(3):
            await asyncio.sleep(0.3)  # until the last of its changes was seen
            began = time.monotonic()
            await faulty.edit(before.name, {"spec": {"predictor": {"minReplicas": 2}}})
            await faulty.until_phase(id_, Phase.DRIFTED, "SPEC_CHANGED")
            took.append(time.monotonic() - began)
            await faulty.edit(before.name, {"spec": {"predictor": {"minReplicas": None}}})
            await faulty.until_deployed(id_)
        assert min(took) < 5


async def test_410_on_a_watch(faulty: World) -> None:
    """The list after the gap finds what happened in it."""
    async with faulty.controller(pace=SLOW_TO_RECONNECT):
        id_ = (await faulty.deploy()).service.id
        before = await faulty.until_deployed(id_)
        await asyncio.sleep(0.3)  # until the last of its changes was seen
        no_watch = faulty.simulated.faults.add(Fault(verb="watch", user="registry", drop=True))
        faulty.simulated.end_watches(abruptly=True)
        await faulty.edit(before.name, {"spec": {"predictor": {"minReplicas": 2}}})
        faulty.simulated.store.compact()
        lists = faulty.simulated.calls["list", "inferenceservices"]
        faulty.simulated.faults.remove(no_watch)
        await faulty.until_phase(id_, Phase.DRIFTED, "SPEC_CHANGED")
        assert faulty.simulated.calls["list", "inferenceservices"] > lists


async def test_another_one_leads_when_the_leaders_session_is_gone(faulty: World) -> None:
    async with faulty.controller(), faulty.controller():
        id_ = (await faulty.deploy()).service.id
        before = await faulty.until_deployed(id_)
        killed = await faulty.database.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert killed
        await faulty.kube.delete(INFERENCE_SERVICES, before.name)
        await faulty.until(id_, lambda d: d.phase is Phase.DEPLOYED and d.applied != before.applied)


async def test_the_database_goes_away_and_comes_back(faulty: World) -> None:
    """All sessions are terminated during deploys. Nothing is lost, and nothing is done twice."""
    async with faulty.controller():
        ids = [await faulty.intent(name=f"iris-{i}") for i in range(4)]
        for _ in range(5):
            await faulty.database.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.05)
        await faulty.database.execute("UPDATE deployment SET lease_until = now() WHERE lease_by IS NOT NULL")
        for id_ in ids:
            await faulty.until_deployed(id_)
        assert len(await faulty.kube.items(INFERENCE_SERVICES)) == len(ids)
        before = await faulty.deployment(ids[0])
        await faulty.edit(before.name, {"spec": {"predictor": {"minReplicas": 2}}})
        await faulty.until_phase(ids[0], Phase.DRIFTED, "SPEC_CHANGED")

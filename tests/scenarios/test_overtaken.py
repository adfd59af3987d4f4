"""A pass is overtaken by a newer revision, an undeployment or a deletion, or its caller gives up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.cluster.failures import webhook_denied
from tests.cluster.faulty import Fault
from tests.fakes.builders import a_service
from tests.scenarios.world import KEYS, World

from registry_grpc.adapters.postgres.inference_services import PostgresInferenceServiceRepository
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS
from registry_grpc.domain.deployment import Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import ConcurrentChange, DeploymentBlocked
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch, ServiceState
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.serving_environment import DriftPolicy
from registry_grpc.ports.cluster import EVERYWHERE
from registry_grpc.services.reconciliation import PASS_SECONDS

pytestmark = pytest.mark.slow

UP = InferenceServicePatch(desired_state=ServiceState.DEPLOYED)
NO_MORE = Fault(verb="patch", resource="inferenceservices", error=webhook_denied("no more"))

_SLOW_RECORD = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END';
CREATE TRIGGER slow BEFORE UPDATE ON deployment FOR EACH ROW
WHEN (OLD.lease_by IS NOT NULL AND NEW.lease_by IS NULL) EXECUTE FUNCTION slow();
"""
_IN_RECORD = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
_NEW_OPTION = """UPDATE deployment SET spec = jsonb_set(spec, '{options,gpu_sharing}', '"mig"') WHERE id = $1"""


async def lease_of(world: World, id_: UUID) -> Any:
    (row,) = await world.database.fetch("SELECT lease_by FROM deployment WHERE id = $1", id_)
    return row["lease_by"]


async def is_rolled_out(world: World, id_: UUID, revision: str) -> None:
    def holds(deployment: dict[str, Any]) -> bool:
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        status = deployment.get("status", {})
        is_new = any(key.endswith("/revision") and value == revision for key, value in annotations.items())
        return (
            is_new and status.get("updatedReplicas") == status.get("availableReplicas") == status.get("replicas") == 1
        )

    # A write of KServe may have disturbed the request's own pass, and there is no controller for another one.
    while (deployment := await world.deployment(id_)).applied_generation < int(revision):
        await world.reconciler.attempt(id_)
    name = deployment.name
    await world.kube.until(DEPLOYMENTS, f"{name}-predictor", holds)
    await world.kube.until_ready(name)


async def made_by_the_go_service(world: World) -> InferenceService:
    """A service without deployment control, with its object."""
    service = a_service(world.environment, world.model, name="golang", current_state="UNDEPLOYED")
    labels = {"modelregistry.ai-platform/inference-service-id": str(service.id)}
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://models/iris"}
    manifest = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "golang", "namespace": world.kube.namespace, "labels": labels},
        "spec": {"predictor": {"model": model}},
    }
    await world.kube.apply(manifest, manager="go")
    await world.kube.until_ready("golang")
    return await PostgresInferenceServiceRepository(world.database).create(service, ())


async def test_the_serving_revision_is_reported_when_the_next_one_is_refused(faulty: World) -> None:
    """Revision 2 rolls out, and revision 3 is made before a pass has seen that."""
    async with faulty.controller():
        id_ = (await faulty.deploy("s3://models/one")).service.id
        await faulty.until_deployed(id_)
    two, three = await faulty.version("s3://models/two"), await faulty.version("s3://models/three")
    await faulty.deployments.update(faulty.project_id, id_, model_version_id=two.id, options=None)
    await is_rolled_out(faulty, id_, "2")
    faulty.simulated.faults.add(NO_MORE)
    await faulty.dying_requests.deployments.update(faulty.project_id, id_, model_version_id=three.id, options=None)
    async with faulty.controller():
        await faulty.make_due(id_)
        await faulty.until(id_, lambda d: d.phase is Phase.FAILED and d.serving_generation == 2)
    assert await faulty.served_now(id_) == 2


async def test_a_late_pass_overwrites_a_rollback(faulty: World) -> None:
    """The object has the stamp of the revision that the rollback repeats, so that the late pass takes it for older."""
    async with faulty.controller():
        id_ = (await faulty.deploy("s3://models/one")).service.id
        await faulty.until_deployed(id_)
        version = await faulty.version("s3://models/corrupt-model")
        await faulty.deployments.update(faulty.project_id, id_, model_version_id=version.id, options=None)
        late = await faulty.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
        await faulty.deployments.roll_back(faulty.project_id, id_, 1)
        await faulty.until_deployed(id_, revision=3)
        async with faulty.paused():
            await faulty.cluster.apply(late, KEYS, seen=await faulty.cluster.observe(late), force=False)
            live = await faulty.live(late)
            assert live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/corrupt-model"
        after = await faulty.until(
            id_, lambda d: d.applied is not None and d.applied.k8s_generation > live["metadata"]["generation"]
        )
        assert (after.generation, after.drift_policy) == (3, DriftPolicy.REPORT)
        await faulty.until_deployed(id_, revision=3)
        assert (await faulty.live(late))["spec"]["predictor"]["model"]["storageUri"] == "s3://models/one"


async def test_a_first_revision_that_became_ready_unseen_is_recorded(faulty: World) -> None:
    id_ = (await faulty.deploy("s3://models/one")).service.id
    await is_rolled_out(faulty, id_, "1")
    faulty.simulated.faults.add(NO_MORE)
    two = await faulty.version("s3://models/two")
    async with faulty.controller():
        await faulty.deployments.update(faulty.project_id, id_, model_version_id=two.id, options=None)
        deployment = await faulty.until(id_, lambda d: d.phase is Phase.FAILED and d.serving_generation == 1)
    assert deployment.url
    assert (await faulty.view(id_)).current_state == "DEPLOYED"


async def test_nothing_serves_after_an_undeployment_that_was_taken_back(faulty: World) -> None:
    """The object was deleted. Before that was recorded, the service was deployed again, which is refused now."""
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        await faulty.until_deployed(id_)
    await faulty.dying_requests.services.undeploy(faulty.project_id, id_)
    claim = await faulty.queue.claim_one(id_)
    assert claim is not None
    while (result := await faulty.reconciler._pass(claim, PASS_SECONDS)).phase is not Phase.UNDEPLOYED:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await faulty.dying_requests.services.update(faulty.project_id, id_, UP, "ann")
    assert await faulty.queue.record(claim, result)
    faulty.simulated.faults.add(NO_MORE)
    async with faulty.controller():
        await faulty.make_due(id_)
        deployment = await faulty.until_phase(id_, Phase.FAILED, "ADMISSION")
    assert deployment.serving_generation is None
    assert (await faulty.view(id_)).current_state == "UNDEPLOYED"
    assert await faulty.served_now(id_) is None


async def test_a_deletion_that_a_pass_did_not_see_is_due_at_once(world: World) -> None:
    """The deletion began before the claim, committed after it, and its request died."""
    id_ = await world.intent()
    repository, began, go_on = PostgresInferenceServiceRepository(world.database), asyncio.Event(), asyncio.Event()

    class Slow:
        @asynccontextmanager
        async def transaction(self, **options: Any) -> AsyncIterator[Any]:
            async with world.database.transaction(**options) as connection:
                await connection.execute("SELECT")
                began.set()
                await go_on.wait()
                yield connection

    repository._database = Slow()  # type: ignore[assignment]
    deleting = asyncio.create_task(repository.delete(world.project_id, id_))
    await began.wait()
    claim = await world.queue.claim_one(id_)
    assert claim is not None
    assert claim.deployment.want is Want.PRESENT
    go_on.set()
    await deleting
    assert await world.queue.record(claim, await world.reconciler._pass(claim, PASS_SECONDS))
    (row,) = await world.database.fetch("SELECT next_at - now() AS due_in FROM deployment WHERE id = $1", id_)
    assert row["due_in"] <= timedelta(0)
    await world.reconciler.attempt(id_)
    await world.until_nothing_is_left()


async def test_a_request_cancelled_while_recording_leaves_no_lease(faulty: World) -> None:
    id_ = await faulty.intent()
    async with faulty.database.transaction() as connection:
        await connection.execute(_SLOW_RECORD)
    attempt = asyncio.create_task(faulty.reconciler.attempt(id_))
    while not await faulty.database.fetch(_IN_RECORD):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    attempt.cancel()
    with suppress(asyncio.CancelledError):
        await attempt
    assert await lease_of(faulty, id_) is None


async def test_a_refused_first_revision_leaves_no_secret(faulty: World) -> None:
    refused = faulty.simulated.faults.add(NO_MORE)
    id_ = (await faulty.deploy("s3://models/first")).service.id
    assert await faulty.secrets() == []
    faulty.simulated.faults.remove(refused)
    version = await faulty.version("s3://models/second", keys=Credentials("AKIB", "other-key"))
    async with faulty.controller():
        await faulty.deployments.update(faulty.project_id, id_, model_version_id=version.id, options=None)
        await faulty.until_deployed(id_)
        await faulty.until_undeployed(id_)
    await faulty.until_nothing_is_left()


async def test_a_name_that_is_free_again_is_taken_at_once(faulty: World) -> None:
    async with faulty.controller():
        new = faulty.new(await faulty.version(), name="iris")
        old = (await faulty.deployments.deploy(faulty.project_id, new)).service.id
        await faulty.until_deployed(old)
    await faulty.dying_requests.services.undeploy(faulty.project_id, old)
    await PostgresInferenceServiceRepository(faulty.database).delete(faulty.project_id, old)  # then it is cancelled
    again = await faulty.deployments.deploy(faulty.project_id, new)
    assert again.status == "FAILED"
    async with faulty.controller():
        await faulty.make_due(old)
        await faulty.until_deployed(again.service.id)


async def test_a_sync_does_not_redeploy_an_undeployed_service(faulty: World) -> None:
    """Sync observes, undeploy removes the object, and sync writes its old observation."""
    service = await made_by_the_go_service(faulty)
    look = faulty.cluster.look

    async def look_and_be_overtaken(*args: Any) -> Any:
        live = await look(*args)
        await faulty.undeploy(service.id)
        return live

    faulty.cluster.look = look_and_be_overtaken  # type: ignore[method-assign,assignment]
    with pytest.raises(ConcurrentChange):
        await faulty.services.sync(faulty.project_id, service.id)
    assert (await faulty.view(service.id)).current_state == "UNDEPLOYED"


async def test_a_deletion_that_was_broken_off_can_be_repeated(faulty: World) -> None:
    service = await made_by_the_go_service(faulty)
    slow = faulty.simulated.faults.add(Fault(verb="get", resource="inferenceservices", times=1, delay=1))
    deleting = asyncio.create_task(faulty.services.delete(faulty.project_id, service.id))
    while not slow.hits:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    deleting.cancel()
    with suppress(asyncio.CancelledError):
        await deleting
    await faulty.services.delete(faulty.project_id, service.id)
    await faulty.until_nothing_is_left()


async def test_marks_and_a_relist_do_not_wait_for_one_another_in_a_circle(world: World) -> None:
    ids = [await world.intent(f"s3://models/{i}") for i in range(100)]
    await world.database.execute("UPDATE deployment SET attempts = 1")
    order = random.Random(3)

    async def mark() -> None:
        for _ in range(30):
            await world.queue.mark_changed(order.sample(ids, len(ids)))

    async def compare() -> None:
        for _ in range(30):
            await world.queue.compare(EVERYWHERE, [])

    await asyncio.gather(mark(), mark(), compare())  # a deadlock would be a ConcurrentChange


async def test_options_of_a_newer_release_are_left_to_it(faulty: World) -> None:
    newer = await faulty.intent()
    other = await faulty.intent("s3://models/other")
    await faulty.database.execute(_NEW_OPTION, newer)
    async with faulty.controller():
        await faulty.until_deployed(other)
        await faulty.make_due(newer)
        await asyncio.sleep(0.5)
        deployment = await faulty.deployment(newer)
        assert (deployment.phase, deployment.reason) == (Phase.PENDING, "")
        assert await lease_of(faulty, newer) is None


async def test_unknown_options_that_no_release_processes_are_refused_by_name(faulty: World) -> None:
    """As after a rollback: the service continues to run, and no part of the request is silently left out."""
    newer = await faulty.intent()
    await faulty.database.execute(_NEW_OPTION, newer)
    await faulty.database.execute("UPDATE deployment SET revised_at = now() - interval '1 minute' WHERE id = $1", newer)
    async with faulty.controller():
        await faulty.make_due(newer)
        failed = await faulty.until_phase(newer, Phase.FAILED, "NEWER_RELEASE")
    assert "options.gpu_sharing" in failed.message
    for options in (None, DeploymentOptions()):
        with pytest.raises(DeploymentBlocked, match=r"options\.gpu_sharing"):
            await faulty.deployments.update(faulty.project_id, newer, model_version_id=None, options=options)
    await faulty.undeploy(newer)
    async with faulty.controller():
        await faulty.until_undeployed(newer)


async def test_the_lease_of_an_unreadable_row_is_given_back(faulty: World) -> None:
    unreadable = await faulty.intent()
    other = await faulty.intent("s3://models/other")
    await faulty.database.execute("UPDATE deployment SET spec = spec - 'model_version_id' WHERE id = $1", unreadable)
    async with faulty.controller():
        await faulty.until_deployed(other)
    assert await lease_of(faulty, unreadable) is None
    with pytest.raises(KeyError):
        await faulty.queue.claim_one(unreadable)
    assert await lease_of(faulty, unreadable) is None


async def test_a_claim_that_is_broken_off_gives_all_its_leases_back(faulty: World) -> None:
    """Cancelled between its commit and its answer."""
    ids = [await faulty.intent(f"s3://models/{number}") for number in range(3)]
    await faulty.database.execute("UPDATE deployment SET next_at = now()")
    fetch = faulty.queue._database.fetch

    async def fetch_and_fail(*arguments: Any) -> Any:
        assert len(await fetch(*arguments)) == 3
        raise asyncio.CancelledError

    faulty.queue._database.fetch = fetch_and_fail  # type: ignore[method-assign, assignment]
    with pytest.raises(asyncio.CancelledError):
        await faulty.queue.claim(9)
    assert [await lease_of(faulty, id_) for id_ in ids] == [None] * 3

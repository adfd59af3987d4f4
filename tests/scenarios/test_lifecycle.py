"""The life of a deployment without failures."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import UUID

import pytest
from tests.cluster.own_kserve import OwnKServe
from tests.scenarios.world import PATIENCE, View, World

from registry_grpc.domain.deployment import Deployment, Outcome, Phase
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions
from registry_grpc.domain.errors import DeploymentBlocked, FailedPrecondition, InvalidRequest
from registry_grpc.domain.inference_service import InferenceServicePatch, ServiceState
from registry_grpc.domain.policy import DeploymentPolicy

pytestmark = pytest.mark.slow

OLD, NEW = "s3://models/iris", "s3://models/iris-2"


async def test_first_deploy(running: World) -> None:
    deployed = await running.deploy()
    assert (deployed.status, deployed.message) == ("PENDING", "Deployment initiated")
    deployment = await running.until_deployed(deployed.service.id)
    live = await running.live(deployment)
    assert deployment.url == live["status"]["url"]
    view = await running.view(deployment.id)
    assert view == View("DEPLOYED", "DEPLOYED", deployment.url, "", ("RUNNING",), live["metadata"]["uid"])
    log = await running.log(deployment.id)
    assert log[0] == ("PENDING", "")
    assert log[-1] == ("DEPLOYED", "")
    assert {phase for phase, _ in log} <= {"PENDING", "DEPLOYING", "DEPLOYED"}
    (revision,) = await running.revisions(deployment.id)
    assert (revision.outcome, revision.created_by, revision.served_until) == (Outcome.SERVED, "ann", None)
    assert await running.served_now(deployment.id) == 1
    assert len(await running.secrets()) == 1


async def test_update_in_place(running: World) -> None:
    id_ = (await running.deploy(OLD)).service.id
    before = await running.until_deployed(id_)
    version = await running.version(NEW)
    updated = await running.deployments.update(
        running.project_id, id_, model_version_id=version.id, options=None, user="bob"
    )
    assert updated.generation == 2
    after = await running.until_deployed(id_, revision=2)
    live = await running.live(after)
    assert live["spec"]["predictor"]["model"]["storageUri"] == NEW
    assert live["metadata"]["uid"] == before.applied.uid if before.applied else None
    assert await running.view(id_) == View(
        "DEPLOYED", "DEPLOYED", before.url, "", ("RUNNING",), live["metadata"]["uid"]
    )
    first, second = await running.revisions(id_)
    assert (first.outcome, second.outcome, second.created_by) == (Outcome.SERVED, Outcome.SERVED, "bob")
    assert first.served_until == second.served_from
    # The revision that served at a time.
    at = await running.history.served_at(running.project_id, id_, first.served_from)
    assert at is not None
    assert at.generation == 1
    assert await running.served_now(id_) == 2
    # The phase must not be DEPLOYED before the new revision serves.
    events = await running.events(id_)
    assert next(e.phase for e in events if e.generation == 2) is Phase.UPDATING
    assert all(e.serving_generation == e.generation for e in events if e.phase is Phase.DEPLOYED)


async def test_rollback(running: World) -> None:
    id_ = (await running.deploy(OLD)).service.id
    await running.until_deployed(id_)
    version = await running.version(NEW)
    await running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
    await running.until_deployed(id_, revision=2)
    await running.deployments.roll_back(running.project_id, id_, None, "eve")
    deployment = await running.until_deployed(id_, revision=3)
    assert (await running.live(deployment))["spec"]["predictor"]["model"]["storageUri"] == OLD
    revisions = await running.revisions(id_)
    assert [(r.cause, r.outcome) for r in revisions] == [
        ("DEPLOY", "SERVED"),
        ("UPDATE", "SERVED"),
        ("ROLLBACK", "SERVED"),
    ]
    assert revisions[2].spec == revisions[0].spec
    assert [r.served_until is None for r in revisions] == [False, False, True]


async def pods_of(world: World, deployment: Deployment) -> list[str]:
    return [pod["metadata"]["uid"] for pod in await world.kube.pods(deployment.name)]


async def test_a_rollback_to_the_same_revision_keeps_the_pods(running: World) -> None:
    id_ = (await running.deploy()).service.id
    pods = await pods_of(running, await running.until_deployed(id_))
    await running.deployments.roll_back(running.project_id, id_, 1)
    after = await running.until_deployed(id_, revision=2)
    assert await pods_of(running, after) == pods
    assert await running.served_now(id_) == 2
    first, second = await running.revisions(id_)
    assert (first.outcome, second.outcome) == (Outcome.SERVED, Outcome.SERVED)
    assert first.served_until == second.served_from
    await running.until_undeployed(id_)


async def test_a_rollback_after_a_failed_update_keeps_the_pods_that_serve(running: World) -> None:
    id_ = (await running.deploy(OLD)).service.id
    pods = await pods_of(running, await running.until_deployed(id_))
    for uri in ("s3://models/corrupt-model", "s3://models/does-not-exist"):
        version = await running.version(uri)
        await running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
        await running.until(id_, lambda d: d.phase is Phase.FAILED and d.applied_generation == d.generation)
    await running.deployments.roll_back(running.project_id, id_, None)
    after = await running.until_deployed(id_, revision=4)
    assert (await running.live(after))["spec"]["predictor"]["model"]["storageUri"] == OLD
    assert [uid for uid in await pods_of(running, after) if uid in pods] == pods
    version = await running.version(NEW)
    await running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
    after = await running.until_deployed(id_, revision=5)
    async with asyncio.timeout(PATIENCE):  # the old ones end on their own
        while set(pods) & set(await pods_of(running, after)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [r.outcome for r in await running.revisions(id_)] == ["SERVED", "FAILED", "FAILED", "SERVED", "SERVED"]
    await running.until_undeployed(id_)


@pytest.mark.skipif(OwnKServe.find() is not None, reason="no autoscaler runs, and KServe leaves the scale to it")
async def test_scaling_and_another_deadline_keep_the_pods(running: World) -> None:
    id_ = (await running.deploy()).service.id
    pods = await pods_of(running, await running.until_deployed(id_))
    for revision, options in enumerate(
        (
            DeploymentOptions(min_replicas=2, max_replicas=3),
            DeploymentOptions(min_replicas=2, max_replicas=3, deadline_seconds=60),
        ),
        start=2,
    ):
        await running.deployments.update(running.project_id, id_, model_version_id=None, options=options)
        after = await running.until_deployed(id_, revision=revision)
        there = await pods_of(running, after)
        assert (len(there), set(pods) <= set(there)) == (2, True)
    await running.until_undeployed(id_)


async def test_a_rollback_to_a_forbidden_revision(running: World) -> None:
    running.set_policy(DeploymentPolicy(env=("LD_*",)))
    id_ = (await running.deploy(OLD, options=DeploymentOptions(env={"LD_PRELOAD": "/x.so"}))).service.id
    await running.until_deployed(id_)
    await running.deployments.update(
        running.project_id, id_, model_version_id=None, options=DeploymentOptions(min_replicas=1)
    )
    await running.until_deployed(id_, revision=2)
    running.set_policy(DeploymentPolicy())
    with pytest.raises(DeploymentBlocked, match="LD_PRELOAD"):
        await running.deployments.roll_back(running.project_id, id_, 1)
    after = await running.until_deployed(id_, revision=2)
    assert after.spec.options.env == {}
    await running.until_undeployed(id_)


async def test_another_mode_needs_another_object(running: World) -> None:
    """KServe refuses it, so it is refused before a revision is made."""
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    knative = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)
    with pytest.raises(InvalidRequest, match="deployment_mode"):
        await running.deployments.update(running.project_id, id_, model_version_id=None, options=knative)
    after = await running.until_deployed(id_)
    assert after.generation == 1
    await running.until_undeployed(id_)
    updated = await running.deployments.update(running.project_id, id_, model_version_id=None, options=knative)
    assert (updated.generation, updated.spec.options) == (3, knative)
    assert updated.reason != "REJECTED"
    await running.until_undeployed(id_)


async def test_undeploy(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    await running.undeploy(id_)
    assert await running.view(id_) == View("UNDEPLOYED", "UNDEPLOYED", "", "", ("PENDING",), "")
    await running.until_phase(id_, Phase.UNDEPLOYED)
    await running.until_nothing_is_left()
    assert await running.served_now(id_) is None
    log = await running.log(id_)
    assert [phase for phase, _ in log[-2:]] == ["DELETING", "UNDEPLOYED"]
    await running.undeploy(id_)  # it can be repeated
    assert (await running.deployment(id_)).phase is Phase.UNDEPLOYED


async def test_redeploy_after_an_undeploy(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    before = (await running.view(id_)).external_id
    await running.undeploy(id_)
    await running.until_phase(id_, Phase.UNDEPLOYED)
    await patch(running, id_, ServiceState.DEPLOYED)
    deployment = await running.until_deployed(id_)
    assert deployment.generation == 3
    view = await running.view(id_)
    assert (view.current_state, view.served) == ("DEPLOYED", ("RUNNING",))
    assert view.external_id != before
    causes = [revision.cause for revision in await running.revisions(id_)]
    assert causes == ["DEPLOY", "UNDEPLOY", "REDEPLOY"]


async def test_redeploy_while_the_old_object_is_still_going(running: World) -> None:
    """The registry deleted the object itself, so this is not drift."""
    id_ = (await running.deploy()).service.id
    deployment = await running.until_deployed(id_)
    await running.hold(deployment.name)
    await running.undeploy(id_)
    await running.until_phase(id_, Phase.DELETING)
    await patch(running, id_, ServiceState.DEPLOYED)
    waiting = await running.until_phase(id_, Phase.PENDING, "NAME_BEING_RELEASED")
    assert waiting.next_step
    await running.let_go(deployment.name)
    await running.until_deployed(id_, revision=3)
    assert "DRIFTED" not in {phase for phase, _ in await running.log(id_)}
    assert len(await running.secrets()) == 1


async def test_redeploy_before_the_undeployment_was_carried_out(world: World) -> None:
    """Without a controller nothing was deleted, so the object stays as it is."""
    id_ = await world.intent()
    async with world.controller():
        before = await world.until_deployed(id_)
    await world.dying_requests.services.undeploy(world.project_id, id_)
    await world.deployments.update(world.project_id, id_, model_version_id=None, options=None)
    async with world.controller():
        after = await world.until_deployed(id_, revision=3)
    assert before.applied is not None
    assert after.applied is not None
    assert after.applied.uid == before.applied.uid


async def test_delete_and_deploy_again_under_the_same_name(running: World) -> None:
    """The tombstone of the old one and the new one share a name until the old object is gone."""
    old = await running.until_deployed((await running.deploy(name="iris")).service.id)
    await running.hold("iris")
    await running.undeploy(old.id)
    await running.services.delete(running.project_id, old.id)
    deployed = await running.deploy(NEW, name="iris")
    new = await running.until_phase(deployed.service.id, Phase.PENDING, "NAME_BEING_RELEASED")
    assert (await running.deployment(old.id)).phase is Phase.DELETING
    await running.let_go("iris")
    await running.until_deployed(new.id)
    await running.until_phase(old.id, Phase.UNDEPLOYED)
    live = await running.kube.inference_service("iris")
    assert live["spec"]["predictor"]["model"]["storageUri"] == NEW
    assert len(await running.secrets()) == 1
    await running.undeploy(new.id)
    await running.until_phase(new.id, Phase.UNDEPLOYED)
    await running.until_nothing_is_left()


async def test_delete_of_the_record_takes_the_object_along(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    async with asyncio.timeout(10):
        while True:  # until the controller misses the phases in between, and finds it deployed
            patch = InferenceServicePatch(current_state=ServiceState.UNDEPLOYED)
            await running.services.update(running.project_id, id_, patch)
            with contextlib.suppress(FailedPrecondition):
                await running.services.delete(running.project_id, id_)
                break
    await running.until_phase(id_, Phase.UNDEPLOYED)
    await running.until_nothing_is_left()
    assert not await running.history.orphans(running.project_id)


async def patch(world: World, id_: UUID, state: ServiceState) -> None:
    await world.services.update(world.project_id, id_, InferenceServicePatch(desired_state=state), "ann")

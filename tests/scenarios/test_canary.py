"""A canary: another revision gets a share of the requests, until it is promoted or aborted."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from tests.scenarios.world import MODEL, World

from registry_grpc.devtools.simulated_cluster.api.errors import forbidden
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, HTTP_ROUTES, INFERENCE_SERVICES
from registry_grpc.devtools.simulated_cluster.api.store import Change
from registry_grpc.domain.canary import CanaryStep, Replicas
from registry_grpc.domain.deployment import Deployment, Outcome, Phase
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import DeploymentBlocked, FailedPrecondition, InvalidRequest

pytestmark = pytest.mark.slow

NEXT = "s3://models/iris-2"
FOUR = DeploymentOptions(min_replicas=4)


async def until_tried(world: World, id: UUID, share: int = 25) -> Deployment:
    return await world.until(
        id,
        lambda d: (
            d.reason == "CANARY" and d.split is not None and d.split.percent == share == (d.canary and d.canary.share)
        ),
    )


async def a_canary(world: World, options: DeploymentOptions = FOUR, uri: str = NEXT, percent: int = 25) -> Deployment:
    """Revision 2 with a quarter of the requests beside revision 1."""
    id_ = (await world.deploy(options=options)).service.id
    await world.until_deployed(id_)
    await update(world, id_, uri=uri, percent=percent)
    return await until_tried(world, id_, percent)


async def update(world: World, id: UUID, *, uri: str = NEXT, percent: int | None, **options: Any) -> Deployment:
    version = await world.version(uri)
    changed = DeploymentOptions(**options) if options else None
    return await world.deployments.update(
        world.project_id, id, model_version_id=version.id, options=changed, traffic_percent=percent
    )


async def end(world: World, id: UUID, step: CanaryStep, revision: int | None = None) -> Deployment:
    return await world.deployments.end_canary(world.project_id, id, step, revision, "ann")


async def test_a_share_of_the_requests_then_all(running: World) -> None:
    tried = await a_canary(running)
    id_, canary = tried.id, tried.canary
    assert canary is not None
    assert (tried.phase, tried.generation, tried.serving_generation) == (Phase.UPDATING, 2, 1)
    assert (canary.stable_generation, canary.step, canary.percent) == (1, CanaryStep.TRY, 25)
    assert tried.message == "revision 2 gets 25 % of the requests, and revision 1 the others"
    split = (await running.until(id_, lambda d: d.split is not None and d.split.stable == Replicas(3, 3))).split
    assert split is not None
    assert split.target == Replicas(1, 1)
    assert sorted((await running.view(id_)).served) == ["RUNNING", "RUNNING"]
    first, second = await running.revisions(id_)
    assert (first.outcome, first.served_until) == (Outcome.SERVED, None)
    assert second.outcome is Outcome.SERVED
    assert second.served_from is not None
    assert await running.served_now(id_) == 1

    await running.deployments.update(running.project_id, id_, model_version_id=None, options=None, traffic_percent=50)
    await until_tried(running, id_, 50)
    before = await running.until_pods(4)
    await end(running, id_, CanaryStep.PROMOTE)
    done = await running.until_deployed(id_, revision=2)
    assert (done.canary, done.split) == (None, None)
    live = await running.live(done)
    assert live["spec"]["predictor"]["name"] == "r2"
    assert live["spec"]["predictor"]["minReplicas"] == 4
    assert "canary" not in live["spec"]
    assert len(before & await running.until_pods(4)) == 2, "the pods of the canary stay"
    assert (await running.view(id_)).served == ("RUNNING",)
    first, second = await running.revisions(id_)
    assert first.served_until is not None
    assert (second.served_until, await running.served_now(id_)) == (None, 2)

    again = await end(running, id_, CanaryStep.PROMOTE, revision=2)
    assert (again.generation, again.phase) == (2, Phase.DEPLOYED)
    with pytest.raises(FailedPrecondition):
        await end(running, id_, CanaryStep.ABORT, revision=2)
    await update(running, id_, uri=MODEL, percent=None)
    await running.until_deployed(id_, revision=3)
    await running.until_undeployed(id_)


async def test_an_abort_keeps_the_pods_of_the_stable_revision(running: World) -> None:
    tried = await a_canary(running, DeploymentOptions(min_replicas=2), percent=10)
    id_ = tried.id
    stable = await running.kube.deployment(tried.name)
    await end(running, id_, CanaryStep.ABORT)
    done = await running.until_deployed(id_, revision=1)
    assert (done.canary, done.generation) == (None, 1)
    live = await running.live(done)
    assert "canary" not in live["spec"]
    await running.until_secrets([live["metadata"]["annotations"]["serving.kserve.io/storageSecretName"]])
    assert (await running.kube.deployment(tried.name))["spec"]["template"] == stable["spec"]["template"]
    first, second = await running.revisions(id_)
    assert (first.outcome, first.served_until) == (Outcome.SERVED, None)
    assert second.outcome is Outcome.ABORTED
    assert second.served_until is not None
    assert (await running.view(id_)).served == ("RUNNING",)
    again = await end(running, id_, CanaryStep.ABORT, revision=2)
    assert (again.generation, again.phase) == (1, Phase.DEPLOYED)
    with pytest.raises(FailedPrecondition):
        await end(running, id_, CanaryStep.PROMOTE, revision=2)
    await update(running, id_, percent=None)
    await running.until_deployed(id_, revision=3)


async def test_the_requests_go_before_the_pods(running: World) -> None:
    """When the canary's Deployment is deleted, the route no longer leads to it."""
    if running.kubernetes.simulated is None:
        pytest.skip("only the simulated cluster tells what was there at the same moment")
    tried = await a_canary(running)
    name, weights = f"{tried.name}-r2-predictor", []
    store = running.simulated.store

    def note(change: Change) -> None:
        if change.resource is DEPLOYMENTS and change.obj["metadata"]["name"] == name and change.type == "DELETED":
            (route,) = store.list(HTTP_ROUTES, running.kube.namespace)
            backends = route["spec"]["rules"][0]["backendRefs"]
            weights.append(sum(backend["weight"] for backend in backends if backend["name"] == name))

    store.listen(note)
    await end(running, tried.id, CanaryStep.ABORT)
    await running.until_deployed(tried.id, revision=1)
    assert weights == [0]


async def test_a_canary_of_options_is_promoted_in_place(running: World) -> None:
    """KServe refuses to rename the predictor of the same model."""
    id_ = (await running.deploy(options=FOUR)).service.id
    await running.until_deployed(id_)
    changed = DeploymentOptions(min_replicas=4, requests={"cpu": "2"}, limits={"cpu": "2"})
    await running.deployments.update(
        running.project_id, id_, model_version_id=None, options=changed, traffic_percent=25
    )
    await until_tried(running, id_)
    await end(running, id_, CanaryStep.PROMOTE)
    done = await running.until_deployed(id_, revision=2)
    live = await running.live(done)
    assert "canary" not in live["spec"]
    assert "name" not in live["spec"]["predictor"]


async def test_a_canary_that_crashes_gets_nothing(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    await update(running, id_, uri="s3://models/corrupt-model", percent=25)
    failed = await running.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
    assert failed.message.endswith("(revision 1 is still serving)")
    assert failed.serving_generation == 1
    (_, second) = await running.revisions(id_)
    assert second.served_from is None
    # Another update takes its place, with the same share.
    await update(running, id_, percent=None)
    await until_tried(running, id_)
    rolled_back = await running.deployments.roll_back(running.project_id, id_, None)
    assert rolled_back.id == id_
    await running.until_deployed(id_, revision=1)


async def test_undeploying_ends_it(running: World) -> None:
    tried = await a_canary(running)
    await running.until_undeployed(tried.id)
    gone = await running.deployment(tried.id)
    assert (gone.canary, gone.spec.storage_uri) == (None, MODEL)


async def test_an_object_that_is_deleted_comes_back_without_the_canary(running: World) -> None:
    tried = await a_canary(running)
    await running.kube.delete(INFERENCE_SERVICES, tried.name)
    done = await running.until_deployed(tried.id, revision=1)
    assert done.canary is None
    assert "canary" not in (await running.live(done))["spec"]


async def test_a_changed_share_is_drift(running: World) -> None:
    tried = await a_canary(running)
    entry = (await running.live(tried))["spec"]["canary"][0]
    await running.edit(tried.name, {"spec": {"canary": [{**entry, "trafficPercent": 90}]}})
    drifted = await running.until_phase(tried.id, Phase.DRIFTED, "SPEC_CHANGED")
    assert [difference.path for difference in drifted.drift] == ["spec.canary"]


@pytest.mark.parametrize("percent", [90, 0])
@pytest.mark.parametrize("ending", ["abort", "rollback"])
async def test_an_abort_takes_back_an_edited_share(running: World, percent: int, ending: str) -> None:
    tried = await a_canary(running)
    entry = (await running.live(tried))["spec"]["canary"][0]
    await running.edit(tried.name, {"spec": {"canary": [{**entry, "trafficPercent": percent}]}})
    await running.until_phase(tried.id, Phase.DRIFTED, "SPEC_CHANGED")
    if ending == "abort":
        await end(running, tried.id, CanaryStep.ABORT)
    else:
        await running.deployments.roll_back(running.project_id, tried.id, None)
    done = await running.until_deployed(tried.id, revision=1)
    assert "canary" not in (await running.live(done))["spec"]
    assert done.canary is None
    await running.until_pods(4)


async def test_a_promotion_takes_back_what_others_have_edited(running: World) -> None:
    tried = await a_canary(running)
    entry = (await running.live(tried))["spec"]["canary"][0]
    edited = {"predictor": {"minReplicas": 6}, "canary": [{**entry, "trafficPercent": 10}]}
    await running.edit(tried.name, {"spec": edited})
    await running.until_phase(tried.id, Phase.DRIFTED, "SPEC_CHANGED")
    await end(running, tried.id, CanaryStep.PROMOTE)
    done = await running.until_deployed(tried.id, revision=2)
    spec = (await running.live(done))["spec"]
    assert (spec["predictor"]["minReplicas"], "canary" in spec) == (4, False)


async def test_what_others_have_added_stays_when_a_canary_ends(running: World) -> None:
    tried = await a_canary(running)
    await running.edit(tried.name, {"spec": {"predictor": {"timeout": 60}}})
    edited = await running.until(tried.id, lambda d: bool(d.drift))
    assert (edited.phase, edited.reason) == (Phase.UPDATING, "CANARY")
    assert edited.message.endswith("the others. It was also changed by kubectl-edit: spec.predictor.timeout")
    await end(running, tried.id, CanaryStep.ABORT)
    done = await running.until(tried.id, lambda d: d.canary is None and d.phase is Phase.DRIFTED)
    assert (done.generation, done.serving_generation) == (1, 1)
    spec = (await running.live(done))["spec"]
    assert (spec["predictor"]["timeout"], "canary" in spec) == (60, False)


async def test_a_share_that_is_edited_during_an_abort(running: World) -> None:
    tried = await a_canary(running)
    entry = (await running.live(tried))["spec"]["canary"][0]
    async with running.paused():
        await running.dying_requests.deployments.end_canary(running.project_id, tried.id, CanaryStep.ABORT)
        await running.edit(tried.name, {"spec": {"canary": [{**entry, "trafficPercent": 50}]}})
    done = await running.until_deployed(tried.id, revision=1)
    assert "canary" not in (await running.live(done))["spec"]


async def test_an_abort_of_a_revision_that_the_cluster_refuses(faulty: World) -> None:
    id_ = (await faulty.deploy()).service.id
    async with faulty.controller():
        await faulty.until_deployed(id_)
    version = await faulty.version(NEXT)
    await faulty.dying_requests.deployments.update(
        faulty.project_id, id_, model_version_id=version.id, options=None, traffic_percent=25
    )

    def no_canaries(resource: Any, new: Any, _old: Any) -> None:
        if resource is INFERENCE_SERVICES and "canary" in new["spec"]:
            raise forbidden(resource, new["metadata"]["name"], "ValidatingAdmissionPolicy 'p' denied request: no")

    faulty.simulated.policies.append(no_canaries)
    async with faulty.controller():
        await faulty.until_phase(id_, Phase.FAILED, "ADMISSION")
        await end(faulty, id_, CanaryStep.ABORT)
        assert (await faulty.until_deployed(id_, revision=1)).canary is None
    assert [r.outcome for r in await faulty.revisions(id_)] == [Outcome.SERVED, Outcome.ABORTED]


async def test_nothing_serves_beside_which_it_could_be_tried(running: World) -> None:
    id_ = (await running.deploy("s3://models/corrupt-model")).service.id
    await running.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
    with pytest.raises(FailedPrecondition, match="revision 1 does not serve"):
        await update(running, id_, percent=25)
    with pytest.raises(InvalidRequest, match="from 1 to 99"):
        await update(running, id_, percent=100)


async def test_a_field_that_only_the_stable_revision_has(running: World) -> None:
    """KServe would give it to the canary, too."""
    id_ = (await running.deploy(options=DeploymentOptions(timeout_seconds=30))).service.id
    await running.until_deployed(id_)
    with pytest.raises(DeploymentBlocked, match="timeout"):
        await update(running, id_, percent=25, deadline_seconds=60)
    assert (await running.deployment(id_)).generation == 1


async def test_the_plan_of_a_canary(running: World) -> None:
    id_ = (await running.deploy()).service.id
    deployed = await running.until_deployed(id_)
    version = await running.version(NEXT)
    plan = await running.planning.plan_update(
        running.project_id, id_, model_version_id=version.id, options=None, traffic_percent=30
    )
    assert plan.blocking == ()
    assert [difference.path for difference in plan.differences] == ["spec.canary"]
    [entry] = json.loads(plan.manifest)["spec"]["canary"]
    assert (entry["trafficPercent"], entry["predictor"]["model"]["storageUri"]) == (30, NEXT)
    assert "canary" not in (await running.live(deployed))["spec"]
    assert (await running.deployment(id_)).generation == 1


async def test_a_cluster_without_the_gateway_api(faulty: World) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        await faulty.until_deployed(id_)
        faulty.simulated.uninstalled.add(HTTP_ROUTES)
        with pytest.raises(DeploymentBlocked, match="the Gateway API is not installed") as refused:
            await update(faulty, id_, percent=25)
    [violation] = refused.value.violations
    assert violation.field == "CANARY_UNSUPPORTED"
    assert (await faulty.deployment(id_)).generation == 1


@pytest.mark.parametrize(("step", "revision"), [(CanaryStep.PROMOTE, 2), (CanaryStep.ABORT, 1)])
async def test_it_ends_before_anybody_notices_that_the_object_is_gone(
    world: World, step: CanaryStep, revision: int
) -> None:
    async with world.controller():
        tried = await a_canary(world, DeploymentOptions())
    await world.kube.delete(INFERENCE_SERVICES, tried.name)
    await world.kube.until_gone(INFERENCE_SERVICES, tried.name)
    answer = await end(world, tried.id, step, revision=2)
    assert (answer.canary, answer.generation) == (None, revision)
    assert (answer.phase, answer.reason) == (Phase.DRIFTED, "DELETED_EXTERNALLY")
    async with world.controller():
        done = await world.until_deployed(tried.id, revision=revision)
        spec = (await world.live(done))["spec"]
        assert (spec["predictor"]["model"]["storageUri"], "canary" in spec) == ([MODEL, NEXT][revision - 1], False)
        first, second = await world.revisions(tried.id)
        assert second.outcome is (Outcome.SERVED if revision == 2 else Outcome.ABORTED)
        assert (first.served_until is None, second.served_until is None) == (revision == 1, revision == 2)
        assert await world.served_now(tried.id) == revision


async def test_a_promotion_after_the_object_was_gone_says_that_it_is_too_late(world: World) -> None:
    async with world.controller():
        tried = await a_canary(world, DeploymentOptions())
        await world.kube.delete(INFERENCE_SERVICES, tried.name)
        await world.until_deployed(tried.id, revision=1)
        with pytest.raises(FailedPrecondition, match="revision 2 was aborted"):
            await end(world, tried.id, CanaryStep.PROMOTE, revision=2)

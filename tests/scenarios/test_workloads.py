"""Pods that do not start: reason, message and next step tell it while it lasts, and it recovers afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.cluster.kube import Object, condition, is_ready
from tests.scenarios.world import World

from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, INFERENCE_SERVICES, PODS, Resource
from registry_grpc.devtools.simulated_cluster.workloads.pods import LABEL, Outcome
from registry_grpc.domain.deployment import Outcome as Became
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.deployment_options import DeploymentOptions

pytestmark = pytest.mark.slow

IMPATIENT = DeploymentOptions(deadline_seconds=1)
TOO_LARGE = DeploymentOptions(requests={"cpu": "64"}, limits={"cpu": "64"})  # twice what the node has

FATAL = [
    ("s3://models/does-not-exist", "MODEL_DOWNLOAD", "does-not-exist"),
    ("s3://models/corrupt-model", "MODEL_LOAD", "exit code 1: ValueError"),
    ("s3://models/too-large-model", "OUT_OF_MEMORY", "exit code 137"),
]


@pytest.mark.parametrize(("uri", "reason", "words"), FATAL, ids=[reason for _, reason, _ in FATAL])
async def test_a_first_deploy_fails_and_an_update_puts_it_right(
    running: World, uri: str, reason: str, words: str
) -> None:
    id_ = (await running.deploy(uri)).service.id
    failed = await running.until_phase(id_, Phase.FAILED, reason)
    assert words in failed.message or running.kubernetes.simulated is None
    assert failed.next_step
    assert (failed.serving_generation, failed.url) == (None, "")
    view = await running.view(id_)
    assert (view.current_state, view.url, view.served) == ("UNDEPLOYED", "", ("FAILED",))
    assert view.last_error == failed.message
    (revision,) = await running.revisions(id_)
    assert (revision.outcome, revision.reason, revision.served_from) == (Became.FAILED, reason, None)
    version = await running.version()
    await running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
    await running.until_deployed(id_, revision=2)
    view = await running.view(id_)
    assert (view.current_state, view.last_error, view.served) == ("DEPLOYED", "", ("RUNNING",))
    await running.until_undeployed(id_)


@pytest.mark.parametrize(("uri", "reason", "words"), FATAL, ids=[reason for _, reason, _ in FATAL])
async def test_an_update_fails_while_the_old_revision_serves(running: World, uri: str, reason: str, words: str) -> None:
    """KServe reports Ready all the time."""
    id_ = (await running.deploy()).service.id
    before = await running.until_deployed(id_)
    version = await running.version(uri)
    await running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
    failed = await running.until_phase(id_, Phase.FAILED, reason)
    assert failed.message.endswith("(revision 1 is still serving)")
    assert (failed.generation, failed.serving_generation, failed.url) == (2, 1, before.url)
    view = await running.view(id_)
    assert (view.current_state, view.url) == ("DEPLOYED", before.url)
    assert sorted(view.served) == ["FAILED", "RUNNING"]
    assert await running.served_now(id_) == 1
    first, second = await running.revisions(id_)
    assert (first.outcome, first.served_until) == (Became.SERVED, None)
    assert (second.outcome, second.reason, second.served_from) == (Became.FAILED, reason, None)
    await running.deployments.roll_back(running.project_id, id_, None)
    await running.until_deployed(id_, revision=3)
    view = await running.view(id_)
    assert (view.last_error, view.served) == ("", ("RUNNING",))


@pytest.mark.parametrize(
    ("outcome", "reason", "words"),
    [
        (Outcome.IMAGE_PULL, "IMAGE_PULL", "kserve-container: "),
        (Outcome.CONFIG_ERROR, "CONTAINER_CONFIG", "kserve-container: CreateContainerConfigError"),
    ],
)
async def test_a_container_that_cannot_start(running: World, outcome: Outcome, reason: str, words: str) -> None:
    """It is reported at once, but only fails if it lasts, because image registries fail for moments."""
    id_ = (await running.deploy(labels={LABEL: outcome})).service.id
    early = await running.until_phase(id_, Phase.DEPLOYING, reason)
    assert early.message.startswith(words)
    assert early.next_step
    if running.kubernetes.simulated is not None:
        await running.age_pods(seconds=61)
        failed = await running.until_phase(id_, Phase.FAILED, reason)
        assert failed.message.startswith(words)
        assert (await running.view(id_)).served == ("FAILED",)
    await running.until_undeployed(id_)


async def test_unschedulable(running: World) -> None:
    id_ = (await running.deploy(options=TOO_LARGE)).service.id
    waiting = await running.until_phase(id_, Phase.PENDING, "UNSCHEDULABLE")
    assert "nodes are available" in waiting.message
    assert waiting.next_step
    assert (await running.view(id_)).served == ("PENDING",)
    await running.until_undeployed(id_)


async def test_an_update_is_unschedulable_while_the_old_revision_serves(running: World) -> None:
    id_ = (await running.deploy()).service.id
    before = await running.until_deployed(id_)
    await running.deployments.update(running.project_id, id_, model_version_id=None, options=TOO_LARGE)
    waiting = await running.until_phase(id_, Phase.UPDATING, "UNSCHEDULABLE")
    assert "nodes are available" in waiting.message
    assert (waiting.serving_generation, waiting.url) == (1, before.url)
    assert "PENDING" not in [phase for phase, _ in (await running.log(id_))[1:]]
    await running.until_undeployed(id_)


async def test_unschedulable_until_the_deadline(running: World) -> None:
    id_ = (await running.deploy(options=replace(TOO_LARGE, deadline_seconds=1))).service.id
    failed = await running.until_phase(id_, Phase.FAILED, "UNSCHEDULABLE")
    assert "nodes are available" in failed.message
    assert (await running.view(id_)).served == ("FAILED",)


async def test_never_ready(running: World) -> None:
    id_ = (await running.deploy(labels={LABEL: Outcome.NEVER_READY}, options=IMPATIENT)).service.id
    failed = await running.until_phase(id_, Phase.FAILED, "DEADLINE")
    assert failed.message
    assert "deadline" in failed.next_step
    await running.until_undeployed(id_)


async def test_no_runtime_takes_the_format(running: World) -> None:
    id_ = (await running.deploy_version(model_framework="fortran", model_framework_version="")).service.id
    failed = await running.until_phase(id_, Phase.FAILED, "NO_SUPPORTING_RUNTIME")
    assert "runtime" in failed.message
    assert "options.runtime" in failed.next_step
    await running.until_undeployed(id_)


async def test_pods_exceed_the_quota(running: World) -> None:
    await running.allow_no_pods()
    id_ = (await running.deploy()).service.id
    early = await running.until_phase(id_, Phase.DEPLOYING, "QUOTA")
    assert "exceeded quota" in early.message
    assert early.next_step
    await running.age_replica_failure(early.name, seconds=31)
    await running.make_due(id_)
    await running.until_phase(id_, Phase.FAILED, "QUOTA")
    await running.until_undeployed(id_)


async def test_an_autoscaler_adds_many_replicas(faulty: World) -> None:
    """KServe calls the object not Ready, and says that its ingress was not created, but the minimum serves."""
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        before = await faulty.until_deployed(id_)
        faulty.simulated.policies.append(_slow_to_start)
        await faulty.kube.merge(DEPLOYMENTS, f"{before.name}-predictor", {"spec": {"replicas": 5}}, manager="hpa")
        unready = await faulty.kube.until(INFERENCE_SERVICES, before.name, lambda found: not is_ready(found))
        assert condition(unready, "Ready")["reason"] == "Predictor ingress not created"
        seen_at = (await faulty.deployment(id_)).observed_at
        await faulty.make_due(id_)
        after = await faulty.until(id_, lambda d: d.observed_at != seen_at)
        assert (after.phase, after.reason, after.url) == (Phase.DEPLOYED, "", before.url)
        assert "DEGRADED" not in [phase for phase, _ in await faulty.log(id_)]


def _slow_to_start(resource: Resource, new: Object, old: Object | None) -> None:
    if resource is PODS and old is None:
        new["metadata"]["labels"][LABEL] = Outcome.NEVER_READY


async def test_the_condition_that_knows_most(running: World) -> None:
    id_ = (await running.deploy(labels={LABEL: Outcome.NEVER_READY})).service.id
    name = (await running.deployment(id_)).name
    unready = await running.kube.until(
        INFERENCE_SERVICES, name, lambda found: bool(condition(found, "Ready").get("reason"))
    )
    assert condition(unready, "Ready").get("message", "") in {"", "Predictor HTTPRoute not created"}
    deploying = await running.until(id_, lambda d: d.phase is Phase.DEPLOYING and bool(d.message))
    assert deploying.message == "Deployment does not have minimum availability."
    await running.until_undeployed(id_)


async def test_degraded_when_the_serving_revision_fails(faulty: World) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        before = await faulty.until_deployed(id_)
        await faulty.forbid_pods_and_kill_them()
        degraded = await faulty.until(id_, lambda d: d.phase is Phase.DEGRADED)
        assert degraded.next_step
        assert (degraded.serving_generation, degraded.url) == (1, before.url)
        assert (await faulty.view(id_)).current_state == "DEPLOYED"


async def test_kserves_controller_is_silent(silent: World) -> None:
    async with silent.controller():
        id_ = (await silent.deploy()).service.id
        assert (await silent.deployment(id_)).phase is Phase.PENDING
        await silent.backdate(id_, seconds=61)
        waiting = await silent.until_phase(id_, Phase.PENDING, "CONTROLLER_SILENT")
        assert "controller manager" in waiting.next_step

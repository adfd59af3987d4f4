"""The API server or a policy refuses a request: what users see, and how it continues."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.cluster.failures import quota_exceeded, throttled, unavailable, webhook_denied, webhook_down
from tests.cluster.faulty import Fault
from tests.scenarios.world import View, World

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, PODS
from registry_grpc.domain.deployment import Outcome, Phase
from registry_grpc.domain.errors import Unavailable
from registry_grpc.services import controller

pytestmark = pytest.mark.slow

REGISTRY = "registry"
_SECONDS, _OF_A_PASS = 3, 6
_A_MINUTE_LATER = "UPDATE deployment SET tried_at = tried_at - interval '1 minute'"
_FOR_AN_HOUR = """
UPDATE deployment SET attempts = 10 * least(attempts, 1), phase_since = phase_since - interval '1 hour', next_at = now()
"""
_SOON_DUE = "SELECT FROM deployment WHERE next_at < now() + interval '1 minute' OR lease_until > now()"
STALE = ApiError(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
MODEL_OF_OTHERS = {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://others/model"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (webhook_denied("no models on Fridays"), "ADMISSION"),
        (quota_exceeded("iris"), "QUOTA"),
        (ApiError(422, "Invalid", "spec.predictor: Required value"), "REJECTED"),
    ],
    ids=["webhook denies", "quota", "422"],
)
async def test_refused_for_a_reason(faulty: World, error: ApiError, reason: str) -> None:
    fault = faulty.simulated.faults.add(Fault(verb="patch", resource="inferenceservices", error=error))
    deployed = await faulty.deploy()
    assert (deployed.status, deployed.message) == ("FAILED", error.message)
    deployment = await faulty.deployment(deployed.service.id)
    assert (deployment.phase, deployment.reason, deployment.message) == (Phase.FAILED, reason, error.message)
    assert deployment.next_step
    assert await faulty.view(deployment.id) == View(
        "DEPLOYED", "UNDEPLOYED", "", f"create kserve inferenceservice: {error.message}", ("FAILED",), ""
    )
    (revision,) = await faulty.revisions(deployment.id)
    assert (revision.outcome, revision.reason, revision.served_from) == (Outcome.FAILED, reason, None)
    # It is tried again from time to time, because policies change.
    faulty.simulated.faults.remove(fault)
    async with faulty.controller():
        await faulty.make_due(deployment.id)
        await faulty.until_deployed(deployment.id)
        assert (await faulty.view(deployment.id)).last_error == ""
        (revision,) = await faulty.revisions(deployment.id)
        assert (revision.outcome, revision.reason) == (Outcome.SERVED, "")
        await faulty.until_undeployed(deployment.id)


async def test_a_policy_refuses_the_object(running: World) -> None:
    async with running.policy_against(INFERENCE_SERVICES, "models need an owner"):
        id_ = (await running.deploy()).service.id
        failed = await running.until_phase(id_, Phase.FAILED, "ADMISSION")
        assert "models need an owner" in failed.message
        assert "policy" in failed.next_step
    await running.make_due(id_)
    await running.until_deployed(id_)
    assert ("FAILED", "FORBIDDEN") not in await running.log(id_)
    await running.until_undeployed(id_)


async def test_a_policy_refuses_the_pods(running: World) -> None:
    """Its author may use any words."""
    async with running.policy_against(PODS, "secret owner not found: forbidden"):
        id_ = (await running.deploy()).service.id
        early = await running.until_phase(id_, Phase.DEPLOYING, "ADMISSION")
        assert "secret owner not found" in early.message
        await running.age_replica_failure(early.name, seconds=31)
        await running.make_due(id_)
        failed = await running.until_phase(id_, Phase.FAILED, "ADMISSION")
        assert "secret owner not found" in failed.message
        assert "policy" in failed.next_step
    await running.until_undeployed(id_)


async def test_refused_ones_are_tried_again_soon_and_together(faulty: World) -> None:
    fault = faulty.simulated.faults.add(
        Fault(verb="patch", resource="inferenceservices", error=webhook_denied("no models on Fridays"))
    )
    one, *others = [(await faulty.deploy()).service.id for _ in range(4)]
    for id_ in others:
        await faulty.database.execute("UPDATE deployment SET next_at = now() + interval '1 hour' WHERE id = $1", id_)
    faulty.simulated.faults.remove(fault)
    async with faulty.controller():
        for id_ in (one, *others):
            await faulty.until_deployed(id_)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (webhook_denied("no models on Fridays"), "ADMISSION"),
        (webhook_down(), "API_UNAVAILABLE"),
    ],
    ids=["denied", "webhook down"],
)
async def test_many_that_are_refused_ask_little(
    faulty: World, error: ApiError, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all of them follow when one succeeds."""
    monkeypatch.setattr(controller, "LOOK_SECONDS", 0.2)
    fault = faulty.simulated.faults.add(Fault(verb="patch", resource="inferenceservices", error=error))
    many = [(await faulty.deploy(name=f"iris-{i}")).service.id for i in range(40)]
    await faulty.database.execute(_FOR_AN_HOUR)
    async with faulty.controller():
        for id_ in many:
            await faulty.until(id_, lambda d: d.reason == reason)
        while await faulty.database.fetch(_SOON_DUE):  # noqa: ASYNC110 - until each has made a pass
            await asyncio.sleep(0.05)
        before = faulty.simulated.requests
        await faulty.database.execute(_A_MINUTE_LATER)
        await asyncio.sleep(_SECONDS)
        assert 0 < faulty.simulated.requests - before <= _OF_A_PASS, "one is tried in 45 seconds"
        faulty.simulated.faults.remove(fault)
        await faulty.database.execute(_A_MINUTE_LATER)
        for id_ in many:
            await faulty.until_deployed(id_)


async def test_an_update_is_refused_while_the_old_revision_serves(faulty: World) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        before = await faulty.until_deployed(id_)
        faulty.simulated.faults.add(
            Fault(verb="patch", resource="inferenceservices", error=webhook_denied("not this one"))
        )
        version = await faulty.version("s3://models/other")
        await faulty.deployments.update(faulty.project_id, id_, model_version_id=version.id, options=None)
        deployment = await faulty.until_phase(id_, Phase.FAILED, "ADMISSION")
        assert deployment.message.endswith("not this one (revision 1 is still serving)")
        assert (deployment.serving_generation, deployment.url) == (1, before.url)
        view = await faulty.view(id_)
        assert (view.current_state, view.url) == ("DEPLOYED", before.url)
        assert sorted(view.served) == ["FAILED", "RUNNING"]
        assert await faulty.served_now(id_) == 1
        faulty.simulated.faults.clear()
        await faulty.until_undeployed(id_)


@pytest.mark.parametrize(
    ("verb", "resource", "phase", "reason"),
    [
        ("patch", "inferenceservices", Phase.FAILED, "FORBIDDEN"),
        ("get", "inferenceservices", Phase.FAILED, "FORBIDDEN"),
        ("patch", "secrets", Phase.FAILED, "FORBIDDEN"),
        ("get", "deployments", Phase.PENDING, "NAMESPACE_NOT_VISIBLE"),
    ],
)
async def test_a_missing_permission(faulty: World, verb: str, resource: str, phase: Phase, reason: str) -> None:
    right = faulty.simulated.faults.forbid(verb, resource, user=REGISTRY)
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        deployment = await faulty.until_phase(id_, phase, reason)
        assert f'cannot {verb} resource "{resource}"' in deployment.message
        assert "doctor" in deployment.next_step
        faulty.simulated.faults.remove(right)
        await faulty.until_deployed(id_)


@pytest.mark.parametrize(
    ("verb", "phase", "reason"),
    [("delete", Phase.FAILED, "FORBIDDEN"), ("get", Phase.DELETING, "NAMESPACE_NOT_VISIBLE")],
)
async def test_a_missing_permission_to_undeploy_is_not_an_undeployment(
    faulty: World, verb: str, phase: Phase, reason: str
) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        deployment = await faulty.until_deployed(id_)
        right = faulty.simulated.faults.forbid(verb, "inferenceservices", user=REGISTRY)
        await faulty.undeploy(id_)
        deployment = await faulty.until_phase(id_, phase, reason)
        assert f'cannot {verb} resource "inferenceservices"' in deployment.message
        await faulty.live(deployment)
        assert (await faulty.view(id_)).served == ("PENDING",)
        faulty.simulated.faults.remove(right)
        await faulty.make_due(id_)
        await faulty.until_phase(id_, Phase.UNDEPLOYED)
        await faulty.until_nothing_is_left()


async def test_a_namespace_that_is_made_later(faulty: World) -> None:
    await faulty.use_namespace("late")
    deployed = await faulty.deploy()
    deployment = await faulty.deployment(deployed.service.id)
    assert (deployed.status, deployment.reason) == ("FAILED", "NAMESPACE_NOT_FOUND")
    assert 'namespaces "late" not found' in deployment.message
    assert "namespace" in deployment.next_step
    faulty.simulated.create_namespace("late")
    async with faulty.controller():
        await faulty.make_due(deployment.id)
        await faulty.until_deployed(deployment.id)


async def test_a_namespace_that_is_deleted_under_a_deployment(faulty: World) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        await faulty.until_deployed(id_)
        await faulty.kubernetes.delete_namespace(faulty.kube.namespace)
        await faulty.until_phase(id_, Phase.FAILED, "NAMESPACE_NOT_FOUND")
        assert ("DRIFTED", "DELETED_EXTERNALLY") in await faulty.log(id_)
        view = await faulty.view(id_)
        assert (view.current_state, view.url, view.served) == ("UNDEPLOYED", "", ("FAILED",))
        await faulty.undeploy(id_)
        await faulty.until_phase(id_, Phase.UNDEPLOYED)
        faulty.simulated.create_namespace(faulty.kube.namespace)


@pytest.mark.parametrize(
    "error", [STALE, unavailable(), webhook_down(), throttled(0)], ids=["409", "503", "webhook down", "429"]
)
async def test_short_disturbances_are_not_reported(faulty: World, error: ApiError) -> None:
    """For a deployment that was applied before. The request that makes a deployment answers its own failure."""
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        await faulty.until_deployed(id_)
        fault = faulty.simulated.faults.add(
            Fault(verb="patch", resource="inferenceservices", user=REGISTRY, times=2, error=error)
        )
        version = await faulty.version("s3://models/other")
        await faulty.deployments.update(faulty.project_id, id_, model_version_id=version.id, options=None)
        await faulty.until_deployed(id_, revision=2)
        assert fault.hits > 0
        assert {phase for phase, _ in await faulty.log(id_)} <= {"PENDING", "DEPLOYING", "DEPLOYED", "UPDATING"}
        assert "API_UNAVAILABLE" not in {reason for _, reason in await faulty.log(id_)}


async def test_keys_that_cannot_be_decrypted(faulty: World) -> None:
    """Encrypted with a key that was taken out of the configuration too early."""
    version = await faulty.version()
    stored = "UPDATE model_version SET access_key = replace(access_key, ':k1:', $2) WHERE id = $1"
    await faulty.database.execute(stored, version.id, ":lost:")
    deployed = await faulty.deployments.deploy(faulty.project_id, faulty.new(version))
    assert deployed.status == "FAILED"
    assert "needs the encryption key 'lost', which is not configured" in deployed.message
    assert deployed.deployment is not None
    assert (deployed.deployment.reason, deployed.deployment.phase) == ("CREDENTIALS_UNREADABLE", Phase.FAILED)
    assert await faulty.secrets() == []
    async with faulty.controller():
        await faulty.until_undeployed(deployed.service.id)


async def test_retry_after_is_kept(faulty: World) -> None:
    fault = Fault(verb="patch", resource="inferenceservices", user=REGISTRY, times=1, error=throttled(2))
    faulty.simulated.faults.add(fault)
    async with faulty.controller():
        # A relist makes deployments due that could not be reached: wait for the first one.
        while not faulty.simulated.calls["watch", "inferenceservices"]:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.01)
        began = time.monotonic()
        id_ = (await faulty.deploy()).service.id
        assert fault.hits == 1
        await faulty.until_deployed(id_)
    assert time.monotonic() - began > 1.5


async def test_an_api_server_that_is_away_for_a_minute(faulty: World) -> None:
    """The minute is shortened: the backoff is set to what it is then, and the watch tells that it is over."""
    async with faulty.controller():
        steady, going = [(await faulty.deploy(name=name)).service.id for name in ("steady", "going")]
        before = await faulty.until_deployed(steady)
        await faulty.until_deployed(going)
        faulty.simulated.faults.add(Fault(user=REGISTRY, drop=True))
        faulty.simulated.end_watches(abruptly=True)

        deployed = await faulty.deploy(name="late")
        late = deployed.service.id
        assert "cannot be reached" in deployed.message
        await faulty.undeploy(going)
        with pytest.raises(Unavailable):
            await faulty.services.sync(faulty.project_id, steady)
        for _ in range(3):
            for id_ in (late, going, steady):
                await faulty.make_due(id_)
            await asyncio.sleep(0.2)

        waiting = await faulty.until_phase(late, Phase.PENDING, "API_UNAVAILABLE")
        assert "cannot be reached" in waiting.message
        assert waiting.next_step
        assert (await faulty.until_phase(going, Phase.DELETING, "API_UNAVAILABLE")).serving_generation is None
        stale = await faulty.until_phase(steady, Phase.DEPLOYED, "API_UNAVAILABLE")
        assert (stale.serving_generation, stale.url) == (1, before.url)
        view = await faulty.view(steady)
        assert (view.current_state, view.url, view.served) == ("DEPLOYED", before.url, ("RUNNING",))

        await faulty.database.execute("UPDATE deployment SET attempts = 8, next_at = now() + interval '5 minutes'")
        faulty.simulated.faults.clear()
        began = time.monotonic()
        await faulty.until_deployed(late)
        await faulty.until_deployed(steady)
        await faulty.until(steady, lambda d: not d.reason)
        await faulty.until_phase(going, Phase.UNDEPLOYED)
        assert time.monotonic() - began < 10
        for id_ in (late, steady):
            await faulty.undeploy(id_)
            await faulty.until_phase(id_, Phase.UNDEPLOYED)
        await faulty.until_nothing_is_left()


async def test_a_name_that_is_somebody_elses(running: World) -> None:
    theirs = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {"predictor": {"model": MODEL_OF_OTHERS}},
    }
    created = await running.kube.create(INFERENCE_SERVICES, theirs)
    deployed = await running.deploy(name="iris")
    deployment = await running.deployment(deployed.service.id)
    assert (deployed.status, deployment.phase, deployment.reason) == ("FAILED", Phase.FAILED, "NAME_TAKEN")
    assert deployment.next_step
    live = await running.kube.inference_service("iris")
    assert live["metadata"]["uid"] == created["metadata"]["uid"]
    assert live["spec"]["predictor"]["model"]["storageUri"] == "gs://others/model"
    # To undeploy an object that never existed does not delete that of others.
    await running.undeploy(deployment.id)
    await running.until_phase(deployment.id, Phase.UNDEPLOYED)
    assert (await running.kube.inference_service("iris"))["metadata"]["uid"] == created["metadata"]["uid"]
    assert not await running.secrets()


async def test_a_name_that_is_another_deployments(running: World) -> None:
    """Two environments with the same namespace. The other one has had more revisions."""
    first = (await running.deploy(name="iris")).service.id
    await running.until_deployed(first)
    await running.deployments.update(running.project_id, first, model_version_id=None, options=None)
    before = await running.until_deployed(first, revision=2)
    await running.another_environment()
    second = (await running.deploy(name="iris")).service.id
    await running.until_phase(second, Phase.FAILED, "NAME_TAKEN")
    after = await running.deployment(first)
    assert (after.phase, after.applied) == (Phase.DEPLOYED, before.applied)
    await running.undeploy(first)
    await running.until_phase(first, Phase.UNDEPLOYED)
    await running.make_due(second)
    await running.until_deployed(second)

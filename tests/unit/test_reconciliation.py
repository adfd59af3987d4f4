"""Passes: their effects on the cluster, and that they give their lease back however they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_service
from tests.fakes.cluster import FALSE, TRUE, nothing
from tests.fakes.deployments import NoNews
from tests.fakes.projects import OPEN
from tests.refusals import refused
from tests.unit.at_work import KEYS, AtWork, at_work

from registry_grpc.domain.decision.verdict import RESYNC
from registry_grpc.domain.deployment import FieldDifference, Phase, Want
from registry_grpc.domain.errors import (
    ClusterReadFailed,
    ConcurrentChange,
    EventLogChanged,
    FailedPrecondition,
    NotFound,
    Reason,
    RegistryError,
    Unavailable,
)
from registry_grpc.domain.evidence import ApplyRefused, LiveObject
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.serving_environment import DriftPolicy
from registry_grpc.ports.deployments import DeploymentFilter
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.services import reconciliation
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.model_versions import ModelVersions

DRIFT = (FieldDifference("spec.predictor.minReplicas", "1", "3"),)


@pytest.fixture
async def world() -> AtWork:
    return await at_work()


def raising(error: BaseException, during: str) -> Any:
    async def meanwhile(method: str) -> None:
        if method == during:
            raise error

    return meanwhile


async def test_a_pass_that_takes_longer_than_a_lease_keeps_it(world: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "RENEW_SECONDS", 0.0)

    async def slow(_method: str) -> None:
        for _step in range(3):
            world.clock.advance(timedelta(seconds=6))
            await asyncio.sleep(0.01)

    world.cluster.meanwhile = slow
    assert (await world.deployed()).phase is Phase.DEPLOYED


# Secrets


async def test_no_stored_text_has_the_keys_of_the_deployment(world: AtWork) -> None:
    """They look like nothing that could be recognized, so they must be known."""
    refusal = ApplyRefused(Why.ADMISSION, f"{KEYS.secret_key} is wrong")
    world.cluster.meanwhile = raising(refusal, "apply")
    deployment = await world.deployed()
    assert deployment.message == "[hidden] is wrong"
    service = await world.repositories.services.get(world.project_id, deployment.id)
    assert service.last_error == "create kserve inferenceservice: [hidden] is wrong"
    assert KEYS.secret_key not in repr(
        await world.repositories.deployments.events(world.project_id, deployment.id, 0, 9)
    )


async def test_the_first_revision_cleans_up_once_it_serves(world: AtWork) -> None:
    world.cluster.serves = False
    deployment = await world.deployed()
    assert (deployment.phase, world.cluster.calls["clean_up"]) == (Phase.DEPLOYING, 0)

    world.cluster.change(deployment, ready=TRUE, predictor_ready=TRUE)
    for _ in range(3):
        assert (await world.passed(deployment)).phase is Phase.DEPLOYED
    assert world.cluster.cleaned == [Want.PRESENT]


async def test_secrets_of_earlier_revisions_go_when_the_new_one_serves_and_not_before(world: AtWork) -> None:
    deployment = await world.deployed()
    world.cluster.cleaned.clear()
    world.cluster.serves = False
    updated = await world.update(deployment)
    assert (updated.generation, updated.phase, world.cluster.cleaned) == (2, Phase.UPDATING, [])

    world.cluster.change(updated, ready=TRUE, predictor_ready=TRUE)
    for _ in range(2):
        assert (await world.passed(updated)).serving_generation == 2
    assert world.cluster.cleaned == [Want.PRESENT]


@pytest.mark.parametrize(
    "error", [ApplyRefused(Why.FORBIDDEN, "no"), Unavailable(Reason.CLUSTER_UNAVAILABLE, "away")], ids=repr
)
async def test_a_clean_up_that_fails_does_not_fail_the_pass(world: AtWork, error: Exception) -> None:
    world.cluster.meanwhile = raising(error, "clean_up")

    assert (await world.deployed()).phase is Phase.DEPLOYED


async def test_an_undeployment_takes_the_secrets_along(world: AtWork) -> None:
    deployment = await world.deployed()
    world.cluster.cleaned.clear()

    await world.services.undeploy(world.project_id, deployment.id)

    assert (await world.now(deployment)).phase is Phase.UNDEPLOYED
    assert world.cluster.objects == {}
    assert world.cluster.cleaned == [Want.ABSENT]


async def test_secrets_stay_while_the_object_is_still_there(world: AtWork) -> None:
    deployment = await world.deployed()
    world.cluster.cleaned.clear()
    live = world.cluster.objects["models", deployment.name]

    async def comes_back(method: str) -> None:
        if method == "observe" and world.cluster.calls["delete"]:
            world.cluster.objects["models", deployment.name] = replace(live, deleting_since=world.clock.now())

    world.cluster.meanwhile = comes_back
    await world.services.undeploy(world.project_id, deployment.id)

    assert (await world.now(deployment)).phase is Phase.DELETING
    assert world.cluster.cleaned == []


@pytest.mark.parametrize(
    "error", [NotFound(Reason.MODEL_VERSION_NOT_FOUND), SecretUnreadable("the key is gone")], ids=repr
)
async def test_an_undeployment_does_not_need_the_keys(
    world: AtWork, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    deployment = await world.deployed()
    world.cluster.cleaned.clear()
    monkeypatch.setattr(world.repositories.versions, "credentials", AsyncMock(side_effect=error))

    await world.services.undeploy(world.project_id, deployment.id)

    assert (await world.now(deployment)).phase is Phase.UNDEPLOYED
    assert world.cluster.cleaned == [Want.ABSENT]


async def test_the_secret_is_written_again_once_nothing_else_is_to_be_done(world: AtWork) -> None:
    world.cluster.serves = False
    deployment = await world.deployed()
    for _ in range(2):
        await world.passed(deployment)
    assert world.cluster.restored == [], "not in the many passes of a rollout"

    world.cluster.change(deployment, ready=TRUE, predictor_ready=TRUE)
    assert (await world.passed(deployment)).phase is Phase.DEPLOYED
    world.cluster.change(deployment, drift=DRIFT, k8s_generation=2)
    assert (await world.passed(deployment)).phase is Phase.DRIFTED
    world.cluster.change(deployment, drift=(), k8s_generation=1, ready=FALSE)
    assert (await world.passed(deployment)).phase is Phase.DEGRADED
    assert world.cluster.restored == [KEYS] * 3

    world.cluster.change(deployment, deleting_since=world.clock.now())
    assert (await world.passed(deployment)).reason is Why.BEING_DELETED
    assert world.cluster.restored == [KEYS] * 3, "it would go with the object"


async def test_new_keys_of_a_version_are_written_by_the_next_pass(world: AtWork) -> None:
    deployment = await world.deployed()
    versions = ModelVersions(
        versions=world.repositories.versions, deployments=world.repositories.deployments, tenants=OPEN
    )
    await versions.update(world.project_id, world.version.id, ModelVersionPatch(description="no keys"))
    assert await world.queue.claim(1) == []
    await versions.update(world.project_id, world.version.id, ModelVersionPatch(secret_key="new"))
    (claim,) = await world.queue.claim(1)
    await world.reconciler.work(claim)
    assert world.cluster.restored == [replace(KEYS, secret_key="new")]
    assert (await world.now(deployment)).generation == 1


async def test_repairs_are_counted() -> None:
    world = await at_work(DriftPolicy.ENFORCE)
    deployment = await world.deployed()
    world.cluster.change(deployment, drift=DRIFT)
    assert (await world.passed(deployment)).phase is Phase.DRIFTED
    after = await world.passed(deployment)
    assert after.applied is not None
    assert (after.phase, after.applied.repairs) == (Phase.DEPLOYED, {DRIFT[0].path: 1, "": 1})


async def test_a_pass_that_applies_does_not_write_the_secret_twice(world: AtWork) -> None:
    deployment = await world.deployed()
    await world.update(deployment)
    assert (world.cluster.calls["apply"], world.cluster.restored) == (2, [])


@pytest.mark.parametrize(
    "error", [ApplyRefused(Why.FORBIDDEN, "no"), Unavailable(Reason.CLUSTER_UNAVAILABLE, "away")], ids=repr
)
async def test_a_secret_that_cannot_be_written_does_not_fail_the_pass(world: AtWork, error: Exception) -> None:
    deployment = await world.deployed()
    world.cluster.meanwhile = raising(error, "restore_secret")
    assert (await world.passed(deployment)).phase is Phase.DEPLOYED
    assert world.cluster.calls["restore_secret"] == 1


async def test_keys_that_cannot_be_read_are_reported(world: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    error = SecretUnreadable("the key is gone")
    monkeypatch.setattr(world.repositories.versions, "credentials", AsyncMock(side_effect=error))
    deployment = await world.deployed()

    assert (deployment.phase, deployment.reason) == (Phase.FAILED, "CREDENTIALS_UNREADABLE")
    assert world.cluster.calls["apply"] == 0


# What a pass writes


async def test_a_spec_that_certainly_fails_is_not_applied(world: AtWork) -> None:
    deployment = (await world.deployments.deploy(world.project_id, world.new(name="Not A Name"))).deployment

    assert deployment is not None
    assert (deployment.phase, deployment.reason) == (Phase.FAILED, "NAME_INVALID")
    assert world.cluster.calls["apply"] == 0


async def test_a_pass_on_an_old_row_does_not_write_over_a_newer_object(world: AtWork) -> None:
    deployment = await world.deployed()
    old = await world.queue.claim_one(deployment.id)
    assert old is not None
    old = replace(old, deployment=replace(old.deployment, applied_generation=0))
    world.cluster.change(deployment, revision=2)
    applies = world.cluster.calls["apply"]

    await world.reconciler.work(old)

    assert world.cluster.calls["apply"] == applies
    assert world.cluster.objects["models", deployment.name].revision == 2


async def test_an_object_that_is_going_is_not_written_to(world: AtWork) -> None:
    deployment = await world.deployed()
    world.cluster.change(deployment, deleting_since=world.clock.now())
    applies = world.cluster.calls["apply"]

    await world.update(deployment)

    assert world.cluster.calls["apply"] == applies


async def test_an_object_deleted_by_others_is_reported_and_then_created_again(world: AtWork) -> None:
    deployment = await world.deployed()
    del world.cluster.objects["models", deployment.name]

    told = await world.passed(deployment)
    assert (told.phase, told.reason, told.applied) == (Phase.DRIFTED, "DELETED_EXTERNALLY", None)
    assert (told.serving_generation, told.url) == (None, "")

    again = await world.passed(deployment)
    assert again.phase is Phase.DEPLOYED
    assert again.applied is not None
    assert again.applied != deployment.applied


async def test_the_object_of_a_deleted_service_is_removed_at_once(world: AtWork) -> None:
    world.cluster.serves = False
    deployment = await world.deployed()
    assert world.cluster.objects

    await world.services.delete(world.project_id, deployment.id)

    assert world.cluster.objects == {}
    assert (await world.now(deployment)).phase is Phase.UNDEPLOYED


async def test_a_revision_serves_whose_pass_was_not_recorded(world: AtWork) -> None:
    """The object exists, but the row does not know it, and another revision is wanted now."""
    deployment = await world.deployed()
    world.store.deployments[deployment.id] = replace(
        deployment, applied=None, applied_generation=0, applied_at=None, serving_generation=None, phase=Phase.PENDING
    )

    async def stays_as_it_was(method: str) -> None:
        if method == "observe" and world.cluster.calls["apply"] == 2:
            world.cluster.change(deployment, revision=1)

    world.cluster.meanwhile = stays_as_it_was
    updated = await world.update(deployment)

    assert (updated.phase, updated.serving_generation, updated.url) == (Phase.UPDATING, 1, "http://iris")


async def test_passes_are_spread_out(world: AtWork) -> None:
    deployment = await world.deployed()
    delays = set()
    for _ in range(20):
        await world.passed(deployment)
        next_at = world.store.work[deployment.id].next_at
        assert next_at is not None
        delays.add((next_at - world.clock.now()).total_seconds() / RESYNC.total_seconds())
    assert 0.79 < min(delays) < max(delays) < 1.21
    assert max(delays) - min(delays) > 0.05


async def test_an_object_of_others_is_never_deleted(world: AtWork) -> None:
    deployment = await world.deployed()
    world.cluster.change(deployment, deployment_id=str(uuid4()), uid="another's")

    await world.services.undeploy(world.project_id, deployment.id)

    assert (await world.now(deployment)).phase is Phase.UNDEPLOYED
    assert ("models", deployment.name) in world.cluster.objects


@pytest.mark.parametrize("policy", DriftPolicy)
async def test_drift_is_reported_first_and_then_corrected_if_the_policy_is_enforce(policy: DriftPolicy) -> None:
    world = await at_work(policy)
    is_enforced = policy is DriftPolicy.ENFORCE
    deployment = await world.deployed()
    world.cluster.change(deployment, drift=DRIFT)

    told = await world.passed(deployment)
    assert (told.phase, told.reason, told.drift) == (Phase.DRIFTED, "SPEC_CHANGED", DRIFT)
    assert world.cluster.forced == [is_enforced]
    after = await world.passed(deployment)
    assert after.phase is (Phase.DEPLOYED if is_enforced else Phase.DRIFTED)
    assert world.cluster.forced == [is_enforced] * (1 + is_enforced)


# What cannot be reached


async def test_the_cluster_out_of_reach_is_recorded_and_tried_again(world: AtWork) -> None:
    world.cluster.meanwhile = raising(Unavailable(Reason.CLUSTER_UNAVAILABLE, "away"), "observe")
    deployed = await world.deploy()
    deployment = deployed.deployment
    assert deployment is not None

    assert (deployed.status, deployed.message) == ("FAILED", deployment.message)
    assert (deployment.reason, deployment.attempts) == ("API_UNAVAILABLE", 1)
    service = await world.repositories.services.get(world.project_id, deployment.id)
    assert service.last_error.startswith("create kserve inferenceservice: ")
    assert (await world.passed(deployment)).attempts == 2
    world.cluster.meanwhile = nothing
    assert (await world.passed(deployment)).phase is Phase.DEPLOYED


async def test_a_cluster_that_may_not_be_read_is_reported(world: AtWork) -> None:
    world.cluster.meanwhile = raising(ClusterReadFailed("pods is forbidden"), "observe")
    deployment = await world.deployed()

    assert (deployment.phase, deployment.reason) == (Phase.FAILED, "FORBIDDEN")
    assert "pods is forbidden" in deployment.message


async def test_what_can_no_longer_be_read_stays_as_it_was_last_seen(world: AtWork) -> None:
    before = await world.deployed()
    world.clock.advance(timedelta(minutes=10))
    world.cluster.meanwhile = raising(ClusterReadFailed("pods is forbidden"), "observe")
    after = await world.passed(before)

    assert (after.phase, after.reason, after.message) == (Phase.DEPLOYED, "NAMESPACE_NOT_VISIBLE", "pods is forbidden")
    assert (after.url, after.serving_generation, after.applied) == (before.url, 1, before.applied)
    assert after.observed_at == before.observed_at
    service = await world.repositories.services.get(world.project_id, before.id)
    assert (service.current_state, service.url, service.last_error) == ("DEPLOYED", before.url, "pods is forbidden")
    world.cluster.meanwhile = nothing
    assert ((await world.passed(before)).phase, (await world.now(before)).reason) == (Phase.DEPLOYED, "")


async def test_nothing_is_written_into_a_namespace_that_is_gone(world: AtWork) -> None:
    deployment = await world.deployed()
    calls, world.cluster.namespace_is_gone = world.cluster.calls.copy(), True
    assert (await world.passed(deployment)).reason == "DELETED_EXTERNALLY"
    for _ in range(2):
        after = await world.passed(deployment)
        assert (after.phase, after.reason) == (Phase.FAILED, "NAMESPACE_NOT_FOUND")
        assert (after.url, after.serving_generation, after.applied) == ("", None, None)
        assert after.message == 'namespaces "models" not found'
    await world.services.undeploy(world.project_id, deployment.id)

    assert (await world.now(deployment)).phase is Phase.UNDEPLOYED
    assert (world.cluster.calls - calls).keys() == {"observe"}


@pytest.mark.parametrize(
    ("want", "phase", "reason"),
    [
        (Want.PRESENT, Phase.FAILED, "NAMESPACE_NOT_FOUND"),
        (Want.ABSENT, Phase.DELETING, "NAMESPACE_NOT_VISIBLE"),
    ],
)
async def test_a_namespace_that_is_being_deleted_counts_as_missing(
    world: AtWork, want: Want, phase: Phase, reason: str
) -> None:
    deployment = await world.deployed()
    error = ClusterReadFailed('namespace "models" is being deleted', namespace_is_ending=True)
    world.cluster.meanwhile = raising(error, "observe")
    if want is Want.ABSENT:
        await world.services.undeploy(world.project_id, deployment.id)
    after = await world.passed(deployment)

    assert (after.phase, after.reason, after.message) == (phase, reason, error.cause)
    next_at = world.store.work[deployment.id].next_at
    assert next_at is not None
    assert next_at - world.clock.now() < timedelta(seconds=10), "its end is noticed soon"


async def test_the_database_out_of_reach_is_not_taken_for_the_cluster(
    world: AtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = Unavailable(Reason.DATABASE_UNAVAILABLE, "away")
    monkeypatch.setattr(world.repositories.versions, "credentials", AsyncMock(side_effect=error))
    with refused(Unavailable, Reason.DATABASE_UNAVAILABLE):
        await world.deploy()

    (deployment,) = world.store.deployments.values()
    assert (deployment.observed_at, deployment.attempts) == (None, 0)
    assert world.is_free(deployment.id)


async def test_a_cluster_without_an_answer_is_recorded_in_time(world: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "ATTEMPT_SECONDS", 0.01)

    async def forever(_: str) -> None:
        await asyncio.Event().wait()

    world.cluster.meanwhile = forever
    deployment = await world.deployed()

    assert (deployment.reason, deployment.message) == ("API_UNAVAILABLE", "the Kubernetes API did not answer in time")
    assert world.is_free(deployment.id)
    with refused(Unavailable, Reason.CLUSTER_UNAVAILABLE):
        await world.reconciler.observe_now(deployment.id)
    assert world.is_free(deployment.id)


async def test_a_slow_cluster_is_no_failure(world: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was applied before the time was over is recorded."""
    monkeypatch.setattr(reconciliation, "ATTEMPT_SECONDS", 0.01)

    async def forever(during: str) -> None:
        if during == "observe" and world.cluster.calls["apply"]:
            await asyncio.Event().wait()

    world.cluster.meanwhile = forever
    deployed = await world.deploy()

    assert (deployed.status, deployed.message) == ("PENDING", "Deployment initiated")
    assert deployed.deployment is not None
    assert (deployed.deployment.phase, deployed.deployment.reason) == (Phase.PENDING, "QUEUED")
    assert deployed.deployment.applied_generation == 1
    assert world.is_free(deployed.deployment.id)


# Leases


@pytest.mark.parametrize("during", ["observe", "apply", "clean_up"])
async def test_a_cancelled_pass_leaves_no_lease(world: AtWork, during: str) -> None:
    await world.broken_off(world.deploy, during)

    (id_,) = world.store.deployments
    assert world.is_free(id_)


async def test_a_look_that_is_broken_off_leaves_no_lease(world: AtWork) -> None:
    deployment = await world.deployed()
    await world.broken_off(lambda: world.reconciler.observe_now(deployment.id), "observe")
    assert world.is_free(deployment.id)

    world.cluster.meanwhile = raising(Unavailable(Reason.CLUSTER_UNAVAILABLE, "away"), "observe")
    before = await world.now(deployment)
    with refused(Unavailable, Reason.CLUSTER_UNAVAILABLE):
        await world.services.sync(world.project_id, deployment.id)
    assert world.is_free(deployment.id)
    assert await world.now(deployment) == before, "told to the caller, and not recorded"


async def test_a_pass_does_not_disturb_another_one(world: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "ATTEMPT_SECONDS", 0.01)
    monkeypatch.setattr(reconciliation, "_WAIT_FOR_OTHERS_SECONDS", 0.01)
    deployment = await world.deployed()
    claim = await world.queue.claim_one(deployment.id)
    looks = world.cluster.calls["observe"]

    await world.reconciler.attempt(deployment.id)
    await world.reconciler.observe_now(deployment.id)

    assert world.cluster.calls["observe"] == looks
    assert claim is not None
    assert not world.is_free(deployment.id)


async def test_a_look_now_is_recorded_and_answered(world: AtWork) -> None:
    deployment = await world.deployed()
    world.cluster.change(deployment, url="http://moved")

    service = await world.services.sync(world.project_id, deployment.id)

    assert service.url == (await world.now(deployment)).url == "http://moved"
    assert world.is_free(deployment.id)


# Services that are records only


async def record_only(world: AtWork, **fields: Any) -> InferenceService:

    service = a_service(world.environment, world.model, name="iris", **fields)
    return await world.repositories.services.create(service, ())


async def test_the_object_of_a_record_goes_before_the_record(world: AtWork) -> None:
    """Without the record, nobody could repeat a deletion that was cancelled in between."""
    service = await record_only(world)
    await world.broken_off(lambda: world.services.delete(world.project_id, service.id), "remove")
    assert await world.repositories.services.get(world.project_id, service.id) == service

    there = []

    async def look(method: str) -> None:
        there.append((method, service.id in world.store.services))

    world.cluster.meanwhile = look
    await world.services.delete(world.project_id, service.id)
    assert there == [("remove", True)]
    assert service.id not in world.store.services


@pytest.mark.parametrize("error", [Unavailable(Reason.CLUSTER_UNAVAILABLE, "away"), ClusterReadFailed("no")], ids=repr)
async def test_a_cluster_that_fails_does_not_keep_a_record(world: AtWork, error: RegistryError) -> None:
    world.cluster.meanwhile = raising(error, "remove")
    service = await record_only(world)

    await world.services.undeploy(world.project_id, service.id)
    await world.services.delete(world.project_id, service.id)

    assert service.id not in world.store.services


async def test_the_object_of_a_record_that_serves_stays(world: AtWork) -> None:
    service = await record_only(world, current_state="DEPLOYED")
    with refused(FailedPrecondition, Reason.INFERENCE_SERVICE_DEPLOYED):
        await world.services.delete(world.project_id, service.id)
    assert world.cluster.calls["remove"] == 0


async def test_a_record_follows_the_object_of_its_name(world: AtWork) -> None:
    service = await record_only(world)

    async def synced() -> tuple[str, str, str, str]:
        after = await world.services.sync(world.project_id, service.id)
        return after.current_state, after.url, after.last_error, after.external_id

    assert await synced() == ("UNDEPLOYED", "", "the object is not in the cluster", service.external_id)
    live = replace(await an_object(world), deployment_id="somebody else's", ready=TRUE, uid="uid-x", url="http://x")
    world.cluster.objects["models", "iris"] = live
    assert await synced() == ("DEPLOYED", "http://x", "", "uid-x")
    world.cluster.objects["models", "iris"] = replace(live, ready=replace(FALSE, message="no pods"), uid="uid-y")
    assert await synced() == ("DEPLOYED", "http://x", "no pods", "uid-y")
    world.cluster.objects["models", "iris"] = replace(live, ready=None)
    assert await synced() == ("DEPLOYED", "http://x", "no pods", "uid-x")


async def test_a_record_that_changed_since_the_look_is_left_alone(world: AtWork) -> None:
    service = await record_only(world)

    async def meanwhile(_: str) -> None:
        patch = InferenceServicePatch(url="http://by-hand")
        await world.repositories.services.update(world.project_id, service.id, patch)

    world.cluster.meanwhile = meanwhile
    with pytest.raises(ConcurrentChange):
        await world.services.sync(world.project_id, service.id)
    assert (await world.repositories.services.get(world.project_id, service.id)).url == "http://by-hand"


async def an_object(world: AtWork) -> LiveObject:
    """The live object of another service."""
    deployment = await world.deployed()
    return world.cluster.objects["models", deployment.name]


# What became of it


async def test_the_history_tells_of_one_project(world: AtWork) -> None:
    deployment = await world.deployed()
    await world.update(deployment)
    history = DeploymentHistory(deployments=world.repositories.deployments, events=NoNews(), tenants=OPEN)
    project_id, id_, page = world.project_id, deployment.id, Slice(by_cursor=True)

    watched = [event async for event in history.watch(project_id, id_, 0)]
    assert watched == world.store.events
    for after in (watched[1].sequence, watched[1].resume_token):
        assert [event async for event in history.watch(project_id, id_, after)] == watched[2:]
    assert [event async for event in history.watch(project_id, id_, None)] == watched[-1:]
    assert [d.id for d in (await history.list(project_id, DeploymentFilter(), page)).items] == [id_]
    assert [r.generation for r in (await history.revisions(project_id, id_, page)).items] == [2, 1]
    serving = await history.served_at(project_id, id_, None)
    assert serving is not None
    assert serving.generation == 2
    assert list(await history.orphans(project_id)) == []
    with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
        await anext(history.watch(uuid4(), id_, 0))


async def test_a_watch_ends_when_the_database_is_restored(world: AtWork) -> None:
    deployment = await world.deployed()

    class Restored(NoNews):
        async def listen(self, id: UUID) -> AsyncGenerator[None, None]:
            yield
            world.store.restore()
            yield

    history = DeploymentHistory(deployments=world.repositories.deployments, events=Restored(), tenants=OPEN)
    for after in (None, 0):
        watching = history.watch(world.project_id, deployment.id, after)
        with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
            async for event in watching:
                assert event.deployment_id == deployment.id

"""The Secret with the keys of a deployment is lost, and gets other keys."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID

import pytest
from tests.cluster.kube import Object
from tests.fakes.projects import OPEN
from tests.kserve import NO_KEYS
from tests.scenarios.world import KEYS, World

from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.devtools.simulated_cluster.api.resources import PODS, SECRETS
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.model_version import Credentials, ModelVersionPatch
from registry_grpc.domain.serving_environment import DriftPolicy
from registry_grpc.services import controller
from registry_grpc.services.model_versions import ModelVersions

pytestmark = pytest.mark.slow

OTHER_KEYS = Credentials("AKIB", "0th3r-0th3r")


async def deployed(world: World) -> Deployment:
    return await world.until_deployed((await world.deploy()).service.id)


async def the_secret(world: World) -> Object:
    (name,) = await world.secrets()
    return await world.kube.get(SECRETS, name)


def keys_in(secret: Object) -> Credentials:
    texts = (secret["data"][key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    return Credentials(*(base64.b64decode(text).decode() for text in texts))


async def lose_secret(world: World) -> Object:
    secret = await the_secret(world)
    await world.kube.delete(SECRETS, secret["metadata"]["name"])
    return secret


async def replace_keys(world: World, version_id: UUID, keys: Credentials) -> None:
    """As by UpdateModelVersion."""
    versions = ModelVersions(
        versions=world.versions, deployments=PostgresDeploymentRepository(world.database), tenants=OPEN
    )
    patch = ModelVersionPatch(access_key=keys.access_key, secret_key=keys.secret_key)
    await versions.update(world.project_id, version_id, patch)


async def pods(world: World) -> list[str]:
    return sorted(pod["metadata"]["uid"] for pod in await world.kube.items(PODS))


@pytest.mark.parametrize("policy", DriftPolicy)
async def test_a_lost_secret_is_restored_by_the_next_pass(running: World, policy: DriftPolicy) -> None:
    await running.set_drift_policy(policy)
    deployment = await deployed(running)
    before, served_by = await lose_secret(running), await pods(running)
    await running.services.sync(running.project_id, deployment.id)
    after = await the_secret(running)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
    assert keys_in(after) == KEYS
    assert await pods(running) == served_by
    await running.until_undeployed(deployment.id)


async def test_a_lost_secret_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing tells that it is lost, so one deployment after the other is looked at."""
    monkeypatch.setattr(controller, "LOOK_SECONDS", 0.01)
    async with world.controller():
        lost = [await deployed(world) for _ in range(2)]
        anonymous = await world.version(keys=NO_KEYS)
        options = DeploymentOptions(storage_anonymous=True)
        new = world.new(anonymous, options=options)
        lost.append(await world.until_deployed((await world.deployments.deploy(world.project_id, new)).service.id))
    secrets = await world.secrets()
    for name in secrets:
        await world.kube.delete(SECRETS, name)
    for deployment in lost:
        await world.backdate(deployment.id, seconds=60)
    await world.database.execute("UPDATE deployment SET next_at = now() + interval '1 hour'")
    assert len(secrets) == 3
    async with world.controller():
        await world.until_secrets(secrets)


async def test_a_lost_secret_is_noticed_at_once_with_the_right_to_watch_them(
    faulty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "LOOK_SECONDS", 3600)
    async with faulty.controller():
        deployment = await deployed(faulty)
        before = await lose_secret(faulty)
        await faulty.until_secrets([before["metadata"]["name"]])
        await faulty.until_deployed(deployment.id)


async def test_without_the_right_to_watch_secrets_nobody_asks_for_it_all_the_time(faulty: World) -> None:
    faulty.simulated.faults.forbid("list", "secrets", user="registry")
    async with faulty.controller(pace=Pace(refused=(0.01, 0.01))):
        await deployed(faulty)
        before = faulty.simulated.requests
        await asyncio.sleep(1)
        assert faulty.simulated.requests - before < 10


async def test_a_pod_that_needs_the_lost_secret(running: World) -> None:
    """KServe's own webhook denies the pod until then."""
    deployment = await deployed(running)
    before = await lose_secret(running)
    for pod in await running.kube.items(PODS):
        await running.kube.delete(PODS, pod["metadata"]["name"])
    await running.until_secrets([before["metadata"]["name"]])
    await running.kube.until_ready(deployment.name)
    await running.until_deployed(deployment.id)


async def test_a_look_at_a_deployment_that_is_well_takes_three_requests(faulty: World) -> None:
    """Of the object, of its workload, and to write the Secret. The number of looks follows from this."""
    async with faulty.controller():
        deployment = await deployed(faulty)
    before = faulty.simulated.requests
    await faulty.services.sync(faulty.project_id, deployment.id)
    assert faulty.simulated.requests - before == 3


async def test_keys_are_replaced_in_place(running: World) -> None:
    deployment = await deployed(running)
    before, served_by = await the_secret(running), await pods(running)
    await replace_keys(running, deployment.spec.model_version_id, OTHER_KEYS)
    await running.until_secret(before["metadata"]["name"], lambda secret: keys_in(secret) == OTHER_KEYS)
    assert (await running.deployment(deployment.id)).generation == 1
    assert await pods(running) == served_by, "keys are only needed when a pod starts"
    assert (await the_secret(running))["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
    # The next revision of the version uses the same Secret, and another version has one of its own.
    await running.deployments.update(running.project_id, deployment.id, model_version_id=None, options=None)
    await running.until_deployed(deployment.id, revision=2)
    assert keys_in(await the_secret(running)) == OTHER_KEYS
    version = await running.version("s3://models/other")
    await running.deployments.update(running.project_id, deployment.id, model_version_id=version.id, options=None)
    await running.until_deployed(deployment.id, revision=3)
    after = await the_secret(running)
    assert (after["metadata"]["name"] != before["metadata"]["name"], keys_in(after)) == (True, KEYS)


async def test_each_secret_of_an_earlier_revision_is_deleted_once(faulty: World) -> None:
    async with faulty.controller():
        deployment = await deployed(faulty)
        for revision in (2, 3, 4):
            version = await faulty.version(f"s3://models/{revision}")
            await faulty.deployments.update(faulty.project_id, deployment.id, model_version_id=version.id, options=None)
            await faulty.until_deployed(deployment.id, revision)
        assert len(await faulty.secrets()) == 1
        assert faulty.simulated.calls["delete", "secrets"] == 3


async def test_keys_of_another_place_are_not_handed_over(running: World) -> None:
    deployment = await deployed(running)
    versions = ModelVersions(
        versions=running.versions, deployments=PostgresDeploymentRepository(running.database), tenants=OPEN
    )
    patch = ModelVersionPatch(uri="s3://elsewhere/iris", access_key="AKIB", secret_key="0th3r-0th3r")
    await versions.update(running.project_id, deployment.spec.model_version_id, patch, edits_deployed=True)
    await running.services.sync(running.project_id, deployment.id)
    assert keys_in(await the_secret(running)) == KEYS


@pytest.mark.parametrize("lost", [0, 1])
async def test_lost_secrets_of_both_revisions_of_a_canary_are_restored(running: World, lost: int) -> None:
    deployment = await deployed(running)
    stable = await running.secrets()
    version = await running.version("s3://models/iris-2", OTHER_KEYS)
    await running.deployments.update(
        running.project_id, deployment.id, model_version_id=version.id, options=None, traffic_percent=25
    )
    await running.until(deployment.id, lambda d: d.reason == "CANARY")
    both = sorted(await running.secrets(), key=lambda name: name not in stable)
    assert len(both) == 2
    before = await running.kube.get(SECRETS, both[lost])
    await running.kube.delete(SECRETS, both[lost])
    await running.services.sync(running.project_id, deployment.id)
    after = await running.kube.get(SECRETS, both[lost])
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
    assert keys_in(after) == [KEYS, OTHER_KEYS][lost]
    await running.until_undeployed(deployment.id)

"""A revision of a version that had keys is not applied without keys, whatever was done to the version since."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from tests.unit.at_work import AtWork, at_work

from registry_grpc.domain.deployment import Deployment, Phase
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersionPatch

ELSEWHERE = "s3://elsewhere/key"


@pytest.fixture
async def world() -> AtWork:
    return await at_work()


async def patched(world: AtWork, **fields: Any) -> None:
    await world.repositories.versions.update(world.project_id, world.version.id, ModelVersionPatch(**fields))


async def updated(world: AtWork, deployment: Deployment, version_id: UUID | None = None) -> Deployment:
    options = None if version_id else DeploymentOptions(min_replicas=2)
    await world.deployments.update(world.project_id, deployment.id, model_version_id=version_id, options=options)
    return await world.now(deployment)


def needs_keys(deployment: Deployment) -> bool:
    return (deployment.phase, deployment.reason) == (Phase.FAILED, "CREDENTIALS_NEEDED")


async def test_a_uri_that_comes_back_has_its_keys_again(world: AtWork) -> None:
    deployment = await world.deployed()
    for uri in (ELSEWHERE, world.version.uri):
        await patched(world, uri=uri)

    assert (await updated(world, deployment)).phase is Phase.DEPLOYED


async def test_a_new_deployment_from_another_place_needs_keys_for_it(world: AtWork) -> None:
    await patched(world, uri=ELSEWHERE)
    deployment = await world.deployed()
    assert needs_keys(deployment)
    assert "s3://elsewhere" in deployment.message
    assert world.cluster.calls["apply"] == 0

    await patched(world, secret_key="new")
    assert (await updated(world, deployment)).phase is Phase.DEPLOYED


@pytest.mark.parametrize("lost", [{"uri": ELSEWHERE, "secret_key": "new"}, {"access_key": "", "secret_key": ""}])
@pytest.mark.parametrize("by", ["update", "redeploy", "rollback"])
async def test_a_revision_whose_keys_are_gone_is_not_applied(world: AtWork, lost: dict[str, str], by: str) -> None:
    deployment = await world.deployed()
    if by == "redeploy":
        await world.services.undeploy(world.project_id, deployment.id)
    await patched(world, **lost)
    applied = world.cluster.calls["apply"]

    match by:
        case "update":
            await updated(world, deployment)
        case "rollback":
            await world.deployments.roll_back(world.project_id, deployment.id, 1)
        case "redeploy":
            patch = InferenceServicePatch(desired_state="DEPLOYED")
            await world.services.update(world.project_id, deployment.id, patch)

    assert needs_keys(await world.now(deployment))
    assert world.cluster.calls["apply"] == applied


async def test_a_secret_that_the_cluster_still_has_is_kept(world: AtWork) -> None:
    deployment = await world.deployed()
    await patched(world, access_key="", secret_key="")
    world.cluster.kept = True

    assert (await updated(world, deployment)).phase is Phase.DEPLOYED


async def test_a_version_that_needs_no_keys_any_more_is_copied_again(world: AtWork) -> None:
    deployment = await world.deployed()
    await patched(world, access_key="", secret_key="")
    assert needs_keys(await updated(world, deployment))

    named = await updated(world, deployment, world.version.id)
    assert (named.phase, named.spec.needs_keys) == (Phase.DEPLOYED, False)


async def test_keys_that_were_added_since_are_needed_too(world: AtWork) -> None:
    await patched(world, access_key="", secret_key="")
    deployment = await world.deployed()
    assert not deployment.spec.needs_keys
    await patched(world, secret_key="added")
    assert (await updated(world, deployment)).spec.needs_keys

    await patched(world, secret_key="")
    assert needs_keys(await updated(world, deployment))


async def test_keys_of_an_edited_version_do_not_matter_to_a_copy_that_had_none(world: AtWork) -> None:
    await patched(world, access_key="", secret_key="")
    deployment = await world.deployed()
    await patched(world, uri=ELSEWHERE, secret_key="new")

    after = await updated(world, deployment)
    assert (after.phase, after.spec.needs_keys) == (Phase.DEPLOYED, False)

"""Requests that are repeated or concurrent."""

from __future__ import annotations

import asyncio

import pytest
from tests.scenarios.world import World

from registry_grpc.domain.deployment import Deployment, Phase
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import AlreadyExists, NotFound, RegistryError
from registry_grpc.domain.inference_service import InferenceServicePatch, ServiceState
from registry_grpc.services.deployments import Deployed

pytestmark = pytest.mark.slow


async def test_of_two_deploys_of_one_name_one_wins(running: World) -> None:
    new = running.new(await running.version(), name="iris")
    answers = await asyncio.gather(
        *(running.deployments.deploy(running.project_id, new) for _ in range(4)), return_exceptions=True
    )
    (won,) = [answer for answer in answers if isinstance(answer, Deployed)]
    lost = [answer for answer in answers if not isinstance(answer, Deployed)]
    assert all(isinstance(error, AlreadyExists) for error in lost)
    assert len(lost) == 3
    await running.until_deployed(won.service.id)
    assert len(await running.secrets()) == 1
    await running.until_undeployed(won.service.id)


async def test_concurrent_updates_and_rollbacks_end_at_the_last_revision(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    versions = [await running.version(f"s3://models/v{i}") for i in range(3)]
    answers: list[Deployment | BaseException] = await asyncio.gather(
        *(
            running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
            for version in versions
        ),
        running.deployments.roll_back(running.project_id, id_, 1),
        return_exceptions=True,
    )
    assert not [answer for answer in answers if isinstance(answer, BaseException)]
    deployment = await running.until(id_, lambda d: d.phase is Phase.DEPLOYED and d.serving_generation == 5)
    revisions = await running.revisions(id_)
    assert [revision.generation for revision in revisions] == [1, 2, 3, 4, 5]
    live = await running.live(deployment)
    assert live["spec"]["predictor"]["model"]["storageUri"] == revisions[-1].spec.storage_uri
    assert [revision.served_until is None for revision in revisions if revision.served_from][-1]
    view = await running.view(id_)
    assert view.served == ("RUNNING",)
    await running.until_undeployed(id_)


async def test_concurrent_updates_do_not_undo_each_other(running: World) -> None:
    """One changes the version, and one the options. In the end both are in effect, in either order."""
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    for replicas in (2, 3, 1):
        version = await running.version(f"s3://models/{replicas}")
        options = DeploymentOptions(min_replicas=replicas)
        await asyncio.gather(
            running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None),
            running.deployments.update(running.project_id, id_, model_version_id=None, options=options),
        )
        spec = (await running.deployment(id_)).spec
        assert (spec.model_version_id, spec.options) == (version.id, options)
    assert len(await running.revisions(id_)) == 7
    await running.until_deployed(id_)
    await running.until_undeployed(id_)


async def test_concurrent_undeploys_and_redeploys_end_in_the_state_of_the_row(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    down = InferenceServicePatch(desired_state=ServiceState.UNDEPLOYED)
    up = InferenceServicePatch(desired_state=ServiceState.DEPLOYED)
    for _ in range(5):
        await running.services.update(running.project_id, id_, up)
        await asyncio.gather(
            *(running.services.update(running.project_id, id_, patch) for patch in (down, up, down, up))
        )
        deployment = await running.deployment(id_)
        view = await running.view(id_)
        assert view.desired_state == ("DEPLOYED" if deployment.want == "PRESENT" else "UNDEPLOYED")
    if deployment.want == "PRESENT":
        await running.until_deployed(id_)
    else:
        await running.until_phase(id_, Phase.UNDEPLOYED)
    assert "DRIFTED" not in {phase for phase, _ in await running.log(id_)}
    await running.until_undeployed(id_)


async def test_a_deleted_service_is_not_deployed_again(running: World) -> None:
    """The deployment stays as history, but an update of it could never be undeployed."""
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    await running.undeploy(id_)
    await running.services.delete(running.project_id, id_)
    await running.until_phase(id_, Phase.UNDEPLOYED)
    with pytest.raises(NotFound):
        await running.deployments.update(running.project_id, id_, model_version_id=None, options=None)
    with pytest.raises(RegistryError):
        await running.deployments.roll_back(running.project_id, id_, 1)
    assert len(await running.revisions(id_)) == 2
    assert (await running.deployment(id_)).phase is Phase.UNDEPLOYED
    await running.until_nothing_is_left()


async def test_renaming_an_environment_does_not_move_its_deployments(running: World) -> None:
    id_ = (await running.deploy()).service.id
    before = await running.until_deployed(id_)
    await running.use_namespace("elsewhere")
    version = await running.version("s3://models/other")
    await running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
    after = await running.until_deployed(id_, revision=2)
    assert (after.namespace, after.name) == (before.namespace, before.name)
    await running.until_undeployed(id_)

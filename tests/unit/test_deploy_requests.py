"""The answer to a request to deploy that is sent again, after its first answer was lost."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.unit.deployed_world import World, a_world

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.services.deployments import Deployed


def a_wish(**fields: Any) -> NewDeployment:
    said: dict[str, Any] = {"registered_model_id": uuid4(), "serving_environment_id": uuid4()}
    return NewDeployment(**said | fields)


def test_all_that_cannot_be_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        a_wish(name="n" * 101, options=DeploymentOptions(limits={"cpu": "lots"}, timeout_seconds=0))
    fields = [violation.field for violation in refusal.value.violations]
    assert fields == ["name", "options.timeout", "options.resources.limits.cpu"]


@pytest.fixture
async def world(project_id: UUID) -> World:
    return await a_world(project_id)


@pytest.fixture
def wish(world: World) -> NewDeployment:
    environment = next(iter(world.store.environments.values()))
    return a_wish(
        registered_model_id=world.version.registered_model_id, serving_environment_id=environment.id, name="iris"
    )


async def deploy(world: World, wish: NewDeployment) -> Deployed:
    return await world.deployments.deploy(world.project_id, wish)


@pytest.mark.parametrize(
    ("seen", "status", "message"),
    [
        ({"phase": Phase.DEPLOYING}, "PENDING", "Deployment initiated"),
        ({"phase": Phase.UPDATING}, "PENDING", "Deployment initiated"),
        ({"phase": Phase.PENDING, "reason": DeploymentReason.API_UNAVAILABLE, "message": "away"}, "FAILED", "away"),
        ({"phase": Phase.FAILED, "reason": DeploymentReason.REJECTED, "message": "no"}, "FAILED", "no"),
        ({"phase": Phase.DEPLOYED}, "DEPLOYED", "Deployment made by an earlier request"),
        ({"phase": Phase.DEPLOYED, "reason": DeploymentReason.API_UNAVAILABLE, "message": "away"}, "DEPLOYED", "away"),
        ({"phase": Phase.DRIFTED, "message": "edited"}, "DRIFTED", "edited"),
        ({"phase": Phase.UNDEPLOYED}, "UNDEPLOYED", "Deployment made by an earlier request"),
    ],
)
async def test_is_answered_with_the_present_state_of_its_deployment(
    world: World, wish: NewDeployment, seen: dict[str, Any], status: str, message: str
) -> None:
    world.id = (await deploy(world, wish)).service.id
    world.put(**seen)

    again = await world.deployments.deployed(world.project_id, world.id)

    assert (again.status, again.message) == (status, message)
    assert again.deployment is not None
    assert again.deployment.phase is seen["phase"]


async def test_after_an_undeployment_nothing_is_initiated(world: World, wish: NewDeployment) -> None:
    id_ = (await deploy(world, wish)).service.id
    await world.services.undeploy(world.project_id, id_)

    again = await world.deployments.deployed(world.project_id, id_)

    assert (again.service.id, again.status, again.service.desired_state) == (id_, "DELETING", "UNDEPLOYED")

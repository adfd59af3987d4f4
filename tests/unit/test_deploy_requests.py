"""Deploying with a request id: a repeated request deploys once, and is answered with the current deployment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.unit.deployed_world import World, a_world

from registry_grpc.domain.deploy_request import NewDeployment, RequestKey
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions, ScaleMetric
from registry_grpc.domain.errors import AlreadyExists, InvalidRequest
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.services.deployments import Deployed

MODEL, ENVIRONMENT, VERSION = uuid4(), uuid4(), uuid4()


def a_wish(**fields: Any) -> NewDeployment:
    said: dict[str, Any] = {"registered_model_id": MODEL, "serving_environment_id": ENVIRONMENT}
    return NewDeployment(**said | fields)


def test_equal_requests_have_equal_digests() -> None:
    options = DeploymentOptions(env={"A": "1", "B": ""}, limits={"cpu": "1"}, scale_metric=ScaleMetric.CPU)
    again = DeploymentOptions(env={"B": "", "A": "1"}, limits={"cpu": "1"}, scale_metric=ScaleMetric.CPU)
    labels = {"a": "1", "b": "2"}
    first = a_wish(options=options, labels=labels, model_version_ids=(VERSION,))

    assert (
        first.digest
        == a_wish(options=again, labels=dict(reversed(labels.items())), model_version_ids=(VERSION,)).digest
    )


@pytest.mark.parametrize(
    "other",
    [
        {"registered_model_id": uuid4()},
        {"serving_environment_id": uuid4()},
        {"model_version_ids": (VERSION,)},
        {"name": "n"},
        {"labels": {"a": ""}},
        {"options": DeploymentOptions(runtime="r")},
        {"options": DeploymentOptions(env={"a": ""})},
        {"options": DeploymentOptions(requests={"cpu": "1"})},
        {"options": DeploymentOptions(limits={"cpu": "1"})},
        {"options": DeploymentOptions(max_replicas=0)},
        {"options": DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)},
        {"options": DeploymentOptions(deadline_seconds=1)},
    ],
)
def test_different_requests_have_different_digests(other: dict[str, Any]) -> None:
    assert a_wish(**other).digest != a_wish().digest


def test_a_request_stored_before_digests_were_kept_is_the_same() -> None:
    key = RequestKey(request_id="once", digest=a_wish().digest)
    key.check_same("")
    key.check_same(key.digest)
    with pytest.raises(InvalidRequest):
        key.check_same(a_wish(name="another").digest)


def test_the_digest_stays_the_same_in_later_releases() -> None:
    """The digest is stored, so unset fields must not count, and the encoding of set fields must not change."""
    wish = NewDeployment(registered_model_id=UUID(int=1), serving_environment_id=UUID(int=2), name="iris")
    assert wish.digest == "00de93187690cdc65552889f9b7b6dcae20dc91d4b25e4a9b9dc97945384182f"


def test_all_that_cannot_be_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        a_wish(name="n" * 101, options=DeploymentOptions(limits={"cpu": "lots"}, timeout_seconds=0))
    fields = [violation.field for violation in refusal.value.violations]
    assert fields == ["name", "options.timeout_seconds", "options.resources.limits.cpu"]


def test_a_request_id_has_a_limit() -> None:
    assert RequestKey(request_id="é" * 128, digest="")
    with pytest.raises(InvalidRequest) as refusal:
        RequestKey(request_id="x" * 129, digest="")
    assert str(refusal.value) == "request_id must be at most 128 characters"


@pytest.fixture
async def world(project_id: UUID) -> World:
    return await a_world(project_id)


@pytest.fixture
def wish(world: World) -> NewDeployment:
    environment = next(iter(world.store.environments.values()))
    return a_wish(
        registered_model_id=world.version.registered_model_id, serving_environment_id=environment.id, name="iris"
    )


async def deploy(world: World, wish: NewDeployment, request_id: str = "r") -> Deployed:
    return await world.deployments.deploy(world.project_id, wish, request_id=request_id)


async def test_is_carried_out_once_even_if_the_version_changed(world: World, wish: NewDeployment) -> None:
    first = await deploy(world, wish)
    await world.set_status("FAILED")

    again = await deploy(world, wish)

    assert (again.service, again.deployment) == (first.service, first.deployment)
    assert (again.status, again.message) == ("PENDING", "Deployment initiated")
    assert len(world.store.services) == 2


async def test_without_an_id_it_is_another_request(world: World, wish: NewDeployment) -> None:
    await deploy(world, wish, "")
    with pytest.raises(AlreadyExists):
        await deploy(world, wish, "")


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

    again = await deploy(world, wish)

    assert (again.status, again.message) == (status, message)
    assert again.deployment is not None
    assert again.deployment.phase is seen["phase"]


async def test_after_an_undeployment_nothing_is_initiated(world: World, wish: NewDeployment) -> None:
    id_ = (await deploy(world, wish)).service.id
    await world.services.undeploy(world.project_id, id_)

    again = await deploy(world, wish)

    assert (again.service.id, again.status, again.service.desired_state) == (id_, "DELETING", "UNDEPLOYED")


async def test_is_forgotten_with_the_service(world: World, wish: NewDeployment) -> None:
    id_ = (await deploy(world, wish)).service.id
    await world.services.undeploy(world.project_id, id_)
    await world.repositories.services.delete(world.project_id, id_)

    again = await deploy(world, wish)

    assert again.service.id != id_
    assert (again.status, again.message) == ("PENDING", "Deployment initiated")


async def test_another_request_under_its_id_is_refused(world: World, wish: NewDeployment) -> None:
    await deploy(world, wish)

    for other in (replace(wish, name="other"), replace(wish, registered_model_id=uuid4())):
        with pytest.raises(InvalidRequest) as refusal:
            await deploy(world, other)
        assert str(refusal.value) == "request_id was used for another request: use a new one per request"
    with pytest.raises(InvalidRequest):
        await deploy(world, wish, "x" * 3000)

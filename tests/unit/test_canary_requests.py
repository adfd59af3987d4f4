"""Requests about a canary that is being promoted or aborted: nothing but an abort of a promotion is accepted."""

from __future__ import annotations

from uuid import UUID

import pytest
from tests.refusals import refused
from tests.unit.deployed_world import World, a_world

from registry_grpc.domain.canary import Canary, CanaryStep
from registry_grpc.domain.errors import FailedPrecondition, Reason


async def a_canary(project_id: UUID, step: CanaryStep) -> World:
    world = await a_world(project_id)
    world.put(canary=Canary(stable_generation=1, stable_version_id=world.version.id, percent=25, step=step))
    return world


async def step_of(world: World) -> CanaryStep | None:
    canary = (await world.deployment()).canary
    return canary.step if canary else None


@pytest.mark.parametrize("step", [CanaryStep.PROMOTE, CanaryStep.ABORT])
async def test_another_share_does_not_bring_back_what_ends(project_id: UUID, step: CanaryStep) -> None:
    world = await a_canary(project_id, step)
    with refused(FailedPrecondition, Reason.CANARY_UNDER_WAY):
        await world.deployments.update(project_id, world.id, model_version_id=None, options=None, traffic_percent=60)
    assert await step_of(world) is step


async def test_what_is_aborted_is_not_promoted(project_id: UUID) -> None:
    world = await a_canary(project_id, CanaryStep.ABORT)
    with refused(FailedPrecondition, Reason.CANARY_UNDER_WAY):
        await world.deployments.end_canary(project_id, world.id, CanaryStep.PROMOTE)
    assert await step_of(world) is CanaryStep.ABORT


async def test_a_promotion_can_be_aborted(project_id: UUID) -> None:
    world = await a_canary(project_id, CanaryStep.PROMOTE)
    await world.deployments.end_canary(project_id, world.id, CanaryStep.ABORT)
    assert await step_of(world) is CanaryStep.ABORT

"""New revisions of a deployment are checked like a deploy, and do not undo each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.seeding import stored_version
from tests.fakes.use_cases import UseCases
from tests.refusals import refused
from tests.unit.deployed_world import ALLOWING, RISKY, World, a_world

from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deployment import Applied, Cause, Want
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions
from registry_grpc.domain.errors import (
    ConcurrentChange,
    DeploymentBlocked,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Reason,
)
from registry_grpc.domain.inference_service import InferenceServicePatch, ServiceState
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.policy import DeploymentPolicy

APPLIED = Applied(uid="u", k8s_generation=1, resource_version="1", content={})
NOT_ALLOWED = (
    "options.service_account models/reader is not on the operator's allow-list; "
    "options.env.A is not on the operator's allow-list of environment variables; "
    "options.env.LD_PRELOAD is not on the operator's allow-list of environment variables"
)
UP = InferenceServicePatch(desired_state=ServiceState.DEPLOYED)

Revision = Callable[[World, UseCases], Awaitable[object]]


async def _roll_back(world: World, now: UseCases) -> object:
    return await now.deployments.roll_back(world.project_id, world.id, 1)


async def _keep_options(world: World, now: UseCases) -> object:
    return await now.deployments.update(world.project_id, world.id, model_version_id=world.version.id, options=None)


async def _redeploy(world: World, now: UseCases) -> object:
    if (await world.deployment()).want is Want.PRESENT:
        await now.services.undeploy(world.project_id, world.id)
    return await now.services.update(world.project_id, world.id, UP, "ann")


@pytest.fixture
async def world(project_id: UUID) -> World:
    return await a_world(project_id)


async def test_an_update_takes_the_version_that_an_alias_names_now(world: World) -> None:
    r, project_id, model_id = world.repositories, world.project_id, world.version.registered_model_id
    model = await r.models.get(project_id, model_id)
    await stored_version(r, model)
    third = await stored_version(r, model)
    await r.aliases.set(project_id, model_id, AliasChange(name="champion", version="3"), "")
    now = world.under(ALLOWING)
    await now.deployments.update(project_id, world.id, model_version_id="champion", options=None)
    await r.aliases.set(project_id, model_id, AliasChange(name="champion", version="2"), "")
    await now.deployments.update(project_id, world.id, model_version_id=None, options=DeploymentOptions())
    deployment = await world.deployment()
    assert (deployment.spec.model_version_id, deployment.spec.requested_version) == (third.id, "champion → version 3")
    await now.deployments.update(project_id, world.id, model_version_id=third.id, options=None)
    assert (await world.deployment()).spec.requested_version == ""
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await now.deployments.update(project_id, world.id, model_version_id="challenger", options=None)


async def test_a_revision_of_a_deleted_version_is_not_repeated(world: World) -> None:
    second = await stored_version(
        world.repositories, await world.repositories.models.get(world.project_id, world.version.registered_model_id)
    )
    await world.update(version=second)
    for link in (await world.repositories.services.get(world.project_id, world.id)).served_models:
        if link.model_version_id == world.version.id:
            await world.repositories.serve_models.delete(world.project_id, link.id)
    kept = timedelta(days=30)
    await world.repositories.deleted.delete(world.project_id, world.version.id, "", force=False, retention=kept)

    with refused(FailedPrecondition, Reason.MODEL_VERSION_DELETED) as refusal:
        await world.deployments.roll_back(world.project_id, world.id, 1)
    assert refusal.value.metadata == {"model_version_id": str(world.version.id)}
    await world.repositories.deleted.restore(world.project_id, world.version.id, retention=kept)
    await world.deployments.roll_back(world.project_id, world.id, 1)


REPEATING = pytest.mark.parametrize("repeat", [_roll_back, _keep_options, _redeploy])


@REPEATING
async def test_options_that_are_kept_or_repeated_must_still_be_allowed(world: World, repeat: Revision) -> None:
    await repeat(world, world.under(ALLOWING))
    generation = (await world.deployment()).generation

    with pytest.raises(DeploymentBlocked) as refusal:
        await repeat(world, world.under(DeploymentPolicy()))

    assert str(refusal.value) == NOT_ALLOWED
    assert {violation.field for violation in refusal.value.violations} == {"OPTION_NOT_ALLOWED"}
    assert (await world.deployment()).generation in {
        generation,
        generation + 1,
    }  # the redeployment needs an undeployment before
    assert (await world.deployment()).want is (Want.ABSENT if repeat is _redeploy else Want.PRESENT)


@REPEATING
async def test_a_version_that_is_kept_or_repeated_must_still_be_ready(world: World, repeat: Revision) -> None:
    await world.set_status("FAILED")

    with pytest.raises(FailedPrecondition) as refusal:
        await repeat(world, world.under(ALLOWING))

    assert refusal.value.reason is Reason.MODEL_VERSION_NOT_READY
    assert str(refusal.value) == "version v1: model version is not ready for deployment"
    await world.set_status("READY")
    await repeat(world, world.under(ALLOWING))


async def test_a_refused_redeployment_changes_nothing_of_the_service(world: World) -> None:
    await world.services.undeploy(world.project_id, world.id)
    before = await world.repositories.services.get(world.project_id, world.id)

    with refused(DeploymentBlocked, Reason.DEPLOYMENT_BLOCKED):
        patch = replace(UP, labels={"a": "b"})
        await world.under(DeploymentPolicy()).services.update(world.project_id, world.id, patch, "ann")

    assert await world.repositories.services.get(world.project_id, world.id) == before


async def test_a_desired_state_that_is_there_already_asks_for_nothing(world: World) -> None:
    """Clients send back whole objects that they have read."""
    await world.set_status("FAILED")

    await world.under(DeploymentPolicy()).services.update(world.project_id, world.id, UP, "ann")

    assert (await world.deployment()).generation == 1


async def test_a_forbidden_deployment_can_be_undeployed(world: World) -> None:
    await world.set_status("FAILED")
    down = InferenceServicePatch(desired_state=ServiceState.UNDEPLOYED)

    await world.under(DeploymentPolicy()).services.update(world.project_id, world.id, down, "ann")

    assert (await world.deployment()).want is Want.ABSENT


async def test_options_of_a_request_must_be_allowed_and_possible(world: World) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await world.under(DeploymentPolicy()).deployments.update(
            world.project_id, world.id, model_version_id=None, options=DeploymentOptions(env={"B": "", "A": ""})
        )
    assert [v.field for v in refusal.value.violations] == ["options.env.A", "options.env.B"]
    with pytest.raises(InvalidRequest) as refusal:
        await world.update(DeploymentOptions(limits={"cpu": "lots"}))
    assert [v.field for v in refusal.value.violations] == ["options.resources.limits.cpu"]


async def test_the_mode_is_fixed_while_the_object_is_there(world: World) -> None:
    knative = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)
    world.put(applied=APPLIED, applied_generation=1)

    with pytest.raises(InvalidRequest) as refusal:
        await world.update(knative)
    [violation] = refusal.value.violations
    assert violation.field == "options.deployment_mode"
    assert violation.description == "cannot be changed from `Standard` to `Knative`: undeploy it first"

    await world.services.undeploy(world.project_id, world.id)
    world.put(applied_generation=0)
    with pytest.raises(InvalidRequest):
        await world.update(knative)  # the object is still being deleted
    world.put(applied=None)
    await world.update(knative)

    world.put(applied=APPLIED, applied_generation=3)
    with pytest.raises(DeploymentBlocked) as blocked:
        await world.deployments.roll_back(world.project_id, world.id, 1)
    assert str(blocked.value).startswith("options.deployment_mode cannot be changed from `Knative` to `Standard`")


async def test_the_mode_that_counts_is_that_of_the_object(world: World) -> None:
    """A revision of an earlier release that the cluster refused for its mode can be replaced by another one."""
    world.put(applied=APPLIED, applied_generation=1)
    knative = replace(
        (await world.deployment()).spec, options=DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)
    )
    await world.repositories.deployments.revise(
        world.project_id, world.id, want=Want.PRESENT, spec=knative, cause=Cause.UPDATE, created_by=""
    )

    with pytest.raises(InvalidRequest):
        await world.update(DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE, min_replicas=0))
    await world.deployments.roll_back(world.project_id, world.id, 1)
    await world.update(DeploymentOptions(min_replicas=2))


class Busy:
    """Changes a deployment this many times between the read and the write of a use case."""

    def __init__(self, world: World, times: int, *, canary_percent: int | None = None, **options: Any) -> None:
        self._world = world
        self._canary_percent = canary_percent
        self._rest = times
        self._options = options

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._world.repositories.deployments, name)
        if name not in {"revise", "change_service"}:
            return method

        async def after_others(*args: Any, **fields: Any) -> Any:
            if self._rest:
                self._rest -= 1
                spec = (await self._world.deployment()).spec
                options = replace(spec.options, **{"min_replicas": self._rest + 1} | self._options)
                others = replace(spec, options=options)
                await self._world.repositories.deployments.revise(
                    *args[:2],
                    want=Want.PRESENT if self._canary_percent else Want.ABSENT,
                    spec=others,
                    cause=Cause.UPDATE,
                    created_by="others",
                    canary_percent=self._canary_percent,
                )
            return await method(*args, **fields)

        return after_others

    def use_cases(self) -> UseCases:
        return self._world.under(ALLOWING, replace(self._world.repositories, deployments=self))


@pytest.mark.parametrize("times", [1, 4])
async def test_an_update_keeps_concurrent_changes(world: World, times: int) -> None:
    other = await stored_version(
        world.repositories,
        await world.repositories.models.get(world.project_id, world.version.registered_model_id),
        status="READY",
    )

    updated = (
        await Busy(world, times)
        .use_cases()
        .deployments.update(world.project_id, world.id, model_version_id=other.id, options=None)
    )

    assert (updated.spec.model_version_id, updated.spec.options.min_replicas) == (other.id, 1)
    assert updated.generation == 2 + times


async def test_an_update_gives_up_when_others_do_not_stop(world: World) -> None:
    with refused(ConcurrentChange, Reason.CONCURRENT_CHANGE):
        await (
            Busy(world, 5)
            .use_cases()
            .deployments.update(world.project_id, world.id, model_version_id=None, options=None)
        )


async def test_a_rollback_is_made_after_concurrent_changes(world: World) -> None:
    busy = Busy(world, 1).use_cases().deployments
    rolled_back = await busy.roll_back(world.project_id, world.id, 1)
    assert (rolled_back.generation, rolled_back.spec.options) == (3, RISKY)


@pytest.mark.parametrize("revision", [1, 2])
async def test_a_rollback_does_not_end_a_canary_that_it_has_not_seen(world: World, revision: int) -> None:
    await world.update(DeploymentOptions(min_replicas=3))
    busy = Busy(world, 1, canary_percent=25).use_cases().deployments
    with refused(FailedPrecondition, Reason.CANARY_UNDER_WAY):
        await busy.roll_back(world.project_id, world.id, revision)
    assert (canary := (await world.deployment()).canary) is not None
    assert (canary.step, canary.stable_generation) == (CanaryStep.TRY, 2)


@pytest.mark.parametrize(("account", "is_allowed"), [("reader", True), ("admin", False)])
async def test_only_the_checked_generation_is_redeployed(world: World, account: str, is_allowed: bool) -> None:
    await world.services.undeploy(world.project_id, world.id)
    busy = Busy(world, 1, service_account=account).use_cases().services

    with nullcontext() if is_allowed else refused(DeploymentBlocked, Reason.DEPLOYMENT_BLOCKED):
        await busy.update(world.project_id, world.id, UP, "ann")

    assert (await world.deployment()).want is (Want.PRESENT if is_allowed else Want.ABSENT)


async def test_unknown_deployments_and_revisions(world: World) -> None:
    with refused(NotFound, Reason.REVISION_NOT_FOUND):
        await world.deployments.roll_back(world.project_id, world.id, 7)
    with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
        await world.deployments.roll_back(world.project_id, UUID(int=1), 1)

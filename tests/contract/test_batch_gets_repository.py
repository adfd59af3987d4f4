"""The contract of batch gets: all objects in the order of their ids, or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.intents import deployed
from tests.contract.surroundings import Surroundings
from tests.fakes.deployments import NoNews
from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import InvalidRequest, NotFound, Reason
from registry_grpc.domain.paging import PAGE_BYTES
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.registered_models import RegisteredModels

Batch = Callable[[UUID, Sequence[UUID]], Awaitable[Sequence[Any]]]


def batch_of(repositories: Repositories, kind: str) -> Batch:
    r = repositories
    batches: dict[str, Any] = {
        "models": RegisteredModels(models=r.models, tenants=OPEN).batch,
        "versions": ModelVersions(versions=r.versions, deployments=r.deployments, tenants=OPEN).batch,
        "deployments": DeploymentHistory(deployments=r.deployments, events=NoNews(), tenants=OPEN).batch,
    }
    batch: Batch = batches[kind]
    return batch


async def one(repositories: Repositories, project_id: UUID, kind: str) -> Any:
    if kind == "models":
        return await stored_model(repositories, project_id)
    if kind == "versions":
        return await stored_version(repositories, await stored_model(repositories, project_id))
    return await deployed(repositories, await Surroundings.stored(repositories, project_id))


kinds = pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("models", Reason.REGISTERED_MODEL_NOT_FOUND),
        ("versions", Reason.MODEL_VERSION_NOT_FOUND),
        ("deployments", Reason.DEPLOYMENT_NOT_FOUND),
    ],
)


@kinds
async def test_the_order_is_that_of_the_ids(
    repositories: Repositories, project_id: UUID, kind: str, reason: Reason
) -> None:
    batch = batch_of(repositories, kind)
    made = [await one(repositories, project_id, kind) for _ in range(4)]
    chosen = [made[place] for place in (2, 0, 3, 2)]
    assert list(await batch(project_id, [each.id for each in chosen])) == chosen
    with refused(NotFound, reason):
        await batch(uuid4(), [made[0].id])


@kinds
async def test_all_missing_ids_are_named(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, kind: str, reason: Reason
) -> None:
    mine, other = await one(repositories, project_id, kind), await one(repositories, other_project_id, kind)
    unknown = uuid4()
    with pytest.raises(NotFound) as refusal:
        await batch_of(repositories, kind)(project_id, [other.id, mine.id, unknown, unknown])
    assert refusal.value.metadata == {"ids": f"{other.id}, {unknown}"}
    assert refusal.value.full_message.endswith(f": {other.id}, {unknown}")
    assert refusal.value.reason is reason


async def test_a_batch_has_at_most_100_ids(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    batch = batch_of(repositories, "models")
    assert len(await batch(project_id, [model.id] * 100)) == 100
    with pytest.raises(InvalidRequest, match="ids must be at most 100"):
        await batch(project_id, [model.id] * 101)


async def test_a_batch_that_would_be_too_large_is_refused(repositories: Repositories, project_id: UUID) -> None:
    """Nothing of it leaves the database that does not fit."""
    large = [await stored_model(repositories, project_id, description="x" * (PAGE_BYTES // 2)) for _ in range(2)]
    batch = batch_of(repositories, "models")
    assert [each.id for each in await batch(project_id, [large[1].id])] == [large[1].id]
    with pytest.raises(InvalidRequest, match="ids must be fewer: the answer would be larger than 3584 KiB"):
        await batch(project_id, [each.id for each in large])

"""A thousand deployments: counts their requests to the API server and the database."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

import pytest
from tests.fakes.builders import a_serve_model, a_service
from tests.kserve import NO_KEYS
from tests.scenarios.world import World

from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.postgres.deployment_rows import applied_to_json
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES
from registry_grpc.domain.deployment import Deployment, DeploymentSpec, Phase
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.ports.deployments import NewIntent

MANY = 1000
PAGES = 2
"""The number of pages with 500 objects each."""
RELIST_SECONDS = 2.0
_EAGER = Pace(first_pause=0.02, longest_pause=0.1, shortest_watch=0.05, relist=(RELIST_SECONDS, RELIST_SECONDS))
_MADE_STEADY = """
UPDATE deployment SET
    applied = $2, applied_generation = 1, applied_at = now(), serving_generation = 1, phase = 'DEPLOYED',
    next_at = now() + interval '1 hour'
WHERE id = $1
"""
_READY = {"conditions": [{"type": "Ready", "status": "True"}]}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
async def steady(silent: World) -> list[Deployment]:
    """Deployments that have been steady for long. Their objects exist in the API server, but KServe ignores them."""
    version = await silent.version(keys=NO_KEYS)
    repository = PostgresDeploymentRepository(silent.database)
    spec = DeploymentSpec.serving((version,), {}, DeploymentOptions())
    intent = NewIntent(namespace=silent.kube.namespace, spec=spec, created_by="ann")
    deployments = []
    for i in range(MANY):
        service = a_service(silent.environment, silent.model, name=f"iris-{i}")
        _, deployment = await repository.deploy(service, [a_serve_model(service, version)], intent)
        seen = await silent.cluster.observe(deployment)
        applied = await silent.cluster.apply(deployment, NO_KEYS, seen=seen, force=False)
        live = silent.simulated.store.get(INFERENCE_SERVICES, deployment.namespace, deployment.name)
        assert live is not None
        silent.simulated.store.put(INFERENCE_SERVICES, {**live, "status": _READY})
        await silent.database.execute(_MADE_STEADY, deployment.id, applied_to_json(applied))
        deployments.append(deployment)
    return deployments


async def passes_since(world: World, moment: datetime) -> set[UUID]:
    rows = await world.database.fetch("SELECT id FROM deployment WHERE observed_at > $1", moment)
    return {row["id"] for row in rows}


async def test_a_thousand_deployments(silent: World, steady: list[Deployment]) -> None:
    calls = silent.simulated.calls
    calls.clear()
    (row,) = await silent.database.fetch("SELECT clock_timestamp() AS now")
    async with silent.controller(pace=_EAGER):
        # Without changes, no deployment is observed. A relist reads its pages, and the versions from which to watch.
        await asyncio.sleep(5 * RELIST_SECONDS)
        relists = calls["list", "deployments"]
        assert 2 <= relists <= 6
        assert calls["list", "inferenceservices"] <= relists * PAGES
        assert {verb for verb, _ in calls} == {"list", "watch"}
        assert calls.total() <= relists * (PAGES + 3 + 4)
        assert await passes_since(silent, row["now"]) == set()

    async with silent.controller():
        # If one changes, this is noticed without a list, and only this one is observed.
        await asyncio.sleep(2)
        calls.clear()
        one = steady[MANY // 2]
        await silent.edit(one.name, {"spec": {"predictor": {"minReplicas": 2}}})
        # Nothing plays KServe here, so the change is told, but never taken up.
        await silent.until_phase(one.id, Phase.UPDATING)
        assert await passes_since(silent, row["now"]) == {one.id}
        assert calls["get", "inferenceservices"] <= 2
        assert calls["list", "inferenceservices"] == 0

    # Ten were deleted or changed without a watch. The list tells which.
    async with silent.paused():
        for deployment in steady[:5]:
            await silent.kube.delete(INFERENCE_SERVICES, deployment.name)
        for deployment in steady[5:10]:
            await silent.edit(deployment.name, {"spec": {"predictor": {"minReplicas": 2}}})
    await silent.database.execute("UPDATE deployment SET next_at = now() + interval '1 hour'")
    calls.clear()
    async with silent.controller():
        for deployment in steady[:5]:
            await silent.until_phase(deployment.id, Phase.PENDING)
            assert ("DRIFTED", "DELETED_EXTERNALLY") in await silent.log(deployment.id)
        for deployment in steady[5:10]:
            await silent.until_phase(deployment.id, Phase.UPDATING)
        assert calls["list", "inferenceservices"] == PAGES
        assert {deployment.id for deployment in steady[:10]} | {one.id} >= await passes_since(silent, row["now"])

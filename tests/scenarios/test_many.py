"""A thousand deployments: what they cost the API server and the database, told by counters."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_serve_model, a_service
from tests.scenarios.world import World

from registry_grpc.adapters.kserve.watch import Pace
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.domain.deployment import DeploymentOptions, DeploymentSpec, Phase
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.ports.deployments import NewIntent

MANY = 1000
PAGES = 2
"""Of 500 objects each."""
_RELIST = Pace(first_pause=0.02, longest_pause=0.1, shortest_watch=0.05, relist=(2.0, 2.0))
_PHASES = "SELECT phase, count(*) AS n FROM deployment GROUP BY phase"
_WORKED_ON = "SELECT count(*) AS n FROM deployment WHERE observed_at > $1"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def intents(world: World, count: int) -> list[UUID]:
    """As many requests have left them."""
    version = await world.version()
    repository = PostgresDeploymentRepository(world.database)
    spec = DeploymentSpec.serving((version,), {}, DeploymentOptions())
    intent = NewIntent(namespace=world.kube.namespace, spec=spec, created_by="ann")
    return [await _made(world, repository, version, intent, i) for i in range(count)]


async def _made(
    world: World, repository: PostgresDeploymentRepository, version: ModelVersion, intent: NewIntent, i: int
) -> UUID:
    service = a_service(
        world.environment, world.model, id=uuid4(), name=f"iris-{i}", current_state="UNDEPLOYED", external_id="", url=""
    )
    await repository.deploy(service, [a_serve_model(service, version)], intent)
    return service.id


async def phases(world: World) -> Counter[str]:
    return Counter({row["phase"]: row["n"] for row in await world.database.fetch(_PHASES)})


async def test_a_thousand_deployments(faulty: World) -> None:
    calls = faulty.simulated.calls
    ids = await intents(faulty, MANY)
    async with faulty.controller(pace=_RELIST):
        deadline = time.monotonic() + 500
        while (await phases(faulty))[Phase.DEPLOYED] < MANY:
            assert time.monotonic() < deadline, await phases(faulty)
            await asyncio.sleep(0.5)
        await asyncio.sleep(3)  # until the last changes were looked at

        # Nothing goes on: nobody looks at a single one, and every relist costs its pages.
        calls.clear()
        (row,) = await faulty.database.fetch("SELECT clock_timestamp() AS now")
        await asyncio.sleep(7)
        (worked_on,) = await faulty.database.fetch(_WORKED_ON, row["now"])
        relists = calls["list", "inferenceservices"] // PAGES
        assert 1 <= relists <= 4
        assert worked_on["n"] == 0
        assert {verb for verb, _ in calls} <= {"list", "watch"}
        # Pages of the services; of Deployments and pods only where to watch on from; and the watches.
        assert calls.total() <= relists * (PAGES + 2 + 3) + PAGES

        # One changes.
        calls.clear()
        deployment = await faulty.deployment(ids[MANY // 2])
        began = time.monotonic()
        await faulty.edit(deployment.name, {"spec": {"predictor": {"minReplicas": 2}}})
        await faulty.until_phase(deployment.id, Phase.DRIFTED, "SPEC_CHANGED")
        assert time.monotonic() - began < 1
        (worked_on,) = await faulty.database.fetch(_WORKED_ON, row["now"])
        assert worked_on["n"] == 1

    # A controller that starts has a thousand to compare, and nothing to do.
    calls.clear()
    async with faulty.controller():
        await asyncio.sleep(2)
        assert calls["list", "inferenceservices"] == PAGES
        assert calls["get", "inferenceservices"] <= 3

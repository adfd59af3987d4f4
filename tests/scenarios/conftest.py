"""Worlds for scenarios, on the simulated cluster, and with `-m cluster` on a real Kubernetes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from tests.cluster.client import ClusterClient
from tests.cluster.faulty import FaultyCluster
from tests.cluster.kube import Kube
from tests.cluster.targets import TestCluster
from tests.kserve import QUICK
from tests.postgres import PATIENT, ServerForRun, new_database
from tests.scenarios.world import World, world_of

from registry_grpc.adapters.kserve.throttle import Limits
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.services import reconciliation

_PACE = 0.03


@pytest.fixture(autouse=True)
def _patient_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request gives its first pass 5 seconds, which a busy machine may need: then nothing is applied where a scenario
    has no controller, and a try is counted that the scenario knows nothing of."""
    monkeypatch.setattr(reconciliation, "ATTEMPT_SECONDS", reconciliation.PASS_SECONDS)
    monkeypatch.setattr(reconciliation, "TURN_SECONDS", reconciliation.PASS_SECONDS)


@pytest_asyncio.fixture(loop_scope="session")
async def simulated_cluster(tmp_path: Path) -> AsyncIterator[TestCluster]:
    """A cluster for this test only, because its faults affect all users."""
    async with FaultyCluster(pace=_PACE) as cluster:
        admin = cluster.kubeconfig(tmp_path / "admin.kubeconfig")
        registry = cluster.kubeconfig(tmp_path / "registry.kubeconfig", user="registry")
        worker = cluster.kubeconfig(tmp_path / "worker.kubeconfig", user="worker")
        yield TestCluster(admin=admin, registry=registry, worker=worker, simulated=cluster)


@pytest.fixture(params=["simulated_cluster", pytest.param("real_test_cluster", marks=pytest.mark.cluster)])
def kubernetes(request: pytest.FixtureRequest) -> TestCluster:
    cluster: TestCluster = request.getfixturevalue(request.param)
    return cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def own_database_url(server_for_run: ServerForRun) -> AsyncIterator[str]:
    """A database for the scenarios of this worker, because controllers take everything that is due."""
    async with new_database(server_for_run, server_for_run.template) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def own_database(own_database_url: str) -> AsyncIterator[Database]:
    """A database without the deployments of other tests."""
    database = Database(own_database_url, PATIENT)
    await database.fetch("TRUNCATE deployment, orphan CASCADE")
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def world(kubernetes: TestCluster, namespace: str, own_database: Database) -> AsyncIterator[World]:
    """A world without a controller."""
    async with (
        ClusterClient.from_kubeconfig(kubernetes.admin) as client,
        world_of(kubernetes, Kube(client, namespace), own_database) as world,
    ):
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def running(world: World) -> AsyncIterator[World]:
    """A world with a controller."""
    async with world.controller():
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def faulty(simulated_cluster: TestCluster, own_database: Database) -> AsyncIterator[World]:
    """A world without a controller, on a cluster that fails on demand."""
    async with _world_on(simulated_cluster, own_database) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def limited(simulated_cluster: TestCluster, own_database: Database, limits: Limits) -> AsyncIterator[World]:
    """A world without a controller, whose requests to the cluster are limited."""
    async with _world_on(simulated_cluster, own_database, limits) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def silent(tmp_path: Path, own_database: Database) -> AsyncIterator[World]:
    """A world without a controller, on a cluster whose KServe does not run."""
    async with FaultyCluster(pace=_PACE, with_kserve=False) as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        async with _world_on(TestCluster(admin=kubeconfig, registry=None, simulated=cluster), own_database) as world:
            yield world


@asynccontextmanager
async def _world_on(cluster: TestCluster, database: Database, limits: Limits = QUICK) -> AsyncIterator[World]:
    namespace = await cluster.create_namespace()
    async with (
        ClusterClient.from_kubeconfig(cluster.admin) as client,
        world_of(cluster, Kube(client, namespace), database, limits) as world,
    ):
        yield world

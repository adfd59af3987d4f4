"""Fixtures: the simulated cluster and a real one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.cluster import binaries, furnish
from tests.cluster.binaries import BinariesMissing
from tests.cluster.client import ClusterClient
from tests.cluster.control_plane import ControlPlane
from tests.cluster.faulty import FaultyCluster
from tests.cluster.kube import Kube
from tests.cluster.own_kserve import OwnKServe
from tests.cluster.targets import TestCluster

EXTERNAL = "REGISTRY_TEST_KUBECONFIG"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def simulated_test_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestCluster]:
    """The simulated cluster, one for all tests of a worker."""
    folder = tmp_path_factory.mktemp("simulated-cluster")
    async with FaultyCluster() as cluster:
        admin = cluster.kubeconfig(folder / "admin.kubeconfig")
        registry = cluster.kubeconfig(folder / "registry.kubeconfig", user="registry")
        yield TestCluster(admin=admin, registry=registry, simulated=cluster)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_test_cluster() -> AsyncIterator[TestCluster]:
    """The cluster `REGISTRY_TEST_KUBECONFIG` names, or a control plane started for this run."""
    if external := os.environ.get(EXTERNAL):
        yield TestCluster(admin=Path(external), registry=None)
        return
    try:
        programs = binaries.find()
    except BinariesMissing as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="registry-kubernetes-") as folder:
        control_plane = ControlPlane(programs, Path(folder))
        control_plane.start()
        try:
            async with ClusterClient.from_kubeconfig(control_plane.kubeconfig("admin")) as client:
                kserve = OwnKServe.find()
                await furnish.furnish(client, kserve)
                control_plane.start_controllers()
                if kserve is None:
                    control_plane.start_kserve()
                else:
                    await control_plane.start_own_kserve(kserve, client)
            yield TestCluster(
                admin=control_plane.kubeconfig("admin"),
                registry=control_plane.kubeconfig("registry"),
                worker=control_plane.kubeconfig("worker"),
            )
        finally:
            control_plane.stop()


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.cluster)])
def kubernetes(request: pytest.FixtureRequest) -> TestCluster:
    """Each test once per cluster; `-m cluster` selects the real one, `-m "not cluster"` leaves it out."""
    cluster: TestCluster = request.getfixturevalue(f"{request.param}_test_cluster")
    return cluster


@pytest_asyncio.fixture(loop_scope="session")
async def namespace(kubernetes: TestCluster) -> AsyncIterator[str]:
    """A namespace for this test only."""
    name = await kubernetes.create_namespace()
    yield name
    await kubernetes.delete_namespace(name)


@pytest_asyncio.fixture(loop_scope="session")
async def kube(kubernetes: TestCluster, namespace: str) -> AsyncIterator[Kube]:
    """The administrator's calls on the test's namespace."""
    async with ClusterClient.from_kubeconfig(kubernetes.admin) as client:
        yield Kube(client, namespace)

"""A worker whose account may only read the cluster: requests succeed, and controllers do what is to be done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio
from tests.fakes.projects import OPEN
from tests.kserve import QUICK
from tests.scenarios.world import World

from registry_grpc.adapters.kserve.api import Api
from registry_grpc.adapters.kserve.client import connect
from registry_grpc.adapters.kserve.cluster import KServeCluster
from registry_grpc.adapters.kserve.errors import StatusError
from registry_grpc.adapters.postgres.deployment_queue import installation_id
from registry_grpc.devtools.simulated_cluster.api.resources import PODS
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.policy import RESERVED_LABELS
from registry_grpc.services.deployments import Deployments
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.planning import Planning
from registry_grpc.services.reconciliation import Reconciler

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Reader:
    """The use cases of a worker that may only read."""

    deployments: Deployments
    services: InferenceServices
    planning: Planning
    api: Api


@pytest_asyncio.fixture(loop_scope="session")
async def reader(world: World) -> AsyncIterator[Reader]:
    kubeconfig = world.kubernetes.worker
    if kubeconfig is None:
        pytest.skip("the rights on the cluster given are not ours to set")
    if world.kubernetes.simulated:
        for verb in ("create", "patch", "delete"):
            for resource in ("inferenceservices", "secrets"):
                world.simulated.faults.forbid(verb, resource, user="worker")
    api = Api(await connect(kubeconfig), QUICK)
    cluster = KServeCluster(api, registry_id=await installation_id(world.database), may_write=False)
    reconciler = Reconciler(queue=world.queue, cluster=cluster, versions=world.versions, tenants=OPEN, may_write=False)
    yield Reader(
        deployments=replace(world.deployments, reconciler=reconciler),
        services=replace(world.services, reconciler=reconciler, cluster=cluster),
        planning=replace(world.planning, cluster=cluster, reserved_labels=RESERVED_LABELS),
        api=api,
    )
    await cluster.close()


async def test_its_account_may_not_write(world: World, reader: Reader) -> None:
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{world.kube.namespace}/inferenceservices"
    assert (await reader.api.list(path)).items == []
    with pytest.raises(StatusError, match="forbidden"):
        await reader.api.create(path, {"metadata": {"name": "x"}})


async def test_deploy_sync_and_undeploy_without_the_right_to_write(world: World, reader: Reader) -> None:
    new = world.new(await world.version(), name="iris")
    deployed = await reader.deployments.deploy(world.project_id, new)
    made = deployed.service.id
    first = await world.deployment(made)
    assert (first.phase, first.reason) == (Phase.PENDING, ""), "nothing was tried, and nothing was refused"
    await reader.services.sync(world.project_id, made)
    async with world.controller():
        await world.until_deployed(made)
        synced = await reader.services.sync(world.project_id, made)
        assert (synced.current_state, synced.last_error) == ("DEPLOYED", "")
        await reader.services.undeploy(world.project_id, made)
        await world.until_phase(made, Phase.UNDEPLOYED)
        await world.until_nothing_is_left()
    assert "FORBIDDEN" not in {reason for _, reason in await world.log(made)}


async def test_a_plan_without_the_right_to_write(world: World, reader: Reader) -> None:
    new = replace(
        world.new(await world.version(), name="iris"), labels={"sidecar.istio.io/inject": "false", "team": "a"}
    )
    plan = await reader.planning.plan(world.project_id, new)
    assert [(finding.code, finding.blocking) for finding in plan.findings] == [("LABEL_RESERVED", False)]
    assert "sidecar.istio.io" not in plan.manifest
    assert '"team": "a"' in plan.manifest


async def test_pods_do_not_get_reserved_labels(running: World) -> None:
    labels = {"sidecar.istio.io/inject": "false", "team": "a"}
    new = replace(running.new(await running.version(), name="iris"), labels=labels)
    deployed = await running.deployments.deploy(running.project_id, new)
    await running.until_deployed(deployed.service.id)
    assert deployed.service.labels == labels
    names = await running.until_pods(1)
    for pod in await running.kube.items(PODS):
        if pod["metadata"]["name"] in names:
            assert pod["metadata"]["labels"]["team"] == "a"
            assert "sidecar.istio.io/inject" not in pod["metadata"]["labels"]

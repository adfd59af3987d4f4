"""The database of a running registry is set back to an earlier state. Within seconds, all answers are right again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import ErrorInfo
from tests.cluster.client import ClusterClient
from tests.cluster.kube import Kube
from tests.cluster.targets import TestCluster
from tests.fakes.builders import an_environment
from tests.postgres import PATIENT
from tests.scenarios.watching import Server, ended, read_until, serving
from tests.scenarios.world import PATIENCE, World, world_of
from tests.servers import Servers

from registry_grpc.adapters.postgres import deployment_queue
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.deployment import Cause, Deployment, Phase
from registry_grpc.domain.errors import Unavailable

pytestmark = pytest.mark.slow

Step = Callable[[Servers], Awaitable[None]]


@pytest_asyncio.fixture(loop_scope="session")
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with Servers(tmp_path) as servers:
        yield servers


@pytest.fixture(autouse=True)
def _nobody_polls_for_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relists and polls are so rare that the tests would fail if changes were only found by them."""
    monkeypatch.setattr(deployment_queue, "_POLL_EVENTS_SECONDS", 3600.0)


@asynccontextmanager
async def running_on(servers: Servers, cluster: TestCluster) -> AsyncIterator[tuple[World, Server]]:
    """A registry with a controller and a worker on these servers."""
    namespace = await cluster.create_namespace()
    database = Database(servers.url, PATIENT)
    try:
        async with (
            ClusterClient.from_kubeconfig(cluster.admin) as client,
            world_of(cluster, Kube(client, namespace), database) as world,
            serving(servers.url) as server,
            world.controller(),
        ):
            yield world, server
    finally:
        await database.close()


async def until(world: World, id: UUID, holds: Callable[[Deployment], bool]) -> Deployment:
    """Like World.until, but also while the database is unavailable."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(Unavailable):
                return await world.until(id, holds)
            await asyncio.sleep(0.1)


def serves(revision: int) -> Callable[[Deployment], bool]:
    return lambda d: d.phase is Phase.DEPLOYED and d.generation == d.serving_generation == revision


async def refusal_of(server: Server, world: World, id: UUID, stream: Any, token: str) -> tuple[int, str]:
    """The final refusal of a watch, if the client resumes it as docs/api.md says."""
    async with asyncio.timeout(PATIENCE):
        while (status := await ended(stream)).code == grpc.StatusCode.UNAVAILABLE.value[0]:
            await asyncio.sleep(0.05)
            stream = server.watch(world, id, token)
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return status.code, info.reason


def clean(*options: str) -> Step:
    return lambda servers: servers.restore("--clean", "--if-exists", *options)


async def drop_and_restore(servers: Servers) -> None:
    await servers.drop()
    await servers.restore()


WAYS: dict[str, tuple[Step, Step]] = {
    "restored in place": (Servers.dump, clean()),
    "restored in one transaction": (Servers.dump, clean("--single-transaction")),
    "dropped and restored": (Servers.dump, drop_and_restore),
    "recovered to a point in time": (Servers.back_up, Servers.recover),
    "its disk set back": (Servers.back_up, Servers.set_back),
    "failed over to a standby that lacks the end": (Servers.add_standby_and_cut_it_off, Servers.fail_over),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_database_that_has_forgotten_the_end(
    way: tuple[Step, Step], servers: Servers, simulated_cluster: TestCluster
) -> None:
    remember, forget = way
    async with running_on(servers, simulated_cluster) as (world, server):
        kept, gone = [(await world.deploy(f"s3://models/{name}")).service.id for name in ("kept", "gone")]
        for id_ in (kept, gone):
            await world.until_deployed(id_)
        await remember(servers)

        version = await world.version("s3://models/lost")
        await world.deployments.update(world.project_id, kept, model_version_id=version.id, options=None)
        await world.until_deployed(kept, 2)
        await world.undeploy(gone)
        await world.until_phase(gone, Phase.UNDEPLOYED)
        elsewhere = await simulated_cluster.create_namespace()
        world.environment = an_environment(world.project_id, external_id=elsewhere)
        await world.environments.create(world.environment)
        lost = (await world.deploy("s3://models/lost")).deployment
        assert lost is not None
        await world.until_deployed(lost.id)
        watched = [(id_, server.watch(world, id_, None)) for id_ in (kept, lost.id)]
        tokens = [(await read_until(stream, Phase.DEPLOYED))[-1].resume_token for _, stream in watched]

        await forget(servers)

        for (id_, stream), token in zip(watched, tokens, strict=True):
            for watching in (stream, server.watch(world, id_, token)):
                told = await refusal_of(server, world, id_, watching, token)
                assert told == (grpc.StatusCode.OUT_OF_RANGE.value[0], "EVENT_LOG_CHANGED")
        # The restored revision is applied under a higher number than the cluster has seen.
        restored = await until(world, kept, serves(3))
        live = await world.live(restored)
        assert live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/kept"
        assert [revision.cause for revision in await world.revisions(kept)] == [Cause.DEPLOY, Cause.RESTORE]
        await until(world, gone, serves(1))
        assert (await read_until(server.watch(world, kept, None), Phase.DEPLOYED))[0].target_revision == 3
        # An object that only the cluster knows is reported and not touched.
        orphans = await world.database.fetch("SELECT namespace, name, deployment_id FROM orphan")
        assert [tuple(orphan) for orphan in orphans] == [(elsewhere, lost.name, str(lost.id))]
        assert await replace(world.kube, namespace=elsewhere).inference_service(lost.name)
        await world.deployments.update(world.project_id, kept, model_version_id=None, options=None)
        await until(world, kept, serves(4))


async def test_a_watch_goes_on_where_nothing_was_lost(servers: Servers, simulated_cluster: TestCluster) -> None:
    """The server restarts with all its data."""
    async with running_on(servers, simulated_cluster) as (world, server):
        id_ = (await world.deploy()).service.id
        token = (await read_until(server.watch(world, id_), Phase.DEPLOYED))[-1].resume_token
        servers.restart()
        await until(world, id_, serves(1))
        await world.undeploy(id_)
        events = await read_until(server.watch(world, id_, token), Phase.UNDEPLOYED)
        assert {event.target_revision for event in events} == {2}

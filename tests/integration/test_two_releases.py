"""The previous release and this one, side by side on one database and one cluster: no request fails.

The release before is what REGISTRY_TEST_RELEASE_BEFORE names, or else what others have (`origin/main`), or, in a
checkout that is just that, the commit before. If it has the same migrations, one more is added to those of this
release, so that the older one always runs on a newer schema in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tarfile
import uuid
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tests.cluster.faulty import FaultyCluster
from tests.integration.commands import (
    THIS,
    Program,
    command_of,
    free_ports,
    running_of,
    until_serving,
    with_a_later_migration,
)
from tests.integration.deployer import API, Deployer

from modelregistry.v1 import registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.adapters.postgres.migrate import load_migrations
from registry_grpc.devtools import envoy
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.shipped import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def git(*arguments: str) -> bytes | None:
    done = subprocess.run(["git", *arguments], cwd=PROJECT_ROOT, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Extract its tree without changing the checkout."""
    head = git("rev-parse", "HEAD")
    for commit in (os.environ.get("REGISTRY_TEST_RELEASE_BEFORE"), "origin/main", "HEAD~1"):
        found = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
        if found and found != head and (archive := git("archive", found.decode().strip())):
            folder = tmp_path_factory.mktemp("before")
            with tarfile.open(fileobj=BytesIO(archive)) as files:
                files.extractall(folder, filter="data")
            return Program(folder=folder, modules=(folder / "src", folder / "stubs" / "python" / "src"))
    pytest.skip("no earlier commit here: a shallow clone, or no git")


class Users:
    """Writes and reads without a pause, over REST and gRPC. `failures` must stay empty."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures: list[str] = []

    @contextlib.asynccontextmanager
    async def of(self, *addresses: str, gateway: str = "") -> AsyncIterator[None]:
        stop = asyncio.Event()
        work = [asyncio.create_task(self._typed(address, stop)) for address in addresses]
        if gateway:
            work += [asyncio.create_task(self._rest(gateway, stop)) for _ in range(2)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*work)

    async def _typed(self, address: str, stop: asyncio.Event) -> None:
        project = (("project-id", str(uuid.uuid4())),)
        async with grpc.aio.insecure_channel(address) as channel:
            models = registered_model_pb2_grpc.RegisteredModelServiceStub(channel)  # type: ignore[no-untyped-call]
            while not stop.is_set():
                new = registered_model_pb2.NewRegisteredModel(name=uuid.uuid4().hex)
                try:
                    created = await models.CreateRegisteredModel(
                        registered_model_pb2.CreateRegisteredModelRequest(registered_model=new), metadata=project
                    )
                    request = registered_model_pb2.GetRegisteredModelRequest(id=created.registered_model.id)
                    await models.GetRegisteredModel(request, metadata=project)
                except grpc.aio.AioRpcError as error:
                    self.failures.append(f"{address}: {error.code().name} {error.details()}")
                self.requests += 2
                await asyncio.sleep(0.02)

    async def _rest(self, gateway: str, stop: asyncio.Event) -> None:
        headers = {"Project-ID": str(uuid.uuid4())}
        async with httpx.AsyncClient(base_url=gateway + API, headers=headers, trust_env=False, timeout=20) as client:
            while not stop.is_set():
                created = await client.post("/models", json={"name": uuid.uuid4().hex})
                listed = await client.get("/models", params={"limit": 5})
                for answer in (created, listed):
                    if not answer.is_success:
                        self.failures.append(f"{gateway}: {answer.status_code} {answer.text}")
                self.requests += 2
                await asyncio.sleep(0.02)


async def test_both_serve_and_no_request_fails(
    before: Program, empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert before.folder is not None
    port = free_ports(2)
    old, new = (f"127.0.0.1:{port + offset}" for offset in range(2))
    users = Users()
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(FaultyCluster())
        cluster.create_namespace("models")
        settings = {
            "database_url": empty_database_url,
            "cluster": "kubeconfig",
            "kubeconfig": str(cluster.kubeconfig(tmp_path / "kubeconfig", user="registry")),
            "kubernetes_requests_per_second": "1000",
        }

        async def start(program: Program, *arguments: str) -> Any:
            log = tmp_path / f"{uuid.uuid4().hex}.log"
            return await stack.enter_async_context(running_of(program, log, *arguments, **settings))

        async def gateway() -> Envoy:
            config = EnvoyConfig(folder=tmp_path / uuid.uuid4().hex, endpoints=[old, new])
            return await stack.enter_async_context(Envoy(config))

        newer: dict[str, str] = {}
        if not set(load_migrations()) - set(load_migrations(before.folder / "migrations")):
            newer["migrations_dir"] = str(with_a_later_migration(tmp_path))
        if set(load_migrations(before.folder / "migrations")) <= set(load_migrations()):
            applied = await command_of(before, "migrate", "up", **settings)
            assert applied.status == 0, applied.err
        else:  # the migrations were rewritten, which happens until there is a release
            assert (await command_of(THIS, "migrate", "up", **settings)).status == 0
        worker = await start(before, "worker", "--listen", old)
        await until_serving(old, worker)
        controllers = [await start(before, "controller")]
        with monkeypatch.context() as patched:
            patched.setattr(envoy, "GATEWAY", before.folder / "gateway")
            old_gateway = await gateway()
        new_gateway = await gateway()

        async with users.of(gateway=old_gateway.url), users.of(gateway=new_gateway.url):
            async with users.of(old):
                await asyncio.sleep(1)
                applied = await command_of(THIS, "migrate", "up", **settings, **newer)
                assert applied.status == 0, applied.err
                successor = await start(THIS, "worker", "--listen", new)
                await until_serving(new, successor)
                controllers.append(await start(THIS, "controller"))
                async with users.of(new), httpx.AsyncClient(base_url=new_gateway.url, trust_env=False) as client:
                    await Deployer(client).deploys(6)
                    await asyncio.sleep(2)

            # The rollout continues and is undone.
            worker.terminate()
            assert await worker.ended() == 0, worker.output
            await asyncio.sleep(2)
            again = await start(before, "worker", "--listen", old)
            await until_serving(old, again)
            async with users.of(old, new):
                await asyncio.sleep(2)

        for process in (again, successor, *controllers):
            assert process.process.returncode is None, process.output
            assert "Traceback" not in process.output
    assert users.failures == []
    assert users.requests > 200

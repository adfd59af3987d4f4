"""How the adapter connects to a cluster: kubeconfigs, tokens that change, and the service account of a pod."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest
import pytest_asyncio
import yaml
from kubernetes.aio.config import incluster_config
from kubernetes.aio.config.config_exception import ConfigException
from tests.cluster.faulty import FaultyCluster
from tests.deployments import a_deployment, a_spec

from registry_grpc import bootstrap
from registry_grpc.adapters.kserve import client, kinds
from registry_grpc.adapters.kserve.api import Api
from registry_grpc.adapters.kserve.errors import StatusError, Unreachable
from registry_grpc.domain.model_version import Credentials
from registry_grpc.settings import ClusterKind, Settings


@pytest_asyncio.fixture(loop_scope="session")
async def simulated() -> AsyncIterator[FaultyCluster]:
    async with FaultyCluster() as cluster:
        yield cluster


async def may_list_pods(api: Api) -> bool:
    try:
        await api.list(kinds.PODS.everywhere())
    except StatusError as error:
        return error.code not in {401, 403}
    return True


@asynccontextmanager
async def opened(kubeconfig: client.Kubeconfig | None = None) -> AsyncIterator[Api]:
    api = Api(await client.connect(kubeconfig))
    try:
        yield api
    finally:
        await api.close()


def with_token_file(kubeconfig: Path, token_file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    (user,) = content["users"]
    user["user"] = {"tokenFile": str(token_file)}
    return content


async def test_a_kubeconfig_as_file_or_content(simulated: FaultyCluster, tmp_path: Path) -> None:
    path = simulated.kubeconfig(tmp_path / "kubeconfig")
    for kubeconfig in (path, yaml.safe_load(path.read_text())):
        async with opened(kubeconfig) as api:
            assert await may_list_pods(api)


async def test_a_connection_ends_when_the_host_of_the_server_has_vanished(
    simulated: FaultyCluster, tmp_path: Path
) -> None:
    connected = await client.connect(simulated.kubeconfig(tmp_path / "kubeconfig"))
    api = Api(connected)
    try:
        assert await may_list_pods(api)
        session: Any = connected.rest_client.pool_manager
        ((free,),) = session.connector._conns.values()
        opened = free[0].transport.get_extra_info("socket")
        idle, pause, attempts = (
            opened.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + pause * attempts <= 30
    finally:
        await api.close()


async def test_a_context_that_is_not_there(simulated: FaultyCluster, tmp_path: Path) -> None:
    content = yaml.safe_load(simulated.kubeconfig(tmp_path / "kubeconfig").read_text())
    with pytest.raises(ConfigException):
        await client.connect(content | {"current-context": "other"})


async def test_a_token_in_a_file_is_read_again(
    simulated: FaultyCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_CREDENTIALS_LAST", 0.0)
    token_file = tmp_path / "token"
    token_file.write_text("out of date")
    async with opened(with_token_file(simulated.kubeconfig(tmp_path / "kubeconfig"), token_file)) as api:
        assert not await may_list_pods(api)
        token_file.write_text(simulated.token())
        assert await may_list_pods(api)
        token_file.unlink()
        with pytest.raises(Unreachable, match="credentials cannot be read"):
            await may_list_pods(api)
        token_file.write_text(simulated.token())
        assert await may_list_pods(api)


async def test_the_service_account_of_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("t0ken")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token_file))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", certifi.where())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    connection = await client.connect()
    configuration: Any = connection.configuration
    assert configuration.host == "https://10.0.0.1:443"
    for _ in range(2):
        assert (await configuration.auth_settings())["BearerToken"]["value"] == "bearer t0ken"
    await Api(connection).close()


async def test_outside_of_a_pod_a_kubeconfig_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigException):
        await client.connect()


async def test_the_labels_that_the_settings_reserve_are_not_given_to_pods(
    simulated: FaultyCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def registry(_: object) -> str:
        return "r"

    monkeypatch.setattr(bootstrap, "installation_id", registry)
    settings = Settings(
        cluster=ClusterKind.KUBECONFIG,
        kubeconfig=simulated.kubeconfig(tmp_path / "kubeconfig"),
        reserved_labels=("team.example/",),
    )
    database: Any = None
    cluster = await bootstrap.cluster_of(settings, database)
    assert cluster is not None
    simulated.create_namespace("models")
    labels = {"team.example/quota": "theirs", "stage": "test"}
    try:
        made = await cluster.manifest(a_deployment(spec=a_spec(labels=labels)), Credentials())
    finally:
        await cluster.close()
    assert "stage" in made
    assert "team.example" not in made

"""TLS at the gateway: for clients, with certificates of clients, and towards the workers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from grpc_health.v1 import health_pb2
from tests.certificates import Authority, serial_of, trusting
from tests.integration.gateway.backend import NATIVE_SERVICE, backend_server
from tests.integration.gateway.test_answers import API

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.settings import Settings
from registry_grpc.shipped import PROJECT_ROOT, gateway_config
from registry_grpc.tls import server_credentials

pytestmark = pytest.mark.slow

WORKER = "registry-grpc-worker"
GATEWAY_LISTENERS = {
    listener["name"]: listener["address"]["socket_address"]["port_value"]
    for listener in yaml.safe_load(gateway_config())["static_resources"]["listeners"]
}


@asynccontextmanager
async def gateway_with(
    folder: Path, *switches: str, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Envoy]:
    server, health_service = backend_server()
    port = (
        server.add_secure_port("127.0.0.1:0", credentials) if credentials else server.add_insecure_port("127.0.0.1:0")
    )
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    try:
        async with Envoy(EnvoyConfig(folder=folder, endpoints=[f"127.0.0.1:{port}"], switches=switches)) as envoy:
            yield envoy
    finally:
        await server.stop(grace=None)


async def served_serial(envoy: Envoy, context: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection gets."""
    _, writer = await asyncio.open_connection("127.0.0.1", envoy.port, ssl=context)
    try:
        return serial_of(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    finally:
        writer.transport.abort()


async def test_a_new_certificate_is_served_while_open_channels_live_on(tmp_path: Path) -> None:
    authority = Authority()
    first = authority.mount(tmp_path / "tls")
    context = trusting(authority)
    async with gateway_with(tmp_path, "tls") as envoy:
        credentials = grpc.ssl_channel_credentials(authority.certificate)
        opened: list[int] = []
        async with grpc.aio.secure_channel(f"127.0.0.1:{envoy.port}", credentials) as channel:
            unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
            holding: Any = channel.unary_stream(f"/{NATIVE_SERVICE}/Hold")
            held = holding(b"held")
            assert await held.read() == b"held"
            changed = asyncio.Event()

            async def load() -> int:
                calls = 0
                while not changed.is_set() or calls < 50:
                    assert await unary(b"x") == b"x"
                    calls += 1
                return calls

            loads = [asyncio.create_task(load()) for _ in range(4)]
            assert await served_serial(envoy, context) == first
            second = authority.mount(tmp_path / "tls")
            async with asyncio.timeout(20):
                while not opened or opened[-1] != second:
                    opened.append(await served_serial(envoy, context))
            changed.set()
            assert min(await asyncio.gather(*loads)) >= 50
            assert set(opened) <= {first, second}
            assert not held.done(), "a call that was open before lives on"
            held.cancel()
        async with grpc.aio.secure_channel(f"127.0.0.1:{envoy.port}", credentials) as channel:
            unary = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
            assert await unary(b"new") == b"new"


async def test_rest_over_tls_and_nothing_without(tmp_path: Path) -> None:
    authority = Authority()
    authority.mount(tmp_path / "tls")
    async with (
        gateway_with(tmp_path, "tls") as envoy,
        httpx.AsyncClient(verify=trusting(authority), trust_env=False) as rest,
    ):
        assert (await rest.get(f"{envoy.url}{API}/models", headers={"project-id": "P"})).status_code == 200
        with pytest.raises(httpx.TransportError):
            await rest.get(f"http://127.0.0.1:{envoy.port}{API}/models")


async def test_certificates_of_clients_are_required(tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority()
    authority.mount(tmp_path / "tls")

    async def answer(envoy: Envoy, issuer: Authority | None) -> bytes:
        certificate, key = issuer.issue("client") if issuer else (None, None)
        credentials = grpc.ssl_channel_credentials(authority.certificate, key, certificate)
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{envoy.port}", credentials, options) as channel:
            unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
            return bytes(await unary(b"x", timeout=10))

    async with gateway_with(tmp_path, "tls", "mtls") as envoy:
        assert await answer(envoy, authority) == b"x"
        for issuer in (None, stranger):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await answer(envoy, issuer)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("version", "is_served"), [("TLSv1_1", False), ("TLSv1_2", True)])
async def test_versions_that_are_broken_are_not_spoken(tmp_path: Path, version: str, *, is_served: bool) -> None:
    authority = Authority()
    authority.mount(tmp_path / "tls")
    context = trusting(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    context.set_ciphers("ALL:@SECLEVEL=0")  # otherwise this client would refuse the old version itself
    async with gateway_with(tmp_path, "tls") as envoy:
        if is_served:
            await served_serial(envoy, context)
        else:
            with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
                await served_serial(envoy, context)


async def test_whoever_signs_the_certificates_of_clients_may_change(tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    old.mount(tmp_path / "tls")

    async def is_accepted(envoy: Envoy, issuer: Authority, by: Authority) -> bool:
        certificate, key = issuer.issue("client")
        credentials = grpc.ssl_channel_credentials(by.certificate, key, certificate)
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{envoy.port}", credentials, options) as channel:
            unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
            try:
                return bool(await unary(b"x", timeout=10))
            except grpc.aio.AioRpcError:
                return False

    async with gateway_with(tmp_path, "tls", "mtls") as envoy:
        assert await is_accepted(envoy, old, by=old)
        new.mount(tmp_path / "tls")
        async with asyncio.timeout(20):
            while not await is_accepted(envoy, new, by=new):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert not await is_accepted(envoy, old, by=new)


async def test_certificates_towards_workers_may_change(tmp_path: Path) -> None:
    """Both sides get new ones of another authority. The connections to workers that are open live on."""
    first, second = Authority(), Authority()
    for folder, name in (("worker-tls", "gateway"), ("worker", WORKER)):
        first.mount(tmp_path / folder, (name,))
    certificate, key, ca = (tmp_path / "worker" / name for name in ("tls.crt", "tls.key", "ca.crt"))
    settings = Settings(worker_tls_certificate=certificate, worker_tls_key=key, worker_tls_ca=ca)

    async def status(rest: httpx.AsyncClient) -> int:
        return (await rest.get(f"{API}/models", headers={"project-id": "P"})).status_code

    @asynccontextmanager
    async def worker(port: int) -> AsyncIterator[int]:
        server, health_service = backend_server()
        credentials = server_credentials(settings)
        assert credentials is not None
        bound = server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
        await server.start()
        yield bound
        await server.stop(grace=None)

    async with contextlib.AsyncExitStack() as stack:
        async with worker(0) as port:
            config = EnvoyConfig(folder=tmp_path / "gateway", endpoints=[f"127.0.0.1:{port}"], switches=("worker-tls",))
            (tmp_path / "gateway").mkdir()
            (tmp_path / "gateway" / "worker-tls").symlink_to(tmp_path / "worker-tls")
            envoy = await stack.enter_async_context(Envoy(config))
            rest = await stack.enter_async_context(httpx.AsyncClient(base_url=envoy.url, trust_env=False))
            assert await status(rest) == 200
            for folder, name in (("worker-tls", "gateway"), ("worker", WORKER)):
                second.mount(tmp_path / folder, (name,))
            assert await status(rest) == 200
        async with worker(port), asyncio.timeout(20):  # which knows only the new authority
            while await status(rest) != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("switches", [(), ("tls",), ("tls", "mtls")], ids=["plain", "tls", "mtls"])
async def test_probes_need_no_certificate_and_reach_nothing_else(tmp_path: Path, switches: tuple[str, ...]) -> None:
    """With the request that a kubelet sends for the readiness probe of the manifest."""
    Authority().mount(tmp_path / "tls")
    (probe,) = (
        container["readinessProbe"]["httpGet"]
        for document in yaml.safe_load_all((PROJECT_ROOT / "deploy" / "kubernetes" / "registry.yaml").read_text())
        for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("initContainers", ())
        if "readinessProbe" in container
    )
    assert probe["port"] == GATEWAY_LISTENERS["probes"]
    server, health_service = backend_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    config = EnvoyConfig(folder=tmp_path, endpoints=[f"127.0.0.1:{port}"], switches=switches)
    async with Envoy(config) as envoy, httpx.AsyncClient(base_url=envoy.probe_url, trust_env=False) as kubelet:

        async def until(status: int) -> None:
            async with asyncio.timeout(10):
                while (await kubelet.get(probe["path"])).status_code != status:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        await until(200)
        for path in ("/healthz", f"{API}/models", f"/{NATIVE_SERVICE}/Unary"):
            assert (await kubelet.get(path, headers={"project-id": "P"})).status_code == 404
        await health_service.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await until(503)
        await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
        await until(200)
        await server.stop(grace=None)
        await until(503)


@pytest.mark.parametrize(("name", "status"), [(WORKER, 200), ("somebody-else", 503)])
async def test_the_gateway_speaks_tls_to_workers_and_knows_their_name(tmp_path: Path, name: str, status: int) -> None:
    authority = Authority()
    authority.mount(tmp_path / "worker-tls", ("gateway",))
    certificate, key = authority.issue(name)
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority.certificate, require_client_auth=True)
    async with gateway_with(tmp_path, "worker-tls", credentials=credentials) as envoy:
        async with httpx.AsyncClient(trust_env=False) as rest:
            answered = await rest.get(f"{envoy.url}{API}/models", headers={"project-id": "P"})
        assert answered.status_code == status

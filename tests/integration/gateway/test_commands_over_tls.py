"""The commands of an operator reach a gateway and workers by TLS, and say why they do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from tests.certificates import Authority
from tests.integration.commands import command

from modelregistry.v1 import transfer_pb2 as pb
from modelregistry.v1.transfer_pb2_grpc import TransferServiceServicer, add_TransferServiceServicer_to_server
from registry_grpc.adapters.grpc.health import healthz_handler
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.doctor.diagnosis import Verdict
from registry_grpc.doctor.gateway import check_gateway
from registry_grpc.healthcheck import healthcheck
from registry_grpc.settings import ConfigurationError, Settings
from registry_grpc.tls import Endpoint, server_credentials

pytestmark = pytest.mark.slow

PROJECT = "11111111-1111-1111-1111-111111111111"
NAME, WORKER = "registry.example.com", "registry-grpc-worker"


class Worker(TransferServiceServicer):
    """What the commands need of a worker. Remembers what it is sent."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}
        self.imported = b""

    async def ExportProject(self, _request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - of the proto
        self.metadata = dict(context.invocation_metadata())
        yield pb.ExportProjectResponse(ndjson=b"{}\n")

    async def ImportProject(self, requests: AsyncIterator[Any], context: Any) -> Any:  # noqa: N802 - of the proto
        self.metadata = dict(context.invocation_metadata())
        self.imported = b"".join([request.ndjson async for request in requests])
        return pb.ImportProjectResponse(renumbered_versions=3)

    @asynccontextmanager
    async def running(self, credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[int]:
        server, health = grpc.aio.server(), HealthServicer()
        add_TransferServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        server.add_generic_rpc_handlers((healthz_handler(lambda: asyncio.sleep(0)),))
        await health.set("", health_pb2.HealthCheckResponse.SERVING)
        address = "127.0.0.1:0"
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        await server.start()
        try:
            yield port
        finally:
            await server.stop(grace=None)


@dataclass
class Files:
    """Certificates of one authority: those of the server in `tls`, and those of a client."""

    folder: Path
    authority: Authority = field(default_factory=Authority)

    def __post_init__(self) -> None:
        self.authority.mount(self.folder / "tls", (NAME,))
        self.write("ca", self.authority.certificate)
        self.client(self.authority)

    def write(self, name: str, content: bytes) -> Path:
        (path := self.folder / name).write_bytes(content)
        return path

    def client(self, authority: Authority) -> None:
        certificate, key = authority.issue("operator")
        self.write("client.crt", certificate)
        self.write("client.key", key)

    @property
    def options(self) -> list[str]:
        shown = (
            "--client-certificate",
            str(self.folder / "client.crt"),
            "--client-key",
            str(self.folder / "client.key"),
        )
        return ["--gateway-ca", str(self.folder / "ca"), *shown]

    @property
    def settings(self) -> dict[str, Any]:
        names = {"gateway_ca": "ca", "client_certificate": "client.crt", "client_key": "client.key"}
        return {setting: self.folder / name for setting, name in names.items()}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize("switches", [("tls",), ("tls", "mtls", "worker-tls")], ids=["options", "variables"])
async def test_commands_reach_a_gateway(files: Files, switches: tuple[str, ...]) -> None:
    worker, credentials = Worker(), None
    if "worker-tls" in switches:
        files.authority.mount(files.folder / "worker-tls", ("gateway",))
        files.authority.mount(files.folder / "worker", (WORKER,))
        certificate, key, ca = (files.folder / "worker" / name for name in ("tls.crt", "tls.key", "ca.crt"))
        worker_settings = Settings(worker_tls_certificate=certificate, worker_tls_key=key, worker_tls_ca=ca)
        credentials = server_credentials(worker_settings)
    token = files.write("token", b"a-token\n")
    async with (
        worker.running(credentials) as port,
        Envoy(EnvoyConfig(folder=files.folder, endpoints=[f"127.0.0.1:{port}"], switches=switches)) as envoy,
    ):
        address = f"127.0.0.1:{envoy.port}"

        async def run(name: str, *arguments: str) -> str:
            if "mtls" not in switches:
                return (await command(name, "--address", f"https://{address}", *arguments, *files.options)).out
            given = {setting: str(value) for setting, value in files.settings.items()}
            return (await command(name, "--address", address, *arguments, **given)).out

        assert await run("export", "--project", PROJECT, "--token-file", str(token)) == "{}\n"
        assert worker.metadata["authorization"] == "Bearer a-token"
        assert "renumbered versions: 3" in await run("import", "--project", PROJECT)
        assert "authorization" not in worker.metadata
        assert await run("healthcheck") == f"{address} SERVING\n"
        assert f"ok       gateway: https://{address}/healthz answers" in await run("doctor")


async def test_commands_reach_a_worker_with_its_own_settings_or_by_its_name(files: Files) -> None:
    files.authority.mount(files.folder / "worker", (WORKER,))
    certificate, key, ca = (files.folder / "worker" / name for name in ("tls.crt", "tls.key", "ca.crt"))
    worker: dict[str, Any] = {"worker_tls_certificate": certificate, "worker_tls_key": key, "worker_tls_ca": ca}
    async with Worker().running(server_credentials(Settings(**worker))) as port:
        export = (
            "export",
            "--project",
            PROJECT,
            "--address",
            f"localhost:{port}",
        )  # which the certificate does not name
        given = {name: str(path) for name, path in worker.items()}
        here = {"worker_host": "localhost", "worker_port": str(port), "workers": "1"}
        assert (await command(*export, **given, **here)).out == "{}\n"
        assert (await command(*export, *files.options, "--gateway-name", WORKER)).out == "{}\n"


@pytest.fixture
async def secured(files: Files) -> AsyncIterator[str]:
    """The address of a gateway that requires certificates of its clients."""
    async with (
        Worker().running() as port,
        Envoy(EnvoyConfig(folder=files.folder, endpoints=[f"127.0.0.1:{port}"], switches=("tls", "mtls"))) as envoy,
    ):
        yield f"127.0.0.1:{envoy.port}"


async def test_what_is_wrong_is_said(files: Files, secured: str, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = Authority()

    async def problem(address: str = secured, **changed: Any) -> str:
        """Doctor and healthcheck say the same."""
        settings = Settings(**files.settings | changed)
        with pytest.raises(SystemExit):
            await asyncio.to_thread(healthcheck, settings, [address])
        _, _, said = capsys.readouterr().out.strip().partition(" does not serve: UNAVAILABLE: ")
        found = await check_gateway(settings, address)
        assert (found.verdict, found.advice) == (Verdict.MISSING, said)
        return said

    assert (await check_gateway(Settings(**files.settings), secured)).verdict is Verdict.OK
    another = files.write("another", stranger.certificate)
    assert (await problem(gateway_ca=another)).startswith("its certificate is not trusted: ")
    assert "--gateway-ca" in await problem(f"https://{secured}", gateway_ca=None)
    assert "IP address" not in await problem(gateway_name="elsewhere.example.com")
    assert "'elsewhere.example.com'" in await problem(gateway_name="elsewhere.example.com")
    assert "--gateway-name" in await problem(gateway_name="elsewhere.example.com")
    by_name = secured.replace("127.0.0.1", "localhost")
    assert "'localhost'" in await problem(by_name)
    assert (await check_gateway(Settings(**files.settings, gateway_name=NAME), by_name)).verdict is Verdict.OK
    no_certificate: dict[str, Any] = {"client_certificate": None, "client_key": None}
    assert (await problem(**no_certificate)).startswith("it refuses this client: TLSV13_ALERT_CERTIFICATE_REQUIRED")
    assert (await problem(f"http://{secured}")).startswith("it speaks TLS: ")
    exported = await command("export", "--project", PROJECT, "--address", f"https://{secured}")
    assert exported.status == 1
    assert exported.err.startswith("UNAVAILABLE: its certificate is not trusted: ")
    files.client(stranger)
    assert "--client-certificate" in await problem()
    async with Worker().running() as port:
        assert (await problem(f"https://127.0.0.1:{port}")).startswith("it does not speak TLS: ")


async def test_files_that_cannot_be_used_are_named(files: Files) -> None:
    async def text(**changed: Any) -> str:
        settings = Settings(**files.settings | changed)
        with pytest.raises(ConfigurationError) as caught:
            Endpoint(settings, "https://127.0.0.1:1").channel()
        found = await check_gateway(settings, "https://127.0.0.1:1")
        assert (found.verdict, found.text) == (Verdict.MISSING, str(caught.value))
        return str(caught.value)

    nowhere, garbage = files.folder / "nowhere", files.write("garbage", b"garbage")
    for setting in ("gateway_ca", "client_certificate", "client_key"):
        assert await text(**{setting: nowhere}) == f"REGISTRY_{setting.upper()}: {nowhere}: No such file or directory"
    assert (await text(gateway_ca=garbage)).startswith("REGISTRY_GATEWAY_CA: the file has no certificates in PEM")
    assert "do not fit together" in await text(client_key=files.folder / "tls" / "tls.key")
    address = ("--project", PROJECT, "--address", "127.0.0.1:1")
    assert (await command("export", *address, token_file=str(nowhere))).err.startswith("REGISTRY_TOKEN_FILE: ")
    alone = await command("healthcheck", "--client-certificate", str(garbage))
    assert alone.err.startswith("REGISTRY_CLIENT_KEY: ")
    assert (alone.status, alone.out) == (1, "")

"""TLS of the workers: a changed certificate is used without a restart, and only clients with one are accepted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.certificates import Authority, serial_of, trusting
from tests.integration.gateway.backend import NATIVE_SERVICE, backend_server

from registry_grpc.healthcheck import healthcheck
from registry_grpc.settings import ConfigurationError, Settings
from registry_grpc.tls import server_credentials

NAME = "registry-grpc-worker"


def settings_of(folder: Path, **more: Any) -> Settings:
    certificate, key, ca = (folder / name for name in ("tls.crt", "tls.key", "ca.crt"))
    return Settings(worker_tls_certificate=certificate, worker_tls_key=key, worker_tls_ca=ca, **more)


@asynccontextmanager
async def worker_of(settings: Settings) -> AsyncIterator[int]:
    server, _ = backend_server()
    credentials = server_credentials(settings)
    assert credentials is not None
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield port
    await server.stop(grace=None)


async def test_a_new_certificate_is_used_for_new_connections(tmp_path: Path) -> None:
    authority = Authority()
    first = authority.mount(tmp_path, (NAME,))
    certificate, key = authority.issue("client")
    context = trusting(authority)
    (tmp_path / "client").write_bytes(certificate + key)
    context.load_cert_chain(tmp_path / "client")
    context.set_alpn_protocols(["h2"])

    async def serial(port: int, by: ssl.SSLContext) -> int:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=by)
        found = serial_of(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.transport.abort()
        return found

    async with worker_of(settings_of(tmp_path)) as port:
        credentials = grpc.ssl_channel_credentials(authority.certificate, key, certificate)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
            assert await unary(b"x") == b"x"
            assert await serial(port, context) == first
            second = authority.mount(tmp_path, (NAME,))
            assert await serial(port, context) == second
            assert await unary(b"y") == b"y"
            (tmp_path / "..data").unlink()
            assert await serial(port, context) == second, "files that are gone change nothing"


async def test_the_healthcheck_shows_the_certificate_of_the_worker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Authority().mount(tmp_path, (NAME,))
    settings = settings_of(tmp_path)
    async with worker_of(settings) as port:
        settings = settings_of(tmp_path, worker_port=port, workers=1)
        await asyncio.to_thread(healthcheck, settings, settings.worker_addresses)
        assert capsys.readouterr().out == f"127.0.0.1:{port} SERVING\n"
        with pytest.raises(SystemExit):
            await asyncio.to_thread(healthcheck, Settings(), settings.worker_addresses)


@pytest.mark.parametrize("signer", ["authority", "stranger", "nobody"])
async def test_only_clients_with_a_certificate_of_the_authority_are_accepted(tmp_path: Path, signer: str) -> None:
    authority = Authority()
    authority.mount(tmp_path, (NAME,))
    issuer = {"authority": authority, "stranger": Authority(), "nobody": None}[signer]
    certificate, key = issuer.issue("client") if issuer else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.certificate, key, certificate)
    async with worker_of(settings_of(tmp_path)) as port:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
            unary: Any = channel.unary_unary(f"/{NATIVE_SERVICE}/Unary")
            if issuer is authority:
                assert await unary(b"x") == b"x"
            else:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await unary(b"x")
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"REGISTRY_WORKER_TLS_…: .*tls\.crt"):
        server_credentials(settings_of(tmp_path))
    assert server_credentials(Settings()) is None

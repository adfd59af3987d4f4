"""Large bodies are held until they are complete, but memory stays bounded and other requests are served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import httpx
import pytest
import yaml
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import NATIVE_SERVICE, backend_server
from tests.integration.gateway.test_answers import API, assert_error
from tests.integration.gateway.test_native import unary

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.shipped import PROJECT_ROOT

MIB = 1024 * 1024
UPLOADS = 200
SENT = 7 * MIB
ANNOUNCED = 8 * MIB
AT_A_TIME = 32
STREAMS = 25
"""The streams of one HTTP/2 connection."""
CHUNK = b" " * 65_536


@pytest.fixture
async def own_gateway(tmp_path: Path) -> AsyncIterator[Envoy]:
    server, health_service = backend_server()
    server.add_insecure_port(f"unix:{tmp_path}/worker.sock")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    async with Envoy(EnvoyConfig(folder=tmp_path / "gateway", endpoints=[f"{tmp_path}/worker.sock"])) as envoy:
        yield envoy
    await server.stop(grace=None)


def memory_limit() -> int:
    """The memory of the gateway's container in bytes."""
    text = (PROJECT_ROOT / "deploy" / "kubernetes" / "registry.yaml").read_text()
    pods = [entry["spec"]["template"]["spec"] for entry in yaml.safe_load_all(text) if entry["kind"] == "Deployment"]
    (limit,) = [c["resources"]["limits"]["memory"] for c in pods[0]["initContainers"] if c["name"] == "gateway"]
    return int(limit.removesuffix("Mi")) * MIB


def peak_memory(envoy: Envoy) -> int:
    """The peak memory of Envoy in bytes."""
    (line,) = [x for x in Path(f"/proc/{envoy.pid}/status").read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def http1(
    envoy: Envoy, head: str, size: int, *, chunked: bool
) -> tuple[asyncio.StreamWriter, asyncio.Task[bytes]]:
    """Send `size` bytes of a body and stop. Returns the objects that keep the connection open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", envoy.port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    answer = asyncio.create_task(reader.read(12))
    try:
        for _ in range(size // len(CHUNK)):
            if answer.done():
                break
            writer.write(b"10000\r\n" + CHUNK + b"\r\n" if chunked else CHUNK)
            await writer.drain()
    except ConnectionError:
        pass
    return writer, answer


async def http2(envoy: Envoy, path: str, content_type: str, size: int) -> Any:
    """One connection with STREAMS incomplete bodies of `size` bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", envoy.port)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    connection.initiate_connection()
    headers = {":method": "POST", ":path": path, ":scheme": "http", ":authority": "x", "content-type": content_type}
    left: dict[int, int] = {}
    for _ in range(STREAMS):
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, list(headers.items()))
        left[stream] = size
    try:
        async with asyncio.timeout(20):
            while left:
                for stream in list(left):
                    while (room := min(connection.local_flow_control_window(stream), 16_384, left[stream])) > 0:
                        connection.send_data(stream, CHUNK[:room])
                        left[stream] -= room
                    if left[stream] == 0:
                        del left[stream]
                writer.write(connection.data_to_send())
                await writer.drain()
                if not (data := await reader.read(65_536)):
                    break
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                        left.pop(event.stream_id, None)
    except (ConnectionError, TimeoutError):
        pass
    return writer


async def assert_others_are_served(envoy: Envoy) -> None:
    async with (
        httpx.AsyncClient(base_url=envoy.url, trust_env=False, timeout=10) as rest,
        grpc.aio.insecure_channel(f"127.0.0.1:{envoy.port}") as channel,
    ):
        for _ in range(5):
            assert (await rest.get(f"{API}/models/a")).status_code == 200
            assert (await rest.post(f"{API}/models", json={"name": "x"})).status_code == 200
            assert await unary(channel)(b"x" * 50_000) == b"x" * 50_000
            assert (await rest.get("/healthz")).status_code == 200


NATIVE = f"POST /{NATIVE_SERVICE}/Unary HTTP/1.1\nHost: x\nContent-Type: application/grpc"
HTTP1 = {
    "length": f"POST {API}/models HTTP/1.1\nHost: x\nContent-Length: {ANNOUNCED}",
    "chunked": f"POST {API}/models HTTP/1.1\nHost: x\nTransfer-Encoding: chunked",
    "of-a-get": f"GET {API}/models HTTP/1.1\nHost: x\nContent-Length: {ANNOUNCED}",
    "native": f"{NATIVE}\nContent-Length: {4 * MIB}",
    "native-chunked": f"{NATIVE}\nTransfer-Encoding: chunked",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HTTP1)
async def test_uploads_by_http_1_that_stop(own_gateway: Envoy, kind: str) -> None:
    size = 4_000_000 if "native" in kind else SENT
    uploads = [http1(own_gateway, HTTP1[kind], size, chunked="chunked" in kind) for _ in range(UPLOADS)]
    answers = await asyncio.gather(*uploads)
    await assert_others_are_served(own_gateway)
    print(kind, peak_memory(own_gateway) // MIB, "MiB")  # noqa: T201 - a figure for the documents
    assert peak_memory(own_gateway) < memory_limit()
    for writer, answer in answers:
        writer.close()
        await asyncio.gather(answer, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "content_type", "size", "uploads"),
    [
        (f"{API}/models", "application/json", SENT, UPLOADS),
        (f"/{NATIVE_SERVICE}/Unary", "application/grpc", 4_100_000, 2 * UPLOADS),
        (f"/{NATIVE_SERVICE}/Unary", "application/grpc", 4_100_000, 10 * UPLOADS),
    ],
    ids=["rest", "native", "many-native"],
)
async def test_uploads_by_http_2_that_stop(
    own_gateway: Envoy, path: str, content_type: str, size: int, uploads: int
) -> None:
    async with AsyncExitStack() as stack:
        connections = [http2(own_gateway, path, content_type, size) for _ in range(uploads // STREAMS)]
        for writer in await asyncio.gather(*connections):
            stack.callback(writer.close)
        await assert_others_are_served(own_gateway)
        print(content_type, peak_memory(own_gateway) // MIB, "MiB")  # noqa: T201 - a figure for the documents
        assert peak_memory(own_gateway) < memory_limit()


async def test_large_bodies_pass_while_there_are_not_too_many(rest: httpx.AsyncClient) -> None:
    headers = {"x-test-size": "10"}
    content = b'{"name":"' + b"x" * 100_000 + b'"}'
    answers = await asyncio.gather(*(rest.post(f"{API}/models", content=content, headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.slow
async def test_uploads_that_stall_give_way(own_gateway: Envoy) -> None:
    """Uploads above the limit are refused at once, and within seconds there is room again."""
    stalled = [await http1(own_gateway, HTTP1["length"], 65_536, chunked=False) for _ in range(AT_A_TIME)]
    content = b'{"name":"' + b"x" * 100_000 + b'"}'
    async with httpx.AsyncClient(base_url=own_gateway.url, trust_env=False, timeout=10) as rest:
        refused = await rest.post(f"{API}/models", content=content)
        assert_error(refused, 429, "overloaded, try again later")
        assert refused.headers["retry-after"] == "1"
        assert (await rest.post(f"{API}/models", json={"name": "x"})).status_code == 200
        answers = await asyncio.gather(*(answer for _, answer in stalled))
        assert set(answers) == {b"HTTP/1.1 408"}
        assert (await rest.post(f"{API}/models", content=content, headers={"x-test-size": "9"})).status_code == 200
    for writer, _ in stalled:
        writer.close()

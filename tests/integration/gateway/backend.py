"""A substitute for the registry behind the gateway: a real grpc.aio server that answers what it has received.

Every REST sibling method takes google.api.HttpBody, as the real one does, and echoes what reached it as JSON: the bytes
of the body as Latin-1 text, and the metadata, where the gateway puts the raw target and the method. A request steers
the answer by its own headers, so that tests share one server without sharing state:

    x-test-http-code   the status that the answer's content type names
    x-test-etag        the entity tag that it names
    x-test-code        fail with this gRPC status
    x-test-message     the message of that failure, percent-encoded UTF-8
    x-test-late        fail after initial metadata were sent
    x-test-log         append a line with the worker's process id and the method to this file, at once
    x-test-seconds     answer after so many seconds
    x-test-size        answer with a body of so many bytes instead of the echo

Run as a program (`python -m tests.integration.gateway.backend unix:/path`) it is a worker that a test can kill.
"""

from __future__ import annotations

import asyncio
import os
import pkgutil
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import orjson
from google.api import annotations_pb2
from google.api.httpbody_pb2 import HttpBody
from google.protobuf import descriptor_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from modelregistry import v1
from registry_grpc.adapters.rest.descriptor import REST_PACKAGE, gateway_descriptor_set

MAX_MESSAGE = 16 * 1024 * 1024
OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 128 * 1024),
)
NATIVE_SERVICE = "modelregistry.v1.EchoService"
REFLECTION_SERVICE = "grpc.reflection.v1.ServerReflection"
TRANSFER_SERVICE = "modelregistry.v1.TransferService"

Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Route:
    """A REST route as the protos declare it."""

    verb: str
    template: str
    rpc: str
    """The name of the sibling's method in the echo."""
    body: str
    """The field of the typed request for the body; empty if the route has no body."""

    def __str__(self) -> str:
        return f"{self.verb} {self.template}"

    def variables(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.template)

    def path(self, id_: str = "some-id") -> str:
        """The path with this text for every id."""
        return re.sub(r"{\w+}", id_, self.template)


def rest_routes() -> list[Route]:
    """Every REST route of the annotated protos, including additional bindings."""
    modules = [import_module(f"{v1.__name__}.{module.name}") for module in pkgutil.iter_modules(v1.__path__)]
    return [
        Route(verb.upper(), getattr(binding, verb), f"{REST_PACKAGE}.{service.name}.{method.name}", binding.body)
        for module in modules
        if module.__name__.endswith("_pb2")
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        for rule in [method.GetOptions().Extensions[annotations_pb2.http]]
        for binding in (rule, *rule.additional_bindings)
        if (verb := binding.WhichOneof("pattern"))
    ]


def _rest_services() -> list[descriptor_pb2.ServiceDescriptorProto]:
    """The siblings that the gateway calls."""
    files = descriptor_pb2.FileDescriptorSet.FromString(gateway_descriptor_set()).file
    return [service for file in files if file.package == REST_PACKAGE for service in file.service]


def _rest_handler(service: str, method: str) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def call(data: bytes, context: Context) -> bytes:
        metadata = await _begin(method, context)
        if "x-test-late" in metadata:
            await context.send_initial_metadata((("x-marker", "kept"),))
        if "x-test-code" in metadata:
            await context.abort(
                grpc.StatusCode[str(metadata["x-test-code"])], unquote(str(metadata.get("x-test-message", "")))
            )
        request = HttpBody.FromString(data)
        echo = {
            "method": f"{service}.{method}",
            "body": request.data.decode("latin-1"),
            "metadata": {key: value for key, value in metadata.items() if isinstance(value, str)},
            "worker": os.getpid(),
            "seconds": context.time_remaining(),
        }
        body = orjson.dumps(echo)
        if metadata.get("x-envoy-original-method") == "HEAD":
            body = b""  # Envoy would send it
        if "x-test-size" in metadata:
            body = b'"%b"' % (b"x" * (int(metadata["x-test-size"]) - 2))
        content_type = "application/json; charset=utf-8"
        if "x-test-etag" in metadata:
            content_type += f"; etag={metadata['x-test-etag']!s}"
        if "x-test-http-code" in metadata:
            content_type += f"; status={metadata['x-test-http-code']!s}"
        answer: bytes = HttpBody(content_type=content_type, data=body).SerializeToString()
        return answer

    return grpc.unary_unary_rpc_method_handler(call)


async def _begin(method: str, context: Context) -> dict[str, str | bytes]:
    """The metadata, after the log was written and the time has passed."""
    metadata = {str(key): value for key, value in context.invocation_metadata() or ()}
    if "x-test-log" in metadata:
        with Path(str(metadata["x-test-log"])).open("a") as log:  # noqa: ASYNC230 - a few bytes
            log.write(f"{os.getpid()} {method}\n")
    if "x-test-seconds" in metadata:
        await asyncio.sleep(float(metadata["x-test-seconds"]))
    return metadata


def _native_handler(method: str) -> grpc.RpcMethodHandler[bytes, bytes]:
    async def call(data: bytes, context: Context) -> bytes:
        await _begin(method, context)
        return data

    return grpc.unary_unary_rpc_method_handler(call)


async def _unary(data: bytes, context: Context) -> bytes:
    """Echo the request, or fail with rich details if asked to, so that a test can check whether they arrive."""
    if data == b"fail":
        details = status_pb2.Status(code=grpc.StatusCode.NOT_FOUND.value[0], message='no "such" thing: é')
        details.details.add().Pack(error_details_pb2.ErrorInfo(reason="GONE", domain="test"))
        await context.abort_with_status(rpc_status.to_status(details))
    await context.send_initial_metadata((("x-marker", "kept"),))
    return data


async def _stream(data: bytes, context: Context) -> AsyncIterator[bytes]:
    for number in range(int(data)):
        yield str(number).encode()
    await context.abort(grpc.StatusCode.ABORTED, "after the stream")


async def _hold(data: bytes, context: Context) -> AsyncIterator[bytes]:
    """Begin to answer, but do not finish."""
    yield data
    await asyncio.Event().wait()


async def _chat(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def _take(requests: AsyncIterator[bytes], context: Context) -> bytes:
    """Take everything in, as an import does: the answer begins before the request is complete."""
    await context.send_initial_metadata(())
    return str(sum([len(request) async for request in requests])).encode()


def backend_server() -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """The server, which is not started and has no port yet, and its health service (SERVING)."""
    server = grpc.aio.server(options=OPTIONS)
    for service in _rest_services():
        name = f"{REST_PACKAGE}.{service.name}"
        handlers = {method.name: _rest_handler(name, method.name) for method in service.method}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    native: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Unary": grpc.unary_unary_rpc_method_handler(_unary),
        "Stream": grpc.unary_stream_rpc_method_handler(_stream),
        "Hold": grpc.unary_stream_rpc_method_handler(_hold),
        **{name: _native_handler(name) for name in ("GetEcho", "UpdateEcho")},
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NATIVE_SERVICE, native),))
    chat: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(_chat)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(REFLECTION_SERVICE, chat),))
    transfer: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "ImportProject": grpc.stream_unary_rpc_method_handler(_take)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(TRANSFER_SERVICE, transfer),))
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    return server, health_servicer


async def main(address: str) -> None:
    server, health_servicer = backend_server()
    server.add_insecure_port(address)
    await health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""How a call gets from the wire to a servicer and back: `_native` for gRPC clients, `_rest` for REST clients.

REST calls reach sibling services named `modelregistry.v1.rest.<Service>`, whose messages are google.api.HttpBody. The
gateway's transcoder finds them in the derived descriptor (`adapters.rest.descriptor`) and unpacks the JSON they answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias, get_type_hints

import grpc
import structlog
from google.api import annotations_pb2
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from registry_grpc.adapters.grpc.call import Call, metadata_of
from registry_grpc.adapters.grpc.errors import refusal_of, trailing_metadata
from registry_grpc.adapters.grpc.parsing import parse
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.adapters.rest.answers import error_body, http_body
from registry_grpc.adapters.rest.body import LARGE_BYTES
from registry_grpc.adapters.rest.descriptor import REST_PACKAGE
from registry_grpc.adapters.rest.requests import NoSuchRouteError, RequestReader

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # not generic at run time

LONGEST_SECONDS = 60.0
"""The longest that a unary call of a gRPC client may take. The gateway limits the time of REST calls."""

_log = structlog.get_logger("access")
# These codes are faults of the service and are logged as errors. Mistakes of clients are logged as information.
_FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}


class Servicer(Protocol):
    """A class that declares one RPC (see `adapters.grpc.rpc`) for each method of its service."""

    SERVICE: Any


def handlers_of(servicers: Iterable[Servicer]) -> list[grpc.GenericRpcHandler]:
    """The handlers to add to a server. Raises TypeError when a servicer lacks an RPC of its service, or has others."""
    handlers = []
    for servicer in servicers:
        service: ServiceDescriptor = servicer.SERVICE
        declared = {name: rpc for name, rpc in vars(type(servicer)).items() if isinstance(rpc, Rpc)}
        if declared.keys() != set(service.methods_by_name):
            raise TypeError(f"{type(servicer).__name__} does not declare the methods of {service.full_name}")
        native, rest = {}, {}
        for name, rpc in declared.items():
            method = service.methods_by_name[name]
            _check_declaration(rpc, method)
            native[name] = _native(servicer, rpc, method)
            if rpc.answer.status:
                rest[name] = _rest(servicer, rpc, method)
        handlers.append(grpc.method_handlers_generic_handler(service.full_name, native))
        handlers.append(grpc.method_handlers_generic_handler(f"{REST_PACKAGE}.{service.name}", rest))
    return handlers


def _check_declaration(rpc: Rpc, method: MethodDescriptor) -> None:
    request = get_type_hints(rpc.serve)["request"]
    has_route = method.GetOptions().HasExtension(annotations_pb2.http)
    if (
        request.DESCRIPTOR is not method.input_type
        or has_route != bool(rpc.answer.status)
        or method.server_streaming != rpc.is_stream
    ):
        raise TypeError(f"the declaration of {method.full_name} does not fit its proto")


def _native(servicer: Servicer, rpc: Rpc, method: MethodDescriptor) -> Handler:
    """Serves gRPC clients. A stream lasts as long as its caller wants."""
    name, kind = f"{method.containing_service.full_name}/{method.name}", method.input_type
    serve, message = rpc.serve, rpc.answer.message

    async def unary(call: Call, data: bytes, context: Context) -> Any:
        request = parse(kind, data)
        async with asyncio.timeout(_longest(context)):
            result = await serve(servicer, request, call)
        return message(result, request, call).SerializeToString()

    async def stream(call: Call, data: bytes, context: Context) -> Any:
        request = parse(kind, data)
        async for result in serve(servicer, request, call):
            await context.write(message(result, request, call).SerializeToString())

    answer = stream if rpc.is_stream else unary

    async def handle(data: bytes, context: Context) -> Any:
        call = Call(method=name)
        with _logged(call, context):
            try:
                call.identify(metadata_of(context.invocation_metadata()))
                return await answer(call, data, context)
            except Exception as error:  # noqa: BLE001 - the last line of defence
                refusal = refusal_of(error, call, kind)
                call.code = refusal.code
                await context.abort(refusal.code, refusal.message, trailing_metadata(refusal))

    make = grpc.unary_stream_rpc_method_handler if rpc.is_stream else grpc.unary_unary_rpc_method_handler
    return make(handle)


def _rest(servicer: Servicer, rpc: Rpc, method: MethodDescriptor) -> Handler:
    """Serves REST clients. Checks the project, then the ids in the path, then the body (contract 0.4).

    An error is answered as JSON too; only a call that did not come through the gateway is aborted.
    """
    name = f"{REST_PACKAGE}.{method.containing_service.name}/{method.name}"
    read, serve, status, json = RequestReader(method).read, rpc.serve, rpc.answer.status, rpc.answer.json

    async def handle(data: bytes, context: Context) -> bytes:
        call = Call(method=name, is_rest=True)
        metadata = metadata_of(context.invocation_metadata())
        target = metadata.get("x-envoy-original-path")
        if target is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "only the gateway calls this method, for REST clients")
        with _logged(call, context):
            try:
                call.identify(metadata)
                body = HttpBody.FromString(data).data
                # A thread leaves the event loop its turns while it reads.
                is_large = len(body) > LARGE_BYTES
                request = await asyncio.to_thread(read, target, body) if is_large else read(target, body)
                result = await serve(servicer, request, call)
                return http_body(json(result, request), status)
            except NoSuchRouteError:
                call.code = grpc.StatusCode.NOT_FOUND
                return error_body("not found", call.code)
            except Exception as error:  # noqa: BLE001 - the last line of defence
                refusal = refusal_of(error, call, method.input_type)
                call.code = refusal.code
                return error_body(refusal.text, refusal.code)

    return grpc.unary_unary_rpc_method_handler(handle)


def _longest(context: Context) -> float | None:
    """None if the caller's own deadline is shorter: gRPC keeps it by cancelling the handler."""
    remaining = context.time_remaining()
    return LONGEST_SECONDS if remaining is None or remaining > LONGEST_SECONDS else None


@contextmanager
def _logged(call: Call, context: Context) -> Iterator[None]:
    """Logs one line per call: the method, the code and the duration, but nothing of the request or the answer."""
    started = time.perf_counter()
    try:
        yield
    except asyncio.CancelledError:
        # gRPC cancels a handler when its caller gives up and when the caller's deadline has passed.
        is_late = context.time_remaining() == 0
        call.code = grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED
        raise
    finally:
        write = _log.error if call.code in _FAULTS else _log.info
        write(
            "request completed",
            method=call.method,
            code=call.code.name,
            duration_ms=round((time.perf_counter() - started) * 1000, 2),
            request_id=call.request_id,
            project_id=str(call.project_id),
        )

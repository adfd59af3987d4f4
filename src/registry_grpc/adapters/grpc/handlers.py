"""How a call gets from the wire to a servicer and back: `_native` for gRPC clients, `_rest` for REST clients.

REST calls reach sibling services named `modelregistry.v1.rest.<Service>`, whose messages are google.api.HttpBody. The
gateway's transcoder finds them in the derived descriptor (`adapters.rest.descriptor`) and unpacks the JSON they answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, get_args, get_type_hints
from uuid import UUID

import grpc
import structlog
from google.api import annotations_pb2, field_behavior_pb2
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor

from registry_grpc.adapters.grpc.call import Call, Peers, metadata_of
from registry_grpc.adapters.grpc.errors import refusal_of, trailing_metadata
from registry_grpc.adapters.grpc.parsing import parse
from registry_grpc.adapters.grpc.rpc import Answer, Rpc
from registry_grpc.adapters.metrics import RpcMeter
from registry_grpc.adapters.rest.answers import error_body, http_body
from registry_grpc.adapters.rest.body import LARGE_BYTES
from registry_grpc.adapters.rest.descriptor import REST_PACKAGE
from registry_grpc.adapters.rest.etags import check_conditions, entity_tag, etags_in, is_among
from registry_grpc.adapters.rest.requests import NoSuchRouteError, RequestReader
from registry_grpc.adapters.spans import begin_call, end_call
from registry_grpc.domain.access import Role
from registry_grpc.domain.audit import Refused
from registry_grpc.domain.errors import (
    ClusterReadFailed,
    InvalidRequest,
    NotAllowed,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    Reason,
    RegistryError,
    Stale,
    Unauthenticated,
    Unavailable,
    Violation,
)
from registry_grpc.ports.access import Gate
from registry_grpc.ports.requests import Request, Requests

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # not generic at run time

_LONGEST_ID = 128
LONGEST_SECONDS = 60.0
"""The longest that a unary call of a gRPC client may take. The gateway limits the time of REST calls."""

_log = structlog.get_logger("access")
_REFUSALS = (Unauthenticated, PermissionDenied, NotAllowed, QuotaExceeded)


class Servicer(Protocol):
    """A class that declares one RPC (see `adapters.grpc.rpc`) for each method of its service."""

    SERVICE: Any


@dataclass(frozen=True, slots=True)
class Auditing:
    """How calls are audited."""

    note: Callable[[Refused], Awaitable[None]]
    peers: Peers

    async def note_if_refused(self, error: Exception, call: Call) -> None:
        if isinstance(error, _REFUSALS):
            await self.note(call.refused(error))


def handlers_of(
    servicers: Iterable[Servicer], requests: Requests, gate: Gate, auditing: Auditing
) -> list[grpc.GenericRpcHandler]:
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
            native[name] = _native(servicer, rpc, method, requests, gate, auditing)
            if rpc.answer.status:
                rest[name] = _rest(servicer, rpc, method, requests, gate, auditing)
        handlers.append(grpc.method_handlers_generic_handler(service.full_name, native))
        handlers.append(grpc.method_handlers_generic_handler(f"{REST_PACKAGE}.{service.name}", rest))
    return handlers


def _check_declaration(rpc: Rpc, method: MethodDescriptor) -> None:
    request = get_type_hints(rpc.serve)["request"]
    if rpc.takes_stream:
        (request,) = get_args(request)
    has_route = method.GetOptions().HasExtension(annotations_pb2.http)
    if (
        request.DESCRIPTOR is not method.input_type
        or has_route != bool(rpc.answer.status)
        or method.server_streaming != rpc.is_stream
        or method.client_streaming != rpc.takes_stream
    ):
        raise TypeError(f"the declaration of {method.full_name} does not fit its proto")


def _native(  # noqa: PLR0917 - all parts of a call
    servicer: Servicer, rpc: Rpc, method: MethodDescriptor, requests: Requests, gate: Gate, auditing: Auditing
) -> Handler:
    """Serves gRPC clients."""
    name, kind, least = f"{method.containing_service.full_name}/{method.name}", method.input_type, rpc.least
    needs_object = _needs_object(kind)
    meter = RpcMeter(f"{method.containing_service.name}/{method.name}", "grpc", is_stream=rpc.is_stream)
    answer, make = _native_answer(servicer, rpc, kind, requests)

    async def handle(data: Any, context: Context) -> Any:
        call = Call(method=name)
        metadata = metadata_of(context.invocation_metadata())
        with _logged(call, context, meter, metadata):
            try:
                call.address = auditing.peers.address(context.peer(), metadata.get("x-gateway-client", ""))
                await call.identify(metadata, gate, least, needs_object=needs_object)
                return await answer(call, data, context)
            except Exception as error:  # noqa: BLE001 - the last line of defence
                refusal = refusal_of(error, call, kind)
                await auditing.note_if_refused(error, call)
                await context.abort(refusal.code, refusal.message, trailing_metadata(refusal))

    handler: Handler = make(handle)
    return handler


def _native_answer(
    servicer: Servicer, rpc: Rpc, kind: Descriptor, requests: Requests
) -> tuple[Callable[[Call, Any, Context], Awaitable[Any]], Any]:
    """The function that answers an admitted call, and that of gRPC which makes a handler of it. A stream lasts as long
    as its caller wants."""
    serve, message, least = rpc.serve, rpc.answer.message, rpc.least
    takes_id = "request_id" in kind.fields_by_name

    async def unary(call: Call, data: bytes, context: Context) -> Any:
        request: Any = parse(kind, data)

        def encoded(result: Any) -> bytes:
            return message(result, request, call).SerializeToString()

        async with asyncio.timeout(_longest(context)):
            if takes_id and request.request_id:
                return await _once(requests, rpc, servicer, request, call, request.request_id, encoded)
            result = await serve(servicer, request, call)
        return encoded(result)

    async def of_stream(call: Call, data: Any, context: Context) -> Any:
        # The gateway limits the time until a request is complete, unless its answer has begun.
        await context.send_initial_metadata(())
        requests = (parse(kind, part) async for part in _while_allowed(call, least, data))
        async with call.while_proven():
            return message(await serve(servicer, requests, call), None, call).SerializeToString()

    async def stream(call: Call, data: bytes, context: Context) -> Any:
        request = parse(kind, data)
        async with (
            call.while_proven(),
            asyncio.timeout(rpc.longest),
            aclosing(serve(servicer, request, call)) as results,
        ):
            async for result in results:
                await call.check_again(least)
                await context.write(message(result, request, call).SerializeToString())

    kinds: dict[tuple[bool, bool], tuple[Callable[[Call, Any, Context], Awaitable[Any]], Any]] = {
        (False, False): (unary, grpc.unary_unary_rpc_method_handler),
        (False, True): (stream, grpc.unary_stream_rpc_method_handler),
        (True, False): (of_stream, grpc.stream_unary_rpc_method_handler),
    }
    return kinds[rpc.takes_stream, rpc.is_stream]


def _rest(  # noqa: PLR0917 - all parts of a call
    servicer: Servicer, rpc: Rpc, method: MethodDescriptor, requests: Requests, gate: Gate, auditing: Auditing
) -> Handler:
    """Serves REST clients. Checks the project, then the ids in the path, then the body (contract 0.4).

    An error is answered as JSON too; only a call that did not come through the gateway is aborted.
    """
    name = f"{REST_PACKAGE}.{method.containing_service.name}/{method.name}"
    verb = method.GetOptions().Extensions[annotations_pb2.http].WhichOneof("pattern")
    read = _rest_reader(method, verb)
    takes_id = "request_id" in method.input_type.fields_by_name
    needs_object = _needs_object(method.input_type)
    meter = RpcMeter(f"{method.containing_service.name}/{method.name}", "rest")

    async def handle(data: bytes, context: Context) -> bytes:
        call = Call(method=name, is_rest=True)
        metadata = metadata_of(context.invocation_metadata())
        target = metadata.get("x-envoy-original-path")
        if target is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "only the gateway calls this method, for REST clients")
        with _logged(call, context, meter, metadata):
            try:
                call.address = auditing.peers.address(context.peer(), metadata.get("x-gateway-client", ""))
                await call.identify(metadata, gate, rpc.least, needs_object=needs_object)
                request = await read(target, metadata, HttpBody.FromString(data).data)

                def encoded(result: Any) -> bytes:
                    return _rest_answer(rpc.answer, result, request, metadata if verb == "get" else {})

                if takes_id and (key := metadata.get("idempotency-key")) is not None:
                    return await _once(requests, rpc, servicer, request, call, key, encoded)
                return encoded(await rpc.serve(servicer, request, call))
            except NoSuchRouteError:
                call.code = grpc.StatusCode.NOT_FOUND
                return error_body("not found", 404)
            except Exception as error:  # noqa: BLE001 - the last line of defence
                refusal = refusal_of(error, call, method.input_type)
                await auditing.note_if_refused(error, call)
                return error_body(refusal.text, refusal.http_status)

    return grpc.unary_unary_rpc_method_handler(handle)


def _rest_reader(method: MethodDescriptor, verb: str) -> Callable[[str, dict[str, str], bytes], Awaitable[Any]]:
    """The function that makes a request of the target, the headers and the body of a REST call."""
    read = RequestReader(method).read
    takes_etag = "etag" in method.input_type.fields_by_name

    async def request_of(target: str, metadata: dict[str, str], body: bytes) -> Any:
        # A thread leaves the event loop its turns while it reads.
        is_large = len(body) > LARGE_BYTES
        request: Any = await asyncio.to_thread(read, target, body) if is_large else read(target, body)
        if verb in {"patch", "delete"}:
            check_conditions(metadata, takes_etag=takes_etag)
        if takes_etag:
            request.etag = metadata.get("if-match", "")
        return request

    return request_of


async def _once(  # noqa: PLR0917 - all parts of a call
    requests: Requests, rpc: Rpc, servicer: Servicer, request: Any, call: Call, id: str, encoded: Callable[[Any], bytes]
) -> bytes:
    """The answer to a request with an id, which may have been sent before. Raises what Requests.once raises."""
    if not 0 < len(id) <= _LONGEST_ID:
        rule = f"(REST: Idempotency-Key) must be 1 to {_LONGEST_ID} characters"
        raise InvalidRequest([Violation("request_id", rule, _LONGEST_ID)])

    async def work() -> bytes:
        return encoded(await rpc.serve(servicer, request, call))

    async def resume(deployment_id: UUID) -> bytes:
        if rpc.resume is None:
            raise TypeError(f"{call.method} calls the cluster, but cannot be resumed")
        return encoded(await rpc.resume(servicer, deployment_id, call))

    if getattr(request, "validate_only", False):
        return await work()
    content = request.SerializeToString(deterministic=True)
    sent = Request(project_id=call.project_id, id=id, rpc=call.method, content=content)
    return await requests.once(sent, work, resume)


def _rest_answer(answer: Answer[Any], result: Any, request: Any, conditions: dict[str, str]) -> bytes:
    """The answer with its entity tag. `conditions` are the headers of a read: 304 if the client has this body already.
    Raises Stale if the object is not one that the client named."""
    body, etag = answer.json(result, request), answer.etag(result)
    if not etag:
        return http_body(body, answer.status)
    tag = entity_tag(etag, body)
    if (wanted := etags_in(conditions.get("if-match", ""))) is not None and etag not in wanted:
        raise Stale(Reason.ETAG_MISMATCH)
    if "if-none-match" in conditions and is_among(tag, conditions["if-none-match"]):
        return http_body(b"", 304, tag)
    return http_body(body, answer.status, tag)


def _needs_object(request: Descriptor) -> bool:
    """Whether each request of this kind has to name an object of the project."""
    return any(
        (field.name == "id" or field.name.endswith("_id"))
        if field.message_type is None
        else _needs_object(field.message_type)
        for field in request.fields
        if field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    )


async def _while_allowed(call: Call, least: Role, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts of a stream of requests. Raises what Call.check_again raises."""
    async for part in parts:
        await call.check_again(least)
        yield part


def _longest(context: Context) -> float | None:
    """None if the caller's own deadline is shorter: gRPC keeps it by cancelling the handler."""
    remaining = context.time_remaining()
    return LONGEST_SECONDS if remaining is None or remaining > LONGEST_SECONDS else None


@contextmanager
def _logged(call: Call, context: Context, meter: RpcMeter, metadata: dict[str, str]) -> Iterator[None]:
    """Counts the call, makes its span if its caller wants a trace, and logs how it ends, but nothing of the request or
    the answer."""
    started = time.perf_counter()
    meter.begun()
    span = begin_call(metadata, *meter.name)
    try:
        yield
    except asyncio.CancelledError:
        # gRPC cancels a handler when its caller gives up and when the caller's deadline has passed.
        is_late = context.time_remaining() == 0
        call.code = grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED
        raise
    finally:
        seconds = time.perf_counter() - started
        meter.ended(call.code, seconds)
        if span is not None:
            end_call(span, call.code.name)
        if call.code is not grpc.StatusCode.OK or _log.is_enabled_for(logging.DEBUG):
            _log_end(call, seconds)


def _log_end(call: Call, seconds: float) -> None:
    """A fault of the service is an error, and that it cannot serve now is a warning. Everything else is the daily life
    of clients."""
    fields = {
        "method": call.method,
        "code": call.code.name,
        "duration_ms": round(seconds * 1000, 2),
        "project_id": call.project_id,
    }
    match call.error:
        case Unavailable(reason=Reason.SHUTTING_DOWN):
            _log.debug("rpc.ended", **fields)
        case Unavailable() | Overloaded():
            _log.warning("rpc.unavailable", **fields, reason=call.error.reason, text=call.error.message)
        case TimeoutError():
            _log.warning("rpc.unavailable", **fields, reason=call.code.name)
        case ClusterReadFailed():
            _log.error("rpc.failed", **fields, text=call.error.cause)
        case Exception() if not isinstance(call.error, RegistryError):
            _log.error("rpc.failed", **fields, exc_info=call.error)
        case _:
            _log.debug("rpc.ended", **fields)
    call.error = None  # its traceback refers to the call: see _leave_requests_to_reference_counts

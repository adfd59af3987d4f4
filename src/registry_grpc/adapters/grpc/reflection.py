"""Server reflection, so that grpcurl and similar tools need no protos."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from grpc_reflection.v1alpha import reflection, reflection_pb2

# No service refers to this file, but clients ask for it by name, so it has to be in the descriptor pool.
from modelregistry.v1 import error_reason_pb2  # noqa: F401

_V1ALPHA = reflection.SERVICE_NAME
_V1 = "grpc.reflection.v1.ServerReflection"


class _Servicer(reflection.aio.ReflectionServicer):
    """Also finds the file of a method (`grpcurl describe <service>.<method>`), which grpcio's own servicer cannot."""

    def _file_containing_symbol(self, request: Any, fully_qualified_name: str) -> Any:
        service, _, method = fully_qualified_name.rpartition(".")
        with contextlib.suppress(KeyError):
            if method in descriptor_pool.Default().FindServiceByName(service).methods_by_name:
                fully_qualified_name = service
        return super()._file_containing_symbol(request, fully_qualified_name)  # type: ignore[misc]  # not in the stubs


def reflection_handlers(services: Iterable[str]) -> list[grpc.GenericRpcHandler]:
    """Serves both versions: grpcio only knows v1alpha, and v1 is the same on the wire."""
    _describe_v1()
    servicer: Any = _Servicer((*services, _V1ALPHA, _V1))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in (_V1ALPHA, _V1)]


def _describe_v1() -> None:
    """Add the descriptor of v1, a copy of v1alpha under another package, unless the pool has it already."""
    pool = descriptor_pool.Default()
    with contextlib.suppress(KeyError):
        pool.FindServiceByName(_V1)
        return
    v1alpha = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(v1alpha)
    v1 = json_format.MessageToJson(v1alpha).replace("v1alpha", "v1")
    pool.AddSerializedFile(json_format.Parse(v1, descriptor_pb2.FileDescriptorProto()).SerializeToString())

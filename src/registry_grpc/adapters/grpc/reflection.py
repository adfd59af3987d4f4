"""Server reflection, so that grpcurl and its like need no protos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

# What no service mentions, and clients look up: imported, so that it can be asked for.
from registry_grpc.gen.modelregistry.v1 import error_reason_pb2  # noqa: F401

_V1 = "grpc.reflection.v1.ServerReflection"


def reflection_handlers(services: Iterable[str]) -> list[grpc.GenericRpcHandler]:
    """Under both names: grpcio knows v1alpha only, and v1 is the same on the wire."""
    servicer: Any = reflection.aio.ReflectionServicer((*services, reflection.SERVICE_NAME))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
        for name in (reflection.SERVICE_NAME, _V1)
    ]

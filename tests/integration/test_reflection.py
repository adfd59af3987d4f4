"""Reflection as grpcurl uses it: both versions, and every symbol for which a client may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from modelregistry.v1 import registered_model_pb2
from registry_grpc.adapters.grpc.reflection import reflection_handlers

SERVICE = registered_model_pb2.DESCRIPTOR.services_by_name["RegisteredModelService"].full_name
V1, V1ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"


@pytest.fixture(params=[V1, V1ALPHA])
async def ask(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(reflection_handlers([SERVICE])))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.stream_stream(
            f"/{request.param}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

        async def answer(**asked: Any) -> Any:
            (found,) = [found async for found in call(iter([reflection_pb2.ServerReflectionRequest(**asked)]))]
            return found

        yield answer
    await server.stop(grace=None)


async def test_all_services_are_listed(ask: Any) -> None:
    listed = (await ask(list_services="")).list_services_response.service
    assert {service.name for service in listed} == {SERVICE, V1, V1ALPHA}


@pytest.mark.parametrize(
    ("symbol", "defines"),
    [
        (SERVICE, "modelregistry.v1"),
        (f"{SERVICE}.GetRegisteredModel", "modelregistry.v1"),
        ("modelregistry.v1.RegisteredModel", "modelregistry.v1"),
        ("modelregistry.v1.RegisteredModel.name", "modelregistry.v1"),
        ("modelregistry.v1.ErrorReason", "modelregistry.v1"),
        (V1, "grpc.reflection.v1"),
        (f"{V1}.ServerReflectionInfo", "grpc.reflection.v1"),
        (V1ALPHA, "grpc.reflection.v1alpha"),
    ],
)
async def test_a_symbol_is_described(ask: Any, symbol: str, defines: str) -> None:
    files = (await ask(file_containing_symbol=symbol)).file_descriptor_response.file_descriptor_proto
    assert descriptor_pb2.FileDescriptorProto.FromString(files[0]).package == defines


@pytest.mark.parametrize("symbol", [f"{SERVICE}.Nope", "nope", "", "."])
async def test_an_unknown_symbol_is_not_found(ask: Any, symbol: str) -> None:
    answer = await ask(file_containing_symbol=symbol)
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]

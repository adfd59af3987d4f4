"""GET /healthz (REST contract 5.5) and the standard gRPC health service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import orjson

from registry_grpc.adapters.grpc.registration import STATUS_METADATA, http_body
from registry_grpc.domain.errors import RegistryError

HEALTHZ_SERVICE = "modelregistry.v1.rest.HealthService"


def healthz_handler(ping: Callable[[], Awaitable[None]]) -> grpc.GenericRpcHandler:
    """Answers without a project: 200 after a ping of the database, 503 when it fails."""

    async def check(_request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        answer: dict[str, str] = {"status": "ok"}
        try:
            await ping()
        except RegistryError as error:
            answer = {"error": error.message, "status": "unhealthy"}
            await context.send_initial_metadata(((STATUS_METADATA, "503"),))
        return http_body(orjson.dumps(answer))

    return grpc.method_handlers_generic_handler(HEALTHZ_SERVICE, {"Check": grpc.unary_unary_rpc_method_handler(check)})

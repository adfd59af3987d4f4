"""GET /healthz (REST contract 5.5) and the standard gRPC health service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import orjson
import structlog

from registry_grpc.adapters.grpc.errors import INTERNAL_ERROR
from registry_grpc.adapters.rest.answers import http_body
from registry_grpc.adapters.rest.descriptor import REST_PACKAGE
from registry_grpc.domain.errors import RegistryError

_log = structlog.get_logger("health")

HEALTHZ_SERVICE = f"{REST_PACKAGE}.HealthService"


def healthz_handler(ping: Callable[[], Awaitable[None]]) -> grpc.GenericRpcHandler:
    """Needs no project. Answers 200 if the database answers a ping, and 503 with the error's text otherwise."""

    async def check(_request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        # Envoy would send a body to HTTP/1.1 clients, which would take it for the beginning of the next answer.
        is_head = ("x-envoy-original-method", "HEAD") in (context.invocation_metadata() or ())
        try:
            await ping()
            return http_body(b"" if is_head else b'{"status":"ok"}')
        except RegistryError as error:
            text = error.message
        except Exception:  # noqa: BLE001 - gRPC would send the text of an unexpected error to the client
            _log.exception("health.failed")
            text = INTERNAL_ERROR
        return http_body(b"" if is_head else orjson.dumps({"error": text, "status": "unhealthy"}), 503)

    return grpc.method_handlers_generic_handler(HEALTHZ_SERVICE, {"Check": grpc.unary_unary_rpc_method_handler(check)})

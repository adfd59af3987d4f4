"""GET /healthz, as the registry answers it behind the gateway."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from google.api.httpbody_pb2 import HttpBody

from registry_grpc.adapters.grpc.health import HEALTHZ_SERVICE, healthz_handler
from registry_grpc.domain.errors import Reason, Unavailable

JSON = "application/json; charset=utf-8"


async def checked(fault: Exception | None, method: str = "GET") -> tuple[str, bytes]:
    """Content type and body of the answer."""

    async def ping() -> None:
        if fault:
            raise fault

    details: Any = SimpleNamespace(method=f"/{HEALTHZ_SERVICE}/Check", invocation_metadata=())
    handler: Any = healthz_handler(ping).service(details)
    metadata = (("x-envoy-original-path", "/healthz"), ("x-envoy-original-method", method))
    context = SimpleNamespace(invocation_metadata=lambda: metadata)
    answer = HttpBody.FromString(await handler.unary_unary(b"", context))
    return answer.content_type, answer.data


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Unavailable(Reason.DATABASE_UNAVAILABLE), "the database is unavailable; try again"),
        (
            Unavailable(Reason.DATABASE_READ_ONLY),
            "the database is read-only (a standby, or set to read only): writes must wait",
        ),
        (RuntimeError("the password is secret"), "internal server error"),
    ],
)
async def test_any_fault_is_a_503_in_the_services_own_words(fault: Exception, text: str) -> None:
    content_type, body = await checked(fault)
    assert (content_type, orjson.loads(body)) == (f"{JSON}; status=503", {"error": text, "status": "unhealthy"})
    assert await checked(fault, "HEAD") == (f"{JSON}; status=503", b"")


async def test_without_a_fault_it_is_well() -> None:
    assert await checked(None) == (JSON, b'{"status":"ok"}')
    assert await checked(None, "HEAD") == (JSON, b"")

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


async def checked(fault: Exception | None) -> tuple[str, Any]:
    """Content type and body of the answer."""

    async def ping() -> None:
        if fault:
            raise fault

    details: Any = SimpleNamespace(method=f"/{HEALTHZ_SERVICE}/Check", invocation_metadata=())
    handler: Any = healthz_handler(ping).service(details)
    answer = HttpBody.FromString(await handler.unary_unary(b"", None))
    return answer.content_type, orjson.loads(answer.data)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Unavailable(Reason.DATABASE_UNAVAILABLE), "the database is unavailable; try again"),
        (RuntimeError("the password is secret"), "internal server error"),
    ],
)
async def test_any_fault_is_a_503_in_the_services_own_words(fault: Exception, text: str) -> None:
    assert await checked(fault) == (f"{JSON}; status=503", {"error": text, "status": "unhealthy"})


async def test_without_a_fault_it_is_well() -> None:
    assert await checked(None) == (JSON, {"status": "ok"})

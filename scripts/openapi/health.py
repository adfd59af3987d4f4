"""The route of probes. It is not made from a proto: gRPC clients ask the standard `grpc.health.v1.Health`."""

from __future__ import annotations

from typing import Any

from scripts.openapi.shared import ref

JSON = dict[str, Any]

HEALTH_TAG: JSON = {
    "name": "Health",
    "description": "Tells whether the registry can serve. It needs no project and no token.",
}


def _get(*, has_body: bool) -> JSON:
    def answer(description: str, **properties: JSON) -> JSON:
        schema = {"type": "object", "required": list(properties), "properties": properties}
        content = {"content": {"application/json": {"schema": schema}}} if has_body else {}
        return {"description": description, "headers": {"X-Request-ID": ref("headers", "X-Request-ID")}, **content}

    text: JSON = {"type": "string", "description": "What is wrong."}
    return {
        "tags": ["Health"],
        "operationId": "checkHealth" if has_body else "checkHealthWithoutBody",
        "summary": "Check health" if has_body else "Check health without body",
        "description": "Asks a worker, which asks the database.",
        "security": [],
        "parameters": [ref("parameters", "X-Request-ID")],
        "responses": {
            "200": answer("The registry can serve.", status={"type": "string", "const": "ok"}),
            "429": ref("responses", "TooManyRequests"),
            "431": ref("responses", "HeadersTooLarge"),
            "503": answer(
                "The registry cannot serve now.", error=text, status={"type": "string", "const": "unhealthy"}
            ),
        },
    }


HEALTH: JSON = {"/healthz": {"get": _get(has_body=True), "head": _get(has_body=False)}}

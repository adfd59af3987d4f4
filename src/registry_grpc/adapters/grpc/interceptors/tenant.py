"""Every RPC belongs to a project."""

from __future__ import annotations

from typing import Any

from registry_grpc.adapters.grpc.call import Call, Handler
from registry_grpc.adapters.grpc.values import parse_uuid
from registry_grpc.domain.errors import ProjectIdRequired


def tenant(proceed: Handler) -> Handler:
    """The all-zero UUID is no project: it once switched tenancy off (quirks Q1, Q2)."""

    async def handle(call: Call, request: Any) -> Any:
        project_id = parse_uuid(str(call.metadata.get("project-id", "")))
        if not project_id or not project_id.int:
            raise ProjectIdRequired
        call.project_id = project_id
        return await proceed(call, request)

    return handle

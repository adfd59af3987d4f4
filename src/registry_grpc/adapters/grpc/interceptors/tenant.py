"""Every RPC belongs to a project."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import UUID

from registry_grpc.adapters.grpc.call import Call, Handler
from registry_grpc.adapters.grpc.values import parse_uuid
from registry_grpc.domain.errors import ProjectIdRequired


def tenant(proceed: Handler) -> Handler:
    async def handle(call: Call, request: Any) -> Any:
        call.project_id = _project_id(str(call.metadata.get("project-id", "")))
        return await proceed(call, request)

    return handle


@lru_cache(maxsize=1024)  # the same few projects call all the time
def _project_id(text: str) -> UUID:
    """The all-zero UUID is no project: it once switched tenancy off (quirks Q1, Q2). Raises ProjectIdRequired."""
    project_id = parse_uuid(text)
    if not project_id or not project_id.int:
        raise ProjectIdRequired
    return project_id

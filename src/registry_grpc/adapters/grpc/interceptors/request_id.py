"""Every RPC has a request id: the caller's, else a new one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from registry_grpc.adapters.grpc.call import Call, Handler


def request_id(proceed: Handler) -> Handler:
    async def handle(call: Call, request: Any) -> Any:
        call.request_id = call.metadata.get("x-request-id") or str(uuid4())
        return await proceed(call, request)

    return handle

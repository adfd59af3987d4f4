"""Every RPC has a request id: the caller's, else a new one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from registry_grpc.adapters.grpc.call import Call, Handler

# It is for the log only, where a client shall not write as much as it likes. The gateway's log cuts it as well.
_LONGEST = 128


def request_id(proceed: Handler) -> Handler:
    async def handle(call: Call, request: Any) -> Any:
        call.request_id = call.metadata.get("x-request-id", "")[:_LONGEST] or str(uuid4())
        return await proceed(call, request)

    return handle

"""Nothing runs longer than the server allows. A caller's own deadline is kept by gRPC, which cancels the handler."""

from __future__ import annotations

import asyncio
from typing import Any

from registry_grpc.adapters.grpc.call import Call, Handler

LONGEST_SECONDS = 60.0


def deadline(proceed: Handler) -> Handler:
    """Streams are watched for as long as the caller likes."""

    async def handle(call: Call, request: Any) -> Any:
        remaining = call.context.time_remaining()
        if call.rpc.is_stream or (remaining is not None and remaining <= LONGEST_SECONDS):
            return await proceed(call, request)
        async with asyncio.timeout(LONGEST_SECONDS):
            return await proceed(call, request)

    return handle

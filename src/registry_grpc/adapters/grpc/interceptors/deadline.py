"""Nothing runs longer than the caller waits, nor longer than the server allows."""

from __future__ import annotations

import asyncio
from typing import Any

from registry_grpc.adapters.grpc.call import Call, Handler

LONGEST_SECONDS = 60.0


def deadline(proceed: Handler) -> Handler:
    async def handle(call: Call, request: Any) -> Any:
        async with asyncio.timeout(_seconds_left(call)):
            return await proceed(call, request)

    return handle


def _seconds_left(call: Call) -> float | None:
    """Streams are watched for as long as the caller likes."""
    remaining = call.context.time_remaining()
    if call.is_stream:
        return remaining
    return LONGEST_SECONDS if remaining is None else min(remaining, LONGEST_SECONDS)

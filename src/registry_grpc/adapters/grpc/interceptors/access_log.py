"""One line per RPC: what was called, how it ended and how long it took. Never what was said."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import structlog

from registry_grpc.adapters.grpc.call import Call, Handler

_log = structlog.get_logger("access")

# The service's own faults stand out; a client's mistakes are ordinary.
_FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}


def access_log(proceed: Handler) -> Handler:
    async def handle(call: Call, request: Any) -> Any:
        started = time.perf_counter()
        try:
            return await proceed(call, request)
        except asyncio.CancelledError:
            # gRPC cancels a handler when its caller gives up, and when the caller's deadline has passed.
            is_late = call.context.time_remaining() == 0
            call.code = grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED
            raise
        finally:
            write = _log.error if call.code in _FAULTS else _log.info
            write(
                "request completed",
                method=call.rpc.name,
                code=call.code.name,
                duration_ms=round((time.perf_counter() - started) * 1000, 2),
                request_id=call.request_id,
                project_id=str(call.project_id),
            )

    return handle

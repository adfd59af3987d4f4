"""Domain errors become gRPC statuses; everything unforeseen becomes INTERNAL, told to the log only."""

from __future__ import annotations

from functools import partial
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo

from registry_grpc.adapters.grpc.call import Call, Handler
from registry_grpc.adapters.grpc.errors import DOMAIN, code_of, details_of, message_of, trailing_metadata
from registry_grpc.adapters.grpc.interceptors.fields import path_of
from registry_grpc.domain.errors import ClusterReadFailed, RegistryError

_log = structlog.get_logger("errors")

INTERNAL_ERROR = "internal server error"


def errors(proceed: Handler) -> Handler:
    async def handle(call: Call, request: Any) -> Any:
        try:
            return await proceed(call, request)
        except RegistryError as error:
            if isinstance(error, ClusterReadFailed):
                _log.error("cluster read failed", cause=error.cause, method=call.rpc.name, request_id=call.request_id)
            await _abort(call, code_of(error), message_of(error), details_of(error, partial(path_of, call)))
        except TimeoutError:
            details: list[Message] = [ErrorInfo(reason="DEADLINE_EXCEEDED", domain=DOMAIN)]
            await _abort(call, grpc.StatusCode.DEADLINE_EXCEEDED, "the request took longer than it may", details)
        except Exception:  # noqa: BLE001 - the last line of defence
            _log.exception("request failed", method=call.rpc.name, request_id=call.request_id)
            await _abort(call, grpc.StatusCode.INTERNAL, INTERNAL_ERROR, [ErrorInfo(reason="INTERNAL", domain=DOMAIN)])

    return handle


async def _abort(call: Call, code: grpc.StatusCode, message: str, details: list[Message]) -> None:
    call.code = code
    await call.context.abort(code, message, trailing_metadata(code, message, details))

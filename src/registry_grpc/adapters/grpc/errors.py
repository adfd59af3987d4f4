"""The one table from domain errors to gRPC status codes and details. REST statuses follow from the codes.

Message and details travel in trailers and may repeat input of the client, so they are bounded: by default, clients
accept 8 KiB of trailers, and above 60 KiB Envoy closes its connection to the worker with all calls on it. REST clients
get the whole text in the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import Descriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.parsing import path_of
from registry_grpc.domain.errors import (
    AlreadyExists,
    ClusterReadFailed,
    ConcurrentChange,
    DeploymentBlocked,
    EventLogChanged,
    FailedPrecondition,
    HistoryForgotten,
    InvalidPageToken,
    InvalidRequest,
    NotFound,
    Overloaded,
    ProjectIdRequired,
    RegistryError,
    Unavailable,
    Violation,
)

_log = structlog.get_logger("errors")

DOMAIN = "modelregistry"
INTERNAL_ERROR = "internal server error"
RETRY_AFTER_SECONDS = 1

# The message is sent twice: percent-encoded, and in base64 with the details. Together they stay below 8 KiB.
LONGEST_MESSAGE = 1000
LONGEST_MESSAGE_BYTES = 2400
LONGEST_TEXT_BYTES = 200
LONGEST_DETAIL_BYTES = 2500

_CODES: tuple[tuple[type[RegistryError], grpc.StatusCode], ...] = (
    (ProjectIdRequired, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidPageToken, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (EventLogChanged, grpc.StatusCode.OUT_OF_RANGE),
    (HistoryForgotten, grpc.StatusCode.OUT_OF_RANGE),
    (ConcurrentChange, grpc.StatusCode.ABORTED),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (ClusterReadFailed, grpc.StatusCode.INTERNAL),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error that the client gets."""

    code: grpc.StatusCode
    text: str
    """The whole text, for REST clients."""
    message: str
    """The text cut to a bounded length, for gRPC clients."""
    details: list[Message]


def refusal_of(error: Exception, call: Call, request: Descriptor) -> Refusal:
    """To be called in the `except` block. An unexpected error becomes INTERNAL, and only the log has its text."""
    if isinstance(error, RegistryError):
        if isinstance(error, ClusterReadFailed):
            _log.error("cluster read failed", cause=error.cause, method=call.method, request_id=call.request_id)
        return Refusal(code_of(error), error.message, message_of(error), details_of(error, request))
    if isinstance(error, TimeoutError):
        return _fault(grpc.StatusCode.DEADLINE_EXCEEDED, "the request took too long")
    _log.exception("request failed", method=call.method, request_id=call.request_id)
    return _fault(grpc.StatusCode.INTERNAL, INTERNAL_ERROR)


def _fault(code: grpc.StatusCode, text: str) -> Refusal:
    return Refusal(code, text, text, [ErrorInfo(reason=code.name, domain=DOMAIN)])


def code_of(error: RegistryError) -> grpc.StatusCode:
    return next(code for kind, code in _CODES if isinstance(error, kind))


def message_of(error: RegistryError) -> str:
    """The error's text. If it has to be cut, it ends with the number of violations, because not all are named."""
    text = _short_message(error.message)
    if text != error.message and isinstance(error, InvalidRequest | DeploymentBlocked) and len(error.violations) > 1:
        return f"{text} ({len(error.violations)} violations)"
    return text


def details_of(error: RegistryError, request: Descriptor) -> list[Message]:
    """One ErrorInfo, followed by the details of this kind of error. Fields are named by their path from the request."""
    metadata = {key: _short(value) for key, value in error.metadata.items()}
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    match error:
        case InvalidRequest() if error.violations:
            details.append(_bad_request(error.violations, request))
        case InvalidPageToken():
            details.append(_bad_request([Violation("page_token", error.message)], request))
        case DeploymentBlocked():
            blocked = PreconditionFailure()
            found = ({"type": v.field, "description": v.description} for v in error.violations)
            details.append(_filled(blocked, blocked.violations, found))
        case Overloaded() | Unavailable() | ConcurrentChange():
            details.append(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS)))
    return details


def _bad_request(violations: Iterable[Violation], request: Descriptor) -> Message:
    detail = BadRequest()
    found = ({"field": path_of(request, v.field), "description": v.description} for v in violations)
    return _filled(detail, detail.field_violations, found)


def _filled(detail: Message, violations: Any, found: Iterable[Mapping[str, str]]) -> Message:
    """The detail with as many violations as fit. `violations` is the repeated field that takes them."""
    for texts in found:
        violations.add(**{name: _short(text) for name, text in texts.items()})
        if detail.ByteSize() > LONGEST_DETAIL_BYTES:
            del violations[-1]
            break
    return detail


def _short(text: str) -> str:
    data = text.encode()
    return text if len(data) <= LONGEST_TEXT_BYTES else f"{data[:LONGEST_TEXT_BYTES].decode(errors='ignore')}…"


def _short_message(text: str) -> str:
    room = LONGEST_MESSAGE_BYTES
    for place, character in enumerate(text):
        room -= 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if room < 0 or place == LONGEST_MESSAGE:
            return f"{text[:place]}…"
    return text


def trailing_metadata(refusal: Refusal) -> tuple[tuple[str, bytes], ...]:
    """The google.rpc.Status, where all gRPC libraries look for it."""
    status = Status(code=refusal.code.value[0], message=refusal.message)
    for detail in refusal.details:
        status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)

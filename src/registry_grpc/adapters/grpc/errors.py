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
from google.protobuf.descriptor import Descriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.parsing import path_of
from registry_grpc.adapters.rest.answers import HTTP_STATUS
from registry_grpc.domain.errors import (
    AliasMoved,
    AlreadyExists,
    ClusterReadFailed,
    ConcurrentChange,
    DeploymentBlocked,
    EventLogChanged,
    FailedPrecondition,
    FilterTooExpensive,
    HistoryForgotten,
    InvalidPageToken,
    InvalidRequest,
    LimitReached,
    NotAllowed,
    NotFound,
    Overloaded,
    PermissionDenied,
    ProjectIdRequired,
    QuotaExceeded,
    RegistryError,
    RequestIdReused,
    Stale,
    Unauthenticated,
    Unavailable,
    Violation,
)

DOMAIN = "modelregistry"
INTERNAL_ERROR = "internal server error"
RETRY_AFTER_SECONDS = 1

# The message is sent twice: percent-encoded, and in base64 with the details. Together they stay below 8 KiB.
LONGEST_MESSAGE = 1000
LONGEST_MESSAGE_BYTES = 2400
LONGEST_TEXT_BYTES = 200
LONGEST_DETAIL_BYTES = 2500

_CODES: tuple[tuple[type[RegistryError], grpc.StatusCode], ...] = (
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (NotAllowed, grpc.StatusCode.PERMISSION_DENIED),
    (QuotaExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (ProjectIdRequired, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidPageToken, grpc.StatusCode.INVALID_ARGUMENT),
    # Clients repeat UNAVAILABLE, and some RESOURCE_EXHAUSTED, but the same filter would fail again.
    (FilterTooExpensive, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (EventLogChanged, grpc.StatusCode.OUT_OF_RANGE),
    (HistoryForgotten, grpc.StatusCode.OUT_OF_RANGE),
    (AliasMoved, grpc.StatusCode.ABORTED),
    (ConcurrentChange, grpc.StatusCode.ABORTED),
    (Stale, grpc.StatusCode.ABORTED),
    (LimitReached, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (ClusterReadFailed, grpc.StatusCode.INTERNAL),
)


# REST statuses that do not follow from the code. A 429 would invite clients to try again.
_HTTP_STATUS: Mapping[type[Exception], int] = {Stale: 412, RequestIdReused: 422, QuotaExceeded: 403}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error that the client gets."""

    code: grpc.StatusCode
    text: str
    """The whole text, for REST clients."""
    message: str
    """The text cut to a bounded length, for gRPC clients."""
    details: list[Message]
    http_status: int


def refusal_of(error: Exception, call: Call, request: Descriptor) -> Refusal:
    """What the client is told, which the call notes for the log. An unexpected error becomes INTERNAL, and only the log
    has its text."""
    refusal = _refusal_of(error, request)
    call.code, call.error = refusal.code, error
    return refusal


def _refusal_of(error: Exception, request: Descriptor) -> Refusal:
    if isinstance(error, RegistryError):
        code = code_of(error)
        status = _HTTP_STATUS.get(type(error), HTTP_STATUS[code])
        return Refusal(code, error.message, message_of(error), details_of(error, request), status)
    if isinstance(error, TimeoutError):
        return _fault(grpc.StatusCode.DEADLINE_EXCEEDED, "the request took too long")
    return _fault(grpc.StatusCode.INTERNAL, INTERNAL_ERROR)


def _fault(code: grpc.StatusCode, text: str) -> Refusal:
    return Refusal(code, text, text, [ErrorInfo(reason=code.name, domain=DOMAIN)], HTTP_STATUS[code])


def code_of(error: RegistryError) -> grpc.StatusCode:
    return next(code for kind, code in _CODES if isinstance(error, kind))


def message_of(error: RegistryError) -> str:
    """The error's text. If it has to be cut, it ends with the number of violations, because not all are named."""
    text = _short_message(error.full_message)
    if (
        text != error.full_message
        and isinstance(error, InvalidRequest | DeploymentBlocked)
        and len(error.violations) > 1
    ):
        return f"{text} ({len(error.violations)} violations)"
    return text


def details_of(error: RegistryError, request: Descriptor) -> list[Message]:
    """One ErrorInfo, followed by the details of this kind of error. Fields are named by their path from the request."""
    metadata = {key: _short(value) for key, value in (error.metadata | _first_violation(error, request)).items()}
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    match error:
        case InvalidRequest() if error.violations:
            details.append(_bad_request(error.violations, request))
        case InvalidPageToken():
            details.append(_bad_request([Violation("page_token", error.message)], request))
        case FilterTooExpensive():
            details.append(_bad_request([Violation("filter", error.message)], request))
        case DeploymentBlocked():
            blocked = PreconditionFailure()
            found = ({"type": v.field, "description": v.description} for v in error.violations)
            details.append(_filled(blocked, blocked.violations, found))
        case FailedPrecondition() if error.users:
            in_use = PreconditionFailure()
            users = ({"type": user.kind, "subject": user.id, "description": user.name} for user in error.users.first)
            details.append(_filled(in_use, in_use.violations, users))
        case Overloaded() | Unavailable() | ConcurrentChange():
            details.append(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS)))
    return details


def _first_violation(error: RegistryError, request: Descriptor) -> dict[str, str]:
    """The variables of the first violation, which is often the only one. The other details have all of them."""
    match error:
        case InvalidRequest(violations=(first, *_)):
            limit = {} if first.limit is None else {"limit": str(first.limit)}
            return {"field": path_of(request, first.field), "rule": first.description} | limit
        case DeploymentBlocked(violations=(first, *_)):
            return {"finding": first.field, "description": first.description}
    return {}


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

"""The one table from domain errors to gRPC status codes and details. REST statuses follow from the codes, in Envoy."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status

from registry_grpc.domain.errors import (
    AlreadyExists,
    ClusterReadFailed,
    ConcurrentChange,
    DeploymentBlocked,
    FailedPrecondition,
    InvalidPageToken,
    InvalidRequest,
    NotFound,
    Overloaded,
    ProjectIdRequired,
    RegistryError,
    Unavailable,
)

DOMAIN = "modelregistry"
RETRY_AFTER_SECONDS = 1

_CODES: tuple[tuple[type[RegistryError], grpc.StatusCode], ...] = (
    (ProjectIdRequired, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidPageToken, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (ConcurrentChange, grpc.StatusCode.ABORTED),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (ClusterReadFailed, grpc.StatusCode.INTERNAL),
)


def code_of(error: RegistryError) -> grpc.StatusCode:
    return next(code for kind, code in _CODES if isinstance(error, kind))


def details_of(error: RegistryError, path: Callable[[str], str]) -> list[Message]:
    """Always one ErrorInfo; then what the kind of error adds. `path` leads from the request to a field."""
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    match error:
        case InvalidRequest():
            details.append(
                BadRequest(
                    field_violations=[
                        BadRequest.FieldViolation(field=path(violation.field), description=violation.description)
                        for violation in error.violations
                    ]
                )
            )
        case DeploymentBlocked():
            details.append(
                PreconditionFailure(
                    violations=[
                        PreconditionFailure.Violation(type=v.field, description=v.description) for v in error.violations
                    ]
                )
            )
        case Overloaded() | Unavailable() | ConcurrentChange():
            details.append(RetryInfo(retry_delay=Duration(seconds=RETRY_AFTER_SECONDS)))
    return details


def trailing_metadata(code: grpc.StatusCode, message: str, details: list[Message]) -> tuple[tuple[str, bytes], ...]:
    """The rich status, as all gRPC libraries read it."""
    status = Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)

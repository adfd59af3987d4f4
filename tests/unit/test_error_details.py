"""The details of errors for gRPC clients, and the limits of their size."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from grpc import StatusCode

from modelregistry.v1.deployment_pb2 import DeployModelRequest, ListDeploymentsRequest
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.errors import refusal_of, trailing_metadata
from registry_grpc.adapters.rest.answers import error_body
from registry_grpc.domain.errors import (
    AlreadyExists,
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
    Reason,
    RegistryError,
    Stale,
    Unavailable,
    Violation,
)

REQUEST: Any = DeployModelRequest.DESCRIPTOR
CHARACTERS = ["a", "%", "é", "日", "\U0001f916", "\0"]


def told(error: RegistryError, request: Any = REQUEST) -> tuple[str, list[Message], int]:
    """Message and details, and their bytes in the trailers."""
    refusal = refusal_of(error, Call(method="m"), request)
    ((_, status),) = trailing_metadata(refusal)
    size = len(quote(refusal.message, safe=" ")) + len(base64.b64encode(status))
    return refusal.message, refusal.details, size


def violations(character: str, count: int, length: int) -> list[Violation]:
    return [
        Violation(f"labels.{number}{character * length}", f"{character * length}{number}") for number in range(count)
    ]


@pytest.mark.parametrize("character", CHARACTERS)
@pytest.mark.parametrize(("count", "length"), [(1, 100_000), (30, 50), (1000, 5), (1000, 1000)])
def test_trailers_stay_below_the_limit_of_clients(character: str, count: int, length: int) -> None:
    sent = violations(character, count, length)
    for error in (InvalidRequest(sent), DeploymentBlocked(sent), InvalidRequest(sent, character * 100_000)):
        message, details, size = told(error)
        assert len(message) <= 1030
        assert size < 8192 - 512
        assert len(details) == 2
    _, _, size = told(AlreadyExists(Reason.MODEL_VERSION_NAME_TAKEN, character * 100_000, name=character * 100_000))
    assert size < 8192 - 512


def test_the_first_violations_are_named_and_all_are_counted() -> None:
    message, details, _ = told(InvalidRequest(violations("a", 57, 100)))
    (_, request) = details
    assert isinstance(request, BadRequest)
    assert message.startswith(f"labels.0{'a' * 100} {'a' * 100}0; labels.1a")
    assert message.endswith("… (57 violations)")
    named = [violation.field for violation in request.field_violations]
    assert named == [f"deployment.labels.{number}{'a' * 100}" for number in range(len(named))]
    assert 5 < len(named) < 57

    message, details, _ = told(DeploymentBlocked(violations("a", 57, 100)))
    (_, failure) = details
    assert isinstance(failure, PreconditionFailure)
    assert message.endswith("… (57 violations)")
    assert 5 < len(failure.violations) < 57


def test_short_texts_are_not_changed() -> None:
    error = InvalidRequest([Violation("é" * 90, "日" * 60), Violation("b", "is 100 % wrong")])
    message, (info, request), _ = told(error)
    assert message == f"{'é' * 90} {'日' * 60}; b is 100 % wrong"
    variables = {"field": "é" * 90, "rule": "日" * 60}
    assert info == ErrorInfo(reason="INVALID_REQUEST", domain="modelregistry", metadata=variables)
    assert isinstance(request, BadRequest)
    assert [v.description for v in request.field_violations] == ["日" * 60, "is 100 % wrong"]


def test_a_page_token_that_is_refused_is_named() -> None:
    _, (_, request), _ = told(InvalidPageToken(), ListDeploymentsRequest.DESCRIPTOR)
    assert isinstance(request, BadRequest)
    assert [v.field for v in request.field_violations] == ["page_token"]


def test_without_violations_there_is_no_empty_list_of_them() -> None:
    _, details, _ = told(InvalidRequest((), "text must not hold NUL characters"))
    assert [type(detail) for detail in details] == [ErrorInfo]


def test_rest_clients_get_the_whole_text() -> None:
    error = InvalidRequest(violations("a", 57, 100))
    refusal = refusal_of(error, Call(method="m"), REQUEST)
    assert refusal.text == error.message
    assert len(refusal.text) > 10_000 > len(refusal.message)


def test_an_unexpected_error_is_internal_and_only_the_log_has_its_text() -> None:
    call, error = Call(method="m"), RuntimeError("the password is secret")
    refusal = refusal_of(error, call, REQUEST)
    assert (refusal.code, refusal.text, refusal.message) == (
        StatusCode.INTERNAL,
        "internal server error",
        "internal server error",
    )
    assert refusal.details == [ErrorInfo(reason="INTERNAL", domain="modelregistry")]
    assert (call.code, call.error) == (StatusCode.INTERNAL, error)


def test_a_timeout_is_a_deadline_that_passed() -> None:
    refusal = refusal_of(TimeoutError(), Call(method="m"), REQUEST)
    assert (refusal.code, refusal.text) == (StatusCode.DEADLINE_EXCEEDED, "the request took too long")


@pytest.mark.parametrize(
    ("error", "code", "status", "is_worth_a_retry"),
    [
        (ProjectIdRequired("missing"), StatusCode.INVALID_ARGUMENT, 400, False),
        (InvalidRequest((), "EOF"), StatusCode.INVALID_ARGUMENT, 400, False),
        (InvalidPageToken(), StatusCode.INVALID_ARGUMENT, 400, False),
        (NotFound(Reason.MODEL_VERSION_NOT_FOUND), StatusCode.NOT_FOUND, 404, False),
        (AlreadyExists(Reason.SERVE_MODEL_EXISTS), StatusCode.ALREADY_EXISTS, 409, False),
        (FailedPrecondition(Reason.MODEL_NOT_ARCHIVED), StatusCode.FAILED_PRECONDITION, 400, False),
        (DeploymentBlocked([]), StatusCode.FAILED_PRECONDITION, 400, False),
        (EventLogChanged(), StatusCode.OUT_OF_RANGE, 400, False),
        (ConcurrentChange(), StatusCode.ABORTED, 409, True),
        (Stale.etag(UUID(int=7)), StatusCode.ABORTED, 412, False),
        (Overloaded(), StatusCode.RESOURCE_EXHAUSTED, 429, True),
        (Unavailable(Reason.DATABASE_UNAVAILABLE), StatusCode.UNAVAILABLE, 503, True),
        (HistoryForgotten(UUID(int=7), datetime.now(UTC)), StatusCode.OUT_OF_RANGE, 400, False),
    ],
)
def test_each_kind_of_error_has_a_code_that_rest_has_a_status_for(
    error: RegistryError, code: StatusCode, status: int, *, is_worth_a_retry: bool
) -> None:
    refusal = refusal_of(error, Call(method="m"), REQUEST)
    assert refusal.code == code
    answer = HttpBody.FromString(error_body("text", refusal.http_status))
    assert answer.content_type == f"application/json; charset=utf-8; status={status}"
    assert answer.data == b'{"error":"text"}'
    retries = [detail.retry_delay.seconds for detail in refusal.details if isinstance(detail, RetryInfo)]
    assert retries == ([1] if is_worth_a_retry else [])

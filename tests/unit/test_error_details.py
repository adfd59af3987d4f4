"""What gRPC clients are told of an error besides its code: details, and how much of it all there can be."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure

from registry_grpc.adapters.grpc.errors import code_of, details_of, message_of, trailing_metadata
from registry_grpc.domain.errors import (
    AlreadyExists,
    DeploymentBlocked,
    InvalidPageToken,
    InvalidRequest,
    Reason,
    RegistryError,
    Violation,
)

CHARACTERS = ["a", "%", "é", "日", "\U0001f916", "\0"]


def path(field: str) -> str:
    return f"deployment.{field}"


def told(error: RegistryError) -> tuple[str, list[Message], int]:
    """Message, details, and the bytes that both take in the trailers."""
    message, details = message_of(error), details_of(error, path)
    ((_, status),) = trailing_metadata(code_of(error), message, details)
    return message, details, len(quote(message, safe=" ")) + len(base64.b64encode(status))


def violations(character: str, count: int, length: int) -> list[Violation]:
    return [Violation(f"{number}{character * length}", f"{character * length}{number}") for number in range(count)]


@pytest.mark.parametrize("character", CHARACTERS)
@pytest.mark.parametrize(("count", "length"), [(1, 100_000), (30, 50), (1000, 5), (1000, 1000)])
def test_trailers_stay_below_what_clients_take(character: str, count: int, length: int) -> None:
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
    assert message.startswith(f"0{'a' * 100} {'a' * 100}0; 1a")
    assert message.endswith("… (57 violations)")
    named = [violation.field for violation in request.field_violations]
    assert named == [f"deployment.{number}{'a' * 100}" for number in range(len(named))]
    assert 5 < len(named) < 57

    message, details, _ = told(DeploymentBlocked(violations("a", 57, 100)))
    (_, failure) = details
    assert isinstance(failure, PreconditionFailure)
    assert message.endswith("… (57 violations)")
    assert 5 < len(failure.violations) < 57


def test_what_is_short_is_told_as_it_is() -> None:
    error = InvalidRequest([Violation("é" * 90, "日" * 60), Violation("b", "is 100 % wrong")])
    message, (info, request), _ = told(error)
    assert message == f"{'é' * 90} {'日' * 60}; b is 100 % wrong"
    assert info == ErrorInfo(reason="INVALID_REQUEST", domain="modelregistry")
    assert isinstance(request, BadRequest)
    assert [v.description for v in request.field_violations] == ["日" * 60, "is 100 % wrong"]


def test_a_page_token_that_is_refused_is_named() -> None:
    _, (_, request), _ = told(InvalidPageToken())
    assert isinstance(request, BadRequest)
    assert [v.field for v in request.field_violations] == ["deployment.page_token"]


def test_without_violations_there_is_no_empty_list_of_them() -> None:
    _, details, _ = told(InvalidRequest((), "text must not hold NUL characters"))
    assert [type(detail) for detail in details] == [ErrorInfo]

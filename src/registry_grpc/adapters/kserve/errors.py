"""Errors of the API server and the network, and their translation into errors of the domain.

The HTTP status, and `reason` and `details.causes` of the Status decide. Its text only decides if they do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from registry_grpc.adapters.kserve.evidence import number_of
from registry_grpc.domain.errors import ClusterReadFailed, Reason, Unavailable
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.redaction import redacted

_UNAUTHORIZED = 401
_FORBIDDEN = 403
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_DENIED = ("denied the request", "denied request")
"""The texts of webhooks and validating admission policies, which may answer any HTTP status and have no reason."""
_OF_KSERVE = "kserve-webhook-server"
"""Part of the names of KServe's own webhooks, which refuse what KServe cannot serve."""
_LONGEST_PAUSE = 6
"""The most digits of a number of seconds that is a pause."""
_QUOTA = "exceeded quota"
_TERMINATING = "NamespaceTerminating"
_UNKNOWN_FIELD = "failed to create typed patch object"
"""Server-side apply answers 500 for a field that is not in the schema, although trying again does not help."""


class Unreachable(Exception):
    """The API server did not answer: no connection, a broken connection, or a timeout."""


class NoConnection(Unreachable):
    """No connection could be made: the API server is away, and not only slow."""


class StatusError(Exception):
    """The API server answered with an error. `at` is the server's time."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str = "",
        kind: str = "",
        causes: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
        at: datetime | None = None,
    ) -> None:
        self.code = code
        self.reason = reason
        self.message = redacted(message)
        super().__init__(f"{code} {reason}: {self.message}")
        self.kind = kind
        self.causes = causes
        self.retry_after = retry_after
        self.at = at or datetime.now(UTC)

    @property
    def may_pass(self) -> bool:
        """Whether trying again soon may help. After a 401, the next token may be there already."""
        return self.code in {_UNAUTHORIZED, _TOO_MANY_REQUESTS} or (
            self.code >= _SERVER_ERROR and not self.message.startswith(_UNKNOWN_FIELD)
        )

    def has_cause(self, reason: str, field: str = "") -> bool:
        return any(cause.get("reason") == reason and field in {"", cause.get("field")} for cause in self.causes)


def status_error(
    code: int, body: Mapping[str, Any], text: str, *, retry_after: str = "", at: datetime | None = None
) -> StatusError:
    """The error of an answer. `body`: the decoded Status, or {} if it is not one; `text`: the raw body."""
    details = body.get("details") or {}
    is_number = retry_after.isdecimal() and len(retry_after) <= _LONGEST_PAUSE
    seconds = number_of(int(retry_after) if is_number else details.get("retryAfterSeconds"), None)
    return StatusError(
        code,
        body.get("message") or text.strip() or f"HTTP status {code}",
        reason=body.get("reason") or "",
        kind=details.get("kind") or "",
        causes=details.get("causes") or (),
        retry_after=None if seconds is None or len(str(seconds)) > _LONGEST_PAUSE else float(seconds),
        at=at,
    )


def terminating(namespace: str, at: datetime) -> StatusError:
    """The error of a read in a namespace that is being deleted, like those of writes."""
    causes = ({"reason": _TERMINATING},)
    message = f'namespace "{namespace}" is being deleted'
    return StatusError(_FORBIDDEN, message, reason="Forbidden", causes=causes, at=at)


@contextmanager
def reading() -> Iterator[None]:
    """Translates a failed read into Unavailable or ClusterReadFailed."""
    try:
        yield
    except Unreachable as error:
        raise Unavailable(Reason.CLUSTER_UNAVAILABLE) from error
    except StatusError as error:
        if error.may_pass:
            raise Unavailable(Reason.CLUSTER_UNAVAILABLE) from error
        raise ClusterReadFailed(str(error), namespace_is_ending=error.has_cause(_TERMINATING)) from error


@contextmanager
def writing() -> Iterator[None]:
    """Translates a failed write into ApplyRefused."""
    try:
        with _answering():
            yield
    except Unreachable as error:
        raise ApplyRefused(DeploymentReason.API_UNAVAILABLE, str(error)) from error


@contextmanager
def planning() -> Iterator[None]:
    """Translates a failed plan into ApplyRefused if the API server answered, and otherwise into Unavailable."""
    with reading(), _answering():
        yield


@contextmanager
def _answering() -> Iterator[None]:
    """Translates every error with which the API server answers into ApplyRefused."""
    try:
        yield
    except StatusError as error:
        raise ApplyRefused(refusal_of(error), error.message, error.retry_after) from error


def refusal_of(error: StatusError) -> DeploymentReason:
    """The reason why a write failed."""
    if any(text in error.message for text in _DENIED):
        return DeploymentReason.REJECTED if _OF_KSERVE in error.message else DeploymentReason.ADMISSION
    if error.may_pass:
        return DeploymentReason.API_UNAVAILABLE
    match error.code:
        case 403:
            return _forbidden(error)
        case 404 if error.kind == "namespaces":
            return DeploymentReason.NAMESPACE_NOT_FOUND
        case 404 if not error.kind:
            # The path is missing, not an object: the server does not know the kind.
            return DeploymentReason.KSERVE_NOT_INSTALLED
        case 409 if error.has_cause("FieldManagerConflict"):
            return DeploymentReason.FIELD_CONFLICT
        case 409:
            return DeploymentReason.OVERTAKEN
        case 422 if error.has_cause("FieldValueInvalid", "metadata.uid"):
            # Another object has the name now: its uid is not the one that was seen.
            return DeploymentReason.OVERTAKEN
        case _:
            return DeploymentReason.REJECTED


def _forbidden(error: StatusError) -> DeploymentReason:
    if _QUOTA in error.message:
        return DeploymentReason.QUOTA
    if error.has_cause(_TERMINATING):
        return DeploymentReason.NAMESPACE_NOT_FOUND
    return DeploymentReason.FORBIDDEN

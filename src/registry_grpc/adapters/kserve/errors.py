"""What the API server or the network answers instead of success, and what that means to the registry.

Decided by the HTTP status, `reason` and `details.causes` of the Status; by its text only where that is all there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from registry_grpc.domain.errors import ClusterReadFailed, Reason, Unavailable
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.reason import DeploymentReason

_UNAUTHORIZED = 401
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_ADMISSION = ("denied the request", "denied request")
"""Webhooks and validating admission policies: any status, no reason of their own."""
_QUOTA = "exceeded quota"
_UNKNOWN_FIELD = "failed to create typed patch object"
"""A field the schema does not know is a 500 to server-side apply, but will not pass by itself."""


class Unreachable(Exception):
    """There is no answer: no connection, a broken one, or not in time."""


class StatusError(Exception):
    """An answer other than success; `at` is the server's time."""

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
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.kind = kind
        self.causes = causes
        self.retry_after = retry_after
        self.at = at or datetime.now(UTC)

    @property
    def may_pass(self) -> bool:
        """Whether to try again soon: 401 says that a token has run out, and the next one may be there already."""
        return self.code in {_UNAUTHORIZED, _TOO_MANY_REQUESTS} or (
            self.code >= _SERVER_ERROR and not self.message.startswith(_UNKNOWN_FIELD)
        )

    def has_cause(self, reason: str, field: str = "") -> bool:
        return any(cause.get("reason") == reason and field in {"", cause.get("field")} for cause in self.causes)


def status_error(
    code: int, body: Mapping[str, Any], text: str, *, retry_after: str = "", at: datetime | None = None
) -> StatusError:
    """From an answer; `body` is its Status, empty when it is none, and `text` says it as it came."""
    details = body.get("details") or {}
    seconds = retry_after if retry_after.isdecimal() else details.get("retryAfterSeconds")
    return StatusError(
        code,
        body.get("message") or text.strip() or f"HTTP status {code}",
        reason=body.get("reason") or "",
        kind=details.get("kind") or "",
        causes=details.get("causes") or (),
        retry_after=None if seconds is None else float(seconds),
        at=at,
    )


@contextmanager
def reading() -> Iterator[None]:
    """Inside, a failure to read the cluster becomes the domain's error."""
    try:
        yield
    except Unreachable as error:
        raise Unavailable(Reason.CLUSTER_UNAVAILABLE) from error
    except StatusError as error:
        if error.may_pass:
            raise Unavailable(Reason.CLUSTER_UNAVAILABLE) from error
        raise ClusterReadFailed(str(error)) from error


@contextmanager
def writing() -> Iterator[None]:
    """Inside, a write that was not done becomes ApplyRefused."""
    try:
        yield
    except Unreachable as error:
        raise ApplyRefused(DeploymentReason.API_UNAVAILABLE, str(error)) from error
    except StatusError as error:
        raise ApplyRefused(refusal_of(error), error.message, error.retry_after) from error


def refusal_of(error: StatusError) -> DeploymentReason:
    """Why a write was not done."""
    if any(text in error.message for text in _ADMISSION):
        return DeploymentReason.REJECTED
    if error.may_pass:
        return DeploymentReason.API_UNAVAILABLE
    match error.code:
        case 403:
            return _forbidden(error)
        case 404 if error.kind == "namespaces":
            return DeploymentReason.NAMESPACE_NOT_FOUND
        case 404 if not error.kind:
            # Not an object is missing, but the path: the server does not know the kind.
            return DeploymentReason.KSERVE_NOT_INSTALLED
        case 409:
            return (
                DeploymentReason.FIELD_CONFLICT
                if error.has_cause("FieldManagerConflict")
                else DeploymentReason.OVERTAKEN
            )
        case 422 if error.has_cause("FieldValueInvalid", "metadata.uid"):
            # Another object has the name by now: its uid is not the one that was seen.
            return DeploymentReason.OVERTAKEN
        case _:
            return DeploymentReason.REJECTED


def _forbidden(error: StatusError) -> DeploymentReason:
    if _QUOTA in error.message:
        return DeploymentReason.QUOTA
    if error.has_cause("NamespaceTerminating"):
        return DeploymentReason.NAMESPACE_NOT_FOUND
    return DeploymentReason.FORBIDDEN

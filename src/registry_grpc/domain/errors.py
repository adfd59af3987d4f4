"""All errors with which a use case refuses a request. Adapters translate them; a client gets no other errors.

The texts of the contract (contract 0.8) must not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID


class Reason(StrEnum):
    """The stable reason of an error. The proto enum ErrorReason documents each one."""

    PROJECT_ID_REQUIRED = "PROJECT_ID_REQUIRED"
    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"  # noqa: S105 - no password
    REGISTERED_MODEL_NOT_FOUND = "REGISTERED_MODEL_NOT_FOUND"
    MODEL_VERSION_NOT_FOUND = "MODEL_VERSION_NOT_FOUND"
    SERVING_ENVIRONMENT_NOT_FOUND = "SERVING_ENVIRONMENT_NOT_FOUND"
    INFERENCE_SERVICE_NOT_FOUND = "INFERENCE_SERVICE_NOT_FOUND"
    SERVE_MODEL_NOT_FOUND = "SERVE_MODEL_NOT_FOUND"
    DEPLOYMENT_NOT_FOUND = "DEPLOYMENT_NOT_FOUND"
    REVISION_NOT_FOUND = "REVISION_NOT_FOUND"
    REGISTERED_MODEL_NAME_TAKEN = "REGISTERED_MODEL_NAME_TAKEN"
    MODEL_VERSION_NAME_TAKEN = "MODEL_VERSION_NAME_TAKEN"
    SERVING_ENVIRONMENT_NAME_TAKEN = "SERVING_ENVIRONMENT_NAME_TAKEN"
    INFERENCE_SERVICE_NAME_TAKEN = "INFERENCE_SERVICE_NAME_TAKEN"
    EXTERNAL_ID_TAKEN = "EXTERNAL_ID_TAKEN"
    MODEL_ARTIFACT_ATTACHED = "MODEL_ARTIFACT_ATTACHED"
    ARTIFACT_NOT_FOUND = "ARTIFACT_NOT_FOUND"
    ARTIFACT_NAME_TAKEN = "ARTIFACT_NAME_TAKEN"
    SERVE_MODEL_EXISTS = "SERVE_MODEL_EXISTS"
    MODEL_NOT_ARCHIVED = "MODEL_NOT_ARCHIVED"
    MODEL_HAS_ACTIVE_DEPLOYMENTS = "MODEL_HAS_ACTIVE_DEPLOYMENTS"
    ENVIRONMENT_HAS_INFERENCE_SERVICES = "ENVIRONMENT_HAS_INFERENCE_SERVICES"
    INFERENCE_SERVICE_DEPLOYED = "INFERENCE_SERVICE_DEPLOYED"
    MODEL_ALIAS_NOT_FOUND = "MODEL_ALIAS_NOT_FOUND"
    MODEL_ALIAS_PROTECTED = "MODEL_ALIAS_PROTECTED"
    MODEL_ALIAS_MOVED = "MODEL_ALIAS_MOVED"
    MODEL_VERSION_IN_USE = "MODEL_VERSION_IN_USE"
    MODEL_VERSION_DELETED = "MODEL_VERSION_DELETED"
    MODEL_VERSION_NOT_READY = "MODEL_VERSION_NOT_READY"
    MODEL_VERSION_DEPLOYED = "MODEL_VERSION_DEPLOYED"
    DEPLOYED_VERSION_FIXED = "DEPLOYED_VERSION_FIXED"
    REGISTERED_MODEL_ARCHIVED = "REGISTERED_MODEL_ARCHIVED"
    MODEL_VERSION_ARCHIVED = "MODEL_VERSION_ARCHIVED"
    KEYS_UNREADABLE = "KEYS_UNREADABLE"
    DEPLOYMENT_BLOCKED = "DEPLOYMENT_BLOCKED"
    NO_CANARY = "NO_CANARY"
    CANARY_NOT_POSSIBLE = "CANARY_NOT_POSSIBLE"
    CANARY_UNDER_WAY = "CANARY_UNDER_WAY"
    CLUSTER_DISABLED = "CLUSTER_DISABLED"
    CONCURRENT_CHANGE = "CONCURRENT_CHANGE"
    OVERLOADED = "OVERLOADED"
    FILTER_TOO_EXPENSIVE = "FILTER_TOO_EXPENSIVE"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    DATABASE_READ_ONLY = "DATABASE_READ_ONLY"
    CLUSTER_UNAVAILABLE = "CLUSTER_UNAVAILABLE"
    CLUSTER_READ_FAILED = "CLUSTER_READ_FAILED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    EVENT_LOG_CHANGED = "EVENT_LOG_CHANGED"
    HISTORY_FORGOTTEN = "HISTORY_FORGOTTEN"
    ETAG_MISMATCH = "ETAG_MISMATCH"
    REVISION_MISMATCH = "REVISION_MISMATCH"
    WEBHOOK_NOT_FOUND = "WEBHOOK_NOT_FOUND"
    EVENT_NOT_FOUND = "EVENT_NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    PROJECT_NOT_FOUND = "PROJECT_NOT_FOUND"
    PROJECT_EXISTS = "PROJECT_EXISTS"
    NAMESPACE_NOT_ALLOWED = "NAMESPACE_NOT_ALLOWED"
    URI_NOT_ALLOWED = "URI_NOT_ALLOWED"
    RUNTIME_NOT_ALLOWED = "RUNTIME_NOT_ALLOWED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    ISSUER_UNAVAILABLE = "ISSUER_UNAVAILABLE"
    MEMBER_NOT_FOUND = "MEMBER_NOT_FOUND"
    API_TOKEN_NOT_FOUND = "API_TOKEN_NOT_FOUND"  # noqa: S105 - no password
    API_TOKEN_NAME_TAKEN = "API_TOKEN_NAME_TAKEN"  # noqa: S105 - no password
    TOO_MANY_WEBHOOKS = "TOO_MANY_WEBHOOKS"


_TEXTS: Mapping[Reason, str] = {
    Reason.PROJECT_ID_REQUIRED: "project ID is required (Project-ID header)",
    Reason.INVALID_PAGE_TOKEN: "invalid page_token: it belongs to another list, order or filter",
    Reason.REGISTERED_MODEL_NOT_FOUND: "registered model not found",
    Reason.MODEL_VERSION_NOT_FOUND: "model version not found",
    Reason.SERVING_ENVIRONMENT_NOT_FOUND: "serving environment not found",
    Reason.INFERENCE_SERVICE_NOT_FOUND: "inference service not found",
    Reason.SERVE_MODEL_NOT_FOUND: "serve model not found",
    Reason.DEPLOYMENT_NOT_FOUND: "deployment not found",
    Reason.REVISION_NOT_FOUND: "deployment revision not found",
    Reason.REGISTERED_MODEL_NAME_TAKEN: "model with this name already exists in the project",
    Reason.MODEL_VERSION_NAME_TAKEN: "version with this name already exists for this model",
    Reason.SERVING_ENVIRONMENT_NAME_TAKEN: "serving environment with this name already exists in the project",
    Reason.INFERENCE_SERVICE_NAME_TAKEN: "inference service with this name already exists",
    Reason.EXTERNAL_ID_TAKEN: "another object of this kind in the project has this external_id",
    Reason.MODEL_ARTIFACT_ATTACHED: "the version has a model artifact already: update the version, or add another one",
    Reason.ARTIFACT_NOT_FOUND: "artifact not found",
    Reason.ARTIFACT_NAME_TAKEN: "an artifact of the version, or one that stands alone, has this name",
    Reason.SERVE_MODEL_EXISTS: "serve model already exists for this inference service and version",
    Reason.MODEL_NOT_ARCHIVED: "cannot delete model: must be archived with no READY versions",
    Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS: "model has active deployments",
    Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES: "serving environment has active inference services",
    Reason.INFERENCE_SERVICE_DEPLOYED: "cannot delete deployed inference service",
    Reason.MODEL_ALIAS_NOT_FOUND: "model alias not found",
    Reason.MODEL_ALIAS_PROTECTED: "the alias is protected",
    Reason.MODEL_ALIAS_MOVED: "the alias does not name the expected version: read it again",
    Reason.MODEL_VERSION_IN_USE: "the model version is in use",
    Reason.MODEL_VERSION_DELETED: "the revision's version was deleted: restore it, or deploy another one",
    Reason.MODEL_VERSION_NOT_READY: "model version is not ready for deployment",
    Reason.MODEL_VERSION_DEPLOYED: "a version that was deployed keeps its uri, framework and container image: "
    "add a version instead",
    Reason.DEPLOYED_VERSION_FIXED: "model_version_id cannot be changed while the service is deployed: use "
    "UpdateDeployment to serve another version",
    Reason.REGISTERED_MODEL_ARCHIVED: "registered model is archived",
    Reason.MODEL_VERSION_ARCHIVED: "model version is archived",
    Reason.KEYS_UNREADABLE: "the keys of the version cannot be decrypted: copy it without them, or set them again",
    Reason.NO_CANARY: "no revision is tried beside another one: it was promoted or aborted already",
    Reason.CANARY_NOT_POSSIBLE: "no revision serves beside which another one could be tried",
    Reason.CANARY_UNDER_WAY: "another revision is tried: promote it or abort it first",
    Reason.CLUSTER_DISABLED: "deploying to Kubernetes is switched off in this installation",
    Reason.WEBHOOK_NOT_FOUND: "webhook not found",
    Reason.PROJECT_NOT_FOUND: "project not found",
    Reason.PROJECT_EXISTS: "a project with this id or name exists already",
    Reason.ISSUER_UNAVAILABLE: "the issuer of the token does not answer, so the token cannot be verified; try again",
    Reason.MEMBER_NOT_FOUND: "member not found",
    Reason.API_TOKEN_NOT_FOUND: "API token not found",
    Reason.API_TOKEN_NAME_TAKEN: "a token of the project has this name: revoke it first, or choose another name",
    Reason.EVENT_NOT_FOUND: "the event log does not have this event, or no longer",
    Reason.CONCURRENT_CHANGE: "another request changed the same rows; try again",
    Reason.OVERLOADED: "too many requests at once; try again in a second",
    Reason.FILTER_TOO_EXPENSIVE: "the filter reads too many objects: add an equality of a field with an index, such as "
    'labels.team = "x" (docs/filters.md has them), or a narrower range of created_at',
    Reason.DATABASE_UNAVAILABLE: "the database is unavailable; try again",
    Reason.DATABASE_READ_ONLY: "the database is read-only (a standby, or set to read only): writes must wait",
    Reason.CLUSTER_UNAVAILABLE: "the Kubernetes API is unavailable; try again",
    # The contract has one text for every failed read of the cluster (contract 2.4).
    Reason.CLUSTER_READ_FAILED: "internal server error",
    Reason.SHUTTING_DOWN: "the server is shutting down; continue with another server",
    Reason.EVENT_LOG_CHANGED: "the event log no longer has the event to continue after: the database was restored or "
    "failed over, or the event was too old to keep; read what you watch again, then watch it from its newest event, "
    "without resume_token and after_sequence",
    Reason.ETAG_MISMATCH: "it was changed since its etag was read: read it again, and make the change anew",
    Reason.REVISION_MISMATCH: "the deployment was changed since its revision was read: read it again",
}


class RegistryError(Exception):
    """An error with a stable reason, a text for people, and metadata with the values in the text.

    `detail` says what was found and what is needed. It comes after the text, except in REST answers, whose texts the
    contract fixes.
    """

    def __init__(self, reason: Reason, message: str | None = None, *, detail: str = "", **metadata: str) -> None:
        self.reason = reason
        self.message = message or _TEXTS[reason]
        self.detail = detail
        self.metadata = metadata
        super().__init__(self.message)

    def within(self, step: str) -> Self:
        """Add the step of a longer use case that failed: `get model: registered model not found` (contract 2.4)."""
        self.message = f"{step}: {self.message}"
        self.metadata["step"] = step
        self.args = (self.message,)
        return self

    @property
    def full_message(self) -> str:
        """The text with its detail."""
        return f"{self.message}: {self.detail}" if self.detail else self.message


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of a request, named as in JSON, and the rule that it breaks, with its limit if it has one."""

    field: str
    description: str
    limit: int | None = None


class InvalidRequest(RegistryError):
    """The request is invalid, independent of what is stored."""

    def __init__(self, violations: Iterable[Violation], message: str | None = None) -> None:
        self.violations = tuple(dict.fromkeys(violations))
        self.has_contract_text = message is not None
        text = message or "; ".join(f"{v.field} {v.description}" for v in self.violations)
        super().__init__(Reason.INVALID_REQUEST, text)

    @classmethod
    def of_all(cls, errors: Sequence[InvalidRequest]) -> InvalidRequest:
        """One error with all violations. If one of them has a text of the contract, it is the text (decision 3)."""
        text = next((error.message for error in errors if error.has_contract_text), None)
        return cls((violation for error in errors for violation in error.violations), text)


class RequestIdReused(InvalidRequest):
    """The id of a request was used for another one before."""

    def __init__(self) -> None:
        super().__init__(
            [Violation("request_id", "(REST: Idempotency-Key) was used for another request: use a new one per request")]
        )


class ProjectIdRequired(RegistryError):
    """The id of the tenant is missing or invalid."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.PROJECT_ID_REQUIRED, detail=detail)


class Unauthenticated(RegistryError):
    """It is not proven who calls. `why` says what is wrong with the token, and nothing of the token itself."""

    def __init__(self, why: str) -> None:
        super().__init__(Reason.UNAUTHENTICATED, f"unauthenticated: {why}")


class PermissionDenied(RegistryError):
    """The caller lacks a role in the project. Nobody has a role in a project that does not exist."""

    def __init__(self, needed: str, found: str) -> None:
        has = found or "none, or no operator has created the project"
        text = f"permission denied: the caller needs the role {needed} in the project, and has {has}"
        super().__init__(Reason.PERMISSION_DENIED, text, needed_role=needed, role=found)


class NotAllowed(RegistryError):
    """The project may not have this value."""

    def __init__(self, reason: Reason, field: str, value: str, allowed: Iterable[str]) -> None:
        listed = ", ".join(allowed) or "none"
        text = f'{field} "{value}" is not allowed in this project, whose operator allows: {listed}'
        super().__init__(reason, text, field=field, value=value, allowed=listed)


class QuotaExceeded(RegistryError):
    """The project has no room for more."""

    def __init__(self, kind: str, *, limit: int, used: int) -> None:
        text = f"the project has {used} of at most {limit} {kind}: delete some, or ask its operator for more"
        super().__init__(Reason.QUOTA_EXCEEDED, text, quota=kind, limit=str(limit), used=str(used))


class InvalidPageToken(RegistryError):
    """The page token does not belong to this list."""

    def __init__(self) -> None:
        super().__init__(Reason.INVALID_PAGE_TOKEN)


class NotFound(RegistryError):
    """The object does not exist in the project."""

    @classmethod
    def of(cls, reason: Reason, id_: UUID | None = None) -> Self:
        return cls(reason, **({"id": str(id_)} if id_ else {}))


class AlreadyExists(RegistryError):
    """A unique name, external id or pair is taken."""

    @classmethod
    def held(cls, reason: Reason, id: UUID, name: str = "") -> Self:
        """`id` and `name` are those of the object that has it. A serve model has no name."""
        detail = f'"{name}" has the id {id}' if name else f"it has the id {id}"
        return cls(reason, detail=detail, id=str(id), **({"name": name} if name else {}))


MOST_USERS = 10
"""How many users of an object a refusal names."""


class User(NamedTuple):
    """An object that refers to another one, which therefore cannot be deleted: INFERENCE_SERVICE, SERVE_MODEL (with the
    name of its service), TRAFFIC_VARIANT or ALIAS."""

    kind: str
    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower().replace('_', ' ')} {self.name}"


class Users(NamedTuple):
    """The first users of an object by kind and name, and how many there are."""

    first: tuple[User, ...]
    total: int

    def __str__(self) -> str:
        more = self.total - len(self.first)
        return f"{', '.join(map(str, self.first))}{f' and {more} more' if more else ''}"


class FailedPrecondition(RegistryError):
    """The stored state forbids the request. `users` are in the way of a deletion."""

    def __init__(
        self,
        reason: Reason,
        message: str | None = None,
        *,
        detail: str = "",
        users: Users | None = None,
        **metadata: str,
    ) -> None:
        self.users = users
        if users:
            detail = f"used by {users}"
            if any(user.kind == "INFERENCE_SERVICE" for user in users.first):
                detail += "; an inference service counts until it is deleted, even if it is undeployed"
            metadata = metadata | {"users": str(users.total), "used_by": str(users)}
        super().__init__(reason, message, detail=detail, **metadata)


class DeploymentBlocked(FailedPrecondition):
    """The deployment would certainly fail, or is no longer allowed."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(
            Reason.DEPLOYMENT_BLOCKED,
            "; ".join(v.description for v in self.violations) or "deployment is blocked",
        )


class EventLogChanged(RegistryError):
    """The event log cannot be continued where its reader stopped."""

    def __init__(self) -> None:
        super().__init__(Reason.EVENT_LOG_CHANGED)


class HistoryForgotten(RegistryError):
    """The history of that time was deleted."""

    def __init__(self, id: UUID, known_from: datetime) -> None:
        since = known_from.isoformat()
        text = f"the history before {since} is no longer kept: ask about a later time"
        super().__init__(Reason.HISTORY_FORGOTTEN, text, id=str(id), known_from=since)


class AliasMoved(RegistryError):
    """The alias does not name the version that the caller expects, but another one or none."""

    def __init__(self, name: str, model_version_id: UUID | None) -> None:
        detail = f'"{name}" names {f"version {model_version_id}" if model_version_id else "no version"}'
        metadata = {"model_version_id": str(model_version_id)} if model_version_id else {}
        super().__init__(Reason.MODEL_ALIAS_MOVED, detail=detail, name=name, **metadata)


class ConcurrentChange(RegistryError):
    """A concurrent transaction made the request fail. It can be repeated."""

    def __init__(self) -> None:
        super().__init__(Reason.CONCURRENT_CHANGE)


class Stale(RegistryError):
    """The object is not as its caller has read it. To repeat the request makes no sense before it is read again."""

    @classmethod
    def etag(cls, id: UUID) -> Self:
        return cls(Reason.ETAG_MISMATCH, id=str(id))

    @classmethod
    def revision(cls, id: UUID, present: int | None) -> Self:
        """`present`: the target revision; None if there is no deployment."""
        return cls(Reason.REVISION_MISMATCH, id=str(id), revision=str(present or "none"))


class Overloaded(RegistryError):
    """Too many requests are waiting already."""

    def __init__(self) -> None:
        super().__init__(Reason.OVERLOADED)


class LimitReached(RegistryError):
    """The project has as many objects of the kind as it may have."""

    def __init__(self, reason: Reason, limit: int, objects: str) -> None:
        text = f"the project has {limit} {objects}, which is the limit: delete one that is no longer needed"
        super().__init__(reason, text, limit=str(limit))


class FilterTooExpensive(RegistryError):
    """A list with this filter would take longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            Reason.FILTER_TOO_EXPENSIVE, detail=f"it was ended after {seconds:g} s", seconds=f"{seconds:g}"
        )


class Unavailable(RegistryError):
    """A part that the service needs does not answer."""


class ClusterReadFailed(RegistryError):
    """The cluster refused a read. Only the log gets `cause`."""

    def __init__(self, cause: str, *, namespace_is_ending: bool = False) -> None:
        super().__init__(Reason.CLUSTER_READ_FAILED)
        self.cause = cause
        self.namespace_is_ending = namespace_is_ending

"""All errors with which a use case refuses a request. Adapters translate them; a client gets no other errors.

The texts of the contract (contract 0.8) must not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
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
    SERVE_MODEL_EXISTS = "SERVE_MODEL_EXISTS"
    MODEL_NOT_ARCHIVED = "MODEL_NOT_ARCHIVED"
    MODEL_HAS_ACTIVE_DEPLOYMENTS = "MODEL_HAS_ACTIVE_DEPLOYMENTS"
    ENVIRONMENT_HAS_INFERENCE_SERVICES = "ENVIRONMENT_HAS_INFERENCE_SERVICES"
    INFERENCE_SERVICE_DEPLOYED = "INFERENCE_SERVICE_DEPLOYED"
    MODEL_VERSION_NOT_READY = "MODEL_VERSION_NOT_READY"
    MODEL_VERSION_DEPLOYED = "MODEL_VERSION_DEPLOYED"
    DEPLOYED_VERSION_FIXED = "DEPLOYED_VERSION_FIXED"
    REGISTERED_MODEL_ARCHIVED = "REGISTERED_MODEL_ARCHIVED"
    MODEL_VERSION_ARCHIVED = "MODEL_VERSION_ARCHIVED"
    DEPLOYMENT_BLOCKED = "DEPLOYMENT_BLOCKED"
    NO_CANARY = "NO_CANARY"
    CANARY_NOT_POSSIBLE = "CANARY_NOT_POSSIBLE"
    CANARY_UNDER_WAY = "CANARY_UNDER_WAY"
    CLUSTER_DISABLED = "CLUSTER_DISABLED"
    CONCURRENT_CHANGE = "CONCURRENT_CHANGE"
    OVERLOADED = "OVERLOADED"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    DATABASE_READ_ONLY = "DATABASE_READ_ONLY"
    CLUSTER_UNAVAILABLE = "CLUSTER_UNAVAILABLE"
    CLUSTER_READ_FAILED = "CLUSTER_READ_FAILED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    EVENT_LOG_CHANGED = "EVENT_LOG_CHANGED"
    HISTORY_FORGOTTEN = "HISTORY_FORGOTTEN"


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
    Reason.SERVE_MODEL_EXISTS: "serve model already exists for this inference service and version",
    Reason.MODEL_NOT_ARCHIVED: "cannot delete model: must be archived with no READY versions",
    Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS: "model has active deployments",
    Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES: "serving environment has active inference services",
    Reason.INFERENCE_SERVICE_DEPLOYED: "cannot delete deployed inference service",
    Reason.MODEL_VERSION_NOT_READY: "model version is not ready for deployment",
    Reason.MODEL_VERSION_DEPLOYED: "a version that was deployed keeps its uri, framework and container image: "
    "add a version instead",
    Reason.DEPLOYED_VERSION_FIXED: "model_version_id cannot be changed while the service is deployed: use "
    "UpdateDeployment to serve another version",
    Reason.REGISTERED_MODEL_ARCHIVED: "registered model is archived",
    Reason.MODEL_VERSION_ARCHIVED: "model version is archived",
    Reason.NO_CANARY: "no revision is tried beside another one: it was promoted or aborted already",
    Reason.CANARY_NOT_POSSIBLE: "no revision serves beside which another one could be tried",
    Reason.CANARY_UNDER_WAY: "another revision is tried: promote it or abort it first",
    Reason.CLUSTER_DISABLED: "deploying to Kubernetes is switched off in this installation",
    Reason.CONCURRENT_CHANGE: "another request changed the same rows; try again",
    Reason.OVERLOADED: "too many requests at once; try again in a second",
    Reason.DATABASE_UNAVAILABLE: "the database is unavailable; try again",
    Reason.DATABASE_READ_ONLY: "the database is read-only (a standby, or set to read only): writes must wait",
    Reason.CLUSTER_UNAVAILABLE: "the Kubernetes API is unavailable; try again",
    # The contract has one text for every failed read of the cluster (contract 2.4).
    Reason.CLUSTER_READ_FAILED: "internal server error",
    Reason.SHUTTING_DOWN: "the server is shutting down; continue with another server",
    Reason.EVENT_LOG_CHANGED: "the event log no longer has the event to continue after: the database was restored or "
    "failed over, or the event was too old to keep; read the deployment again, then watch it from its newest event, "
    "without resume_token and after_sequence",
}


class RegistryError(Exception):
    """An error with a stable reason, a text for people, and metadata with the values in the text."""

    def __init__(self, reason: Reason, message: str | None = None, **metadata: str) -> None:
        self.reason = reason
        self.message = message or _TEXTS[reason]
        self.metadata = metadata
        super().__init__(self.message)

    def within(self, step: str) -> Self:
        """Add the step of a longer use case that failed: `get model: registered model not found` (contract 2.4)."""
        self.message = f"{step}: {self.message}"
        self.args = (self.message,)
        return self


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of a request, named as in JSON, and the rule that it breaks."""

    field: str
    description: str


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


class ProjectIdRequired(RegistryError):
    """The id of the tenant is missing or invalid."""

    def __init__(self) -> None:
        super().__init__(Reason.PROJECT_ID_REQUIRED)


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
    """A unique name or pair is taken."""


class FailedPrecondition(RegistryError):
    """The stored state forbids the request."""


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


class ConcurrentChange(RegistryError):
    """A concurrent transaction made the request fail. It can be repeated."""

    def __init__(self) -> None:
        super().__init__(Reason.CONCURRENT_CHANGE)


class Overloaded(RegistryError):
    """Too many requests are waiting already."""

    def __init__(self) -> None:
        super().__init__(Reason.OVERLOADED)


class Unavailable(RegistryError):
    """A part that the service needs does not answer."""


class ClusterReadFailed(RegistryError):
    """The cluster refused a read. Only the log gets `cause`."""

    def __init__(self, cause: str, *, namespace_is_ending: bool = False) -> None:
        super().__init__(Reason.CLUSTER_READ_FAILED)
        self.cause = cause
        self.namespace_is_ending = namespace_is_ending

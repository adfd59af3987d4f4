"""What can go wrong. `RegistryError` and its kinds are answers of the registry, or that there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from grpc_status import rpc_status

_DOMAIN: Final = "modelregistry"


class Error(Exception):
    """The base of all errors of this package."""


class ConfigError(Error, ValueError):
    """An argument, a variable or the file of contexts is wrong."""


@dataclass(frozen=True)
class Problem:
    """A field that is wrong, or something that is in the way."""

    subject: str
    """The path of the field, such as `registered_model.name`, or the id of the object that is in the way."""
    text: str
    kind: str = ""
    """The kind of the object, such as ALIAS, or the code of the finding; empty for fields."""


class RegistryError(Error):
    """An answer other than OK. Decide by the class or `reason`; texts may change."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        problems: Iterable[Problem] = (),
        metadata: Mapping[str, str] | None = None,
        hint: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        """The stable reason, such as REGISTERED_MODEL_NAME_TAKEN; empty if the error is not the registry's own."""
        self.problems = tuple(problems)
        self.metadata = dict(metadata or {})
        """What the reason is about, such as `id` and `name` of the object that has the name."""
        self.hint = hint
        """What to do about it; may be empty."""
        self.request_id = request_id
        """The id by which the registry's log has the call."""
        self.retry_after = retry_after
        """After how many seconds the registry asks to try again; None if it does not say."""

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with each field of the request, by its path."""
        return {each.subject: each.text for each in self.problems if not each.kind}

    def __str__(self) -> str:
        lines = [f"{self.reason or self.code.name}: {self.message}"]
        if len(self.problems) != 1 or self.problems[0].subject not in self.message:  # else the message says the same
            lines += [f"  {each.subject}: {each.text}" for each in self.problems]
        lines += [f"What to do: {self.hint}"] if self.hint else []
        lines += [f"Request id: {self.request_id}"] if self.request_id else []
        return "\n".join(lines)


class InvalidArgument(RegistryError):
    """The request is wrong: `fields` tells which fields."""


class NotFound(RegistryError):
    """The project has no such object."""


class AlreadyExists(RegistryError):
    """The name or external id is taken: `metadata` has the `id` and `name` of the object that has it."""


class FailedPrecondition(RegistryError):
    """The state of an object does not allow it: `problems` tells what is in the way."""


class Aborted(RegistryError):
    """Somebody else has written the object meanwhile: read it again."""


class OutOfRange(RegistryError):
    """That part of the history is no longer kept."""


class ResourceExhausted(RegistryError):
    """There are too many requests at once, or the project keeps as much as it may (QUOTA_EXCEEDED)."""


class Unavailable(RegistryError):
    """The registry, its database or its cluster does not answer."""


class DeadlineExceeded(RegistryError):
    """The call took longer than its timeout."""


class Unauthenticated(RegistryError):
    """No token was sent, or it is not valid for this registry."""


class PermissionDenied(RegistryError):
    """The caller's role in the project is too low."""


class Unimplemented(RegistryError):
    """The registry does not know the call. It may be an older release, or the url that of another service."""


class Internal(RegistryError):
    """A fault of the registry. Its log has the cause under `request_id`."""


class _WaitEnded(Error):
    """A deployment that was waited for is not as it should be."""

    def __init__(self, summary: str, next_step: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        """What happened."""
        self.next_step = next_step
        """What to do about it; may be empty."""

    def __str__(self) -> str:
        return f"{self.summary}\nWhat to do: {self.next_step}" if self.next_step else self.summary


class DeploymentFailed(_WaitEnded):
    """A deployment that was waited for has failed."""

    def __init__(self, name: str, phase: str, reason: str, message: str, next_step: str) -> None:
        super().__init__(": ".join(filter(None, [f"The deployment {name} is {phase}", reason, message])), next_step)
        self.name, self.phase = name, phase
        self.reason = reason
        """Such as MODEL_LOAD; docs/reasons.md explains them."""
        self.message = message
        """What the cluster says, down to the log of the container."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, such as that of a pool."""
        return type(self), (self.name, self.phase, self.reason, self.message, self.next_step)


class WaitTimeout(_WaitEnded, TimeoutError):
    """A deployment was not ready in time. It goes on nevertheless."""


# They are called like their codes.
_CLASSES: Final = {kind.__name__.upper(): kind for kind in RegistryError.__subclasses__()}

_HINTS: Final = {
    "PROJECT_ID_REQUIRED": "Name the project by its UUID: Client(project=…), REGISTRY_PROJECT, or a context with one.",
    "UNAUTHENTICATED": "Give a valid token: Client(token=…), REGISTRY_TOKEN, or a context with one.",
    "REGISTERED_MODEL_NAME_TAKEN": "Use client.models.get(name) for the model that exists, or choose another name.",
    "MODEL_VERSION_NAME_TAKEN": "Use model.versions.get(name) for the version that exists, or choose another name.",
    "SERVING_ENVIRONMENT_NAME_TAKEN": "Use client.environments.get(name) for the environment that exists.",
    "INFERENCE_SERVICE_NAME_TAKEN": "Pass or_update=True to update one of the same model, or choose another `name`.",
    "MODEL_NOT_ARCHIVED": "Archive the model first: model.archive().",
    "MODEL_VERSION_NOT_READY": 'Set its status first: version.update(status="READY").',
    "MODEL_VERSION_IN_USE": "Undeploy what serves it, then deployment.delete(); force=True also deletes aliases.",
    "MODEL_HAS_ACTIVE_DEPLOYMENTS": "Delete the deployments of the model: deployment.undeploy(), then delete().",
    "ENVIRONMENT_HAS_INFERENCE_SERVICES": "Delete what is deployed there: deployment.undeploy(), then delete().",
    "INFERENCE_SERVICE_DEPLOYED": "Undeploy it first: deployment.undeploy().",
    "REGISTERED_MODEL_ARCHIVED": "Restore the model first: model.restore().",
    "MODEL_VERSION_ARCHIVED": "Restore the version first: version.restore().",
    "MODEL_VERSION_DEPLOYED": "Create another version with these files instead.",
    "MODEL_ALIAS_PROTECTED": "Pass force=True if it shall be moved or deleted nevertheless.",
    "MODEL_ALIAS_MOVED": "Read the alias again, and decide anew.",
    "ETAG_MISMATCH": "Read the object again with refresh(), and make the change anew.",
    "REVISION_NOT_FOUND": "See history(). Without a number, a revision must have served before the target revision.",
    "REVISION_MISMATCH": "Read the deployment again with refresh(), and decide anew.",
    "PERMISSION_DENIED": "Ask an admin of the project for the role.",
    "FILTER_TOO_EXPENSIVE": "Add an equality of a field with an index, or a narrower range of created_at.",
}


def no_such_name(kind: str, name: str, project: str) -> str:
    """The hint for a name with a typo, or a wrong project."""
    return f"The project {project} has no {kind} {name!r}. client.{kind}s.list() has those that exist."


def from_call(error: grpc.RpcError, url: str, request_id: str) -> RegistryError:
    """The error of a gRPC call, with the details that the registry sent."""
    call: Any = error  # a grpc.Call as well
    code: grpc.StatusCode = call.code()
    status = _status(call)
    if status is None:
        failure = _of_network(code, call.details() or "", url, request_id)
        failure.__cause__ = error
        return failure
    info, problems, retry_after = ErrorInfo(), [], None
    for detail in status.details:
        bad, failure, retry = BadRequest(), PreconditionFailure(), RetryInfo()
        if detail.Unpack(bad):
            problems += [Problem(each.field, each.description) for each in bad.field_violations]
        elif detail.Unpack(failure):
            problems += [Problem(each.subject, each.description, each.type) for each in failure.violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
        else:
            detail.Unpack(info)
    return _class_of(code)(
        status.message,
        code=code,
        reason=info.reason if info.domain == _DOMAIN else "",
        problems=problems,
        metadata=info.metadata,
        hint=_HINTS.get(info.reason, ""),
        request_id=request_id,
        retry_after=retry_after,
    )


def _class_of(code: grpc.StatusCode) -> type[RegistryError]:
    return _CLASSES.get(code.name.replace("_", ""), RegistryError)


def _status(call: Any) -> Any:
    try:
        return rpc_status.from_call(call)
    except ValueError:  # the details contradict the status, so they are not of this call
        return None


def _of_network(code: grpc.StatusCode, details: str, url: str, request_id: str) -> RegistryError:
    """An error without details: it is of the gateway, of another program, or of the network, of which gRPC speaks in
    terms of its own."""
    message, hint = details, ""
    if code is grpc.StatusCode.UNAVAILABLE:
        message = f"The registry at {url} does not answer, or the connection to it broke."
        hint = "If it restarts, try again in a moment; otherwise check that it runs, and that the url is right."
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        message, hint = f"{url} did not answer in time.", "Give a longer timeout, or check that the url is right."
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        hint = f"Check that {url} is a registry, and not older than this client."
    return _class_of(code)(message, code=code, hint=hint, request_id=request_id)

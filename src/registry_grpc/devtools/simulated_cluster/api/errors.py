"""The errors of the Kubernetes API: an HTTP status and a `Status` body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.resources import Resource


class ApiError(Exception):
    """An error with the text of a kube-apiserver."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The `Status` object of the answer."""
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        details = {} if self.details is None else {"details": self.details}
        return {**status, "message": self.message, "reason": self.reason, "code": self.code, **details}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def denied_by_webhook(webhook: str, text: str) -> ApiError:
    return ApiError(403, "Forbidden", f'admission webhook "{webhook}" denied the request: {text}')


def forbidden(resource: Resource, name: str, text: str) -> ApiError:
    named = f'{resource.qualified} "{name}"' if name else resource.qualified
    return _about(resource, name, 403, "Forbidden", f"{named} is forbidden: {text}")


def not_found(resource: Resource, name: str) -> ApiError:
    return _about(resource, name, 404, "NotFound", f'{resource.qualified} "{name}" not found')


def already_exists(resource: Resource, name: str) -> ApiError:
    return _about(resource, name, 409, "AlreadyExists", f'{resource.qualified} "{name}" already exists')


def conflict(resource: Resource, name: str, text: str) -> ApiError:
    """A precondition failed: the resourceVersion is outdated, or the uid is different."""
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {text}'
    return _about(resource, name, 409, "Conflict", message)


def _about(resource: Resource, name: str, code: int, reason: str, message: str) -> ApiError:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return ApiError(code, reason, message, details=details)


def cause(reason: str, message: str, field: str) -> dict[str, str]:
    """One entry of `details.causes`."""
    return {"reason": reason, "message": message, "field": field}


def invalid(resource: Resource, name: str, causes: Sequence[dict[str, str]]) -> ApiError:
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    texts = [f"{item['field']}: {item['message']}" for item in causes]
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {"name": name, "group": resource.group, "kind": resource.kind, "causes": list(causes)}
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', details=details)

"""The errors of the Kubernetes API: an HTTP status and a `Status` body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ApiError(Exception):
    """An answer other than success, as a kube-apiserver words it."""

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
        """The `Status` object that goes over the wire."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details is not None:
            status["details"] = self.details
        return status


def cause(reason: str, message: str, field: str) -> dict[str, str]:
    """One entry of `details.causes`."""
    return {"reason": reason, "message": message, "field": field}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def forbidden(group: str, plural: str, name: str, text: str) -> ApiError:
    resource = f"{plural}.{group}" if group else plural
    named = f'{resource} "{name}"' if name else resource
    details = {"name": name, "group": group, "kind": plural}
    return ApiError(403, "Forbidden", f"{named} is forbidden: {text}", details=details)


def not_found(group: str, plural: str, name: str) -> ApiError:
    resource = f"{plural}.{group}" if group else plural
    details = {"name": name, "group": group, "kind": plural}
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', details=details)


def already_exists(group: str, plural: str, name: str) -> ApiError:
    resource = f"{plural}.{group}" if group else plural
    details = {"name": name, "group": group, "kind": plural}
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', details=details)


def conflict(group: str, plural: str, name: str, text: str) -> ApiError:
    """A precondition did not hold: a stale resourceVersion or another uid."""
    resource = f"{plural}.{group}" if group else plural
    details = {"name": name, "group": group, "kind": plural}
    message = f'Operation cannot be fulfilled on {resource} "{name}": {text}'
    return ApiError(409, "Conflict", message, details=details)


def invalid(group: str, kind: str, name: str, causes: Sequence[dict[str, str]]) -> ApiError:
    qualified = f"{kind}.{group}" if group else kind
    texts = [f"{item['field']}: {item['message']}" for item in causes]
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {"name": name, "group": group, "kind": kind, "causes": list(causes)}
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {text}', details=details)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unsupported_media_type(message: str) -> ApiError:
    return ApiError(415, "UnsupportedMediaType", message)


def denied_by_webhook(webhook: str, text: str) -> ApiError:
    message = f'admission webhook "{webhook}" denied the request: {text}'
    return ApiError(403, "Forbidden", message)


OBJECT_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"

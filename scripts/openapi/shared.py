"""What routes have in common: the introduction, headers, and errors."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]

INTRODUCTION = """\
The REST API of registry-grpc. Everything that it can do, and more, is possible by gRPC too.

Every request names its project in the header `Project-ID`. For the caller, objects of other projects do not exist.

Every error is an object with the key `error`, whose text is for people: decide by the status. In a body, unknown keys
are ignored, and a `null` counts as absent. Lists are read in pages: continue at `next_offset` until it reaches `total`.

A repeated write with the same `Idempotency-Key` is done once. A write with `If-Match` is done only if nobody has
written the object since its `ETag` was read."""


def ref(kind: str, name: str) -> JSON:
    return {"$ref": f"#/components/{kind}/{name}"}


def _header(name: str, description: str, schema: JSON | None = None, **more: Any) -> JSON:
    return {"name": name, "in": "header", **more, "description": description, "schema": schema or {"type": "string"}}


_UUID: JSON = {"type": "string", "format": "uuid"}
_IF_MATCH = "An `ETag` that was read, several with commas between them, or `*`. If none is that of the object now,"
PARAMETERS: JSON = {
    "Project-ID": _header("Project-ID", "The project. It must not be the UUID of zeros.", _UUID, required=True),
    "X-User": _header(
        "X-User", "The name of the caller, which histories keep. It is ignored when authentication is on."
    ),
    "X-Request-ID": _header(
        "X-Request-ID", "The id of this request, which the answer and the logs repeat. Without it, a UUID is made."
    ),
    "Idempotency-Key": _header(
        "Idempotency-Key",
        "An id that the caller chooses for this write, for example a UUID. If the request is sent again with it within "
        "a day, nothing is done again, and the answer is that of the first time.",
        {"type": "string", "minLength": 1, "maxLength": 128},
    ),
    "If-Match": _header(
        "If-Match", f"{_IF_MATCH} nothing is done, and the answer is 412.", {"type": "string", "minLength": 1}
    ),
    "If-Match-Read": _header("If-Match", f"{_IF_MATCH} the answer is 412."),
    "If-None-Match": _header(
        "If-None-Match", "The `ETag` that was read. If the answer would be the same, it is 304 without a body."
    ),
}

HEADERS: JSON = {
    "X-Request-ID": {
        "description": "The id of the request: the one that was sent, or a UUID.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "Names the state of the object and of what the answer shows beside it.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "After how many seconds the request may be sent again.",
        "required": True,
        "schema": {"type": "integer"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
}

_ERRORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "BadRequest": ("The request is wrong, or the state of an object does not allow it.", ()),
    "Unauthenticated": ("There is no valid token.", ("WWW-Authenticate",)),
    "Forbidden": ("The caller may not do this in the project, or a quota of the project is used up.", ()),
    "NotFound": ("The project has no such object.", ()),
    "RequestTimeout": ("The request was not complete in time.", ()),
    "Conflict": ("The name is taken, or somebody else writes the same object now.", ()),
    "PreconditionFailed": ("The object is not in a state that `If-Match` names.", ()),
    "ContentTooLarge": ("The body is too large.", ()),
    "UnsupportedMediaType": ("The body is compressed, or for another protocol.", ()),
    "KeyReused": ("The `Idempotency-Key` was sent with another request before.", ()),
    "TooManyRequests": ("There are too many requests at once.", ("Retry-After",)),
    "HeadersTooLarge": ("The target and the headers are too large.", ()),
    "InternalServerError": ("A fault of the service. Its log has the cause.", ()),
    "Unavailable": ("The database or the cluster does not answer, or the service stops.", ()),
    "GatewayTimeout": ("The request took too long.", ()),
}


def error_responses(examples: dict[str, Any]) -> JSON:
    """The responses by name. `examples`: bodies by name."""
    request_id = {"X-Request-ID": ref("headers", "X-Request-ID")}
    tags = {"ETag": ref("headers", "ETag")}
    not_modified = {"description": "The answer would be the one with this `ETag`.", "headers": request_id | tags}
    return {"NotModified": not_modified} | {
        name: {
            "description": description,
            "headers": request_id | {header: ref("headers", header) for header in headers},
            "content": {
                "application/json": {"schema": ref("schemas", "Error")}
                | ({"example": examples[name]} if name in examples else {})
            },
        }
        for name, (description, headers) in _ERRORS.items()
    }

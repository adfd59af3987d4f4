"""The REST answer to each RPC that has a route: the status of its success and how its result is written.

The keys are the names of the RPCs; gRPC's own answers stand in `adapters.grpc.replies`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from registry_grpc.adapters.grpc.mapping.common import requested_limit
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.paging import Page

# The gateway buffers 16 MiB of an answer (max_response_body_size), its framing included.
LARGEST_ANSWER = 16 * 1024 * 1024 - 1024


class RestReply(NamedTuple):
    """How a result becomes an answer: `encode` takes the result and the request."""

    status: int
    encode: Callable[[Any, Any], bytes]


def _one(encoder: Callable[[Any], encoders.Json]) -> Callable[[Any, Any], bytes]:
    return lambda result, _request: encoders.json_bytes(encoder(result))


def _page(encoder: Callable[[Any], encoders.Json]) -> Callable[[Any, Any], bytes]:
    """`page_size` repeats the limit asked for, before it was capped (contract 0.9, quirk Q21).

    Raises InvalidRequest for a page that is too large to be sent.
    """

    def encode(page: Page[Any], request: Any) -> bytes:
        offset = max(request.offset, 0)
        body = encoders.json_bytes(
            {
                "items": [encoder(item) for item in page.items],
                "total": page.total,
                "page_size": requested_limit(request),
                "next_offset": offset + len(page.items),
            }
        )
        if len(body) > LARGEST_ANSWER:
            raise InvalidRequest([Violation("limit", "must be smaller: the answer would be larger than 16 MiB")])
        return body

    return encode


def _deployed(result: Any, _request: Any) -> bytes:
    return encoders.json_bytes(
        {
            "inference_service": encoders.service(result.service),
            "status": result.status,
            "message": result.message,
        }
    )


_NOTHING = RestReply(204, lambda _result, _request: b"")

REPLIES: Mapping[str, RestReply] = {
    "ListRegisteredModels": RestReply(200, _page(encoders.model)),
    "GetRegisteredModel": RestReply(200, _one(encoders.model)),
    "FindRegisteredModel": RestReply(200, _one(encoders.model)),
    "CreateRegisteredModel": RestReply(201, _one(encoders.model)),
    "UpdateRegisteredModel": RestReply(200, _one(encoders.model)),
    "DeleteRegisteredModel": RestReply(200, lambda _result, _request: b'{"status":"deleted"}'),
    "ListModelVersions": RestReply(200, _page(encoders.version)),
    "ListProjectModelVersions": RestReply(200, _page(encoders.version)),
    "GetModelVersion": RestReply(200, _one(encoders.version)),
    "FindModelVersion": RestReply(200, _one(encoders.version)),
    "CreateModelVersion": RestReply(201, _one(encoders.version)),
    "UpdateModelVersion": RestReply(200, _one(encoders.version)),
    "ListModelArtifacts": RestReply(200, _page(encoders.artifact)),
    "GetModelArtifact": RestReply(200, _one(encoders.artifact)),
    "FindModelArtifact": RestReply(200, _one(encoders.artifact)),
    "CreateModelArtifact": RestReply(201, _one(encoders.artifact)),
    "UpdateModelArtifact": RestReply(200, _one(encoders.artifact)),
    "ListServingEnvironments": RestReply(200, _page(encoders.environment)),
    "GetServingEnvironment": RestReply(200, _one(encoders.environment)),
    "FindServingEnvironment": RestReply(200, _one(encoders.environment)),
    "CreateServingEnvironment": RestReply(201, _one(encoders.environment)),
    "UpdateServingEnvironment": RestReply(200, _one(encoders.environment)),
    "DeleteServingEnvironment": _NOTHING,
    "ListInferenceServices": RestReply(200, _page(encoders.service)),
    "GetInferenceService": RestReply(200, _one(encoders.service)),
    "FindInferenceService": RestReply(200, _one(encoders.service)),
    "CreateInferenceService": RestReply(201, _one(encoders.service)),
    "UpdateInferenceService": RestReply(200, _one(encoders.service)),
    "DeleteInferenceService": _NOTHING,
    "ListServeModels": RestReply(200, _page(encoders.serve_model)),
    "GetServeModel": RestReply(200, _one(encoders.serve_model)),
    "CreateServeModel": RestReply(201, _one(encoders.serve_model)),
    "DeleteServeModel": _NOTHING,
    "DeployModel": RestReply(202, _deployed),
    "UndeployModel": _NOTHING,
    "SyncInferenceService": RestReply(200, _one(encoders.service)),
}

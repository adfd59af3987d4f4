"""Remembers which deployment a request has made, so that it can be sent again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.deployment_rows import DEPLOYMENT_COLUMNS, DEPLOYMENT_JOINS, deployment_from
from registry_grpc.adapters.postgres.inference_services import service_by_id
from registry_grpc.domain.deploy_request import RequestKey
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.errors import NotFound
from registry_grpc.domain.inference_service import InferenceService

# The id of a request can be used again after its service was deleted.
_REMEMBER = """
INSERT INTO deployment_request (project_id, request_id, digest, deployment_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, request_id) DO UPDATE SET
    digest = excluded.digest, deployment_id = excluded.deployment_id, created_at = excluded.created_at
"""
_REQUESTED = f"""
SELECT r.digest, {DEPLOYMENT_COLUMNS}
FROM deployment_request r JOIN deployment d ON d.id = r.deployment_id {DEPLOYMENT_JOINS}
WHERE r.project_id = $1 AND r.request_id = $2
"""
# Requests with the same id wait for each other, so that the second one finds the deployment of the first one.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1::text || $2, 0))"


async def lock(connection: Any, project_id: UUID, request: RequestKey) -> None:
    """Lock the request id until the end of the transaction."""
    await connection.execute(_LOCK, str(project_id), request.request_id)


async def remember(connection: Any, project_id: UUID, request: RequestKey, id: UUID) -> None:
    await connection.execute(_REMEMBER, project_id, request.request_id, request.digest, id)


async def requested(
    connection: Any, project_id: UUID, request: RequestKey
) -> tuple[InferenceService, Deployment] | None:
    """The service and deployment of an earlier request with this id. Raises InvalidRequest if that was different."""
    record = await connection.fetchrow(_REQUESTED, project_id, request.request_id)
    if record is None:
        return None
    try:
        service = await service_by_id(connection, project_id, record["id"])
    except NotFound:
        return None
    request.check_same(record["digest"])
    return service, deployment_from(record)

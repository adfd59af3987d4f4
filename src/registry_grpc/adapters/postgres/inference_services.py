"""Inference services in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import TOUCHED, arguments, of_table, parameters, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.listing import Conditions, Listing, bytes_of, sort_columns
from registry_grpc.adapters.postgres.patches import assignments
from registry_grpc.adapters.postgres.serve_models import INSERT as INSERT_SERVE_MODEL
from registry_grpc.adapters.postgres.serve_models import serve_models_of, values_of
from registry_grpc.domain.errors import ConcurrentChange, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.inference_service import (
    SORT_FIELDS,
    InferenceService,
    InferenceServiceFilter,
    InferenceServicePatch,
    ServiceState,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.serve_model import ServeModel, ServeModelState

STORED = (
    "id", "created_at", "updated_at", "project_id", "name", "external_id", "serving_environment_id",
    "registered_model_id", "model_version_id", "desired_state", "current_state", "runtime", "url", "last_error",
    "labels",
)  # fmt: skip
READ = of_table("i", STORED) | {"serving_environment_name": "e.name", "registered_model_name": "m.name"}
_COLUMNS = select_list(READ)
_JOINS = """
JOIN serving_environment e ON e.id = i.serving_environment_id
JOIN registered_model m ON m.id = i.registered_model_id
"""
_FROM = f"inference_service i {_JOINS}"
_INSERT = f"""
WITH i AS (
    INSERT INTO inference_service ({", ".join(STORED)})
    VALUES ({parameters(STORED)})
    RETURNING *
)
SELECT {_COLUMNS} FROM i {_JOINS}
"""
_GET = f"SELECT {_COLUMNS} FROM {_FROM} WHERE i.id = $1 AND i.project_id = $2"
_FIND_BY_EXTERNAL_ID = f"""
SELECT {_COLUMNS} FROM {_FROM} WHERE i.project_id = $1 AND i.external_id = $2 AND i.external_id <> ''
ORDER BY i.created_at, i.id LIMIT 1
"""
_FIND_BY_NAME = f"""
SELECT {_COLUMNS} FROM {_FROM} WHERE i.project_id = $1 AND i.serving_environment_id = $2 AND i.name = $3
"""
PATCHED = (
    "name", "desired_state", "current_state", "external_id", "url", "last_error", "labels", "model_version_id",
)  # fmt: skip
_UPDATE = f"""
WITH i AS (
    UPDATE inference_service SET {assignments(PATCHED, first=3)}, {TOUCHED}
    WHERE id = $1 AND project_id = $2
    RETURNING *
)
SELECT {_COLUMNS} FROM i {_JOINS}
"""
_LOCK = "SELECT updated_at FROM inference_service WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE"
_SET_SERVED_STATE = f"""
UPDATE serve_model SET last_known_state = $2, {TOUCHED}
WHERE inference_service_id = $1 AND last_known_state <> $2
"""
_DELETE = f"""
DELETE FROM inference_service WHERE id = $1 AND project_id = $2 AND current_state <> '{ServiceState.DEPLOYED}'
RETURNING id
"""
_WANT_ABSENT = """
UPDATE deployment SET want = 'ABSENT', dirty_at = now(), next_at = now() WHERE id = $1 AND project_id = $2
"""

_LISTING = Listing(
    columns=READ,
    large=bytes_of("i", texts=["last_error"], json=["labels"]),
    source=_FROM,
    table="i",
    sort_columns=sort_columns("i", SORT_FIELDS),
)


async def insert_service(connection: Any, service: InferenceService, served: Sequence[ServeModel]) -> InferenceService:
    """Store a service with its serve models, in the caller's transaction."""
    record = await connection.fetchrow(_INSERT, *arguments(service, STORED))
    await connection.executemany(INSERT_SERVE_MODEL, [values_of(each, place) for place, each in enumerate(served)])
    return await _whole(connection, record)


async def service_by_id(connection: Any, project_id: UUID, id: UUID) -> InferenceService:
    """Raises NotFound."""
    record = await connection.fetchrow(_GET, id, project_id)
    if record is None:
        raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, id)
    return await _whole(connection, record)


async def update_service(connection: Any, project_id: UUID, id: UUID, patch: InferenceServicePatch) -> Any:
    """The row after the patch. Raises NotFound."""
    changed = changes(patch)
    record = await connection.fetchrow(_UPDATE, id, project_id, *(changed.get(name) for name in PATCHED))
    if record is None:
        raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, id)
    return record


class PostgresInferenceServiceRepository:
    """Implements ports.repositories.InferenceServiceRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("inference_service")

    async def create(self, service: InferenceService, served: Sequence[ServeModel]) -> InferenceService:
        async with self._database.transaction() as connection:
            return await insert_service(connection, service, served)

    async def get(self, project_id: UUID, id: UUID) -> InferenceService:
        return await service_by_id(self._database, project_id, id)

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> InferenceService:
        return await self._found(await self._database.fetchrow(_FIND_BY_EXTERNAL_ID, project_id, external_id))

    async def find_by_name(self, project_id: UUID, serving_environment_id: UUID, name: str) -> InferenceService:
        record = await self._database.fetchrow(_FIND_BY_NAME, project_id, serving_environment_id, name)
        return await self._found(record)

    async def list(
        self, project_id: UUID, filter: InferenceServiceFilter, sort: Sort, slice: Slice
    ) -> Page[InferenceService]:
        conditions = Conditions()
        conditions.add_equal(
            project_id=project_id,
            serving_environment_id=filter.serving_environment_id,
            registered_model_id=filter.registered_model_id,
            model_version_id=filter.model_version_id,
            desired_state=filter.desired_state,
            current_state=filter.current_state,
        )
        total = "SELECT count(*) FROM inference_service i WHERE " + conditions.on("i")
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_service_from)

    async def update(self, project_id: UUID, id: UUID, patch: InferenceServicePatch) -> InferenceService:
        return await _whole(self._database, await update_service(self._database, project_id, id, patch))

    async def follow(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        served_state: ServeModelState | None,
        *,
        unchanged_since: datetime,
    ) -> InferenceService:
        async with self._database.transaction() as connection:
            if await connection.fetchval(_LOCK, id, project_id) not in {None, unchanged_since}:
                raise ConcurrentChange
            record = await update_service(connection, project_id, id, patch)
            if served_state is not None:
                await connection.execute(_SET_SERVED_STATE, id, served_state)
            return await _whole(connection, record)

    async def delete(self, project_id: UUID, id: UUID) -> None:
        async with self._database.transaction(deleting=True) as connection:
            # Everything that writes both locks the deployment first. In different orders, two could deadlock.
            await connection.execute(_WANT_ABSENT, id, project_id)
            if await connection.fetchval(_DELETE, id, project_id) is None:
                if await connection.fetchrow(_GET, id, project_id):
                    raise FailedPrecondition(Reason.INFERENCE_SERVICE_DEPLOYED, id=str(id))
                raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, id)

    async def _found(self, record: Any | None) -> InferenceService:
        if record is None:
            raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND)
        return await _whole(self._database, record)


async def _whole(connection: Any, record: Any) -> InferenceService:
    return replace(_service_from(record), served_models=await serve_models_of(connection, record["id"]))


def _service_from(record: Any) -> InferenceService:
    return InferenceService(**{name: record[name] for name in READ})

"""Inference services in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import (
    TOUCHED,
    arguments,
    etag_of,
    of_table,
    parameters,
    select_list,
    unchanged,
)
from registry_grpc.adapters.postgres.database import Database, Run
from registry_grpc.adapters.postgres.filtering import FilterIndex, add_filter, filter_columns
from registry_grpc.adapters.postgres.listing import Conditions, Listing, bytes_of, sort_columns
from registry_grpc.adapters.postgres.patches import assigned, assignments
from registry_grpc.adapters.postgres.serve_models import INSERT as INSERT_SERVE_MODEL
from registry_grpc.adapters.postgres.serve_models import serve_models_of, values_of
from registry_grpc.adapters.postgres.taken import OF_SERVICES, naming_holder
from registry_grpc.domain.errors import ConcurrentChange, NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.inference_service import (
    FILTER_FIELDS,
    SORT_FIELDS,
    InferenceService,
    InferenceServiceFilter,
    InferenceServicePatch,
    ServiceState,
    still_deployed,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.serve_model import ServeModel, ServeModelState

STORED = (
    "id", "created_at", "updated_at", "project_id", "name", "external_id", "serving_environment_id",
    "registered_model_id", "model_version_id", "desired_state", "current_state", "runtime", "url", "last_error",
    "labels", "properties",
)  # fmt: skip
READ = of_table("i", STORED) | {
    "etag": etag_of("i"),
    "serving_environment_name": "e.name",
    "registered_model_name": "m.name",
}
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
    RETURNING *, xmin
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
    "properties",
)  # fmt: skip
_UPDATE = f"""
WITH i AS (
    UPDATE inference_service SET {assignments(PATCHED, first=3)}, {TOUCHED}
    WHERE id = $1 AND project_id = $2 AND {unchanged("inference_service", len(PATCHED) + 3)}
    RETURNING *, xmin
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
    AND {unchanged("inference_service", 3)}
RETURNING id
"""
_WANT_ABSENT = """
UPDATE deployment SET want = 'ABSENT', dirty_at = now(), next_at = now() WHERE id = $1 AND project_id = $2
"""

_LISTING = Listing(
    columns=READ,
    large=bytes_of("i", texts=["last_error"], json=["labels", "properties"]),
    source=_FROM,
    table="i",
    sort_columns=sort_columns("i", SORT_FIELDS),
    walked=("created_at",),
)
_FILTER_COLUMNS = filter_columns(FILTER_FIELDS, serving_environment_name="e.name", registered_model_name="m.name")
_FILTER_INDEX = FilterIndex(("external_id",))


@asynccontextmanager
async def new_service(database: Database, service: InferenceService) -> AsyncIterator[Any]:
    """A transaction that stores a service. If its name is taken, the refusal names the other one."""
    environment_id = service.serving_environment_id
    async with (
        naming_holder(database, OF_SERVICES, service.project_id, service, parent=environment_id),
        database.transaction() as connection,
    ):
        yield connection


async def insert_service(connection: Any, service: InferenceService, served: Sequence[ServeModel]) -> InferenceService:
    """Store a service with its serve models, in the caller's transaction."""
    record = await connection.fetchrow(_INSERT, *arguments(service, STORED))
    await connection.executemany(INSERT_SERVE_MODEL, [values_of(each, place) for place, each in enumerate(served)])
    return await _whole(connection, record)


async def service_by_id(connection: Any, project_id: UUID, id: UUID) -> InferenceService:
    """Raises NotFound."""
    return await _whole(connection, await _require(connection, project_id, id))


async def update_service(
    connection: Any,
    project_id: UUID,
    id: UUID,
    patch: InferenceServicePatch,
    etags: Etags = None,
    *,
    write: Run | None = None,
) -> Any:
    """The row after the patch. `write` is used instead of the connection's fetchrow. Raises NotFound, Stale."""
    record = await (write or connection.fetchrow)(_UPDATE, id, project_id, *assigned(patch, PATCHED), etags)
    if record is None:
        await _require(connection, project_id, id)
        raise Stale.etag(id)
    return record


async def _require(connection: Any, project_id: UUID, id: UUID) -> Any:
    """The row. Raises NotFound."""
    record = await connection.fetchrow(_GET, id, project_id)
    if record is None:
        raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, id)
    return record


class PostgresInferenceServiceRepository:
    """Implements ports.repositories.InferenceServiceRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("inference_service")

    async def create(self, service: InferenceService, served: Sequence[ServeModel]) -> InferenceService:
        async with new_service(self._database, service) as connection:
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
        conditions = Conditions.equal(
            project_id=project_id,
            serving_environment_id=filter.serving_environment_id,
            registered_model_id=filter.registered_model_id,
            model_version_id=filter.model_version_id,
            desired_state=filter.desired_state,
            current_state=filter.current_state,
        )
        total = None if filter.where else "SELECT count(*) FROM inference_service i WHERE " + conditions.on("i")
        add_filter(conditions, filter.where, _FILTER_COLUMNS, _FILTER_INDEX)
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_service_from)

    async def update(
        self, project_id: UUID, id: UUID, patch: InferenceServicePatch, etags: Etags = None
    ) -> InferenceService:
        database = self._database
        async with naming_holder(database, OF_SERVICES, project_id, patch, id=id):
            record = await update_service(database, project_id, id, patch, etags, write=database.write)
        return await _whole(database, record)

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

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        async with self._database.transaction(deleting=True) as connection:
            # Everything that writes both locks the deployment first. In different orders, two could deadlock.
            await connection.execute(_WANT_ABSENT, id, project_id)
            if await connection.fetchval(_DELETE, id, project_id, etags) is None:
                present = await _require(connection, project_id, id)
                if etags is not None and present["etag"] not in etags:
                    raise Stale.etag(id)
                raise still_deployed(id, present["name"])

    async def _found(self, record: Any | None) -> InferenceService:
        if record is None:
            raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND)
        return await _whole(self._database, record)


async def _whole(connection: Any, record: Any) -> InferenceService:
    return replace(_service_from(record), served_models=await serve_models_of(connection, record["id"]))


def _service_from(record: Any) -> InferenceService:
    return InferenceService(**{name: record[name] for name in READ})

"""Serve models in PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import arguments, etag_of, of_table, parameters, select_list, unchanged
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.filtering import add_filter, filter_columns
from registry_grpc.adapters.postgres.listing import Conditions, Listing, sort_columns
from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.serve_model import FILTER_FIELDS, SORT_FIELDS, ServeModel, ServeModelFilter

STORED = (
    "id", "created_at", "updated_at", "project_id", "inference_service_id", "model_version_id", "last_known_state",
)  # fmt: skip
READ = of_table("s", STORED) | {
    "etag": etag_of("s"),
    "inference_service_name": "i.name",
    "model_version_name": "v.name",
}
_COLUMNS = select_list(READ)
_JOINS = "JOIN inference_service i ON i.id = s.inference_service_id JOIN model_version v ON v.id = s.model_version_id"
_FROM = f"serve_model s {_JOINS}"
# Each serve model of a new service is made a microsecond older than the one before it, because lists are sorted newest
# first, and the answer has the order of the request (contract 2.4).
_NOW = f"now() - ${len(STORED) + 1} * interval '1 microsecond'"
INSERT = f"""
INSERT INTO serve_model ({", ".join(STORED)}) VALUES ({parameters(STORED, _NOW)})
"""
_CREATE = f"WITH s AS ({INSERT} RETURNING *, xmin) SELECT {_COLUMNS} FROM s {_JOINS}"
_GET = f"SELECT {_COLUMNS} FROM {_FROM} WHERE s.id = $1 AND s.project_id = $2"
_OF_PAIR = """
SELECT id FROM serve_model WHERE project_id = $1 AND inference_service_id = $2 AND model_version_id = $3
"""
_OF_SERVICE = f"""
SELECT {_COLUMNS} FROM {_FROM} WHERE s.inference_service_id = $1 ORDER BY s.created_at DESC, s.id DESC
"""
_DELETE = f"DELETE FROM serve_model s WHERE id = $1 AND project_id = $2 AND {unchanged('s', 3)} RETURNING id"

_LISTING = Listing(columns=READ, source=_FROM, table="s", sort_columns=sort_columns("s", SORT_FIELDS))
_FILTER_COLUMNS = filter_columns(FILTER_FIELDS, inference_service_name="i.name", model_version_name="v.name")


def values_of(serve_model: ServeModel, place: int = 0) -> list[Any]:
    """The parameters of INSERT."""
    return [*arguments(serve_model, STORED), place]


async def serve_models_of(connection: Any, inference_service_id: UUID) -> tuple[ServeModel, ...]:
    """The serve models of a service, newest first (contract 2.4)."""
    return tuple(_serve_model_from(record) for record in await connection.fetch(_OF_SERVICE, inference_service_id))


class PostgresServeModelRepository:
    """Implements ports.repositories.ServeModelRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("serve_model")

    async def create(self, serve_model: ServeModel) -> ServeModel:
        try:
            record = await self._database.write(_CREATE, *values_of(serve_model))
        except AlreadyExists as error:
            pair = serve_model.project_id, serve_model.inference_service_id, serve_model.model_version_id
            if (holder := await self._database.fetchrow(_OF_PAIR, *pair)) is None:  # it was deleted meanwhile
                raise
            raise AlreadyExists.held(error.reason, holder["id"]) from error
        return _serve_model_from(record)

    async def get(self, project_id: UUID, id: UUID) -> ServeModel:
        record = await self._database.fetchrow(_GET, id, project_id)
        if record is None:
            raise NotFound.of(Reason.SERVE_MODEL_NOT_FOUND, id)
        return _serve_model_from(record)

    async def list(self, project_id: UUID, filter: ServeModelFilter, sort: Sort, slice: Slice) -> Page[ServeModel]:
        conditions = Conditions.equal(
            project_id=project_id,
            inference_service_id=filter.inference_service_id,
            model_version_id=filter.model_version_id,
            last_known_state=filter.state,
        )
        total = None if filter.where else "SELECT count(*) FROM serve_model s WHERE " + conditions.on("s")
        add_filter(conditions, filter.where, _FILTER_COLUMNS)
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_serve_model_from)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        if not await self._database.write(_DELETE, id, project_id, etags):
            await self.get(project_id, id)
            raise Stale.etag(id)


def _serve_model_from(record: Any) -> ServeModel:
    return ServeModel(**{name: record[name] for name in READ})

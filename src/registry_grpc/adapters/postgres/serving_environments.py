"""Serving environments in PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import TOUCHED, arguments, known, of_table, parameters, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.listing import (
    Conditions,
    Listing,
    bytes_of,
    is_beyond_names,
    search_pattern,
    sort_columns,
)
from registry_grpc.adapters.postgres.patches import assignments
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.serving_environment import (
    SORT_FIELDS,
    DriftPolicy,
    ServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)

STORED = (
    "id", "created_at", "updated_at", "project_id", "name", "description", "external_id", "drift_policy",
)  # fmt: skip
_COLUMNS = select_list(of_table("e", STORED))
_INSERT = f"""
INSERT INTO serving_environment ({", ".join(STORED)}) VALUES ({parameters(STORED)})
RETURNING {", ".join(STORED)}
"""
_GET = f"SELECT {_COLUMNS} FROM serving_environment e WHERE e.id = $1 AND e.project_id = $2"
_FIND = f"SELECT {_COLUMNS} FROM serving_environment e WHERE e.project_id = $1 AND e.name = $2"
PATCHED = ("name", "description", "external_id", "drift_policy")
_UPDATE = f"""
UPDATE serving_environment e SET {assignments(PATCHED, first=3)}, {TOUCHED}
WHERE e.id = $1 AND e.project_id = $2
RETURNING {_COLUMNS}
"""
_DELETE = "DELETE FROM serving_environment WHERE id = $1 AND project_id = $2"

_LISTING = Listing(
    columns=of_table("e", STORED),
    large=bytes_of("e", texts=["description"]),
    source="serving_environment e",
    table="e",
    sort_columns=sort_columns("e", SORT_FIELDS),
)


class PostgresServingEnvironmentRepository:
    """Implements ports.repositories.ServingEnvironmentRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("serving_environment")

    async def create(self, environment: ServingEnvironment) -> ServingEnvironment:
        return _environment_from(await self._database.fetchrow(_INSERT, *arguments(environment, STORED)))

    async def get(self, project_id: UUID, id: UUID) -> ServingEnvironment:
        return _found(await self._database.fetchrow(_GET, id, project_id), id)

    async def find(self, project_id: UUID, name: str) -> ServingEnvironment:
        return _found(await self._database.fetchrow(_FIND, project_id, name))

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]:
        if is_beyond_names(filter.search):
            return Page((), total=None if slice.by_cursor else 0)
        conditions = Conditions()
        conditions.add_equal(project_id=project_id)
        if filter.search:
            conditions.add("{t}.name ILIKE {}", search_pattern(filter.search))
        # Without a statement for the total, a search is done only once, for the page and for the total.
        total = None if filter.search else "SELECT count(*) FROM serving_environment e WHERE " + conditions.on("e")
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_environment_from)

    async def update(self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch) -> ServingEnvironment:
        changed = changes(patch)
        values = (changed.get(name) for name in PATCHED)
        return _found(await self._database.fetchrow(_UPDATE, id, project_id, *values), id)

    async def delete(self, project_id: UUID, id: UUID) -> None:
        if not await self._database.execute(_DELETE, id, project_id, deleting=True):
            raise NotFound.of(Reason.SERVING_ENVIRONMENT_NOT_FOUND, id)


def _environment_from(record: Any) -> ServingEnvironment:
    values = {name: record[name] for name in STORED}
    return ServingEnvironment(
        **values | {"drift_policy": known(DriftPolicy, record["drift_policy"], DriftPolicy.REPORT)}
    )


def _found(record: Any | None, id: UUID | None = None) -> ServingEnvironment:
    if record is None:
        raise NotFound.of(Reason.SERVING_ENVIRONMENT_NOT_FOUND, id)
    return _environment_from(record)

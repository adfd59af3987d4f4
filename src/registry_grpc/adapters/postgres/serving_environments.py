"""Serving environments in PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import (
    TOUCHED,
    arguments,
    etag_of,
    known,
    of_table,
    parameters,
    select_list,
    unchanged,
)
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.filtering import FilterIndex, add_filter, filter_columns
from registry_grpc.adapters.postgres.listing import (
    Conditions,
    Listing,
    bytes_of,
    is_beyond_names,
    search_pattern,
    sort_columns,
)
from registry_grpc.adapters.postgres.patches import assigned, assignments
from registry_grpc.adapters.postgres.taken import OF_ENVIRONMENTS, naming_holder
from registry_grpc.adapters.postgres.users import OF_ENVIRONMENT, naming_users
from registry_grpc.domain.errors import NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.serving_environment import (
    FILTER_FIELDS,
    SORT_FIELDS,
    DriftPolicy,
    ServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)

STORED = (
    "id", "created_at", "updated_at", "project_id", "name", "description", "external_id", "drift_policy", "properties",
)  # fmt: skip
READ = of_table("e", STORED) | {"etag": etag_of("e")}
_COLUMNS = select_list(READ)
_INSERT = f"""
INSERT INTO serving_environment AS e ({", ".join(STORED)}) VALUES ({parameters(STORED)})
RETURNING {_COLUMNS}
"""
_GET = f"SELECT {_COLUMNS} FROM serving_environment e WHERE e.id = $1 AND e.project_id = $2"
_FIND = f"SELECT {_COLUMNS} FROM serving_environment e WHERE e.project_id = $1 AND e.name = $2"
_FIND_BY_EXTERNAL_ID = f"""
SELECT {_COLUMNS} FROM serving_environment e WHERE e.project_id = $1 AND e.external_id = $2 AND e.external_id <> ''
ORDER BY e.created_at, e.id LIMIT 1
"""
PATCHED = ("name", "description", "external_id", "drift_policy", "properties")
_UPDATE = f"""
UPDATE serving_environment e SET {assignments(PATCHED, first=3)}, {TOUCHED}
WHERE e.id = $1 AND e.project_id = $2 AND {unchanged("e", len(PATCHED) + 3)}
RETURNING {_COLUMNS}
"""
_DELETE = f"DELETE FROM serving_environment e WHERE id = $1 AND project_id = $2 AND {unchanged('e', 3)} RETURNING id"

_LISTING = Listing(
    columns=READ,
    large=bytes_of("e", texts=["description"], json=["properties"]),
    source="serving_environment e",
    table="e",
    sort_columns=sort_columns("e", SORT_FIELDS),
    walked=("created_at",),
)
_FILTER_COLUMNS = filter_columns(FILTER_FIELDS)
_FILTER_INDEX = FilterIndex(("external_id",))


class PostgresServingEnvironmentRepository:
    """Implements ports.repositories.ServingEnvironmentRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("serving_environment")

    async def create(self, environment: ServingEnvironment) -> ServingEnvironment:
        project_id = environment.project_id
        async with naming_holder(self._database, OF_ENVIRONMENTS, project_id, environment, parent=project_id):
            return environment_from(await self._database.write(_INSERT, *arguments(environment, STORED)))

    async def get(self, project_id: UUID, id: UUID) -> ServingEnvironment:
        return _found(await self._database.fetchrow(_GET, id, project_id), id)

    async def find(self, project_id: UUID, name: str) -> ServingEnvironment:
        return _found(await self._database.fetchrow(_FIND, project_id, name))

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> ServingEnvironment:
        return _found(await self._database.fetchrow(_FIND_BY_EXTERNAL_ID, project_id, external_id))

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]:
        if is_beyond_names(filter.search):
            return Page((), total=None if slice.by_cursor else 0)
        conditions = Conditions.equal(project_id=project_id)
        if filter.search:
            conditions.add("{t}.name ILIKE {}", search_pattern(filter.search))
        add_filter(conditions, filter.where, _FILTER_COLUMNS, None if filter.search else _FILTER_INDEX)
        # Without a statement for the total, a search is done only once, for the page and for the total.
        is_all = not filter.search and filter.where is None
        total = "SELECT count(*) FROM serving_environment e WHERE " + conditions.on("e") if is_all else None
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=environment_from)

    async def update(
        self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch, etags: Etags = None
    ) -> ServingEnvironment:
        async with naming_holder(self._database, OF_ENVIRONMENTS, project_id, patch, parent=project_id):
            record = await self._database.write(_UPDATE, id, project_id, *assigned(patch, PATCHED), etags)
        if record is None:
            await self.get(project_id, id)
            raise Stale.etag(id)
        return environment_from(record)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        async with naming_users(self._database, OF_ENVIRONMENT, id):
            if await self._database.write(_DELETE, id, project_id, etags, deleting=True):
                return
        await self.get(project_id, id)
        raise Stale.etag(id)


def environment_from(record: Any) -> ServingEnvironment:
    values = {name: record[name] for name in READ}
    return ServingEnvironment(
        **values | {"drift_policy": known(DriftPolicy, record["drift_policy"], DriftPolicy.REPORT)}
    )


def _found(record: Any | None, id: UUID | None = None) -> ServingEnvironment:
    if record is None:
        raise NotFound.of(Reason.SERVING_ENVIRONMENT_NOT_FOUND, id)
    return environment_from(record)

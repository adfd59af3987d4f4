"""Registered models in PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import TOUCHED, arguments, in_order_of, of_table, parameters, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.listing import (
    Conditions,
    Listing,
    bytes_of,
    is_beyond_names,
    longest_literal,
    search_pattern,
    sort_columns,
)
from registry_grpc.adapters.postgres.model_versions import COLUMNS as VERSION_COLUMNS
from registry_grpc.adapters.postgres.model_versions import version_reader
from registry_grpc.adapters.postgres.patches import assignments
from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.registered_model import (
    ARCHIVED,
    SORT_FIELDS,
    RegisteredModel,
    RegisteredModelFilter,
    RegisteredModelPatch,
    Tags,
)

STORED = (
    "id", "created_at", "updated_at", "project_id", "owner_email", "name", "slug", "description", "model_type",
    "model_size", "state", "deployment_status", "tags", "labels", "parent_model_id",
)  # fmt: skip
_VERSION_COUNT = """(
    SELECT coalesce(sum(c.versions), 0)::bigint FROM model_version_count c WHERE c.registered_model_id = m.id
)"""
_COLUMNS = of_table("m", STORED) | {"version_count": _VERSION_COUNT}
# A row has the columns of the model, and except in lists, of its newest version and of its default version.
_LATEST = len(_COLUMNS)
_DEFAULT = _LATEST + len(VERSION_COLUMNS)
_latest_from, _default_from = version_reader(_LATEST), version_reader(_DEFAULT)
READ = (*_COLUMNS, "latest_version", "default_version")
_values_of = in_order_of(RegisteredModel._fields, READ)
_TAGS_COLUMN = READ.index("tags")

# A model with its newest and its default version. If the Go service has set several defaults, the one changed last
# counts.
_WHOLE = f"""
SELECT {select_list(_COLUMNS)}, {", ".join(f"{table}.{name}" for table in "ld" for name in VERSION_COLUMNS)}
FROM {{source}} m
LEFT JOIN LATERAL (
    SELECT * FROM model_version v WHERE v.registered_model_id = m.id
    ORDER BY v.created_at DESC, v.sequence DESC NULLS LAST, v.id DESC LIMIT 1
) l ON true
LEFT JOIN LATERAL (
    SELECT * FROM model_version v WHERE v.registered_model_id = m.id AND v.is_default = true
    ORDER BY v.updated_at DESC, v.id DESC LIMIT 1
) d ON true
"""
_READ = _WHOLE.format(source="registered_model")
_GET = _READ + "WHERE m.id = $1 AND m.project_id = $2"

_PARENT = STORED.index("parent_model_id") + 1
_PROJECT = STORED.index("project_id") + 1
# Inserts no row if the parent is not in the project.
_INSERT = f"""
INSERT INTO registered_model ({", ".join(STORED)})
SELECT {parameters(STORED)}
WHERE ${_PARENT}::uuid IS NULL
    OR EXISTS (SELECT FROM registered_model WHERE id = ${_PARENT} AND project_id = ${_PROJECT})
RETURNING created_at, updated_at
"""
PATCHED = ("name", "description", "model_type", "model_size", "state", "deployment_status", "tags", "labels")
_UPDATE = f"""
WITH updated AS (
    UPDATE registered_model SET {assignments(PATCHED, first=3)}, {TOUCHED}
    WHERE id = $1 AND project_id = $2
    RETURNING *
)
""" + _WHOLE.format(source="updated")
_DELETE = f"DELETE FROM registered_model WHERE id = $1 AND project_id = $2 AND state = '{ARCHIVED}'"
_EXISTS = "SELECT FROM registered_model WHERE id = $1 AND project_id = $2"
_COUNTER = "SELECT coalesce(sum(c.models), 0)::bigint FROM registered_model_count c WHERE "

_LISTING = Listing(
    columns=_COLUMNS,
    large=bytes_of("m", texts=["description"], json=["tags", "labels"]),
    source="registered_model m",
    table="m",
    sort_columns=sort_columns("m", SORT_FIELDS, "owner_id", "parent_model_id"),
)


class PostgresRegisteredModelRepository:
    """Implements ports.repositories.RegisteredModelRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("registered_model")

    async def create(self, model: RegisteredModel) -> RegisteredModel:
        values = map(_stored, STORED, arguments(model, STORED))
        if (times := await self._database.fetchrow(_INSERT, *values)) is None:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, model.parent_model_id)
        return model._replace(**times)

    async def get(self, project_id: UUID, id: UUID) -> RegisteredModel:
        return _found(await self._database.fetchrow(_GET, id, project_id), id)

    async def find(self, project_id: UUID, *, name: str = "", id: UUID | None = None) -> RegisteredModel:
        conditions = Conditions()
        conditions.add_equal(project_id=project_id, name=name, id=id)
        return _found(await self._database.fetchrow(f"{_READ} WHERE {conditions.on('m')}", *conditions.args), id)

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        conditions = Conditions()
        if is_beyond_names(filter.search):
            return Page((), total=None if slice.by_cursor else 0)
        if filter.search:
            _add_search(conditions, project_id, filter.search)
        else:
            conditions.add_equal(project_id=project_id)
        conditions.add_equal(state=filter.state, model_type=filter.model_type)
        total = None if filter.search else _COUNTER + conditions.on("c")
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_model_from)

    async def update(self, project_id: UUID, id: UUID, patch: RegisteredModelPatch) -> RegisteredModel:
        changed = changes(patch)
        values = [_stored(name, changed.get(name)) for name in PATCHED]
        return _found(await self._database.fetchrow(_UPDATE, id, project_id, *values), id)

    async def delete(self, project_id: UUID, id: UUID) -> None:
        if await self._database.execute(_DELETE, id, project_id, deleting=True):
            return
        if await self._database.fetch(_EXISTS, id, project_id):
            raise FailedPrecondition(Reason.MODEL_NOT_ARCHIVED, id=str(id))
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, id)


def _add_search(conditions: Conditions, project_id: UUID, search: str) -> None:
    """Search by pairs of letters, which are indexed: a name that contains the text contains all its pairs.

    The pairs include the project, and `project_id =` would make PostgreSQL look up all models of the project as well.
    """
    literal = longest_literal(search)
    if len(literal) > 1:
        conditions.add("{t}.project_id IS NOT DISTINCT FROM {}", project_id)
        conditions.add("name_pairs({t}.project_id, {t}.name) @> name_pairs($1, {})", literal)
        if len(search) == 2 and search == literal and search.isascii():
            return  # the search is one pair, so every hit matches; checking all of them would take a third of the time
    else:
        conditions.add_equal(project_id=project_id)
    # ILIKE would convert the pattern to lower case again for each row.
    conditions.add("lower({t}.name) LIKE (SELECT lower({}))", search_pattern(search))


def _stored(name: str, value: Any) -> Any:
    if name == "tags" and value is not None:
        return value._asdict()
    return value


def _tags_from(stored: dict[str, list[str] | None]) -> Tags:
    """Reads tags. The Go service stores null for lists that are missing in a PATCH (quirk Q10)."""
    return Tags(
        tuple(stored.get("frameworks") or ()),
        tuple(stored.get("architectures") or ()),
        tuple(stored.get("tasks") or ()),
        tuple(stored.get("subjects") or ()),
    )


def _model_from(
    record: Any, latest: ModelVersion | None = None, default: ModelVersion | None = None
) -> RegisteredModel:
    values = [*record[:_LATEST], latest, default]
    values[_TAGS_COLUMN] = _tags_from(values[_TAGS_COLUMN])
    return RegisteredModel._make(_values_of(values))


def _found(record: Any | None, id: UUID | None = None) -> RegisteredModel:
    if record is None:
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, id)
    return _model_from(
        record,
        _latest_from(record) if record[_LATEST] else None,
        _default_from(record) if record[_DEFAULT] else None,
    )

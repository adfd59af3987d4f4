"""Registered models in PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import (
    TOUCHED,
    arguments,
    etag_of,
    in_order_of,
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
    add_external_id,
    add_ids,
    bytes_of,
    is_beyond_names,
    longest_literal,
    search_pattern,
    sort_columns,
)
from registry_grpc.adapters.postgres.model_versions import COLUMNS as VERSION_COLUMNS
from registry_grpc.adapters.postgres.model_versions import IS_DEFAULT, NEWEST, columns_of, large_of, version_reader
from registry_grpc.adapters.postgres.patches import assigned, assignments
from registry_grpc.adapters.postgres.taken import OF_MODELS, naming_holder
from registry_grpc.adapters.postgres.users import OF_MODEL, naming_users
from registry_grpc.domain.errors import NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort, View
from registry_grpc.domain.registered_model import (
    ARCHIVED,
    FILTER_FIELDS,
    SORT_FIELDS,
    RegisteredModel,
    RegisteredModelFilter,
    RegisteredModelPatch,
    Tags,
    not_archived,
)

STORED = (
    "id", "created_at", "updated_at", "project_id", "owner_email", "name", "slug", "description", "model_type",
    "model_size", "state", "deployment_status", "tags", "labels", "parent_model_id", "external_id", "properties",
)  # fmt: skip
# ILIKE would convert the pattern to lower case again for each row.
_HAS_IN_NAME = "lower({t}.name) LIKE (SELECT lower({}))"
_VERSION_COUNT = """(
    SELECT coalesce(sum(c.versions), 0)::bigint FROM model_version_count c WHERE c.registered_model_id = m.id
)"""
_COLUMNS = (
    of_table("m", STORED[:-2]) | {"version_count": _VERSION_COUNT} | of_table("m", STORED[-2:]) | {"etag": etag_of("m")}
)
# A row has the columns of the model, of its newest version, and of its default version.
_LATEST = len(_COLUMNS)
_DEFAULT = _LATEST + len(VERSION_COLUMNS)
_TABLES = {"latest": "l", "default": "d"}
_LARGE_OF_VERSIONS = {
    f"{which}_{name}": f"coalesce({size}, 0)"
    for which, table in _TABLES.items()
    for name, size in large_of(table).items()
}
_OF_VERSIONS = {
    f"{which}_{name}": column
    for which, table in _TABLES.items()
    for name, column in columns_of(table, f"{table}.etag").items()
}
# NULL stands for values that are too large, so that those of a version that does not exist are something else.
_OF_VERSIONS |= {name: f"coalesce({_OF_VERSIONS[name]}, '{{}}')" for name in _LARGE_OF_VERSIONS}
_latest_from, _default_from = version_reader(_LATEST), version_reader(_DEFAULT)
READ = (*_COLUMNS, "latest_version", "default_version")
_values_of = in_order_of(RegisteredModel._fields, READ)
_TAGS_COLUMN = READ.index("tags")
_VERSIONS = f"""
LEFT JOIN LATERAL (
    SELECT *, {etag_of("v")} AS etag FROM model_version v WHERE v.registered_model_id = m.id {NEWEST}
) l ON true
LEFT JOIN LATERAL (
    SELECT *, {etag_of("v")} AS etag FROM model_version v WHERE v.registered_model_id = m.id AND {IS_DEFAULT}
) d ON true
"""
_SELECT = f"SELECT {select_list(_COLUMNS | _OF_VERSIONS)} FROM"
_READ = f"{_SELECT} registered_model m {_VERSIONS}"
_GET = _READ + "WHERE m.id = $1 AND m.project_id = $2"

_PARENT = STORED.index("parent_model_id") + 1
_PROJECT = STORED.index("project_id") + 1
# Inserts no row if the parent is not in the project.
_INSERT = f"""
INSERT INTO registered_model ({", ".join(STORED)})
SELECT {parameters(STORED)}
WHERE ${_PARENT}::uuid IS NULL
    OR EXISTS (SELECT FROM registered_model WHERE id = ${_PARENT} AND project_id = ${_PROJECT})
RETURNING created_at, updated_at, {etag_of("registered_model")} AS etag
"""
_GIVEN = ("created_at", "updated_at", "etag")
PATCHED = (
    "name", "description", "model_type", "model_size", "state", "deployment_status", "tags", "labels", "owner_email",
    "parent_model_id", "external_id", "properties",
)  # fmt: skip
_UPDATE = f"""
WITH updated AS (
    UPDATE registered_model SET {assignments(PATCHED, first=3)}, {TOUCHED}
    WHERE id = $1 AND project_id = $2 AND {unchanged("registered_model", len(PATCHED) + 3)}
    RETURNING *, xmin
)
{_SELECT} updated m {_VERSIONS}
"""
_DELETE = f"""
DELETE FROM registered_model
WHERE id = $1 AND project_id = $2 AND state = '{ARCHIVED}' AND {unchanged("registered_model", 3)}
RETURNING id
"""
_STATE = f"SELECT m.state, {etag_of('m')} AS etag FROM registered_model m WHERE m.id = $1 AND m.project_id = $2"
_COUNTER = "SELECT coalesce(sum(c.models), 0)::bigint FROM registered_model_count c WHERE "

_NO_VERSIONS = dict.fromkeys(_OF_VERSIONS)
_NOT_OF_CONTRACT = {name: RegisteredModel._field_defaults[name] for name in ("external_id", "properties", "etag")}
_LISTING = Listing(
    columns=_COLUMNS | _OF_VERSIONS,
    large=bytes_of("m", texts=["description"], json=["tags", "labels", "properties"]) | _LARGE_OF_VERSIONS,
    source="registered_model m",
    table="m",
    sort_columns=sort_columns("m", SORT_FIELDS, "owner_id", "parent_model_id"),
    walked=("created_at", "updated_at", "name"),
    beyond={View.CONTRACT: _NOT_OF_CONTRACT | _NO_VERSIONS, View.BASIC: _NO_VERSIONS},
    joined=_VERSIONS,
    objects=3,
)
_FILTER_COLUMNS = filter_columns(FILTER_FIELDS)
_FILTER_INDEX = FilterIndex(
    ("state", "model_type", "owner_email", "deployment_status", "external_id"), columns=("id", *_LISTING.walked)
)


class PostgresRegisteredModelRepository:
    """Implements ports.repositories.RegisteredModelRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("registered_model")

    async def create(self, model: RegisteredModel) -> RegisteredModel:
        values = map(as_stored, STORED, arguments(model, STORED))
        async with naming_holder(self._database, OF_MODELS, model.project_id, model, parent=model.project_id):
            stored = await self._database.write(_INSERT, *values)
        if stored is None:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, model.parent_model_id)
        return model._replace(**{name: stored[name] for name in _GIVEN})

    async def get(self, project_id: UUID, id: UUID) -> RegisteredModel:
        return _found(await self._database.fetchrow(_GET, id, project_id), id)

    async def find(
        self, project_id: UUID, *, name: str = "", id: UUID | None = None, external_id: str = ""
    ) -> RegisteredModel:
        conditions = Conditions.equal(project_id=project_id, name=name, id=id)
        add_external_id(conditions, external_id)
        return _found(await self._database.fetchrow(f"{_READ} WHERE {conditions.on('m')}", *conditions.args), id)

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        conditions = Conditions()
        if is_beyond_names(filter.search):
            return Page((), total=None if slice.by_cursor else 0)
        if filter.search:
            _add_search(conditions, project_id, filter.search, is_counted=not slice.by_cursor)
        else:
            conditions.add_equal(project_id=project_id)
        conditions.add_equal(state=filter.state, model_type=filter.model_type)
        add_ids(conditions, filter.ids)
        total = None if filter.search or filter.where or filter.ids else _COUNTER + conditions.on("c")
        # A search has an index of its own.
        index = None if filter.search else _FILTER_INDEX
        add_filter(conditions, filter.where, _FILTER_COLUMNS, index)
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_model_from)

    async def update(
        self, project_id: UUID, id: UUID, patch: RegisteredModelPatch, etags: Etags = None
    ) -> RegisteredModel:
        values = map(as_stored, PATCHED, assigned(patch, PATCHED))
        async with naming_holder(self._database, OF_MODELS, project_id, patch, parent=project_id):
            record = await self._database.write(_UPDATE, id, project_id, *values, etags)
        if record is None and etags is not None:
            await self.get(project_id, id)
            raise Stale.etag(id)
        return _found(record, id)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        async with naming_users(self._database, OF_MODEL, id):
            if await self._database.write(_DELETE, id, project_id, etags, deleting=True):
                return
        present = await self._database.fetchrow(_STATE, id, project_id)
        if present is None:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, id)
        if etags is not None and present["etag"] not in etags:
            raise Stale.etag(id)
        raise not_archived(id, present["state"])


def _add_search(conditions: Conditions, project_id: UUID, search: str, *, is_counted: bool) -> None:
    """Search by pairs of letters, which are indexed: a name that contains the text contains all its pairs.

    The pairs include the project, and `project_id =` would make PostgreSQL look up all models of the project as well.
    Without a count, the nearest models may fill the page, so the index is only the second choice.
    """
    literal = longest_literal(search)
    if len(literal) < 2:
        conditions.add_equal(project_id=project_id)
        conditions.add(_HAS_IN_NAME, search_pattern(search))
    elif is_counted:
        conditions.add("{t}.project_id IS NOT DISTINCT FROM {}", project_id)
        conditions.add("name_pairs({t}.project_id, {t}.name) @> name_pairs($1, {})", literal)
        # Every hit of a search that is one pair matches. Checking all of them would take a third of the time.
        if not (len(search) == 2 and search == literal and search.isascii()):
            conditions.add(_HAS_IN_NAME, search_pattern(search))
    else:
        conditions.add_equal(project_id=project_id)
        conditions.narrowing = [f"name_pairs(project_id, name) @> name_pairs($1, {conditions.parameter(literal)})"]
        conditions.filter = _HAS_IN_NAME.replace("{}", conditions.parameter(search_pattern(search)))
        conditions.is_indexed = True


def as_stored(name: str, value: Any) -> Any:
    if name == "tags" and value is not None:
        return value._asdict()
    return value


def tags_from(stored: dict[str, list[str] | None]) -> Tags:
    """Reads tags. The Go service stores null for lists that are missing in a PATCH (quirk Q10)."""
    return Tags(
        tuple(stored.get("frameworks") or ()),
        tuple(stored.get("architectures") or ()),
        tuple(stored.get("tasks") or ()),
        tuple(stored.get("subjects") or ()),
    )


def _model_from(record: Any) -> RegisteredModel:
    values = [
        *record[:_LATEST],
        _latest_from(record) if record[_LATEST] else None,
        _default_from(record) if record[_DEFAULT] else None,
    ]
    values[_TAGS_COLUMN] = tags_from(values[_TAGS_COLUMN])
    return RegisteredModel._make(_values_of(values))


def _found(record: Any | None, id: UUID | None = None) -> RegisteredModel:
    if record is None:
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, id)
    return _model_from(record)

"""Model versions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres import stored_keys
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
from registry_grpc.adapters.postgres.database import Database, Run
from registry_grpc.adapters.postgres.filtering import FilterIndex, add_filter, filter_columns
from registry_grpc.adapters.postgres.listing import (
    Conditions,
    Listing,
    add_external_id,
    add_ids,
    bytes_of,
    sort_columns,
)
from registry_grpc.adapters.postgres.patches import assigned, assignments
from registry_grpc.adapters.postgres.stored_keys import KEYS, place_of_key
from registry_grpc.adapters.postgres.taken import OF_VERSIONS, naming_holder
from registry_grpc.domain.errors import NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.model_version import (
    DEFAULT,
    FILTER_FIELDS,
    LATEST,
    ONLY_FULL,
    SORT_FIELDS,
    Credentials,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    already_attached,
    no_such_version,
    number_in,
)
from registry_grpc.domain.paging import Page, Slice, Sort, View
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.storage import place_of
from registry_grpc.ports.encryption import SecretCipher

STORED = (
    "id", "created_at", "updated_at", "registered_model_id", "name", "description", "is_default", "state", "status",
    "created_by_email", "updated_by_email", "artifact_type", "model_framework", "model_framework_version",
    "container_image", "model_catalog_name", "uri", "labels", "prebuilt_container_id", "external_id",
    "properties", "digest", "size_bytes", "readme", "metadata",
)  # fmt: skip
"""The columns of the table that are written as they are given."""
_WITH_KEYS = (*STORED, *stored_keys.COLUMNS)


def columns_of(table: str, etag: str) -> dict[str, str]:
    """The columns of a version with their expressions; `etag` is that of the etag."""
    # Most versions never had an alias.
    aliases = f"CASE WHEN {table}.was_aliased THEN version_aliases({table}.id) END"
    given = {"number": f"{table}.number", "aliases": aliases, "etag": etag}
    return of_table(table, STORED[:-2]) | given | of_table(table, ONLY_FULL)


def large_of(table: str) -> dict[str, str]:
    """The sizes of the large columns."""
    return bytes_of(table, texts=["description", "readme"], json=["labels", "properties", "metadata"])


READ = columns_of("v", etag_of("v"))
COLUMNS = tuple(READ)
_COLUMNS = select_list(READ)
_GIVEN = ("created_at", "updated_at", "number", "etag")
"""What the store decides when a version is created."""
_MODEL = STORED.index("registered_model_id") + 1
_PROJECT = len(_WITH_KEYS) + 1
# Inserts no row if the model is not in the project. The version becomes newer than all others of its model, even if the
# database's clock was set back, or is another server's clock after a failover. A trigger would give the number too, but
# takes longer. The model is locked before its number, as the trigger does.
_INSERT = f"""
WITH model AS MATERIALIZED (
    SELECT id, project_id FROM registered_model WHERE id = ${_MODEL} AND project_id = ${_PROJECT} FOR KEY SHARE
), given AS (
    INSERT INTO version_number AS n (registered_model_id, "first", "last") SELECT id, 1, 1 FROM model
    ON CONFLICT (registered_model_id) DO UPDATE SET "last" = n."last" + 1
    RETURNING "last" AS number
)
INSERT INTO model_version AS v ({", ".join(_WITH_KEYS)}, project_id, number)
SELECT {parameters(_WITH_KEYS, now="clock.now")}, m.project_id, given.number
FROM model m CROSS JOIN given CROSS JOIN LATERAL (
    SELECT greatest(now(), max(created_at) + interval '1 microsecond') AS now
    FROM model_version WHERE registered_model_id = m.id
) clock
RETURNING {select_list({name: READ[name] for name in _GIVEN})}
"""
_GET = f"""
SELECT {_COLUMNS} FROM model_version v
WHERE v.id = $1 AND v.project_id = $2 AND ($3::uuid IS NULL OR v.registered_model_id = $3)
"""
PATCHED = (
    "name", "description", "is_default", "state", "status", "artifact_type", "model_framework",
    "model_framework_version", "container_image", "uri", "labels", "model_catalog_name", "prebuilt_container_id",
    "external_id", "properties", "readme", "metadata", "digest", "size_bytes",
)  # fmt: skip
_UPDATE = f"""
UPDATE model_version v SET {assignments((*PATCHED, "keys_uri", *stored_keys.COLUMNS), first=5)}, {TOUCHED}
WHERE v.id = $1 AND v.project_id = $2
    AND ($3::uuid IS NULL OR v.registered_model_id = $3) AND {unchanged("v", 4)}
RETURNING {_COLUMNS}
"""
# Serializes requests that set the default of one model: the second one clears the default that the first one has set.
LOCK_MODEL = "SELECT id FROM registered_model WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE"
_LOCK_MODEL_OF_VERSION = """
SELECT m.id FROM model_version v JOIN registered_model m ON m.id = v.registered_model_id
WHERE v.id = $1 AND v.project_id = $2 FOR NO KEY UPDATE OF m
"""
# The order is that of the index on default versions: without it, any other index on the model may look as good.
CLEAR_DEFAULT = """
UPDATE model_version SET is_default = false WHERE id IS DISTINCT FROM $2 AND id IN (
    SELECT id FROM model_version WHERE registered_model_id = $1 AND is_default ORDER BY updated_at DESC, id DESC
)
"""
_NO_KEYS = (None,) * (1 + len(stored_keys.COLUMNS))
_LOCK_URIS = "SELECT uri, keys_uri FROM model_version WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE"
_COPY_ARTIFACTS = """
INSERT INTO artifact (
    id, project_id, model_version_id, model_id, kind, name, description, uri, digest, size_bytes, value, labels,
    properties
)
SELECT gen_random_uuid(), $1, $2, $4, kind, name, description, uri, digest, size_bytes, value, labels, properties
FROM artifact WHERE model_version_id = $3
"""
_CREDENTIALS = f"SELECT {stored_keys.READ} FROM model_version WHERE id = $1 AND project_id = $2"
_KEYS_URI = """
SELECT keys_uri FROM model_version WHERE id = $1 AND project_id = $2 AND (access_key <> '' OR secret_key <> '')
"""
_FIND = f"SELECT {_COLUMNS} FROM model_version v WHERE "
NEWEST = "ORDER BY v.created_at DESC, v.sequence DESC NULLS LAST, v.id DESC LIMIT 1"
IS_DEFAULT = "v.is_default = true ORDER BY v.updated_at DESC, v.id DESC LIMIT 1"
"""If the Go service has set several defaults, the one changed last counts."""
_OF_MODEL = _FIND + "v.registered_model_id = $1 AND v.project_id IS NOT DISTINCT FROM $2 "
_NAMED = {LATEST: _OF_MODEL + NEWEST, DEFAULT: f"{_OF_MODEL} AND {IS_DEFAULT}"}
_NUMBERED = _OF_MODEL + "AND v.number = $3"
_CALLED = (
    _OF_MODEL
    + """AND v.id = coalesce(
    (SELECT model_version_id FROM model_alias WHERE registered_model_id = $1 AND name = $3),
    (SELECT id FROM model_version WHERE registered_model_id = $1 AND name = $3)
)"""
)
_OLDEST = " ORDER BY v.created_at, v.id LIMIT 1"
_COUNTER = "SELECT coalesce(sum(c.versions), 0)::bigint FROM {counter} c WHERE {conditions}"

_LEFT_OUT = {name: ModelVersion._field_defaults[name] for name in READ if name in ModelVersion._field_defaults}
_LISTING = Listing(
    columns=READ,
    large=large_of("v"),
    source="model_version v",
    table="v",
    sort_columns=sort_columns("v", SORT_FIELDS),
    walked=("created_at",),
    beyond={View.CONTRACT: _LEFT_OUT, View.BASIC: {name: _LEFT_OUT[name] for name in ONLY_FULL}},
)
# For thousands of rows, a subquery takes a tenth of the time of the function that reads aliases.
FILTER_COLUMNS = filter_columns(
    FILTER_FIELDS,
    aliases=f"""to_jsonb(
        CASE WHEN {{t}}.was_aliased THEN ARRAY(SELECT a.name FROM model_alias a WHERE a.model_version_id = {{t}}.id)
        ELSE '{{}}' END || CASE WHEN {{t}}.is_default THEN ARRAY['{DEFAULT}'] END
    )""",
)
_WORDS = (
    "state", "status", "artifact_type", "model_framework", "uri", "created_by_email", "external_id", "digest",
    "size_bytes", "number", "is_default",
)  # fmt: skip
FILTER_INDEX = FilterIndex(
    _WORDS,
    # The default version has no row of an alias.
    {
        "aliases": f"""id = ANY(ARRAY(
            SELECT model_version_id FROM model_alias WHERE project_id = $1 AND name = {{}}
            UNION ALL SELECT id FROM model_version
            WHERE {{}} = '{DEFAULT}' AND {FilterIndex(_WORDS).array} @> ARRAY[$1::text, 'is_default=true']
        ))"""
    },
)


def version_reader(first: int = 0) -> Callable[[Any], ModelVersion]:
    """A function that reads a version from a row with COLUMNS from index `first` on."""
    values_of = in_order_of(ModelVersion._fields, COLUMNS, first)
    return lambda record: ModelVersion._make(values_of(record))


_version_from = version_reader()


class PostgresModelVersionRepository:
    """Implements ports.repositories.ModelVersionRepository."""

    def __init__(self, database: Database, cipher: SecretCipher) -> None:
        self._database = database.share("model_version")
        self._cipher = cipher

    async def create(
        self, project_id: UUID, version: ModelVersion, credentials: Credentials, artifacts_of: UUID | None = None
    ) -> ModelVersion:
        args = [
            *arguments(version, STORED),
            *stored_keys.stored(
                *(self._encrypted(version.id, name, getattr(credentials, name), version.uri) for name in KEYS)
            ),
            project_id,
        ]
        async with naming_holder(self._database, OF_VERSIONS, project_id, version, parent=version.registered_model_id):
            if not version.is_default and artifacts_of is None:
                return await _insert(self._database.write, args, version)
            async with self._database.transaction() as connection:
                if version.is_default:
                    model_id = await connection.fetchval(LOCK_MODEL, version.registered_model_id, project_id)
                    await connection.execute(CLEAR_DEFAULT, model_id, version.id)
                created = await _insert(connection.fetchrow, args, version)
                if artifacts_of is not None:
                    await connection.execute(
                        _COPY_ARTIFACTS, project_id, version.id, artifacts_of, version.registered_model_id
                    )
                return created

    async def get(self, project_id: UUID, id: UUID, *, registered_model_id: UUID | None = None) -> ModelVersion:
        return _found(await self._database.fetchrow(_GET, id, project_id, registered_model_id), id)

    async def find(self, project_id: UUID, key: ModelVersionKey) -> ModelVersion:
        # If at most one row can match, ORDER BY would make PostgreSQL walk the index of that order, and `project_id =`
        # might make it read all versions of the project with this name. But the index of external ids has the project.
        is_unique = key.id or key.external_id or (key.name and key.registered_model_id)
        conditions = Conditions()
        equals = "=" if key.external_id or not is_unique else "IS NOT DISTINCT FROM"
        conditions.add(f"{{t}}.project_id {equals} {{}}", project_id)
        conditions.add_equal(name=key.name, id=key.id, registered_model_id=key.registered_model_id)
        add_external_id(conditions, key.external_id)
        statement = _FIND + conditions.on("v") + ("" if is_unique else _OLDEST)
        return _found(await self._database.fetchrow(statement, *conditions.args))

    async def named(self, project_id: UUID, registered_model_id: UUID, version: str) -> ModelVersion:
        return await version_named(self._database, project_id, registered_model_id, version)

    async def list(self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice) -> Page[ModelVersion]:
        conditions = Conditions.equal(
            project_id=project_id,
            registered_model_id=filter.registered_model_id,
            state=filter.state,
            status=filter.status,
        )
        counter = "model_version_count" if filter.registered_model_id else "project_version_count"
        add_ids(conditions, filter.ids)
        total = None if filter.where or filter.ids else _COUNTER.format(counter=counter, conditions=conditions.on("c"))
        add_filter(conditions, filter.where, FILTER_COLUMNS, FILTER_INDEX)
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_version_from)

    async def update(
        self,
        project_id: UUID,
        id: UUID,
        patch: ModelVersionPatch,
        *,
        registered_model_id: UUID | None = None,
        etags: Etags = None,
        attaches: bool = False,
    ) -> ModelVersion:
        args = [id, project_id, registered_model_id, etags, *assigned(patch, PATCHED)]
        becomes_default = patch.is_default is not UNSET and patch.is_default
        if not (becomes_default or patch.concerns_keys or attaches):
            async with naming_holder(self._database, OF_VERSIONS, project_id, patch, id=id):
                return await _updated(self._database, args, write=self._database.write)
        async with (
            naming_holder(self._database, OF_VERSIONS, project_id, patch, id=id),
            self._database.transaction() as connection,
        ):
            if becomes_default:
                model_id = await connection.fetchval(_LOCK_MODEL_OF_VERSION, id, project_id)
                await connection.execute(CLEAR_DEFAULT, model_id, id)
            uris = await connection.fetchrow(_LOCK_URIS, id, project_id)
            if attaches and uris and uris["uri"]:
                raise already_attached(id, uris["uri"])
            if uris is None or not patch.concerns_keys:
                return await _updated(connection, args)
            uri = uris["uri"] if patch.uri is UNSET else patch.uri
            keys = {n: self._encrypted(id, n, key, uri) for n, key in patch.keys_for(uri, uris["keys_uri"]).items()}
            stored = [part for key in KEYS for part in (stored_keys.stored(keys[key]) if key in keys else (None, None))]
            return await _updated(connection, args, (uri, *stored))

    async def credentials(self, project_id: UUID, id: UUID, uri: str) -> Credentials | None:
        record = await self._database.fetchrow(_CREDENTIALS, id, project_id)
        if record is None:
            raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)
        if place_of(record["keys_uri"]) != place_of(uri):
            return None
        keys = (self._cipher.decrypt(record[name], place_of_key(id, name, record["keys_uri"])) for name in KEYS)
        return Credentials(*keys) or None

    async def keys_uri(self, project_id: UUID, id: UUID) -> str | None:
        record = await self._database.fetchrow(_KEYS_URI, id, project_id)
        return record["keys_uri"] if record else None

    def _encrypted(self, id: UUID, column: str, key: str, uri: str) -> str:
        return self._cipher.encrypt(key, place_of_key(id, column, uri))


async def version_named(connection: Any, project_id: UUID, registered_model_id: UUID, version: str) -> ModelVersion:
    """Implements ModelVersionRepository.named, perhaps inside a transaction."""
    args: list[Any] = [registered_model_id, project_id]
    if not (statement := _NAMED.get(version)):
        number = number_in(version)
        statement = _CALLED if number is None else _NUMBERED
        args.append(version if number is None else number)
    if record := await connection.fetchrow(statement, *args):
        return _version_from(record)
    raise no_such_version(registered_model_id, version)


async def _insert(write: Run, args: list[Any], version: ModelVersion) -> ModelVersion:
    if (record := await write(_INSERT, *args)) is None:
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, version.registered_model_id)
    return version._replace(**{name: record[name] for name in _GIVEN})


async def _updated(
    connection: Any, args: Sequence[Any], keys: Sequence[Any] = _NO_KEYS, write: Run | None = None
) -> ModelVersion:
    """The version after the update. `write` is used instead of the connection's fetchrow. Raises NotFound, Stale."""
    id_, project_id, registered_model_id, etags, *_ = args
    record = await (write or connection.fetchrow)(_UPDATE, *args, *keys)
    if record is None and etags is not None:
        _found(await connection.fetchrow(_GET, id_, project_id, registered_model_id), id_)
        raise Stale.etag(id_)
    return _found(record, id_)


def _found(record: Any | None, id: UUID | None = None) -> ModelVersion:
    if record is None:
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)
    return _version_from(record)

"""Model versions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres import stored_keys
from registry_grpc.adapters.postgres.columns import TOUCHED, arguments, in_order_of, of_table, parameters, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.listing import Conditions, Listing, bytes_of, sort_columns
from registry_grpc.adapters.postgres.patches import assignments
from registry_grpc.adapters.postgres.stored_keys import KEYS, place_of_key
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.model_version import (
    SORT_FIELDS,
    Credentials,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import UNSET, changes
from registry_grpc.domain.storage import place_of
from registry_grpc.ports.encryption import SecretCipher

COLUMNS = (
    "id", "created_at", "updated_at", "registered_model_id", "name", "description", "is_default", "state", "status",
    "created_by_email", "updated_by_email", "artifact_type", "model_framework", "model_framework_version",
    "container_image", "model_catalog_name", "uri", "labels", "prebuilt_container_id",
)  # fmt: skip
_COLUMNS = select_list(of_table("v", COLUMNS))
_STORED = (*COLUMNS, *stored_keys.COLUMNS)

_MODEL = COLUMNS.index("registered_model_id") + 1
_PROJECT = len(_STORED) + 1
# Inserts no row if the model is not in the project. The version becomes newer than all others of its model, even if the
# database's clock was set back, or is another server's clock after a failover.
_INSERT = f"""
INSERT INTO model_version AS v ({", ".join(_STORED)}, project_id)
SELECT {parameters(_STORED, now="clock.now")}, m.project_id
FROM registered_model m CROSS JOIN LATERAL (
    SELECT greatest(now(), max(created_at) + interval '1 microsecond') AS now
    FROM model_version WHERE registered_model_id = m.id
) clock
WHERE m.id = ${_MODEL} AND m.project_id = ${_PROJECT}
RETURNING {_COLUMNS}
"""
_GET = f"""
SELECT {_COLUMNS} FROM model_version v
WHERE v.id = $1 AND v.project_id = $2 AND ($3::uuid IS NULL OR v.registered_model_id = $3)
"""
PATCHED = (
    "name", "description", "is_default", "state", "status", "artifact_type", "model_framework",
    "model_framework_version", "container_image", "uri", "labels",
)  # fmt: skip
_UPDATE = f"""
UPDATE model_version v SET {assignments((*PATCHED, "keys_uri", *stored_keys.COLUMNS), first=4)}, {TOUCHED}
WHERE v.id = $1 AND v.project_id = $2
    AND ($3::uuid IS NULL OR v.registered_model_id = $3)
RETURNING {_COLUMNS}
"""
# Serializes requests that set the default of one model: the second one clears the default that the first one has set.
_LOCK_MODEL = "SELECT id FROM registered_model WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE"
_LOCK_MODEL_OF_VERSION = """
SELECT m.id FROM model_version v JOIN registered_model m ON m.id = v.registered_model_id
WHERE v.id = $1 AND v.project_id = $2 FOR NO KEY UPDATE OF m
"""
_CLEAR_DEFAULT = (
    "UPDATE model_version SET is_default = false WHERE registered_model_id = $1 AND is_default AND id <> $2"
)
_NO_KEYS = (None,) * (1 + len(stored_keys.COLUMNS))
_LOCK_URIS = "SELECT uri, keys_uri FROM model_version WHERE id = $1 AND project_id = $2 FOR NO KEY UPDATE"
_CREDENTIALS = f"SELECT {stored_keys.READ} FROM model_version WHERE id = $1 AND project_id = $2"
_KEYS_URI = """
SELECT keys_uri FROM model_version WHERE id = $1 AND project_id = $2 AND (access_key <> '' OR secret_key <> '')
"""
_FIND = f"SELECT {_COLUMNS} FROM model_version v WHERE "
_OLDEST = " ORDER BY v.created_at, v.id LIMIT 1"
_COUNTER = "SELECT coalesce(sum(c.versions), 0)::bigint FROM {counter} c WHERE {conditions}"

_LISTING = Listing(
    columns=of_table("v", COLUMNS),
    large=bytes_of("v", texts=["description"], json=["labels"]),
    source="model_version v",
    table="v",
    sort_columns=sort_columns("v", SORT_FIELDS),
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

    async def create(self, project_id: UUID, version: ModelVersion, credentials: Credentials) -> ModelVersion:
        args = [
            *arguments(version, COLUMNS),
            *stored_keys.stored(
                *(self._encrypted(version.id, name, getattr(credentials, name), version.uri) for name in KEYS)
            ),
            project_id,
        ]
        if not version.is_default:
            return await _insert(self._database, args, version)
        async with self._database.transaction() as connection:
            model_id = await connection.fetchval(_LOCK_MODEL, version.registered_model_id, project_id)
            await connection.execute(_CLEAR_DEFAULT, model_id, version.id)
            return await _insert(connection, args, version)

    async def get(self, project_id: UUID, id: UUID, *, registered_model_id: UUID | None = None) -> ModelVersion:
        return _found(await self._database.fetchrow(_GET, id, project_id, registered_model_id), id)

    async def find(self, project_id: UUID, key: ModelVersionKey) -> ModelVersion:
        # If at most one row can match, ORDER BY would make PostgreSQL walk the index of that order, and `project_id =`
        # might make it read all versions of the project with this name.
        is_unique = key.id or (key.name and key.registered_model_id)
        conditions = Conditions()
        conditions.add(f"{{t}}.project_id {'IS NOT DISTINCT FROM' if is_unique else '='} {{}}", project_id)
        conditions.add_equal(name=key.name, id=key.id, registered_model_id=key.registered_model_id)
        statement = _FIND + conditions.on("v") + ("" if is_unique else _OLDEST)
        return _found(await self._database.fetchrow(statement, *conditions.args))

    async def list(self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice) -> Page[ModelVersion]:
        conditions = Conditions()
        conditions.add_equal(
            project_id=project_id,
            registered_model_id=filter.registered_model_id,
            state=filter.state,
            status=filter.status,
        )
        counter = "model_version_count" if filter.registered_model_id else "project_version_count"
        total = _COUNTER.format(counter=counter, conditions=conditions.on("c"))
        return await _LISTING.page(self._database, conditions, sort, slice, total=total, item=_version_from)

    async def update(
        self, project_id: UUID, id: UUID, patch: ModelVersionPatch, *, registered_model_id: UUID | None = None
    ) -> ModelVersion:
        changed = changes(patch)
        args = [id, project_id, registered_model_id, *(changed.get(name) for name in PATCHED)]
        becomes_default = patch.is_default is not UNSET and patch.is_default
        if not becomes_default and not patch.concerns_keys:
            return _found(await self._database.fetchrow(_UPDATE, *args, *_NO_KEYS), id)
        async with self._database.transaction() as connection:
            if becomes_default:
                model_id = await connection.fetchval(_LOCK_MODEL_OF_VERSION, id, project_id)
                await connection.execute(_CLEAR_DEFAULT, model_id, id)
            uris = await connection.fetchrow(_LOCK_URIS, id, project_id)
            if uris is None or not patch.concerns_keys:
                return _found(await connection.fetchrow(_UPDATE, *args, *_NO_KEYS), id)
            uri = uris["uri"] if patch.uri is UNSET else patch.uri
            keys = {n: self._encrypted(id, n, key, uri) for n, key in patch.keys_for(uri, uris["keys_uri"]).items()}
            stored = [part for key in KEYS for part in (stored_keys.stored(keys[key]) if key in keys else (None, None))]
            return _found(await connection.fetchrow(_UPDATE, *args, uri, *stored), id)

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


async def _insert(connection: Any, args: list[Any], version: ModelVersion) -> ModelVersion:
    if (record := await connection.fetchrow(_INSERT, *args)) is None:
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, version.registered_model_id)
    return _version_from(record)


def _found(record: Any | None, id: UUID | None = None) -> ModelVersion:
    if record is None:
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)
    return _version_from(record)

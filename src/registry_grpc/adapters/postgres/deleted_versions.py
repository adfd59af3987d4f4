"""Deletes model versions, and restores deleted ones."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import etag_of, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.filtering import add_filter
from registry_grpc.adapters.postgres.listing import Conditions, keyset_page
from registry_grpc.adapters.postgres.model_aliases import delete_alias
from registry_grpc.adapters.postgres.model_versions import LOCK_MODEL, READ, columns_of, version_reader
from registry_grpc.adapters.postgres.taken import OF_VERSIONS, naming_holder
from registry_grpc.adapters.postgres.users import OF_VERSION, users_of
from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.model_version import (
    DELETED_FILTER_FIELDS,
    LAST_DELETED_FIRST,
    DeletedModelVersion,
    ModelVersion,
    ModelVersionKey,
)
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort

_COLUMNS = select_list(READ)
# A row in JSON is of no transaction.
_DELETED = select_list(columns_of("v", "''"))
_MODEL_OF = "SELECT registered_model_id FROM model_version WHERE id = $1 AND project_id = $2"
# Waits for transactions that are about to refer to the version, and keeps new ones from doing so.
_LOCK = f"SELECT {etag_of('v')} FROM model_version v WHERE id = $1 AND registered_model_id = $2 FOR UPDATE"
_ALIASES = "SELECT name FROM model_alias WHERE model_version_id = $1 ORDER BY name"
_KEEP = """
WITH kept AS (
    INSERT INTO deleted_model_version (id, registered_model_id, version, deleted_by)
    SELECT id, registered_model_id, to_jsonb(v), $2 FROM model_version v WHERE id = $1
), gone AS (DELETE FROM artifact WHERE model_version_id = $1 RETURNING *)
INSERT INTO deleted_artifact (id, model_version_id, artifact) SELECT id, model_version_id, to_jsonb(gone) FROM gone
"""
_DELETE = "DELETE FROM model_version WHERE id = $1"
_FORGET = """
DELETE FROM deleted_model_version WHERE id = ANY(ARRAY(
    SELECT id FROM deleted_model_version WHERE deleted_at < now() - $1::interval
    ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED
))
"""
_FORGOTTEN_AT_ONCE = 500
_FORGOTTEN_BY_A_DELETION = 10
_PAUSE_SECONDS = 0.05
_DELETED_VERSION = """
SELECT d.registered_model_id, d.version->>'name' AS name, d.version->>'external_id' AS external_id
FROM deleted_model_version d JOIN registered_model m ON m.id = d.registered_model_id
WHERE d.id = $1 AND m.project_id = $2
"""
# The model may have another default version now.
_RESTORE = """
SELECT restore_row('model_version', version || '{"is_default": false}') FROM deleted_model_version
WHERE id = $1 AND deleted_at >= now() - $2::interval
"""
_RESTORE_ARTIFACTS = "SELECT restore_row('artifact', artifact) FROM deleted_artifact WHERE model_version_id = $1"
# The artifact that has got the external id of a deleted one.
_HOLDER = """
SELECT a.id, a.name FROM deleted_artifact d
JOIN artifact a ON a.project_id = $2 AND a.external_id = d.artifact->>'external_id' AND a.external_id <> ''
WHERE d.model_version_id = $1 LIMIT 1
"""
_NO_LONGER_DELETED = "DELETE FROM deleted_model_version WHERE id = $1"
_GET = f"SELECT {_COLUMNS} FROM model_version v WHERE v.id = $1"
_LIST = f"""
SELECT {_DELETED}, d.deleted_at, d.deleted_by
FROM deleted_model_version d JOIN registered_model m ON m.id = d.registered_model_id
CROSS JOIN LATERAL jsonb_populate_record(NULL::model_version, d.version) v
"""
_OF_MODEL = "d.registered_model_id = $1 AND m.project_id = $2 AND d.deleted_at >= now() - $3::interval"
_FILTER_COLUMNS = {
    name: name.replace("model_version.", "v.") if "." in name else f"d.{name}" for name in DELETED_FILTER_FIELDS
}
_version_from = version_reader()


class PostgresDeletedVersionRepository:
    """Implements ports.repositories.DeletedVersionRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("model_version")

    async def delete(
        self, project_id: UUID, id: UUID, user: str, *, force: bool, retention: timedelta, etags: Etags = None
    ) -> None:
        async with self._database.transaction(deleting=True) as connection:
            etag, model_id = None, await connection.fetchval(_MODEL_OF, id, project_id)
            if model_id is not None:
                await connection.fetchval(LOCK_MODEL, model_id, project_id)
                etag = await connection.fetchval(_LOCK, id, model_id)
            if etag is None:
                raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)
            if etags is not None and etag not in etags:
                raise Stale.etag(id)
            if users := await users_of(connection, OF_VERSION, id, force):
                raise FailedPrecondition(Reason.MODEL_VERSION_IN_USE, users=users, id=str(id))
            for row in await connection.fetch(_ALIASES, id):
                await delete_alias(connection, model_id, row["name"], user)
            await connection.execute(_KEEP, id, user)
            await connection.execute(_DELETE, id)
            await connection.execute(_FORGET, retention, _FORGOTTEN_BY_A_DELETION)

    async def restore(self, project_id: UUID, id: UUID, *, retention: timedelta) -> ModelVersion:
        deleted = await self._database.fetchrow(_DELETED_VERSION, id, project_id)
        if deleted is None:
            raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)
        if holder := await self._database.fetchrow(_HOLDER, id, project_id):
            raise AlreadyExists.held(Reason.EXTERNAL_ID_TAKEN, holder["id"], holder["name"])
        model_id, name, external_id = deleted
        key = ModelVersionKey(name=name, external_id=external_id)
        async with (
            naming_holder(self._database, OF_VERSIONS, project_id, key, parent=model_id),
            self._database.transaction() as connection,
        ):
            await connection.fetchval(LOCK_MODEL, model_id, project_id)
            if await connection.fetchrow(_RESTORE, id, retention) is None:
                raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id)
            await connection.execute(_RESTORE_ARTIFACTS, id)
            await connection.execute(_NO_LONGER_DELETED, id)
            return _version_from(await connection.fetchrow(_GET, id))

    async def list(
        self,
        project_id: UUID,
        registered_model_id: UUID,
        slice: Slice,
        sort: Sort = LAST_DELETED_FIRST,
        where: Filter | None = None,
        *,
        retention: timedelta,
    ) -> Page[DeletedModelVersion]:
        conditions = Conditions([_OF_MODEL], [registered_model_id, project_id, retention])
        add_filter(conditions, where, _FILTER_COLUMNS)

        def item(row: Any) -> DeletedModelVersion:
            return DeletedModelVersion(
                model_version=_version_from(row).in_view(slice.view),
                deleted_at=row["deleted_at"],
                deleted_by=row["deleted_by"],
                expires_at=row["deleted_at"] + retention,
            )

        return await keyset_page(
            self._database, _LIST, conditions, sort, slice, "d.deleted_at", "d.id",
            item=item, cursor=lambda row: Cursor(row["deleted_at"], row["id"]),
        )  # fmt: skip

    async def forget(self, retention: timedelta) -> None:
        forgotten = _FORGOTTEN_AT_ONCE
        while forgotten == _FORGOTTEN_AT_ONCE:
            forgotten = await self._database.execute(_FORGET, retention, _FORGOTTEN_AT_ONCE)
            await asyncio.sleep(_PAUSE_SECONDS)

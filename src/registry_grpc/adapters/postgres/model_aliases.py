"""Aliases of model versions in PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import NOW
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.filtering import add_filter
from registry_grpc.adapters.postgres.listing import Conditions, keyset_page
from registry_grpc.adapters.postgres.model_versions import CLEAR_DEFAULT, IS_DEFAULT, LOCK_MODEL, version_named
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.model_alias import (
    BY_NAME,
    FILTER_FIELDS,
    LAST_MOVE_FIRST,
    MOVE_FILTER_FIELDS,
    AliasChange,
    ModelAlias,
    ModelAliasMove,
    no_such_alias,
)
from registry_grpc.domain.model_version import DEFAULT
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort

_ALIASES = f"""(
    SELECT a.registered_model_id, a.name, a.model_version_id, v.number AS version_number, a.is_protected, a.moved_at,
        a.moved_by
    FROM model_alias a JOIN model_version v ON v.id = a.model_version_id
    WHERE a.registered_model_id = $1
    UNION ALL (
        SELECT v.registered_model_id, '{DEFAULT}', v.id, v.number, false, NULL, ''
        FROM model_version v WHERE v.registered_model_id = $1 AND {IS_DEFAULT}
    )
) alias"""
_PRESENT = f"SELECT * FROM {_ALIASES} WHERE name = $2"
_LIST = f"SELECT * FROM {_ALIASES} "
_MODEL = "SELECT id FROM registered_model WHERE id = $1 AND project_id = $2"
_SET = """
INSERT INTO model_alias AS a (registered_model_id, name, model_version_id, is_protected, moved_by, project_id)
VALUES ($1, $2, $3, coalesce($4, false), $5, $6)
ON CONFLICT (registered_model_id, name) DO UPDATE SET
    model_version_id = $3,
    is_protected = coalesce($4, a.is_protected),
    moved_at = CASE WHEN a.model_version_id = $3 THEN a.moved_at ELSE now() END,
    moved_by = CASE WHEN a.model_version_id = $3 THEN a.moved_by ELSE $5 END
"""
MARK = "UPDATE model_version SET was_aliased = true WHERE id = $1 AND was_aliased IS NOT TRUE"
# Also if it is the default already, because another program may clear that meanwhile.
_SET_DEFAULT = f"""
UPDATE model_version SET is_default = true, updated_at = CASE WHEN is_default THEN updated_at ELSE {NOW} END
WHERE id = $1
"""
_DELETE = "DELETE FROM model_alias WHERE registered_model_id = $1 AND name = $2"
LOG = """
INSERT INTO model_alias_move (registered_model_id, name, model_version_id, version_number, moved_by)
VALUES ($1, $2, $3, $4, $5)
"""
_MOVES = """
SELECT sequence, name, model_version_id, version_number, moved_at, moved_by FROM model_alias_move move
"""
_FILTER_COLUMNS = {name: f"alias.{name}" for name in FILTER_FIELDS}
_MOVE_FILTER_COLUMNS = {name: f"move.{name}" for name in MOVE_FILTER_FIELDS}


class PostgresModelAliasRepository:
    """Implements ports.repositories.ModelAliasRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("model_version")

    async def set(self, project_id: UUID, registered_model_id: UUID, change: AliasChange, user: str) -> ModelAlias:
        name = change.name
        async with self._database.transaction() as connection:
            now = await _locked(connection, project_id, registered_model_id, name)
            version = await version_named(connection, project_id, registered_model_id, change.version)
            change.check(now)
            if name == DEFAULT:
                await connection.execute(CLEAR_DEFAULT, registered_model_id, version.id)
                await connection.execute(_SET_DEFAULT, version.id)
                return ModelAlias(
                    registered_model_id=registered_model_id,
                    name=name,
                    model_version_id=version.id,
                    version_number=version.number,
                )
            args = registered_model_id, name, version.id
            await connection.execute(MARK, version.id)
            await connection.execute(_SET, *args, change.is_protected, user, project_id)
            if now is None or now.model_version_id != version.id:
                await connection.execute(LOG, *args, version.number, user)
            return _alias_from(await connection.fetchrow(_PRESENT, registered_model_id, name))

    async def delete(self, project_id: UUID, registered_model_id: UUID, change: AliasChange, user: str) -> None:
        async with self._database.transaction() as connection:
            now = await _locked(connection, project_id, registered_model_id, change.name)
            change.check(now)
            if now is None:
                raise no_such_alias(registered_model_id, change.name)
            if change.name == DEFAULT:
                await connection.execute(CLEAR_DEFAULT, registered_model_id, None)
            else:
                await delete_alias(connection, registered_model_id, change.name, user)

    async def list(
        self,
        project_id: UUID,
        registered_model_id: UUID,
        slice: Slice,
        sort: Sort = BY_NAME,
        where: Filter | None = None,
    ) -> Page[ModelAlias]:
        await self._check_model(project_id, registered_model_id)
        conditions = Conditions(["registered_model_id = $1"], [registered_model_id])
        add_filter(conditions, where, _FILTER_COLUMNS)
        return await keyset_page(
            self._database, _LIST, conditions, sort, slice, "name",
            item=_alias_from, cursor=lambda row: Cursor(row["name"], registered_model_id),
        )  # fmt: skip

    async def moves(  # noqa: PLR0917 - as the port
        self,
        project_id: UUID,
        registered_model_id: UUID,
        name: str,
        slice: Slice,
        sort: Sort = LAST_MOVE_FIRST,
        where: Filter | None = None,
    ) -> Page[ModelAliasMove]:
        await self._check_model(project_id, registered_model_id)
        conditions = Conditions(["registered_model_id = $1"], [registered_model_id])
        if name:
            conditions.add("name = {}", name)
        add_filter(conditions, where, _MOVE_FILTER_COLUMNS)
        return await keyset_page(
            self._database, _MOVES, conditions, sort, slice, "sequence",
            item=lambda row: ModelAliasMove(**row), cursor=lambda row: Cursor(row["sequence"], registered_model_id),
        )  # fmt: skip

    async def _check_model(self, project_id: UUID, registered_model_id: UUID) -> None:
        if await self._database.fetchrow(_MODEL, registered_model_id, project_id) is None:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, registered_model_id)


async def delete_alias(connection: Any, registered_model_id: UUID, name: str, user: str) -> None:
    """Delete an alias that is stored, inside a transaction that has locked the model."""
    await connection.execute(_DELETE, registered_model_id, name)
    await connection.execute(LOG, registered_model_id, name, None, None, user)


async def _locked(connection: Any, project_id: UUID, registered_model_id: UUID, name: str) -> ModelAlias | None:
    """The alias as it is now, after locking the model, so that it stays so. Raises NotFound for the model."""
    if await connection.fetchval(LOCK_MODEL, registered_model_id, project_id) is None:
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, registered_model_id)
    record = await connection.fetchrow(_PRESENT, registered_model_id, name)
    return _alias_from(record) if record else None


def _alias_from(record: Any) -> ModelAlias:
    return ModelAlias(**record)

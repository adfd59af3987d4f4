"""Reads whole projects from PostgreSQL, and adds the content of others.

An export reads by cursors in one transaction that sees the database as it was at its start. It has no page of rows in
memory, but the next few.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any
from uuid import UUID

import orjson

from registry_grpc.adapters.postgres import artifacts, model_versions, registered_models, serving_environments
from registry_grpc.adapters.postgres.columns import arguments, of_table, select_list
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.artifact import Artifact
from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.model_alias import ModelAlias
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import DEFAULTS, RegisteredModel, Tags
from registry_grpc.domain.transfer import Added, ModelParent, Record

_LONGEST_FETCH = 60
"""Seconds. To find the artifacts of a model, PostgreSQL looks at all its versions."""
_ROWS_AHEAD = 20  # a row has up to 4 MiB

_ENVIRONMENTS = f"""
SELECT {select_list(serving_environments.READ)} FROM serving_environment e WHERE e.project_id = $1
ORDER BY e.created_at, e.id
"""
_MODEL = of_table("m", registered_models.STORED)
_MODELS = f"""
SELECT {select_list(_MODEL)}, coalesce((SELECT "last" FROM version_number WHERE registered_model_id = m.id), 0) AS last
FROM registered_model m WHERE m.project_id = $1 ORDER BY m.created_at, m.id
"""
_VERSIONS = f"""
SELECT {select_list(model_versions.READ)}, (v.access_key <> '' OR v.secret_key <> '') AS has_keys
FROM model_version v WHERE v.registered_model_id = $1 ORDER BY v.number
"""
_ALIASES = """
SELECT a.registered_model_id, a.name, a.model_version_id, v.number AS version_number, a.is_protected, a.moved_at,
    a.moved_by, v.name AS model_version_name
FROM model_alias a JOIN model_version v ON v.id = a.model_version_id
WHERE a.registered_model_id = $1 ORDER BY a.name
"""
_ARTIFACTS = f"""
SELECT {select_list(artifacts.READ)}, v.name AS model_version_name
FROM model_version v JOIN artifact a ON a.model_version_id = v.id
WHERE v.registered_model_id = $1 ORDER BY v.number, a.name
"""
_ALONE = f"""
SELECT {select_list(artifacts.READ)}, '' AS model_version_name
FROM artifact a WHERE a.project_id = $1 AND a.model_version_id IS NULL ORDER BY a.name
"""
_PARENTS = """
SELECT m.id AS registered_model_id, m.name AS registered_model_name, p.id AS parent_model_id,
    p.name AS parent_model_name
FROM registered_model m JOIN registered_model p ON p.id = m.parent_model_id
WHERE m.project_id = $1 ORDER BY m.created_at, m.id
"""


def _insert(table: str, columns: Sequence[str], **others: str) -> str:
    """Inserts rows unless others have their ids, names or external ids. Times from clocks that are ahead become now."""
    values = {name: f"n.{name}" for name in columns} | {
        "created_at": "least(n.created_at, now())",
        "updated_at": "least(greatest(n.created_at, n.updated_at), now())",
    }
    values |= others
    return f"""
INSERT INTO {table} ({", ".join(values)}) SELECT {", ".join(values.values())}
FROM json_populate_recordset(NULL::{table}, $1) AS n ON CONFLICT DO NOTHING RETURNING id
"""


def _find(table: str, *places: str, more: str = "") -> str:
    """Finds the rows with the ids, or else those in the places."""
    choices = ", ".join(f"(SELECT id FROM {table} WHERE {place})" for place in places)
    return f"""
SELECT t.id{more} FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[]) WITH ORDINALITY
    AS n (id, name, owner, project, place)
LEFT JOIN {table} AS t ON t.id = coalesce({choices}) ORDER BY n.place
"""


_IDS, _NAMES = "id = n.id AND project_id = n.project", "project_id = n.project AND name = n.name"
_COLUMNS = {
    "serving_environment": serving_environments.STORED,
    "registered_model": registered_models.STORED,
    "model_version": (*model_versions.STORED, "number"),
    "artifact": artifacts.STORED,
}
# What the objects do not have.
_OTHERS = {
    "model_version": {"project_id": "$2"},
    "artifact": {"model_id": "(SELECT registered_model_id FROM model_version WHERE id = n.model_version_id)"},
}
_ADD = {table: _insert(table, columns, **_OTHERS.get(table, {})) for table, columns in _COLUMNS.items()}
_FIND = {
    "serving_environment": _find("serving_environment", _IDS, _NAMES),
    "registered_model": _find("registered_model", _IDS, _NAMES),
    "model_version": _find(
        "model_version",
        "id = n.id AND registered_model_id = n.owner",
        "registered_model_id = n.owner AND name = n.name",
        more=", t.number, (t.access_key <> '' OR t.secret_key <> '') AS has_keys",
    ),
    # Those that stand alone have no owner.
    "artifact": _find(
        "artifact",
        _IDS,
        "model_version_id = n.owner AND name = n.name",
        f"{_NAMES} AND model_version_id IS NULL AND n.owner IS NULL",
    ),
}
# First the models, then their numbers, as other writers do. Nobody else gives numbers until the end of the transaction.
_LOCK_MODELS = "SELECT id FROM registered_model WHERE id = ANY($1) AND project_id = $2 ORDER BY id FOR NO KEY UPDATE"
_RESERVE = """
INSERT INTO version_number AS n (registered_model_id, "first", "last")
SELECT id, 1, last FROM unnest($1::uuid[], $2::bigint[]) AS r (id, last) ORDER BY id
ON CONFLICT (registered_model_id) DO UPDATE SET "last" = greatest(n."last", excluded."last")
RETURNING registered_model_id, "last"
"""
# A deleted version that can be restored needs its number.
_TAKEN_NUMBERS = """
SELECT n.owner, n.number FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS n (owner, id, number)
WHERE EXISTS (SELECT FROM model_version WHERE registered_model_id = n.owner AND number = n.number) OR EXISTS (
    SELECT FROM deleted_model_version
    WHERE registered_model_id = n.owner AND id <> n.id AND (version ->> 'number')::bigint = n.number
)
"""
_WITH_DEFAULT = "SELECT registered_model_id FROM model_version WHERE registered_model_id = ANY($1) AND is_default"
_ADD_ALIASES = """
WITH added AS (
    INSERT INTO model_alias (registered_model_id, name, model_version_id, is_protected, moved_at, moved_by, project_id)
    SELECT registered_model_id, name, model_version_id, is_protected, least(moved_at, now()), moved_by, $2
    FROM json_populate_recordset(NULL::model_alias, $1) ON CONFLICT DO NOTHING
    RETURNING registered_model_id, name, model_version_id
), marked AS (
    UPDATE model_version SET was_aliased = true
    WHERE id IN (SELECT model_version_id FROM added) AND was_aliased IS NOT TRUE
)
INSERT INTO model_alias_move AS m (registered_model_id, name, model_version_id, version_number, moved_by)
SELECT a.registered_model_id, a.name, a.model_version_id, v.number, $3
FROM added AS a JOIN model_version AS v ON v.id = a.model_version_id RETURNING m.registered_model_id, m.name
"""
_SET_PARENTS = """
UPDATE registered_model AS m SET parent_model_id = n.parent FROM unnest($1::uuid[], $2::uuid[]) AS n (id, parent)
WHERE m.id = n.id AND m.id <> n.parent AND m.parent_model_id IS NULL
"""


class PostgresTransferRepository:
    """Implements ports.transfer.TransferRepository."""

    def __init__(self, database: Database) -> None:
        # An export takes minutes, so that it has a connection of its own. Most of an import are versions.
        self._database = database.share("model_version")

    async def export(self, project_id: UUID) -> AsyncGenerator[Record, None]:
        async with self._database.snapshot() as connection:
            await connection.execute(f"SET LOCAL statement_timeout = '{_LONGEST_FETCH}s'")

            def rows(statement: str, id: UUID = project_id) -> AsyncIterator[Any]:
                cursor = connection.cursor(statement, id, prefetch=_ROWS_AHEAD, timeout=_LONGEST_FETCH)
                found: AsyncIterator[Any] = aiter(cursor)
                return found

            async for row in rows(_ENVIRONMENTS):
                yield Record(content=serving_environments.environment_from(row))
            async for row in rows(_MODELS):
                yield Record(content=_model_from(row), last_version_number=row["last"])
                if row["last"]:
                    async for version in rows(_VERSIONS, row["id"]):
                        yield Record(content=_version_from(version), has_keys=version["has_keys"])
                    async for alias in rows(_ALIASES, row["id"]):
                        yield _with_version_name(ModelAlias, alias)
                    async for artifact in rows(_ARTIFACTS, row["id"]):
                        yield _artifact_record(artifact)
            async for row in rows(_ALONE):
                yield _artifact_record(row)
            async for row in rows(_PARENTS):
                yield Record(content=ModelParent(**row))

    @asynccontextmanager
    async def batch(self, project_id: UUID, user: str) -> AsyncIterator[PostgresBatch]:
        async with self._database.transaction() as connection:
            yield PostgresBatch(connection, project_id, user)


_version_from = model_versions.version_reader()


def _model_from(row: Any) -> RegisteredModel:
    return RegisteredModel(**{name: row[name] for name in _MODEL} | {"tags": registered_models.tags_from(row["tags"])})


def _artifact_record(row: Any) -> Record:
    return Record(content=artifacts.artifact_from(row), model_version_name=row["model_version_name"])


def _with_version_name(kind: type[ModelAlias], row: Any) -> Record:
    values = dict(row)
    name = values.pop("model_version_name")
    return Record(content=kind(**values), model_version_name=name)


class PostgresBatch:
    """Implements ports.transfer.Batch in one transaction, with one statement for all objects of a kind."""

    def __init__(self, connection: Any, project_id: UUID, user: str) -> None:
        self._connection = connection
        self._project_id = project_id
        self._user = user

    async def add(self, objects: Sequence[Any]) -> Sequence[Added]:
        match objects[0]:
            case ModelVersion():
                return await self._add_versions(objects)
            case ModelAlias():
                return await self._add_aliases(objects)
            case RegisteredModel():
                new = {"parent_model_id": None, "deployment_status": DEFAULTS["deployment_status"]}
                return await self._add("registered_model", [model._replace(**new) for model in objects])
            case kind:
                return await self._add("artifact" if isinstance(kind, Artifact) else "serving_environment", objects)

    async def reserve_numbers(self, numbers: Iterable[tuple[UUID, int]]) -> dict[UUID, int]:
        last = dict[UUID, int]()
        for model_id, number in numbers:
            last[model_id] = max(number, last.get(model_id, 0))
        locked = await self._connection.fetch(_LOCK_MODELS, list(last), self._project_id)
        if missing := last.keys() - {row["id"] for row in locked}:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, missing.pop())
        return dict(await self._connection.fetch(_RESERVE, list(last), list(last.values())))

    async def _add_versions(self, versions: Sequence[ModelVersion]) -> Sequence[Added]:
        last = await self.reserve_numbers((version.registered_model_id, version.number) for version in versions)
        owners = [version.registered_model_id for version in versions]
        ids, numbers = [version.id for version in versions], [version.number for version in versions]
        taken = {tuple(row) for row in await self._connection.fetch(_TAKEN_NUMBERS, owners, ids, numbers)}
        with_default = {row[0] for row in await self._connection.fetch(_WITH_DEFAULT, owners)}
        added, new = list[Added](), list[ModelVersion]()
        places = await self._find("model_version", ids, [version.name for version in versions], owners)
        for version, place in zip(versions, places, strict=True):
            if place["id"]:
                added.append(Added(place["id"], created=False, number=place["number"], has_keys=place["has_keys"]))
                continue
            owner, number = version.registered_model_id, version.number
            if number < 1 or (owner, number) in taken:
                number = last[owner] = last[owner] + 1
            taken.add((owner, number))
            new.append(version._replace(number=number, is_default=version.is_default and owner not in with_default))
            with_default |= {owner} if version.is_default else set()
            added.append(Added(version.id, created=True, number=number))
        await self.reserve_numbers(last.items())
        stored = await self._insert("model_version", new, self._project_id)
        for version in new:
            if version.id not in stored:
                raise await self._taken("model_version", version)
            stored.discard(version.id)
        return added

    async def find_versions(self, sought: Sequence[tuple[UUID, UUID, str]]) -> Sequence[UUID]:
        owners, ids, names = zip(*sought, strict=True)
        return await self._found("model_version", Reason.MODEL_VERSION_NOT_FOUND, ids, names, owners)

    async def _add_aliases(self, aliases: Sequence[ModelAlias]) -> Sequence[Added]:
        rows = _json(map(asdict, aliases))
        new = {tuple(row) for row in await self._connection.fetch(_ADD_ALIASES, rows, self._project_id, self._user)}
        keys = [(alias.registered_model_id, alias.name) for alias in aliases]
        return [Added(key[0], key in new and key not in keys[:place]) for place, key in enumerate(keys)]

    async def set_parents(self, parents: Sequence[ModelParent]) -> None:
        ids = [id_ for it in parents for id_ in (it.registered_model_id, it.parent_model_id)]
        names = [name for it in parents for name in (it.registered_model_name, it.parent_model_name)]
        found = await self._found("registered_model", Reason.REGISTERED_MODEL_NOT_FOUND, ids, names, ids)
        await self._connection.execute(_SET_PARENTS, found[::2], found[1::2])

    async def _add(self, table: str, things: Sequence[Any]) -> Sequence[Added]:
        """Adds rows, or finds those that have their places."""
        new, added = await self._insert(table, things), list[Added]()
        ids = [thing.id for thing in things]
        found: Sequence[UUID | None] = ids
        if len(new) < len(things):
            owners = [getattr(thing, "model_version_id", None) for thing in things]
            rows = await self._find(table, ids, [thing.name for thing in things], owners)
            found = [row["id"] for row in rows]
        for thing, id_ in zip(things, found, strict=True):
            if id_ is None:
                raise await self._taken(table, thing)
            added.append(Added(id_, id_ in new))
            new.discard(id_)
        return added

    async def _insert(self, table: str, things: Sequence[Any], *args: Any) -> set[UUID]:
        """The ids of those that were inserted."""
        columns = _COLUMNS[table]
        rows = [dict(zip(columns, arguments(thing, columns), strict=True)) for thing in things]
        return {row["id"] for row in await self._connection.fetch(_ADD[table], _json(rows), *args)}

    async def _find(self, table: str, ids: Sequence[UUID], names: Sequence[str], owners: Sequence[Any]) -> Any:
        return await self._connection.fetch(_FIND[table], ids, names, owners, [self._project_id] * len(ids))

    async def _found(
        self, table: str, reason: Reason, ids: Sequence[UUID], names: Sequence[str], owners: Sequence[UUID]
    ) -> Sequence[UUID]:
        found = [row["id"] for row in await self._find(table, ids, names, owners)]
        if None in found:
            raise NotFound.of(reason, ids[found.index(None)])
        return found

    async def _taken(self, table: str, new: Any) -> AlreadyExists:
        """The refusal of an object that has its place for itself, but not its external id or its id."""
        statement = f"SELECT id, name FROM {table} WHERE project_id = $1 AND external_id = $2 AND external_id <> ''"
        if row := await self._connection.fetchrow(statement, self._project_id, new.external_id):
            return AlreadyExists.held(Reason.EXTERNAL_ID_TAKEN, row["id"], row["name"])
        return AlreadyExists(Reason.EXTERNAL_ID_TAKEN, f"another object has the id {new.id}", id=str(new.id))


def _json(rows: Iterable[Mapping[str, Any]]) -> str:
    return orjson.dumps(list(rows), default=_plain).decode()


def _plain(value: Any) -> Any:
    """Named tuples, and ids that come from PostgreSQL."""
    return value._asdict() if isinstance(value, Tags) else str(value)

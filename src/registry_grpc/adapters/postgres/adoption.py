"""Adopts a database of the Go service in place: every row stays, and the Go service can continue to use it.

The Go service's migrations are numbered 1 to 5. Number 4 is invalid SQL, so most databases are dirty at 4, and number 5
drops `inference_service.model_version_id`. The schema that is expected is read from temporary tables, to which this
project's first migrations are applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.migrate import Migration, MigrationError, SchemaVersion

_NEWEST_GO_VERSION = 5
_BASELINE_VERSION = 20260211153700  # the first migrations up to here make the Go service's tables
# The tables that exist from a version on. The tables of 4 may be missing, because it fails or was skipped by force.
_TABLES_SINCE = {
    1: ("registered_model", "model_version"),
    2: ("serving_environment", "inference_service", "serve_model"),
    3: ("traffic_config", "traffic_variant"),
}
_DROPPED_BY_GO = ("inference_service", "model_version_id")
_DROPPED_CONSTRAINT = "fk_inference_service_model_version"
_LEGACY_REQUIRED = ("registered_model", "region_id")  # NOT NULL in an early migration 1, but no service writes it

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.atthasdef
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = $1 AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname AS name, pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
WHERE c.relnamespace = $1 AND k.contype IN ('p', 'u', 'f', 'c')
"""
_INDEXES = """
SELECT c.relname, i.relname AS name,
    x.indisunique::text || substring(pg_get_indexdef(x.indexrelid) FROM ' USING .*') AS definition
FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid
WHERE c.relnamespace = $1 AND c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = x.indexrelid)
"""

_RESTORE_COLUMN = f"""
ALTER TABLE inference_service
    ADD COLUMN model_version_id UUID,
    ADD CONSTRAINT {_DROPPED_CONSTRAINT}
        FOREIGN KEY (model_version_id) REFERENCES model_version (id) ON DELETE SET NULL
"""
# The same as in the Go service's migration 5.
_COPY_TO_SERVE_MODELS = """
INSERT INTO serve_model
    (id, created_at, updated_at, project_id, inference_service_id, model_version_id, last_known_state)
SELECT gen_random_uuid(), created_at, updated_at, project_id, id, model_version_id,
    CASE current_state WHEN 'DEPLOYED' THEN 'RUNNING' ELSE 'PENDING' END
FROM inference_service WHERE model_version_id IS NOT NULL
ON CONFLICT (inference_service_id, model_version_id) DO NOTHING
RETURNING id
"""
# The same as in its down migration 5, and for services made by the newest Go code, which leaves the column empty.
_FILL_FROM_SERVE_MODELS = """
UPDATE inference_service AS service SET model_version_id = oldest.model_version_id
FROM (
    SELECT DISTINCT ON (inference_service_id) inference_service_id, model_version_id
    FROM serve_model ORDER BY inference_service_id, created_at, id
) AS oldest
WHERE oldest.inference_service_id = service.id AND service.model_version_id IS NULL
RETURNING service.id
"""


@dataclass(frozen=True, slots=True)
class Adoption:
    """The version that was found, the changes that led to the common schema, and the migrations applied after them."""

    found: SchemaVersion | None
    changes: tuple[str, ...]
    applied: tuple[Migration, ...]


@dataclass(frozen=True, slots=True)
class _Column:
    type: str
    required: bool
    has_default: bool


@dataclass(frozen=True, slots=True)
class _Schema:
    """Columns by table and name; names of constraints and of other indexes by table and definition."""

    columns: Mapping[tuple[str, str], _Column]
    constraints: Mapping[tuple[str, str], str]
    indexes: Mapping[tuple[str, str], str]

    @property
    def tables(self) -> set[str]:
        return {table for table, _ in self.columns}


async def adopt(
    connection: asyncpg.Connection,
    migrations: Sequence[Migration],
    *,
    report: migrate.Report = lambda _migration, _place, _count: None,
) -> Adoption:
    """Bring a database of the Go service to the newest version. For one that is adopted already, apply pending
    migrations.

    The adoption itself is one transaction. Raises MigrationError and changes nothing if it is not a database of the Go
    service. `connection` comes from `migrate.migration_connection`.
    """
    found = await migrate.current_version(connection)
    changes: list[str] = []

    async def take_over() -> None:
        async with connection.transaction():
            changes[:] = await _take_over(connection, migrations, found)

    if found is None or found.version < migrations[0].version:
        with migrate.clear_errors("adoption"):
            await migrate.patiently(take_over)
    return Adoption(found, tuple(changes), tuple(await migrate.up(connection, migrations, report=report)))


async def _take_over(
    connection: asyncpg.Connection, migrations: Sequence[Migration], found: SchemaVersion | None
) -> list[str]:
    baseline = [migration for migration in migrations if migration.version <= _BASELINE_VERSION]
    schema = await _schema(connection, await connection.fetchval("SELECT current_schema()::regnamespace::oid"))
    wanted = await _wanted_schema(connection, baseline)
    _refuse_unknown(schema, wanted, found)

    changes = await _rename(connection, schema, wanted)
    legacy = schema.columns.get(_LEGACY_REQUIRED)
    if legacy is not None and legacy.required:
        table, column = _LEGACY_REQUIRED
        await connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
        changes.append(f"made {table}.{column} nullable")
    if "inference_service" in schema.tables:
        if _DROPPED_BY_GO not in schema.columns:
            await connection.execute(_RESTORE_COLUMN)
            changes.append("restored inference_service.model_version_id")
        copied = await connection.fetch(_COPY_TO_SERVE_MODELS)
        filled = await connection.fetch(_FILL_FROM_SERVE_MODELS)
        changes.append(f"versions copied to serve_model: {len(copied)}")
        changes.append(f"services whose model_version_id was set: {len(filled)}")

    # These migrations only create what is missing.
    for migration in baseline:
        await connection.execute(migration.up)
    changes += [f"created table {table}" for table in sorted(wanted.tables - schema.tables)]
    await migrate.create_version_table(connection)
    await migrate.set_version(connection, _BASELINE_VERSION, dirty=False)
    return changes


async def _schema(connection: asyncpg.Connection, namespace: int) -> _Schema:
    columns = {
        (table, name): _Column(type_, required, has_default)
        for table, name, type_, required, has_default in await connection.fetch(_COLUMNS, namespace)
    }
    constraints = {(row[0], row["definition"]): row["name"] for row in await connection.fetch(_CONSTRAINTS, namespace)}
    indexes = {(row[0], row["definition"]): row["name"] for row in await connection.fetch(_INDEXES, namespace)}
    return _Schema(columns, constraints, indexes)


async def _wanted_schema(connection: asyncpg.Connection, baseline: Sequence[Migration]) -> _Schema:
    """The schema that `baseline` makes, read from temporary tables that are rolled back."""
    trial = connection.transaction()
    await trial.start()
    try:
        await connection.execute("SET LOCAL search_path TO pg_temp")
        for migration in baseline:
            await connection.execute(migration.up)
        return await _schema(connection, await connection.fetchval("SELECT pg_my_temp_schema()"))
    finally:
        await trial.rollback()


def _refuse_unknown(schema: _Schema, wanted: _Schema, found: SchemaVersion | None) -> None:
    """Raise MigrationError with all differences that adoption cannot resolve."""
    if not schema.tables & wanted.tables:
        raise MigrationError("the database has no table of the Go service; use migrate up for an empty database")
    if found is not None and not 1 <= found.version <= _NEWEST_GO_VERSION:
        raise MigrationError(f"the database is at version {found.version}; the Go service's versions are 1 to 5")

    problems = [
        *_missing_tables(schema, found),
        *_column_problems(schema, wanted),
        *_missing_constraints(schema, wanted),
    ]
    if problems:
        raise MigrationError("the database does not have the schema of the Go service: " + "; ".join(problems))


def _missing_tables(schema: _Schema, found: SchemaVersion | None) -> Iterator[str]:
    complete = 1 if found is None else found.version - found.dirty
    for since, tables in _TABLES_SINCE.items():
        if since <= complete:
            yield from (f"table {table} is missing" for table in tables if table not in schema.tables)


def _column_problems(schema: _Schema, wanted: _Schema) -> Iterator[str]:
    for (table, name), column in wanted.columns.items():
        there = schema.columns.get((table, name))
        if table not in schema.tables or (there is None and (table, name) == _DROPPED_BY_GO):
            continue
        if there is None:
            yield f"column {table}.{name} is missing"
        elif (there.type, there.required) != (column.type, column.required):
            yield f"column {table}.{name} has type {_describe(there)} instead of {_describe(column)}"
    for (table, name), column in schema.columns.items():
        known = (table, name) in wanted.columns or (table, name) == _LEGACY_REQUIRED
        if table in wanted.tables and not known and column.required and not column.has_default:
            yield f"column {table}.{name} is unknown, and required without a default"


def _missing_constraints(schema: _Schema, wanted: _Schema) -> Iterator[str]:
    for (table, definition), name in wanted.constraints.items():
        restored = name == _DROPPED_CONSTRAINT and _DROPPED_BY_GO not in schema.columns
        if table in schema.tables and (table, definition) not in schema.constraints and not restored:
            yield f"constraint {name} of {table} is missing: {definition}"


def _describe(column: _Column) -> str:
    return column.type + (" not null" if column.required else "")


async def _rename(connection: asyncpg.Connection, schema: _Schema, wanted: _Schema) -> list[str]:
    """Rename constraints and indexes as this project names them. Errors are recognized by constraint names, and an
    index with another name would be created twice."""
    changes = []
    for (table, definition), name in wanted.constraints.items():
        if (old := schema.constraints.get((table, definition), name)) != name:
            await connection.execute(f'ALTER TABLE {table} RENAME CONSTRAINT "{old}" TO {name}')
            changes.append(f"renamed constraint {old} to {name}")
    for (table, definition), name in wanted.indexes.items():
        if (old := schema.indexes.get((table, definition), name)) != name:
            await connection.execute(f'ALTER INDEX "{old}" RENAME TO {name}')
            changes.append(f"renamed index {old} to {name}")
    return changes

"""Projects as tenants in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from registry_grpc.adapters.postgres.columns import (
    TOUCHED,
    arguments,
    etag_of,
    of_table,
    parameters,
    select_list,
    unchanged,
)
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.listing import Conditions, Listing
from registry_grpc.domain.errors import ConcurrentChange, NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.patch import changes
from registry_grpc.domain.project import LISTS, QUOTAS, Kind, Project, ProjectPatch, Usage

_PATCHED = ("name", "description", *LISTS, *QUOTAS)
_STORED = ("id", "created_at", "updated_at", *_PATCHED)
_READ = of_table("p", _STORED) | {"etag": etag_of("p")}
_COLUMNS = select_list(_READ)
_INSERT = f"INSERT INTO project AS p ({', '.join(_STORED)}) VALUES ({parameters(_STORED)}) RETURNING {_COLUMNS}"
_GET = f"SELECT {_COLUMNS} FROM project p WHERE id = $1"
# Unlike an advisory lock, it also makes those who change a quota wait, and reads the quotas as they are now.
_LOCK = f"{_GET} FOR NO KEY UPDATE"
_COUNTS: dict[Kind, str] = {
    "models": "SELECT coalesce(sum(models), 0) FROM registered_model_count WHERE project_id = $1",
    "versions": "SELECT coalesce(sum(versions), 0) FROM project_version_count WHERE project_id = $1",
    "deployments": "SELECT count(*) FROM deployment WHERE project_id = $1 AND want = 'PRESENT'",
    "bytes": f"""SELECT least({2**63 - 1},
        (SELECT coalesce(sum(size_bytes), 0) FROM model_version WHERE project_id = $1 AND size_bytes > 0)
        + (SELECT coalesce(sum(size_bytes), 0) FROM artifact WHERE project_id = $1)
    )""",
}
# Whose connection a transaction uses that may exceed these quotas: that of the rows that it writes.
_SHARES: dict[Kind, str] = {
    "models": "registered_model",
    "versions": "model_version",
    "deployments": "deployment",
    "bytes": "artifact",
}
_LISTING = Listing(columns=_READ, source="project p", table="p", sort_columns={"created_at": "p.created_at"})


class PostgresProjectRepository:
    """Implements ports.projects.ProjectRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("access")
        self._writers = {kind: database.share(name) for kind, name in _SHARES.items()}

    async def create(self, project: Project) -> Project:
        return _project_from(await self._database.write(_INSERT, *arguments(project, _STORED)))

    async def get(self, id: UUID) -> Project:
        return _found(await self._database.fetchrow(_GET, id), id)

    async def list(self, slice: Slice) -> Page[Project]:
        everything = Conditions(texts=["true"])
        return await _LISTING.page(self._database, everything, Sort(), slice, total=None, item=_project_from)

    async def update(self, id: UUID, patch: ProjectPatch, etags: Etags = None) -> Project:
        changed = changes(patch)
        assigned = ", ".join(f"{name} = ${place}" for place, name in enumerate(changed, 3))
        statement = f"UPDATE project p SET {assigned or 'name = name'}, {TOUCHED} WHERE id = $1 AND {unchanged('p', 2)}"
        row = await self._database.write(f"{statement} RETURNING {_COLUMNS}", id, etags, *changed.values())
        if row is None:
            await self.get(id)
            raise Stale.etag(id)
        return _project_from(row)

    async def usage(self, id: UUID) -> Usage:
        return await _usage(self._database, id, _COUNTS)

    @asynccontextmanager
    async def bounded(self, id: UUID, kinds: Collection[Kind]) -> AsyncIterator[None]:
        async with self._writers[next(iter(kinds))].unit() as connection:
            try:
                project = _found(await connection.fetchrow(_LOCK, id), id)
            except asyncpg.LockNotAvailableError:
                raise ConcurrentChange from None
            before = await _usage(connection, id, kinds)
            yield
            project.check_growth(before, await _usage(connection, id, kinds), kinds)


async def _usage(connection: Any, id: UUID, kinds: Iterable[Kind]) -> Usage:
    """What the project keeps of these kinds."""
    counts = ", ".join(f"({_COUNTS[kind]})::bigint AS {kind}" for kind in kinds)
    return Usage(**await connection.fetchrow(f"SELECT {counts}", id))


def _project_from(row: Any) -> Project:
    values = {name: row[name] for name in _READ}
    return Project(**values | {name: tuple(row[name]) for name in LISTS})


def _found(row: Any | None, id: UUID) -> Project:
    if row is None:
        raise NotFound.of(Reason.PROJECT_NOT_FOUND, id)
    return _project_from(row)

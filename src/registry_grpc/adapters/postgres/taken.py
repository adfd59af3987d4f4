"""The row that has the name or the external id that a refused write would have taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import AlreadyExists, Reason


class Names(NamedTuple):
    """A table with the statement that finds a row of it by name. Its parameters are the project; the parent within
    which names are unique, or None; the row that has this parent, or None; and the name."""

    table: str
    find: str


def _within(table: str, parent: str) -> Names:
    parent_id = f"coalesce($2::uuid, (SELECT {parent} FROM {table} WHERE id = $3::uuid))"
    found = f"SELECT id, name FROM {table} WHERE name = $4 AND {parent} = {parent_id}"
    # An index by project and name must not be taken: thousands of versions of a project may be called v1.
    return Names(table, f"{found} AND project_id IS NOT DISTINCT FROM $1")


OF_MODELS = _within("registered_model", "project_id")
OF_VERSIONS = _within("model_version", "registered_model_id")
OF_ENVIRONMENTS = _within("serving_environment", "project_id")
OF_SERVICES = _within("inference_service", "serving_environment_id")
OF_ARTIFACTS = _within("artifact", "model_version_id")
# Those that stand alone have no parent.
OF_ARTIFACTS = OF_ARTIFACTS._replace(
    find=f"""{OF_ARTIFACTS.find} UNION ALL
    SELECT id, name FROM artifact WHERE project_id = $1 AND name = $4 AND model_version_id IS NULL
        AND $2::uuid IS NULL AND NOT EXISTS (SELECT FROM artifact WHERE id = $3 AND model_version_id IS NOT NULL)"""
)


@asynccontextmanager
async def naming_holder(
    database: Database,
    names: Names,
    project_id: UUID,
    written: Any,
    *,
    parent: UUID | None = None,
    id: UUID | None = None,
) -> AsyncIterator[None]:
    """Name the object that has the name or external id of `written` already: an object or a patch. It is only looked
    for in the project. The block has to contain the whole transaction, because a refused one cannot read."""
    try:
        yield
    except AlreadyExists as error:
        if error.reason is Reason.EXTERNAL_ID_TAKEN:
            statement = f"SELECT id, name FROM {names.table} WHERE project_id = $1 AND external_id = $2"
            args: tuple[Any, ...] = project_id, written.external_id
        else:
            statement, args = names.find, (project_id, parent, id, written.name)
        if (holder := await database.fetchrow(statement, *args)) is None:  # it was deleted or renamed meanwhile
            raise
        raise AlreadyExists.held(error.reason, holder["id"], holder["name"]) from error

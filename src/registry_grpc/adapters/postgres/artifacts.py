"""Artifacts in PostgreSQL. The model artifacts are rows of versions; one statement reads both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

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
from registry_grpc.adapters.postgres.filtering import FilterIndex, add_filter, filter_columns
from registry_grpc.adapters.postgres.listing import Conditions, Listing, bytes_of, sort_columns
from registry_grpc.adapters.postgres.model_versions import FILTER_INDEX
from registry_grpc.adapters.postgres.patches import assigned, assignments
from registry_grpc.adapters.postgres.taken import OF_ARTIFACTS, naming_holder
from registry_grpc.domain.artifact import (
    FILTER_FIELDS,
    SORT_FIELDS,
    Artifact,
    ArtifactFilter,
    ArtifactKind,
    ArtifactPatch,
)
from registry_grpc.domain.errors import InvalidRequest, NotFound, Reason, Stale, Violation
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import required
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort

STORED = (
    "id", "created_at", "updated_at", "project_id", "model_version_id", "kind", "name", "description", "uri", "digest",
    "size_bytes", "value", "labels", "external_id", "properties",
)  # fmt: skip
READ = of_table("a", STORED) | {"etag": etag_of("a")}
_OF_VERSION = of_table("v", STORED) | {
    "model_version_id": "v.id",
    "kind": f"'{ArtifactKind.MODEL}'",
    "uri": "v.uri::text",
    "name": "v.name::text",
    "external_id": "v.external_id::text",
    "value": "NULL::jsonb",
    "etag": etag_of("v"),
}
_OWN = f"SELECT {select_list(READ)} FROM artifact a"
_HAS_FILES = "{t}.uri <> ''"
_MODELS = f"SELECT {select_list(_OF_VERSION)} FROM model_version v WHERE {_HAS_FILES.format(t='v')}"
_ALL = f"({_OWN} UNION ALL {_MODELS}) a"
_GET = f"SELECT {', '.join(READ)} FROM {_ALL} WHERE a.id = $1 AND a.project_id = $2"
_VERSION = STORED.index("model_version_id") + 1
_PROJECT = STORED.index("project_id") + 1
# Inserts no row if the version is not in the project.
_INSERT = f"""
INSERT INTO artifact AS a ({", ".join(STORED)}, model_id)
SELECT {parameters(STORED)}, v.registered_model_id
FROM (VALUES (1)) one LEFT JOIN model_version v ON v.id = ${_VERSION} AND v.project_id = ${_PROJECT}
WHERE ${_VERSION}::uuid IS NULL OR v.id IS NOT NULL
RETURNING {select_list(READ)}
"""
PATCHED = ("name", "description", "uri", "digest", "size_bytes", "value", "labels", "external_id", "properties")
_UPDATE = f"""
UPDATE artifact a SET {assignments(PATCHED, first=3)}, {TOUCHED}
WHERE a.id = $1 AND a.project_id = $2 AND {unchanged("a", len(PATCHED) + 3)} AND a.kind = ANY (${len(PATCHED) + 4})
RETURNING {select_list(READ)}
"""
_DELETE = f"DELETE FROM artifact a WHERE a.id = $1 AND a.project_id = $2 AND {unchanged('a', 3)} RETURNING a.id"
_LISTING = Listing(
    columns=of_table("a", READ),
    large=bytes_of("a", texts=["description"], json=["labels", "properties"]),
    source=_ALL,
    table="a",
    sort_columns=sort_columns("a", SORT_FIELDS),
    walked=("created_at",),
)
# For a page of both kinds of rows in a project, PostgreSQL would sort all versions.
_LISTING_OF_OWN = replace(_LISTING, columns=READ, source="artifact a")
_LISTING_OF_MODELS = replace(
    _LISTING,
    columns=_OF_VERSION,
    large=bytes_of("v", texts=["description"], json=["labels", "properties"]),
    source="model_version v",
    table="v",
    sort_columns=sort_columns("v", SORT_FIELDS),
)
_FILTER_COLUMNS = filter_columns(FILTER_FIELDS)
_FILTER_INDEX = FilterIndex(("kind", "uri", "digest", "external_id", "size_bytes"))
_MODEL_COLUMNS = _FILTER_COLUMNS | {"kind": f"'{ArtifactKind.MODEL}'::text", "model_version_id": "{t}.id"}


class PostgresArtifactRepository:
    """Implements ports.repositories.ArtifactRepository."""

    def __init__(self, database: Database) -> None:
        self._database = database.share("artifact")

    async def create(self, artifact: Artifact) -> Artifact:
        version_id = artifact.model_version_id
        async with naming_holder(self._database, OF_ARTIFACTS, artifact.project_id, artifact, parent=version_id):
            record = await self._database.write(_INSERT, *arguments(artifact, STORED))
        if record:
            return artifact_from(record)
        raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, artifact.model_version_id)

    async def get(self, project_id: UUID, id: UUID) -> Artifact:
        if record := await self._database.fetchrow(_GET, id, project_id):
            return artifact_from(record)
        raise NotFound.of(Reason.ARTIFACT_NOT_FOUND, id)

    async def list(
        self, project_id: UUID, filter: ArtifactFilter, slice: Slice, sort: Sort = NEWEST_FIRST
    ) -> Page[Artifact]:
        version = filter.model_version_id
        conditions = Conditions.equal(project_id=project_id)
        if (filter.kind or required(filter.where, "kind")) == ArtifactKind.MODEL:
            listing, columns, index = _LISTING_OF_MODELS, _MODEL_COLUMNS, FILTER_INDEX
            conditions.add_equal(id=version)
            conditions.texts.append("false" if filter.standing_alone else _HAS_FILES)
        else:
            listing, columns, index = _LISTING if version else _LISTING_OF_OWN, _FILTER_COLUMNS, _FILTER_INDEX
            conditions.add_equal(model_version_id=version, kind=filter.kind)
            if filter.standing_alone:
                conditions.texts.append("{t}.model_version_id IS NULL")
        # Those of one version are few, and of two tables.
        add_filter(conditions, filter.where, columns, None if version else index)
        return await listing.page(self._database, conditions, sort, slice, total=None, item=artifact_from)

    async def update(self, project_id: UUID, id: UUID, patch: ArtifactPatch, etags: Etags = None) -> Artifact:
        kinds = [kind for kind in ArtifactKind if not patch.errors_for(kind)]
        async with naming_holder(self._database, OF_ARTIFACTS, project_id, patch, id=id):
            record = await self._database.write(_UPDATE, id, project_id, *assigned(patch, PATCHED), etags, kinds)
        if record:
            return artifact_from(record)
        raise await self._refusal(project_id, id, patch)

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        if not await self._database.write(_DELETE, id, project_id, etags):
            raise await self._refusal(project_id, id)

    async def _refusal(self, project_id: UUID, id: UUID, patch: ArtifactPatch | None = None) -> Exception:
        """Why no row was written. Raises NotFound."""
        artifact = await self.get(project_id, id)
        if artifact.kind is ArtifactKind.MODEL:
            return InvalidRequest([Violation("id", "names the model artifact of a version: change the version")])
        if patch and (violations := patch.errors_for(artifact.kind)):
            return InvalidRequest(violations)
        return Stale.etag(id)


def artifact_from(record: Any) -> Artifact:
    return Artifact(**{name: record[name] for name in READ} | {"kind": ArtifactKind(record["kind"])})

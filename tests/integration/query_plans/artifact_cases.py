"""The statements of artifacts, which also read the rows of versions."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.bench import data
from tests.integration.query_plans.loaded import CURSOR, Case, Loaded, after, full

from registry_grpc.domain.artifact import Artifact, ArtifactFilter, ArtifactKind, ArtifactPatch, NewArtifact
from registry_grpc.domain.paging import Slice

PROJECT, VERSION = data.PROJECT, data.version_id(0, 7)


def artifacts(slice: Slice = CURSOR, **conditions: Any) -> Case:
    return Case(lambda loaded: loaded.artifacts.list(PROJECT, ArtifactFilter(**conditions), slice), 400)


async def _create_change_and_delete(loaded: Loaded) -> None:
    new = NewArtifact(kind=ArtifactKind.DATASET, name="n", uri="u", model_version_id=VERSION)
    artifact = await loaded.artifacts.create(Artifact.create(new, id=uuid4(), project_id=PROJECT))
    await loaded.artifacts.update(PROJECT, artifact.id, ArtifactPatch(description="d"))
    await loaded.artifacts.delete(PROJECT, artifact.id)


CASES: dict[str, Case] = {
    "create, change and delete an artifact": Case(_create_change_and_delete),
    "get a model artifact": Case(lambda loaded: loaded.artifacts.get(PROJECT, VERSION)),
    "list artifacts": artifacts(),
    "list artifacts of a version": artifacts(model_version_id=VERSION),
    "list artifacts after a cursor": artifacts(after(data.CREATED_AT)),
    "list artifacts until the page is full": artifacts(full(CURSOR)),
    "list model artifacts": artifacts(kind=ArtifactKind.MODEL),
    "list artifacts that stand alone": artifacts(standing_alone=True),
}

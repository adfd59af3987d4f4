"""The statements of exports, which read whole projects, and of imports, which find objects by their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from tests.bench import data
from tests.fakes.builders import CREATED_AT, a_model, a_version, an_environment
from tests.fakes.projects import OPEN
from tests.integration.query_plans import event_data
from tests.integration.query_plans.loaded import Case, Loaded

from registry_grpc.adapters.postgres import transfer
from registry_grpc.domain.artifact import Artifact, ArtifactKind, NewArtifact
from registry_grpc.domain.model_alias import ModelAlias
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.transfer import Content, Header, ModelParent, Record, Trailer
from registry_grpc.services.transfer import Line, Transfers

PROJECT, BIG = data.PROJECT, data.model_id(0)
MODEL = a_model(PROJECT, id=BIG)
VERSION = data.version_id(0, 7)
GONE = 1_000_000 + event_data.DELETED // 2
"""The number of a deleted version."""


def imports(*contents: Content, rows: int = 20, is_refused: bool = False, **of_record: Any) -> Case:
    """An import of a file with a hundred lines at most, which are stored together."""
    records = [Record(content=content, **of_record) for content in contents]
    header = Record(content=Header(project_id=PROJECT, exported_at=CREATED_AT))
    trailer = Record(content=Trailer(record_count=len(records) + 1))

    async def lines() -> AsyncIterator[Line]:
        for number, record in enumerate((header, *records, trailer), 1):
            yield Line(number, 100, record)

    async def call(loaded: Loaded) -> None:
        transfers = Transfers(transfers=loaded.transfers, versions=loaded.versions, tenants=OPEN)
        await transfers.import_(PROJECT, lines(), "ann")

    return Case(call, rows, is_refused=is_refused)


def a_version_of_big(**fields: Any) -> ModelVersion:
    return a_version(MODEL, **fields)


def an_artifact(**fields: Any) -> Artifact:
    new = NewArtifact(kind=ArtifactKind.DATASET, uri="u", **{"name": uuid4().hex, **fields})
    return Artifact.create(new, id=uuid4(), project_id=PROJECT)


def an_alias(name: str) -> ModelAlias:
    return ModelAlias(
        registered_model_id=BIG, name=name, model_version_id=VERSION, version_number=7, moved_at=CREATED_AT
    )


def begins(statement: str, id: UUID = PROJECT) -> Case:
    """An export does not wait for the last of its rows before it has the first."""

    async def call(loaded: Loaded) -> None:
        async with loaded.database.snapshot() as connection:
            cursor = await connection.cursor(statement, id)
            await cursor.fetch(100)

    return Case(call, 200)


async def _export_a_small_project(loaded: Loaded) -> None:
    async with aclosing(loaded.transfers.export(data.SMALL_PROJECT)) as records:
        assert len([record async for record in records]) == data.SMALL_PROJECT_MODELS


CASES: dict[str, Case] = {
    "export environments": begins(transfer._ENVIRONMENTS),
    "export models": begins(transfer._MODELS),
    "export versions of a model": begins(transfer._VERSIONS, BIG),
    "export aliases of a model": begins(transfer._ALIASES, BIG),
    "export artifacts of a model": begins(transfer._ARTIFACTS, BIG),
    "export artifacts that stand alone": begins(transfer._ALONE),
    "export parents": begins(transfer._PARENTS),
    "export a small project": Case(_export_a_small_project, rows=100),
    "import an environment": imports(an_environment(PROJECT)),
    "import an environment that is there": imports(an_environment(PROJECT, name="environment-7")),
    "import an environment with the external id of another": imports(
        an_environment(PROJECT, external_id="ns-environment-7"), is_refused=True
    ),
    "import a model": imports(a_model(PROJECT)),
    "import a model that is there": imports(a_model(PROJECT, name=data.model_name(7))),
    "import a model with the external id of another": imports(
        a_model(PROJECT, external_id=f"ext-{data.model_name(7)}"), is_refused=True
    ),
    "import a version": imports(MODEL, a_version_of_big(number=9_000_000)),
    "import a version whose number is taken": imports(MODEL, a_version_of_big(number=7)),
    "import a version whose number a deleted one has": imports(MODEL, a_version_of_big(number=GONE)),
    "import a version that is there": imports(MODEL, a_version_of_big(number=3, name="v3")),
    "import a version with the external id of another": imports(
        MODEL,
        a_version_of_big(number=9_000_000, external_id="x"),
        a_version_of_big(number=9_000_001, external_id="x"),
        is_refused=True,
    ),
    "import many versions": imports(
        MODEL, *(a_version_of_big(number=number, is_default=True) for number in range(9_000_000, 9_000_095)), rows=200
    ),
    "import an alias": imports(MODEL, an_alias("new")),
    "import an alias that is there": imports(MODEL, an_alias("alias-1")),
    "import an alias of a version that is not there": imports(
        MODEL, replace(an_alias("new"), model_version_id=UUID(int=1)), is_refused=True
    ),
    "import an artifact": imports(an_artifact()),
    "import an artifact that is there": imports(an_artifact(name="artifact-7")),
    "import an artifact of a version twice": imports(
        MODEL, *(an_artifact(name="new", model_version_id=VERSION) for _ in range(2))
    ),
    "import an artifact with the external id of another": imports(
        *(an_artifact(external_id="x") for _ in range(2)), is_refused=True
    ),
    "import many artifacts": imports(*(an_artifact() for _ in range(95)), rows=200),
    "import a parent": imports(
        ModelParent(
            registered_model_id=UUID(int=1),
            registered_model_name=data.model_name(7),
            parent_model_id=UUID(int=2),
            parent_model_name=data.model_name(8),
        )
    ),
}

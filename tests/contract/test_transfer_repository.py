"""A project is exported as it is, and added to another one, in which nothing that is there is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import CREATED_AT, a_model, a_version
from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_version

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.artifact import Artifact, ArtifactKind
from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason, RegistryError
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.model_alias import AliasChange, ModelAlias
from registry_grpc.domain.model_version import (
    FILTER_FIELDS,
    Credentials,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionPatch,
)
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModel, RegisteredModelPatch
from registry_grpc.domain.transfer import Count, Header, Imported, ModelParent, Record, Trailer
from registry_grpc.services.transfer import Line, Transfers

KEYS = Credentials("access", "secret")
MONTH = timedelta(days=30)


def an_artifact(project_id: UUID, version: ModelVersion | None = None, **fields: Any) -> Artifact:
    artifact = Artifact(
        id=uuid4(),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        project_id=project_id,
        model_version_id=version.id if version else None,
        kind=ArtifactKind.METRIC,
        name=f"artifact {uuid4().hex}",
        description="how good it is",
        uri="s3://bucket/metric",
        digest="",
        size_bytes=3,
        value={"double": 0.5},
        labels={"a": "b"},
        external_id=uuid4().hex,
        properties={"accuracy": {"double": 0.97}},
    )
    return replace(artifact, **fields)


async def a_full_project(r: Repositories, project_id: UUID) -> list[RegisteredModel]:
    """Two models that are each other's parents, with everything that versions can have."""
    await stored_environment(r, project_id)
    one = await stored_model(r, project_id, name="one")
    two = await stored_model(r, project_id, name="two", parent_model_id=one.id)
    await r.models.update(project_id, one.id, RegisteredModelPatch(parent_model_id=two.id))
    await stored_model(r, project_id, name="without versions")
    for model in (one, two):
        first = await r.versions.create(project_id, a_version(model, name="first"), KEYS)
        gone = await stored_version(r, model, name="gone")
        third = await stored_version(r, model, name="third", is_default=True)
        last = await stored_version(r, model, name="last")
        for deleted in (gone, last):
            await r.deleted.delete(project_id, deleted.id, "ann", force=False, retention=MONTH)
        for name, version in (("champion", third), ("candidate", first)):
            await r.aliases.set(project_id, model.id, AliasChange(name=name, version=str(version.number)), "ann")
        await r.artifacts.create(an_artifact(project_id, third, name="metric"))
        await r.artifacts.create(an_artifact(project_id, first, name="metric", external_id=""))
    await r.artifacts.create(an_artifact(project_id, kind=ArtifactKind.DOCUMENT, value=None, name="alone"))
    return [one, two]


def transfers(r: Repositories) -> Transfers:
    return Transfers(transfers=r.transfers, versions=r.versions, tenants=OPEN)


async def export(r: Repositories, project_id: UUID) -> list[Record]:
    async with aclosing(transfers(r).export(project_id)) as records:
        return [record async for record in records]


async def refused(kind: type[RegistryError], call: Awaitable[Any]) -> RegistryError:
    with pytest.raises(kind) as refusal:
        await call
    return refusal.value


async def _lines(records: Iterable[Record]) -> AsyncIterator[Line]:
    for number, record in enumerate(records, 1):
        yield Line(number, 100, record)


async def take(r: Repositories, project_id: UUID, records: Iterable[Record]) -> Imported:
    return await transfers(r).import_(project_id, _lines(records), "ann")


def counts(done: Imported) -> list[tuple[int, int]]:
    """Of environments, models, versions, aliases and artifacts: those that were added, and those that were there."""
    kinds = (done.serving_environments, done.registered_models, done.model_versions, done.model_aliases, done.artifacts)
    return [(count.created, count.existing) for count in kinds]


def a_file(source: UUID, *records: Record) -> list[Record]:
    header = Record(content=Header(project_id=source, exported_at=CREATED_AT))
    return [header, *records, Record(content=Trailer(record_count=len(records) + 1))]


def told(records: Sequence[Record], source: UUID, project_id: UUID) -> list[Record]:
    """The records as the other project would have them."""
    header = Header(project_id=source, exported_at=CREATED_AT)

    def own(value: Any) -> Any:
        return header.id_in(project_id, value) if isinstance(value, UUID) else value

    ids = ("id", "registered_model_id", "model_version_id", "parent_model_id")
    changed = []
    for record in records:
        content: Any = record.content
        if isinstance(content, Header):
            continue
        values = {name: own(getattr(content, name)) for name in ids if hasattr(content, name)}
        values |= {"project_id": project_id} if hasattr(content, "project_id") else {}
        # No key is taken along, and parents are set at last.
        values |= {"etag": ""} if hasattr(content, "etag") else {}
        content = content._replace(**values) if hasattr(content, "_replace") else replace(content, **values)
        changed.append(replace(record, content=content, has_keys=False))
    return changed


async def test_another_project_gets_the_same_content(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    await a_full_project(repositories, project_id)
    exported = await export(repositories, project_id)
    kinds = [type(record.content).__name__ for record in exported]
    of_model = ["RegisteredModel", *["ModelVersion"] * 2, *["ModelAlias"] * 2, *["Artifact"] * 2]
    assert sorted(kinds[2:-3]) == sorted([*of_model * 2, "RegisteredModel", "Artifact"])
    assert kinds[:2] == ["Header", "ServingEnvironment"]
    assert kinds[-3:] == ["ModelParent", "ModelParent", "Trailer"]
    assert sorted(record.last_version_number for record in exported if record.last_version_number) == [4, 4]
    assert sum(record.has_keys for record in exported) == 2

    done = await take(repositories, other_project_id, exported)
    assert counts(done) == [(1, 0), (3, 0), (4, 0), (4, 0), (5, 0)]
    assert (done.renumbered_versions, done.versions_without_keys) == (0, 2)
    in_other = await export(repositories, other_project_id)

    def comparable(records: Sequence[Record]) -> list[str]:
        return sorted(map(repr, told(records, other_project_id, other_project_id)))

    assert comparable(in_other) == sorted(map(repr, told(exported, project_id, other_project_id)))
    # A new version does not get the number of one that was deleted in the source.
    model = await repositories.models.find(other_project_id, name="one")
    assert (await stored_version(repositories, model)).number == 5


async def test_importing_again_changes_nothing(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    await a_full_project(repositories, project_id)
    exported = await export(repositories, project_id)
    await take(repositories, other_project_id, exported)
    before = await export(repositories, other_project_id)
    again = await take(repositories, other_project_id, exported)
    assert counts(again) == [(0, 1), (0, 3), (0, 4), (0, 4), (0, 5)]
    assert again.renumbered_versions == 0
    assert [record.content for record in await export(repositories, other_project_id)][1:] == [
        record.content for record in before
    ][1:]


async def test_two_imports_at_a_time_add_everything_once(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    await a_full_project(repositories, project_id)
    exported = await export(repositories, project_id)
    both = await asyncio.gather(*(take(repositories, other_project_id, exported) for _ in range(2)))
    sums = [tuple(map(sum, zip(*of_kind, strict=True))) for of_kind in zip(*map(counts, both), strict=True)]
    assert sums == [(1, 1), (3, 3), (4, 4), (4, 4), (5, 5)]


async def test_a_project_that_lost_something_gets_it_back_with_its_ids(
    repositories: Repositories, project_id: UUID
) -> None:
    one, _ = await a_full_project(repositories, project_id)
    exported = await export(repositories, project_id)
    await repositories.models.update(project_id, one.id, RegisteredModelPatch(state="ARCHIVED"))
    await repositories.models.delete(project_id, one.id)
    done = await take(repositories, project_id, exported)
    assert counts(done) == [
        (0, 1),
        (1, 2),
        (2, 2),
        (2, 2),
        (2, 3),
    ]
    back = await export(repositories, project_id)

    def contents(records: Sequence[Record]) -> list[str]:
        return sorted(map(repr, told(records, project_id, project_id)))

    assert contents(back) == contents(exported)


async def test_what_the_project_has_is_left_as_it_is(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    """Objects with the same names are the same, also if somebody else has made them."""
    await a_full_project(repositories, project_id)
    exported = await export(repositories, project_id)
    model = await stored_model(repositories, other_project_id, name="one", description="own", external_id="")
    own = await stored_version(repositories, model, name="own", is_default=True)
    third = await stored_version(repositories, model, name="third", uri="s3://own/third")
    await repositories.aliases.set(other_project_id, model.id, AliasChange(name="champion", version="own"), "bob")
    await repositories.artifacts.create(an_artifact(other_project_id, third, name="metric", description="own"))

    done = await take(repositories, other_project_id, exported)
    assert done.registered_models == Count(2, 1)
    assert done.model_versions == Count(3, 1)
    assert done.model_aliases == Count(3, 1)
    assert done.artifacts == Count(4, 1)
    assert done.renumbered_versions == 1  # `first` was number 1, which `own` has
    found = await repositories.models.find(other_project_id, name="one")
    assert (found.description, found.default_version and found.default_version.id) == ("own", own.id)
    assert (await repositories.versions.named(other_project_id, model.id, "third")).uri == "s3://own/third"
    assert (await repositories.versions.named(other_project_id, model.id, "champion")).id == own.id
    assert (await repositories.versions.named(other_project_id, model.id, "candidate")).name == "first"
    assert (await repositories.versions.named(other_project_id, model.id, "first")).number == 5


async def test_a_renamed_object_is_found_by_its_id(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    await a_full_project(repositories, project_id)
    exported = await export(repositories, project_id)
    await take(repositories, other_project_id, exported)
    one = await repositories.models.find(other_project_id, name="one")
    first = await repositories.versions.named(other_project_id, one.id, "first")
    await repositories.models.update(other_project_id, one.id, RegisteredModelPatch(name="uno"))
    await repositories.versions.update(other_project_id, first.id, ModelVersionPatch(name="primo"))
    again = await take(repositories, other_project_id, exported)
    assert [created for created, _ in counts(again)] == [0] * 5


async def test_keys_that_were_given_here_are_not_missed(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id)
    await repositories.versions.create(project_id, a_version(model), KEYS)
    exported = await export(repositories, project_id)
    assert "secret" not in repr(exported)
    (id_,) = (await take(repositories, other_project_id, exported)).first_version_ids_without_keys
    version = await repositories.versions.get(other_project_id, id_)
    assert await repositories.versions.credentials(other_project_id, id_, version.uri) is None
    await repositories.versions.update(other_project_id, id_, ModelVersionPatch(access_key="a", secret_key="s"))
    assert (await take(repositories, other_project_id, exported)).versions_without_keys == 0


async def test_the_number_of_a_deleted_version_is_not_given_again(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id, name="m")
    await stored_version(repositories, model, name="theirs")
    exported = await export(repositories, project_id)
    other = await stored_model(repositories, other_project_id, name="m")
    gone = await stored_version(repositories, other, name="gone")
    await repositories.deleted.delete(other_project_id, gone.id, "ann", force=False, retention=MONTH)
    assert (await take(repositories, other_project_id, exported)).renumbered_versions == 1
    assert (await repositories.versions.named(other_project_id, other.id, "theirs")).number == 2


async def test_times_from_a_clock_that_is_ahead_become_the_present(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    """Otherwise its version would be the latest one for years."""
    far = datetime(9000, 1, 1, tzinfo=UTC)
    model = a_model(other_project_id, created_at=far, updated_at=far)
    version = a_version(model, created_at=far, updated_at=far, number=1)
    await take(
        repositories,
        project_id,
        a_file(other_project_id, Record(content=model, last_version_number=1), Record(content=version)),
    )
    stored = await repositories.models.find(project_id, name=model.name)
    newer = await stored_version(repositories, stored, created_at=datetime.now(UTC) + timedelta(days=1))
    found = await repositories.models.get(project_id, stored.id)
    assert found.created_at < datetime(2100, 1, 1, tzinfo=UTC)
    assert found.latest_version
    assert found.latest_version.id == newer.id


async def test_an_export_shows_one_moment(repositories: Repositories, project_id: UUID) -> None:
    await stored_model(repositories, project_id, name="a")
    async with aclosing(transfers(repositories).export(project_id)) as records:
        await anext(records)
        assert isinstance((await anext(records)).content, RegisteredModel)
        late = await stored_model(repositories, project_id, name="late")
        await stored_version(repositories, late)
        await repositories.artifacts.create(an_artifact(project_id))
        rest = [record.content async for record in records]
    assert rest == [Trailer(record_count=2)]


async def test_filters_find_versions_by_imported_aliases(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    await a_full_project(repositories, project_id)
    await take(repositories, other_project_id, await export(repositories, project_id))
    champions = ModelVersionFilter(where=parse_filter("aliases:champion", FILTER_FIELDS))
    found = await repositories.versions.list(other_project_id, champions, Sort(), Slice(limit=10, by_cursor=True))
    assert [version.name for version in found.items] == ["third", "third"]


async def test_events_name_the_models_of_imported_and_copied_artifacts(
    postgres_repositories: Repositories, database: Database, project_id: UUID, other_project_id: UUID
) -> None:
    r = postgres_repositories
    await a_full_project(r, project_id)
    await take(r, other_project_id, await export(r, project_id))
    one, two = [await r.models.find(other_project_id, name=name) for name in ("one", "two")]
    first = await r.versions.named(other_project_id, one.id, "first")
    await transfers(r).copy(other_project_id, two.id, other_project_id, first.id, name="copy")
    rows = await database.fetch(
        "SELECT model_id FROM artifact WHERE project_id = $1 AND model_version_id IS NOT NULL", other_project_id
    )
    assert sorted(row["model_id"] for row in rows) == sorted([one.id] * 2 + [two.id] * 3)


async def test_objects_that_collide_in_a_batch_are_taken_as_they_would_be_in_two(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    """The same names, numbers, external ids and defaults, and the same line twice."""
    model = a_model(other_project_id, name="m")
    one = a_version(model, name="one", number=1, is_default=True, external_id="")
    same_number = a_version(model, name="two", number=1, is_default=True, external_id="")
    same_name = a_version(model, name="one", number=7, external_id="")
    metric = an_artifact(other_project_id, one, name="metric", external_id="")
    alias = ModelAlias(registered_model_id=model.id, name="a", model_version_id=one.id, version_number=1)
    other_model = a_model(other_project_id, name="m", external_id="")
    records = [
        Record(content=model, last_version_number=3),
        *(Record(content=it) for it in (one, same_number, same_name, one)),
        *[Record(content=alias, model_version_name="one")] * 2, *[Record(content=metric, model_version_name="one")] * 2,
        Record(content=replace(metric, id=uuid4()), model_version_name="one"), Record(content=other_model),
        Record(content=a_version(other_model, name="one", external_id="")), *[Record(content=model)] * 2,
    ]  # fmt: skip
    done = await take(repositories, project_id, a_file(other_project_id, *records))
    assert counts(done) == [(0, 0), (1, 3), (2, 3), (1, 1), (1, 2)]
    assert done.renumbered_versions == 1
    found = await repositories.models.find(project_id, name="m")
    named = [await repositories.versions.named(project_id, found.id, name) for name in ("one", "two")]
    assert [(version.number, version.is_default) for version in named] == [(1, True), (4, False)]


@pytest.mark.parametrize("kind", ["model", "version", "artifact"])
async def test_the_line_that_takes_an_external_id_is_found_in_its_batch(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, kind: str
) -> None:
    models = [a_model(other_project_id, external_id="same" if kind == "model" else "") for _ in range(2)]
    versions = [a_version(models[0], external_id="same" if kind == "version" else "") for _ in range(2)]
    external_id = "same" if kind == "artifact" else ""
    artifacts = [an_artifact(other_project_id, external_id=external_id) for _ in range(2)]
    contents: list[Any] = [models[1], models[0], *versions, *artifacts]
    line = {"model": 3, "version": 5, "artifact": 7}[kind]
    file = a_file(other_project_id, *(Record(content=content) for content in contents))
    error = await refused(AlreadyExists, take(repositories, project_id, file))
    assert (error.reason, error.metadata["line"]) == (Reason.EXTERNAL_ID_TAKEN, str(line))
    # The lines before it are stored.
    stored = await export(repositories, project_id)
    assert len(stored) - 2 == line - 2


async def test_an_id_of_another_object_is_refused(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    models = [a_model(other_project_id), a_model(other_project_id)]
    versions = [a_version(models[0]), a_version(models[1])]
    versions[1] = versions[1]._replace(id=versions[0].id)
    contents: list[Any] = [models[0], versions[0], models[1], versions[1]]
    file = a_file(other_project_id, *(Record(content=content) for content in contents))
    error = await refused(AlreadyExists, take(repositories, project_id, file))
    assert error.metadata["line"] == "5"


async def test_lines_before_a_wrong_one_stay(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model = a_model(other_project_id)
    alone = a_version(a_model(other_project_id))
    error = await refused(
        NotFound, take(repositories, project_id, a_file(other_project_id, Record(content=model), Record(content=alone)))
    )
    assert error.message == "line 3: its model is not the one before it"
    assert await repositories.models.find(project_id, name=model.name)


async def test_an_external_id_of_another_object_is_refused_with_its_line(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    own = await stored_model(repositories, project_id)
    theirs = a_model(other_project_id, external_id=own.external_id)
    error = await refused(
        AlreadyExists, take(repositories, project_id, a_file(other_project_id, Record(content=theirs)))
    )
    assert (error.reason, error.metadata["line"]) == (Reason.EXTERNAL_ID_TAKEN, "2")


@pytest.mark.parametrize(
    ("missing", "rule"),
    [
        ("all", "ndjson has no line: send the file of an export"),
        ("header", "line 1: must be the header of an export"),
        ("trailer", "line 2: is the last line, but no trailer: the file is not whole, export it again"),
        ("line", "line 2: counts 2 lines before it, but there are 1"),
        ("end", "line 4: follows the trailer, which must be the last line"),
        ("parent", "line 2: registered model not found"),
    ],
)
async def test_a_file_that_is_not_whole_is_refused(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, missing: str, rule: str
) -> None:
    model = Record(content=a_model(other_project_id))
    whole = a_file(other_project_id, model)
    parent = ModelParent(
        registered_model_id=uuid4(), registered_model_name="a", parent_model_id=uuid4(), parent_model_name="b"
    )
    files = {
        "all": [],
        "header": whole[1:],
        "trailer": whole[:-1],
        "line": [whole[0], whole[-1]],
        "end": [*whole, model],
        "parent": a_file(other_project_id, Record(content=parent)),
    }
    error = await refused(RegistryError, take(repositories, project_id, files[missing]))
    assert error.message == rule


async def test_a_copy_may_be_in_the_same_model_and_is_none_of_a_deleted_version(
    repositories: Repositories, project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id, state="ARCHIVED")
    source = await repositories.versions.create(project_id, a_version(model, state="ARCHIVED"), KEYS)
    use = transfers(repositories)
    error = await refused(AlreadyExists, use.copy(project_id, model.id, project_id, source.id))
    assert error.reason is Reason.MODEL_VERSION_NAME_TAKEN
    copied = await use.copy(project_id, model.id, project_id, source.id, name="copy", with_keys=True)
    assert (copied.model_version.state, copied.model_version.number) == ("ARCHIVED", 2)
    await repositories.deleted.delete(project_id, source.id, "ann", force=True, retention=MONTH)
    await refused(NotFound, use.copy(project_id, model.id, project_id, source.id, name="again"))


async def test_keys_that_cannot_be_decrypted_are_not_copied(
    postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    r = postgres_repositories
    model = await stored_model(r, project_id)
    source, other = [await r.versions.create(project_id, a_version(model), KEYS) for _ in range(2)]
    move = "UPDATE model_version v SET access_key = o.access_key FROM model_version o WHERE v.id = $1 AND o.id = $2"
    await database.execute(move, source.id, other.id)
    copy = transfers(r).copy(project_id, model.id, project_id, source.id, name="copy", with_keys=True)
    error = await refused(FailedPrecondition, copy)
    assert error.reason is Reason.KEYS_UNREADABLE
    assert f"model_version/{source.id}/access_key" in error.detail
    assert (await transfers(r).copy(project_id, model.id, project_id, source.id, name="copy")).keys_left_out


async def test_a_copy_has_its_own_artifacts(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id)
    source = await repositories.versions.create(project_id, a_version(model, is_default=True), KEYS)
    metric = await repositories.artifacts.create(an_artifact(project_id, source))
    target = await stored_model(repositories, other_project_id)
    await stored_version(repositories, target)
    use = transfers(repositories)

    copied = await use.copy(other_project_id, target.id, project_id, source.id)
    copy = copied.model_version
    assert copied.keys_left_out
    assert copy.id != source.id
    same = set(copy._fields) - {"id", "created_at", "updated_at", "registered_model_id", "is_default", "external_id"}
    same -= {"number", "etag"}
    assert {name: getattr(copy, name) for name in same} == {name: getattr(source, name) for name in same}
    assert (copy.number, copy.is_default, copy.external_id) == (2, False, "")
    assert await repositories.versions.credentials(other_project_id, copy.id, copy.uri) is None
    records = [r.content for r in await export(repositories, other_project_id) if isinstance(r.content, Artifact)]
    assert [(a.name, a.value, a.model_version_id, a.external_id) for a in records] == [
        (metric.name, metric.value, copy.id, "")
    ]
    error = await refused(AlreadyExists, use.copy(other_project_id, target.id, project_id, source.id))
    assert error.reason is Reason.MODEL_VERSION_NAME_TAKEN

    with_keys = await use.copy(other_project_id, target.id, project_id, source.id, name="keyed", with_keys=True)
    assert not with_keys.keys_left_out
    id_ = with_keys.model_version.id
    assert await repositories.versions.credentials(other_project_id, id_, source.uri) == KEYS
    await refused(NotFound, use.copy(other_project_id, target.id, other_project_id, source.id))

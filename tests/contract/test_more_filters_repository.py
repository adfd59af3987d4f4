"""Filters and orders of artifacts, aliases, their moves and deleted versions; and random filters of several lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.filters import models
from tests.contract.random_filters import RandomFilters
from tests.contract.test_artifact_repository import an_artifact
from tests.contract.test_filters_repository import EVERY, check, where
from tests.fakes.filtering import matches
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version

from registry_grpc.domain import artifact, inference_service, model_alias, model_version, registered_model
from registry_grpc.domain.artifact import ArtifactFilter, ArtifactKind
from registry_grpc.domain.filter.fields import Fields, Filter, parse_filter
from registry_grpc.domain.inference_service import InferenceServiceFilter
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.model_version import ModelVersionFilter
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter

KEPT = timedelta(days=30)


def fresh() -> UUID:
    """The first of many ids."""
    return UUID(int=uuid4().int >> 16 << 16)


Lister = Callable[[Filter | None, Slice], Awaitable[Page[Any]]]
ARTIFACT_EXPRESSIONS = (
    "kind = DATASET", "kind != ARTIFACT_KIND_DATASET", "name = data*", "uri:*", "-uri:*", f"digest = sha256:{1:064}",
    "size_bytes > 5", "size_bytes = 7", "external_id = x1", "labels.team = a OR kind = METRIC", "labels:team",
    "properties.rows >= 10", "properties:rows", "-model_version_id:*", "kind = DOCUMENT AND created_at:*",
)  # fmt: skip


async def test_filters_artifacts(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    version = await stored_version(repositories, model, uri="s3://models/1", name="v1", size_bytes=9)
    for place in (None, version):
        rows: list[dict[str, Any]] = [
            {"name": "data-1", "digest": f"sha256:{1:064}", "size_bytes": 7, "labels": {"team": "a"}},
            {"name": "doc", "kind": ArtifactKind.DOCUMENT, "properties": {"rows": {"int": 10}}},
            {"name": "auc", "kind": ArtifactKind.METRIC, "value": {"double": 0.5}, "uri": ""},
        ]
        rows[0]["external_id"] = "x2" if place else "x1"
        for fields in rows:
            await repositories.artifacts.create(an_artifact(project_id, place, **fields))

    async def own(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.artifacts.list(project_id, ArtifactFilter(where=filter_), slice_)

    async def of_version(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        chosen = ArtifactFilter(model_version_id=version.id, where=filter_)
        return await repositories.artifacts.list(project_id, chosen, slice_)

    every = (await own(None, EVERY)).items
    assert len(every) == 6
    await check(ARTIFACT_EXPRESSIONS, artifact.FILTER_FIELDS, every, own)
    of_one = (await of_version(None, EVERY)).items
    assert len(of_one) == 4
    others = ("kind = MODEL", "kind = MODEL OR kind = METRIC", "size_bytes = 9", "uri = s3://models/1", "name > v")
    await check(others, artifact.FILTER_FIELDS, of_one, of_version)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("kind = MODEL", ["v1", "v2"]),
        ("kind = MODEL AND size_bytes = 9", ["v1"]),
        ("kind = MODEL properties.a = 1", ["v2"]),
        ("kind = MODEL labels:a", ["v2"]),
        ("(kind = MODEL AND name = v1) size_bytes > 1", ["v1"]),
        ("kind = MODEL model_version_id:* kind:*", ["v1", "v2"]),
        ("kind = MODEL kind = METRIC", []),
        ("kind = MODEL OR kind = DATASET", ["data"]),
    ],
)
async def test_a_filter_by_their_kind_finds_model_artifacts(
    repositories: Repositories, project_id: UUID, text: str, names: list[str]
) -> None:
    model = await stored_model(repositories, project_id)
    await stored_version(repositories, model, name="v1", uri="s3://a", size_bytes=9, labels={}, properties={})
    given: dict[str, Any] = {"labels": {"a": "b"}, "properties": {"a": {"int": 1}}}
    await stored_version(repositories, model, name="v2", uri="s3://b", **given)
    await stored_version(repositories, model, name="v3", uri="")
    await repositories.artifacts.create(an_artifact(project_id, name="data"))

    chosen = ArtifactFilter(where=where(text, artifact.FILTER_FIELDS))
    page = await repositories.artifacts.list(project_id, chosen, EVERY, Sort("name", descending=False))
    assert [each.name for each in page.items] == names


async def test_orders_artifacts(repositories: Repositories, project_id: UUID) -> None:
    version = await stored_version(repositories, await stored_model(repositories, project_id), name="c", uri="s3://c")
    for name in ("b", "a"):
        await repositories.artifacts.create(an_artifact(project_id, version, name=name))
    for sort, names in [
        (Sort("name"), "cba"),
        (Sort("name", descending=False), "abc"),
        (Sort("created_at", descending=False), "cba"),
        (Sort("updated_at"), "abc"),
    ]:
        seen, after = "", None
        for _ in names:
            part = Slice(limit=1, by_cursor=True, after=after)
            page = await repositories.artifacts.list(
                project_id, ArtifactFilter(model_version_id=version.id), part, sort
            )
            seen, after = seen + page.items[0].name, page.next
        assert (seen, after) == (names, None), sort


async def paged(listed: Callable[..., Awaitable[Page[Any]]], *args: Any) -> list[Any]:
    """All items of a list, read one by one."""
    items: list[Any] = []
    after = None
    while True:
        page = await listed(Slice(limit=1, by_cursor=True, after=after), *args)
        items += page.items
        if (after := page.next) is None:
            return items


async def test_filters_and_orders_aliases_and_their_moves(repositories: Repositories, project_id: UUID) -> None:
    r = repositories
    model = await stored_model(r, project_id)
    first = await stored_version(r, model, is_default=True)
    await stored_version(r, model)
    for name, version, user in [("a", "1", "ann"), ("b", "1", "bob"), ("a", "2", "bob"), ("c", "2", "")]:
        change = AliasChange(name=name, version=version, is_protected=name == "b")
        await r.aliases.set(project_id, model.id, change, user)
    await r.aliases.delete(project_id, model.id, AliasChange(name="c"), "ann")

    async def aliases(slice_: Slice, sort: Sort, filter_: Filter | None) -> Page[Any]:
        return await r.aliases.list(project_id, model.id, slice_, sort, filter_)

    async def moves(slice_: Slice, sort: Sort, filter_: Filter | None) -> Page[Any]:
        return await r.aliases.moves(project_id, model.id, "", slice_, sort, filter_)

    for text, names in [
        ("", ["a", "b", "default"]),
        (f"model_version_id = {first.id}", ["b", "default"]),
        ("version_number > 1", ["a"]),
        ("is_protected = true", ["b"]),
        ("moved_at:*", ["a", "b"]),
        ("-moved_at:*", ["default"]),
        ("moved_by = bob name != a", ["b"]),
        ("name = d* OR name = a", ["a", "default"]),
    ]:
        filter_ = parse_filter(text, model_alias.FILTER_FIELDS)
        found = await paged(aliases, model_alias.BY_NAME, filter_)
        assert [alias.name for alias in found] == names, text
        against = await paged(aliases, Sort("name"), filter_)
        assert [alias.name for alias in against] == names[::-1], text
    for text, names in [
        ("", ["a", "b", "a", "c", "c"]),
        (f"model_version_id = {first.id}", ["a", "b"]),
        ("-model_version_id:*", ["c"]),
        ("version_number = 2 moved_at:*", ["a", "c"]),
        ("moved_by = b*", ["b", "a"]),
        ("name = c moved_by = ''", ["c"]),
    ]:
        filter_ = parse_filter(text, model_alias.MOVE_FILTER_FIELDS)
        found = await paged(moves, Sort("moved_at", descending=False), filter_)
        assert [move.name for move in found] == names, text
        against = await paged(moves, model_alias.LAST_MOVE_FIRST, filter_)
        assert [move.name for move in against] == names[::-1], text


async def test_filters_and_orders_deleted_versions(repositories: Repositories, project_id: UUID) -> None:
    r = repositories
    model = await stored_model(r, project_id)
    for name, fields in [
        ("a", {"labels": {"run": "x"}, "properties": {"auc": {"double": 0.5}}, "digest": f"sha256:{1:064}"}),
        ("b", {"labels": {}, "properties": {"auc": {"double": 0.9}}, "size_bytes": 7}),
        ("c", {"labels": {"run": ""}, "model_framework": "onnx", "is_default": True}),
    ]:
        given: dict[str, Any] = {"model_framework": "sklearn", "properties": {}}
        version = await stored_version(r, model, name=name, **given | fields)
        user = "ann" if name == "a" else "bob"
        await r.deleted.delete(project_id, version.id, user, force=True, retention=KEPT)

    async def deleted(slice_: Slice, sort: Sort, filter_: Filter | None) -> Page[Any]:
        return await r.deleted.list(project_id, model.id, slice_, sort, filter_, retention=KEPT)

    for text, names in [
        ("", "abc"),
        ("deleted_by = bob", "bc"),
        ("deleted_at > 2020-01-01T00:00:00Z", "abc"),
        ("model_version.name > a", "bc"),
        ("model_version.model_framework = onnx", "c"),
        ("model_version.labels.run:*", "ac"),
        ("model_version.labels:*", "ac"),
        ("model_version.labels.run = x", "a"),
        ("model_version.properties.auc > 0.6", "b"),
        ("model_version.properties:auc model_version.size_bytes = 7", "b"),
        ("model_version.number = 2 OR model_version.digest:*", "ab"),
        (f"model_version.registered_model_id = {model.id} model_version.is_default = true", "c"),
    ]:
        filter_ = parse_filter(text, model_version.DELETED_FILTER_FIELDS)
        found = await paged(deleted, Sort("deleted_at", descending=False), filter_)
        assert "".join(each.model_version.name for each in found) == names, text
        against = await paged(deleted, model_version.LAST_DELETED_FIRST, filter_)
        assert "".join(each.model_version.name for each in against) == names[::-1], text


async def agree(fields: Fields, every: tuple[Any, ...], listed: Lister, seed: int, many: int = 150) -> None:
    """The list and the reference evaluation find the same rows by random filters, of which many find some."""
    filters, telling = RandomFilters(fields, every, seed), 0
    for _ in range(many):
        text = filters.text()
        filter_ = where(text, fields)
        expected = {row.id for row in every if matches(filter_, row)}
        page = await listed(filter_, EVERY)
        assert {row.id for row in page.items} == expected, text
        telling += 0 < len(expected) < len(every)
    assert telling > many / 6


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_random_filters_of_models(repositories: Repositories, project_id: UUID, seed: int) -> None:
    for model in models(project_id, 60, fresh()):
        await repositories.models.create(model)

    async def listed(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.models.list(project_id, RegisteredModelFilter(where=filter_), Sort(), slice_)

    await agree(registered_model.FILTER_FIELDS, (await listed(None, EVERY)).items, listed, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_random_filters_of_versions_and_artifacts(
    repositories: Repositories, project_id: UUID, seed: int
) -> None:
    r = repositories
    for model in models(project_id, 12, fresh()):
        await r.models.create(model)
        for number in range(3):
            version = await stored_version(
                r, model, name=f"v{number}", labels=model.labels, properties=model.properties, is_default=number == 1,
                uri=model.slug and f"s3://{model.slug}", digest=f"sha256:{number:064}" if number else "",
                size_bytes=max(model.model_size, 0), external_id=model.external_id and f"{model.external_id}-{number}",
            )  # fmt: skip
            await r.artifacts.create(
                an_artifact(
                    project_id,
                    version if number else None,
                    name=f"{model.name}-{number}",
                    labels=model.labels,
                    properties=model.properties,
                    digest=version.digest,
                    size_bytes=version.size_bytes,
                    external_id=version.external_id,
                    kind=(ArtifactKind.DATASET, ArtifactKind.DOCUMENT)[number % 2],
                )
            )  # fmt: skip
            if model.model_size % 2 and number < 2:
                change = AliasChange(name=("champion", "old")[number], version=str(version.number))
                await r.aliases.set(project_id, model.id, change, "ann")

    async def versions(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await r.versions.list(project_id, ModelVersionFilter(where=filter_), Sort(), slice_)

    async def artifacts(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        chosen = ArtifactFilter(where=filter_, kind=ArtifactKind.DATASET if seed == 0 else None)
        return await r.artifacts.list(project_id, chosen, slice_)

    async def model_artifacts(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        chosen = ArtifactFilter(where=filter_, kind=ArtifactKind.MODEL)
        return await r.artifacts.list(project_id, chosen, slice_)

    await agree(model_version.FILTER_FIELDS, (await versions(None, EVERY)).items, versions, seed)
    # Model artifacts are only found where the filter asks for them.
    fields = {name: field for name, field in artifact.FILTER_FIELDS.items() if name != "kind"}
    await agree(fields, (await artifacts(None, EVERY)).items, artifacts, seed)
    await agree(fields, (await model_artifacts(None, EVERY)).items, model_artifacts, seed)


@pytest.mark.slow
async def test_random_filters_of_services(repositories: Repositories, project_id: UUID) -> None:
    for model in models(project_id, 40, fresh()):
        await repositories.models.create(model)
        environment = await stored_environment(repositories, project_id, name=f"e-{model.name}")
        await stored_service(
            repositories, environment, model, name=model.name, labels=model.labels, properties=model.properties,
            external_id=model.external_id, last_error=model.slug,
        )  # fmt: skip

    async def listed(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.services.list(project_id, InferenceServiceFilter(where=filter_), Sort(), slice_)

    await agree(inference_service.FILTER_FIELDS, (await listed(None, EVERY)).items, listed, 1)

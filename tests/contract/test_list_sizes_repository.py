"""Pages of lists are bounded by the bytes of their objects, before the objects are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from tests.contract.intents import an_intent
from tests.contract.surroundings import Surroundings
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version

from registry_grpc.domain.deployment import Cause, DeploymentRevision, DeploymentSpec, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.inference_service import InferenceServiceFilter
from registry_grpc.domain.model_version import ModelVersionFilter
from registry_grpc.domain.paging import OBJECT_BYTES, PAGE_BYTES, Cursor, Page, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter, Tags
from registry_grpc.domain.serving_environment import ServingEnvironmentFilter
from registry_grpc.ports.deployments import DeploymentFilter

pytestmark = pytest.mark.slow

MEBIBYTE = 1 << 20

List = Callable[[Slice], Awaitable[Page[Any]]]


async def _models(repositories: Repositories, project_id: UUID, **fields: Any) -> List:
    for _ in range(7):
        await stored_model(repositories, project_id, **fields)
    return lambda part: repositories.models.list(project_id, RegisteredModelFilter(), Sort(), part)


async def _searched_models(repositories: Repositories, project_id: UUID, **fields: Any) -> List:
    await _models(repositories, project_id, **fields)
    wanted = RegisteredModelFilter(search="model")
    return lambda part: repositories.models.list(project_id, wanted, Sort("updated_at"), part)


async def _versions(repositories: Repositories, project_id: UUID, **fields: Any) -> List:
    model = await stored_model(repositories, project_id)
    for _ in range(7):
        await stored_version(repositories, model, **fields)
    return lambda part: repositories.versions.list(project_id, ModelVersionFilter(), Sort(), part)


async def _environments(repositories: Repositories, project_id: UUID, **fields: Any) -> List:
    for _ in range(7):
        await stored_environment(repositories, project_id, **fields)
    return lambda part: repositories.environments.list(project_id, ServingEnvironmentFilter(), Sort("name"), part)


async def _services(repositories: Repositories, project_id: UUID, **fields: Any) -> List:
    environment, model = (
        await stored_environment(repositories, project_id),
        await stored_model(repositories, project_id),
    )
    for _ in range(7):
        await stored_service(repositories, environment, model, **fields)
    return lambda part: repositories.services.list(project_id, InferenceServiceFilter(), Sort(), part)


def _spec(around: Surroundings, text: str) -> DeploymentSpec:
    return DeploymentSpec.serving((around.version,), {}, DeploymentOptions(env={"A": text[::2], "B": text[1::2]}))


async def _deployments(repositories: Repositories, project_id: UUID, **fields: Any) -> List:
    around = await Surroundings.stored(repositories, project_id)
    spec = _spec(around, fields["description"])
    for _ in range(7):
        await repositories.deployments.deploy(around.service(), (), an_intent(around, spec=spec))
    return lambda part: repositories.deployments.list(project_id, DeploymentFilter(), part)


async def _revisions(repositories: Repositories, project_id: UUID, **fields: Any) -> List:
    around = await Surroundings.stored(repositories, project_id)
    spec, service = _spec(around, fields["description"]), around.service()
    await repositories.deployments.deploy(service, (), an_intent(around, spec=spec))
    for _ in range(6):
        await repositories.deployments.revise(
            project_id, service.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by=""
        )
    return lambda part: repositories.deployments.revisions(project_id, service.id, part)


DESCRIBED = {"description": "é" * (MEBIBYTE // 2)}
LABELLED = {"labels": {"k": "x" * MEBIBYTE}}
Seven = tuple[Callable[..., Awaitable[List]], dict[str, Any]]
SEVEN: dict[str, Seven] = {
    "models with descriptions": (_models, DESCRIBED),
    "models with labels": (_models, LABELLED),
    "models with tags": (_models, {"tags": Tags(tasks=tuple("x" * 1024 for _ in range(1024)))}),
    "models that are searched for": (_searched_models, DESCRIBED),
    "versions with descriptions": (_versions, DESCRIBED),
    "versions with labels": (_versions, LABELLED),
    "environments": (_environments, DESCRIBED),
    "services with errors": (_services, {"last_error": "x" * MEBIBYTE}),
    "services with labels": (_services, LABELLED),
}
BY_CURSOR_ONLY: dict[str, Seven] = {"deployments": (_deployments, DESCRIBED), "revisions": (_revisions, DESCRIBED)}


async def _walk(page_at: List, limit: int) -> list[int]:
    """The number of objects on each page, from cursor to cursor. None may come twice."""
    counts: list[int] = []
    seen: set[object] = set()
    after: Cursor | None = None
    while True:
        page = await page_at(Slice(limit=limit, by_cursor=True, after=after))
        counts.append(len(page.items))
        seen |= {item.created_at if isinstance(item, DeploymentRevision) else item.id for item in page.items}
        if (after := page.next) is None:
            assert len(seen) == sum(counts)
            return counts


@pytest.mark.parametrize("name", SEVEN | BY_CURSOR_ONLY)
async def test_a_page_by_cursor_ends_before_it_is_too_large(
    repositories: Repositories, project_id: UUID, name: str
) -> None:
    store, fields = (SEVEN | BY_CURSOR_ONLY)[name]
    page_at = await store(repositories, project_id, **fields)

    assert await _walk(page_at, 100) == [3, 3, 1]
    assert await _walk(page_at, 3) == [3, 3, 1]
    assert await _walk(page_at, 2) == [2, 2, 2, 1]


@pytest.mark.parametrize("deep", [1, 500])
@pytest.mark.parametrize("name", SEVEN)
async def test_a_page_by_offset_is_cut_or_refused(
    repositories: Repositories, project_id: UUID, name: str, deep: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry_grpc.adapters.postgres.listing._DEEP", deep)
    store, fields = SEVEN[name]
    page_at = await store(repositories, project_id, **fields)
    in_order = (await page_at(Slice(max_bytes=100 * MEBIBYTE))).items

    for offset, count in [(0, 3), (2, 3), (5, 2), (6, 1), (7, 0)]:
        page = await page_at(Slice(limit=20, offset=offset))
        assert (page.items, page.total, page.next) == (in_order[offset : offset + count], 7, None)
    for offset, limit in [(0, 4), (2, 100), (3, 5)]:
        with pytest.raises(InvalidRequest, match="limit must be smaller: the answer would be larger than 4 MiB"):
            await page_at(Slice(limit=limit, offset=offset).refusing_above(4 * MEBIBYTE))
    for offset, limit in [(0, 3), (4, 20)]:
        page = await page_at(Slice(limit=limit, offset=offset).refusing_above(4 * MEBIBYTE))
        assert (page.items, page.total) == (in_order[offset : offset + 3], 7)


async def test_texts_count_their_bytes(repositories: Repositories, project_id: UUID) -> None:
    for _ in range(3):
        await stored_environment(repositories, project_id, description="é" * 1000, properties={})
    size = 2 * (OBJECT_BYTES + 2000)
    empty_maps = 20

    async def count(max_bytes: int) -> int:
        part = Slice(by_cursor=True, max_bytes=max_bytes)
        page = await repositories.environments.list(project_id, ServingEnvironmentFilter(), Sort(), part)
        assert page.next
        return len(page.items)

    assert [await count(size + empty_maps), await count(size - 1)] == [2, 1]


@pytest.mark.parametrize("part", [Slice(limit=5), Slice(limit=5, by_cursor=True)])
async def test_an_object_that_is_too_large_comes_alone(
    repositories: Repositories, project_id: UUID, part: Slice
) -> None:
    sizes = (10, 2 * PAGE_BYTES, 10)
    for name, size in zip("abc", sizes, strict=True):
        await stored_environment(repositories, project_id, name=name, description="x" * size)
    names = []
    for _ in sizes:
        page = await repositories.environments.list(
            project_id, ServingEnvironmentFilter(), Sort("name", descending=False), part
        )
        names.append([item.name for item in page.items])
        part = Slice(limit=5, by_cursor=part.by_cursor, after=page.next, offset=0 if page.next else part.offset + 1)

    assert names == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("is_descending", [True, False])
async def test_long_texts_are_sorted_by_their_beginning(
    repositories: Repositories, project_id: UUID, is_descending: bool
) -> None:
    beginning = "é" * 1000
    texts = [beginning + "b", beginning + "a", beginning[1:] + "a", beginning[1:], "z" * 500_000]
    environments = [await stored_environment(repositories, project_id, description=text) for text in texts]
    sort = Sort("description", descending=is_descending)
    wanted = sorted(environments, key=lambda e: (e.description[:1000], e.id), reverse=is_descending)

    found: list[Any] = []
    after: Cursor | None = None
    for _ in texts:
        part = Slice(limit=1, by_cursor=True, after=after)
        page = await repositories.environments.list(project_id, ServingEnvironmentFilter(), sort, part)
        found += page.items
        after = page.next
        assert after is None or len(after.value) <= 1000

    assert found == wanted
    page = await repositories.environments.list(project_id, ServingEnvironmentFilter(), sort, Slice())
    assert list(page.items) == wanted

"""Filters and searches of lists: what they show, and that totals count the same (REST contract 0.10)."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version

from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.inference_service import InferenceServiceFilter
from registry_grpc.domain.model_version import ModelVersionFilter
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import FILTER_FIELDS, RegisteredModelFilter
from registry_grpc.domain.serve_model import ServeModelFilter
from registry_grpc.domain.serving_environment import ServingEnvironmentFilter

BY_NAME = Sort("name", descending=False)
# Every list is read by offset, which counts, and by cursor, which does not.
SLICES = (Slice(), Slice(by_cursor=True))
TOTAL_TOO = Slice(limit=1)


@pytest.mark.parametrize(
    ("filter", "names"),
    [
        (RegisteredModelFilter(), "abcd"),
        (RegisteredModelFilter(state="LIVE"), "ab"),
        (RegisteredModelFilter(state="live"), ""),
        (RegisteredModelFilter(state="bogus"), ""),
        (RegisteredModelFilter(model_type="llm"), "ac"),
        (RegisteredModelFilter(state="ARCHIVED", model_type="llm"), "c"),
        (RegisteredModelFilter(state="ARCHIVED", model_type="llm", search="d"), ""),
        (RegisteredModelFilter(state="ARCHIVED", search="D"), "d"),
        (RegisteredModelFilter(state="' OR 1=1 --"), ""),
    ],
)
async def test_filters_models(
    repositories: Repositories, project_id: UUID, filter: RegisteredModelFilter, names: str
) -> None:
    for name, state, model_type in [
        ("a", "LIVE", "llm"),
        ("b", "LIVE", "onnx"),
        ("c", "ARCHIVED", "llm"),
        ("d", "ARCHIVED", "onnx"),
    ]:
        await stored_model(repositories, project_id, name=name, state=state, model_type=model_type)

    for slice_ in SLICES:
        page = await repositories.models.list(project_id, filter, BY_NAME, slice_)
        assert [item.name for item in page.items] == list(names)
    assert (await repositories.models.list(project_id, filter, BY_NAME, TOTAL_TOO)).total == len(names)


@pytest.mark.parametrize(
    ("filter", "names", "names_of_first"),
    [
        (ModelVersionFilter(), "abcd", "abc"),
        (ModelVersionFilter(state="LIVE"), "abd", "ab"),
        (ModelVersionFilter(status="READY"), "acd", "ac"),
        (ModelVersionFilter(state="LIVE", status="READY"), "ad", "a"),
        (ModelVersionFilter(state="ARCHIVED", status="PENDING"), "", ""),
        (ModelVersionFilter(state="live"), "", ""),
    ],
)
async def test_filters_versions(
    repositories: Repositories, project_id: UUID, filter: ModelVersionFilter, names: str, names_of_first: str
) -> None:
    first, second = [await stored_model(repositories, project_id) for _ in range(2)]
    for model, name, state, status in [
        (first, "a", "LIVE", "READY"),
        (first, "b", "LIVE", "PENDING"),
        (first, "c", "ARCHIVED", "READY"),
        (second, "d", "LIVE", "READY"),
    ]:
        await stored_version(repositories, model, name=name, state=state, status=status)

    for model_id, expected in [(None, names), (first.id, names_of_first), (uuid4(), "")]:
        filter_ = replace(filter, registered_model_id=model_id)
        for slice_ in SLICES:
            page = await repositories.versions.list(project_id, filter_, BY_NAME, slice_)
            assert [item.name for item in page.items] == list(expected)
        assert (await repositories.versions.list(project_id, filter_, BY_NAME, TOTAL_TOO)).total == len(expected)


async def test_filters_services(repositories: Repositories, project_id: UUID, around: Surroundings) -> None:
    other = await Surroundings.stored(repositories, project_id)
    up, down = "DEPLOYED", "UNDEPLOYED"
    await repositories.services.create(around.service(name="a", desired_state=up, current_state=up), ())
    await repositories.services.create(
        around.service(name="b", desired_state=down, current_state=up, model_version_id=around.version.id), ()
    )
    await stored_service(repositories, around.environment, other.model, name="c", desired_state=up, current_state=down)
    await stored_service(repositories, other.environment, around.model, name="d", desired_state=up, current_state=down)

    for filter_, names in [
        (InferenceServiceFilter(), "abcd"),
        (InferenceServiceFilter(serving_environment_id=around.environment.id), "abc"),
        (InferenceServiceFilter(registered_model_id=around.model.id), "abd"),
        (InferenceServiceFilter(model_version_id=around.version.id), "b"),
        (InferenceServiceFilter(desired_state=up), "acd"),
        (InferenceServiceFilter(current_state=up), "ab"),
        (InferenceServiceFilter(desired_state="deployed"), ""),
        (InferenceServiceFilter(serving_environment_id=uuid4()), ""),
        (
            InferenceServiceFilter(
                serving_environment_id=around.environment.id,
                registered_model_id=around.model.id,
                desired_state=down,
                current_state=up,
            ),
            "b",
        ),
    ]:
        for slice_ in SLICES:
            page = await repositories.services.list(project_id, filter_, BY_NAME, slice_)
            assert [item.name for item in page.items] == list(names), filter_
        assert (await repositories.services.list(project_id, filter_, BY_NAME, TOTAL_TOO)).total == len(names)


async def test_filters_serve_models(repositories: Repositories, project_id: UUID, around: Surroundings) -> None:
    services = [around.service(name=name) for name in ("s1", "s2")]
    versions = [await stored_version(repositories, around.model, name=name) for name in ("v1", "v2")]
    for service in services:
        await repositories.services.create(service, ())
    for service, version, state in [
        (services[0], versions[0], "RUNNING"),
        (services[0], versions[1], "PENDING"),
        (services[1], versions[0], "RUNNING"),
    ]:
        await repositories.serve_models.create(a_serve_model(service, version, last_known_state=state))

    for filter_, pairs in [
        (ServeModelFilter(), {("s1", "v1"), ("s1", "v2"), ("s2", "v1")}),
        (ServeModelFilter(inference_service_id=services[0].id), {("s1", "v1"), ("s1", "v2")}),
        (ServeModelFilter(model_version_id=versions[0].id), {("s1", "v1"), ("s2", "v1")}),
        (ServeModelFilter(state="RUNNING"), {("s1", "v1"), ("s2", "v1")}),
        (ServeModelFilter(state="running"), set()),
        (ServeModelFilter(inference_service_id=services[1].id, state="PENDING"), set()),
        (ServeModelFilter(model_version_id=uuid4()), set()),
    ]:
        for slice_ in SLICES:
            page = await repositories.serve_models.list(project_id, filter_, Sort(), slice_)
            assert {(item.inference_service_name, item.model_version_name) for item in page.items} == pairs, filter_
        assert (await repositories.serve_models.list(project_id, filter_, Sort(), TOTAL_TOO)).total == len(pairs)


NAMES = (
    "Alpha",
    "alphabet",
    "10% off",
    "a_b",
    "aXb",
    "back\\slash",
    "Ärger",
    "line\nbreak",
    "ΣΊΣΥΦΟΣ",
    "%",
    "\U0001d518",
)


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("", NAMES),
        ("alpha", ("Alpha", "alphabet")),
        ("ALPHA", ("Alpha", "alphabet")),
        ("lph", ("Alpha", "alphabet")),
        ("al", ("Alpha", "alphabet")),  # searches for two letters use another condition
        ("PH", ("Alpha", "alphabet")),
        ("FF", ("10% off",)),
        ("ha", ("Alpha", "alphabet")),
        ("zq", ()),
        (" off", ("10% off",)),
        ("%", NAMES),
        ("_", NAMES),
        ("a_b", ("a_b", "aXb")),
        ("a\\_b", ("a_b",)),
        ("\\%", ("10% off", "%")),
        ("1%f", ("10% off",)),
        ("k\\\\s", ("back\\slash",)),
        ("\\", ("%",)),
        ("0\\", ()),
        ("ä", ("Ärger",)),
        ("e_b", ("line\nbreak",)),
        ("σίσυφοσ", ("ΣΊΣΥΦΟΣ",)),
        ("\U0001d518", ("\U0001d518",)),
        ("[a-z]", ()),
        (".*", ()),
        ("' OR ''='", ()),
    ],
)
async def test_search_is_ilike_on_the_name(
    repositories: Repositories, project_id: UUID, search: str, names: tuple[str, ...]
) -> None:
    for name in NAMES:
        await stored_model(repositories, project_id, name=name, description="never searched: zzz")
        await stored_environment(repositories, project_id, name=name, description="never searched: zzz")

    for slice_ in SLICES:
        models = await repositories.models.list(project_id, RegisteredModelFilter(search=search), BY_NAME, slice_)
        environments = await repositories.environments.list(
            project_id, ServingEnvironmentFilter(search=search), BY_NAME, slice_
        )
        assert [item.name for item in models.items] == sorted(names)
        assert [item.name for item in environments.items] == sorted(names)
        assert {models.total, environments.total} == {None if slice_.by_cursor else len(names)}


async def test_a_search_can_be_filtered(repositories: Repositories, project_id: UUID) -> None:
    for name in NAMES:
        await stored_model(repositories, project_id, name=name)

    where = parse_filter('name != "Alpha"', FILTER_FIELDS)
    for slice_ in SLICES:
        found = RegisteredModelFilter(search="alpha", where=where)
        models = await repositories.models.list(project_id, found, BY_NAME, slice_)
        assert [item.name for item in models.items] == ["alphabet"]

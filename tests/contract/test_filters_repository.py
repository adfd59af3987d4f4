"""Filters mean the same in every implementation: what the reference evaluation in tests/fakes/filtering.py says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.contract.filters import MODEL_EXPRESSIONS, models
from tests.contract.intents import an_intent, deployed
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import CREATED_AT, a_model
from tests.fakes.filtering import matches
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_serve_model, stored_service, stored_version

from registry_grpc.domain import (
    deployment,
    inference_service,
    model_version,
    registered_model,
    serve_model,
    serving_environment,
)
from registry_grpc.domain.filter.fields import Fields, Filter, parse_filter
from registry_grpc.domain.inference_service import InferenceServiceFilter
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.model_version import ModelVersionFilter
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter, Tags
from registry_grpc.domain.serve_model import ServeModelFilter
from registry_grpc.domain.serving_environment import DriftPolicy, ServingEnvironment, ServingEnvironmentFilter
from registry_grpc.ports.deployments import DeploymentFilter

BY_NAME = Sort("name", descending=False)
EVERY = Slice(limit=100, by_cursor=True)


def where(text: str, fields: Fields) -> Filter:
    filter_ = parse_filter(text, fields)
    assert filter_ is not None
    return filter_


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("state = LIVE", "ac"),
        ("state != LIVE", "b"),
        ("-state = LIVE", "b"),
        ("state = LIVE OR state = ARCHIVED", "abc"),
        ("name = a OR name = b AND state = LIVE", "a"),
        ("name = a OR (name = b AND state = LIVE)", "a"),
        ("name = a OR (name = b AND state = ARCHIVED)", "ab"),
        ("state = L*", "ac"),
        ("state = *", "abc"),
        ("state != L*", "b"),
        ("slug:*", "ab"),
        ("name > a", "bc"),
        ("name <= b", "ab"),
        ("model_size >= 2", "bc"),
        ("created_at > 2026-01-02T03:04:05Z", "bc"),
        ("parent_model_id:*", "c"),
        ("-parent_model_id:*", "ab"),
        # An absent key or id equals nothing, and does not differ from anything either. NOT turns that around.
        ("labels.team = x", "a"),
        ("labels.team != x", "b"),
        ("-labels.team = x", "bc"),
        ("-labels.team != x", "ac"),
        ("labels.team != x*", "b"),
        ("-(labels.team = x AND state = LIVE)", "bc"),
        ("-(labels.team = x OR labels.team = y)", "c"),
        ("parent_model_id != 00000000-0000-0000-0000-000000000001", "c"),
        ("-parent_model_id = 00000000-0000-0000-0000-000000000001", "abc"),
        ("labels:team", "ab"),
        ("labels:team labels:stage", "b"),
        ("-labels:*", "c"),
        ("tags.tasks:qa", "a"),
        ("tags.tasks:q", ""),
        ("tags.tasks:*", "a"),
        ("-tags.tasks:*", "bc"),
    ],
)
async def test_the_meaning_of_an_expression(
    repositories: Repositories, project_id: UUID, text: str, names: str
) -> None:
    at = CREATED_AT.replace(year=2026, month=1, day=2, hour=3, minute=4, second=5, microsecond=0)
    a = a_model(
        project_id, name="a", slug="s", model_size=1, created_at=at, labels={"team": "x"}, tags=Tags(tasks=("qa",))
    )
    late = at + timedelta(microseconds=1)
    b = a_model(
        project_id, name="b", state="ARCHIVED", slug="t", model_size=2, created_at=late, tags=Tags(),
        labels={"team": "y", "stage": ""},
    )  # fmt: skip
    c = a_model(
        project_id, name="c", slug="", model_size=3, created_at=late, labels={}, parent_model_id=a.id, tags=Tags()
    )
    for model in (a, b, c):
        await repositories.models.create(model)

    filter_ = RegisteredModelFilter(where=where(text, registered_model.FILTER_FIELDS))
    by_cursor = await repositories.models.list(project_id, filter_, BY_NAME, EVERY)
    counted = await repositories.models.list(project_id, filter_, BY_NAME, Slice(limit=1))

    assert "".join(model.name for model in by_cursor.items) == names
    assert counted.total == len(names)
    assert "".join(model.name for model in counted.items) == names[:1]


@pytest.mark.slow
async def test_a_table_of_expressions_on_many_models(repositories: Repositories, project_id: UUID) -> None:
    stored = list(models(project_id, 300))
    for model in stored:
        await repositories.models.create(model)
    # Another project has the same rows. Nobody sees them.
    other = UUID(int=project_id.int ^ 1)
    for number, model in enumerate(stored[:20], 10**6):
        elsewhere = model._replace(id=UUID(int=number), project_id=other, parent_model_id=None)
        await repositories.models.create(elsewhere)

    assert len(set(MODEL_EXPRESSIONS)) >= 120
    for text in MODEL_EXPRESSIONS:
        filter_ = where(text, registered_model.FILTER_FIELDS)
        expected = {model.id for model in stored if matches(filter_, model)}
        shown = RegisteredModelFilter(where=filter_)
        # The index of the last one is not in its order.
        for sort in (Sort(), BY_NAME, Sort("model_type")):
            ids: list[UUID] = []
            page: Page[Any] = await repositories.models.list(project_id, shown, sort, EVERY)
            while True:
                ids += [model.id for model in page.items]
                if page.next is None:
                    break
                part = Slice(limit=100, by_cursor=True, after=page.next)
                page = await repositories.models.list(project_id, shown, sort, part)
            assert set(ids) == expected, text
            assert len(ids) == len(expected), text
        assert (await repositories.models.list(project_id, shown, Sort(), Slice(limit=1))).total == len(expected), text


async def test_a_filter_is_joined_with_the_other_conditions(repositories: Repositories, project_id: UUID) -> None:
    for name, state, team in [("alpha", "LIVE", "x"), ("beta", "ARCHIVED", "x"), ("alphabet", "LIVE", "y")]:
        await stored_model(repositories, project_id, name=name, state=state, labels={"team": team})

    filter_ = where("labels.team = x OR labels.team = z", registered_model.FILTER_FIELDS)
    for other, names in [
        (RegisteredModelFilter(state="LIVE"), ["alpha"]),
        (RegisteredModelFilter(search="alph"), ["alpha"]),
        (RegisteredModelFilter(search="ta"), ["beta"]),
    ]:
        page = await repositories.models.list(project_id, replace(other, where=filter_), BY_NAME, Slice())
        assert [model.name for model in page.items] == names
        assert page.total == len(names)


VERSION_EXPRESSIONS = (
    "model_framework = onnx", "model_framework != onnx", "is_default = true", "is_default != true", "is_default:*",
    "status = READY OR labels.run = nightly", "uri = s3://models/*", "prebuilt_container_id:*", "labels.run:*",
    "-labels.run = nightly", "registered_model_id:*", "created_by_email = *@example.com AND -artifact_type = doc*",
    "aliases:champion", "-aliases:champion", "aliases:default", "aliases:champion OR aliases:default", "aliases:*",
    "-aliases:*", "aliases:champion AND number >= 1", "number = 2", "number != 2", "number > 1 AND number < 3",
    f"digest = sha256:{1:064}", "digest:*", "-digest:*", "size_bytes = 7", "size_bytes >= 7", "external_id = run-7",
    "-external_id:*", "properties.accuracy > 0.9", "properties.accuracy = 1", "-properties:accuracy",
    'properties.accuracy = "1"', "is_default = false AND -aliases:none",
    "aliases:default AND model_framework = sklearn",
)  # fmt: skip
ENVIRONMENT_EXPRESSIONS = (
    "drift_policy = enforce", "drift_policy != enforce", "drift_policy:*", "external_id:*", "-external_id:*",
    "name = prod* OR external_id = x",
    "properties.zone = a", "-properties:zone", "external_id = x",
)  # fmt: skip
SERVICE_EXPRESSIONS = (
    "desired_state = DEPLOYED AND current_state != DEPLOYED", "current_state:*", "last_error:*", "-last_error:*",
    "serving_environment_name = prod*", "registered_model_name:*", "model_version_id:*", "-model_version_id:*",
    "labels.team = x", "labels.team != x", "url = http* OR runtime = other", "-(labels:team OR external_id:*)",
)  # fmt: skip
SERVE_MODEL_EXPRESSIONS = (
    "last_known_state = RUNNING", "last_known_state != RUNNING", "inference_service_name = s*",
    "model_version_name != v1", "inference_service_id:* AND -model_version_name = v1",
)  # fmt: skip


async def check(
    expressions: tuple[str, ...], fields: Fields, every: tuple[Any, ...], listed: Any, *, counts: bool = True
) -> None:
    """Each expression matches some rows, but not all unless it says so, and the list agrees with the reference."""
    for text in expressions:
        filter_ = where(text, fields)
        expected = {row.id for row in every if matches(filter_, row)}
        assert expected, text
        page = await listed(filter_, EVERY)
        assert {row.id for row in page.items} == expected, text
        if counts:
            assert (await listed(filter_, Slice(limit=1))).total == len(expected), text


async def test_filters_versions(repositories: Repositories, project_id: UUID) -> None:
    for number in range(2):
        model = await stored_model(repositories, project_id)
        for name, framework, status, labels in [
            ("v1", "onnx", "READY", {"run": "nightly"}),
            ("v2", "sklearn", "PENDING", {}),
            ("v3", "sklearn", "FAILED", {"run": ""}),
        ]:
            await stored_version(
                repositories, model, name=name, model_framework=framework, status=status, labels=labels,
                is_default=name == "v2", uri=f"s3://models/{name}" if number else "gs://models",
                prebuilt_container_id=model.id if name == "v3" else None,
                artifact_type="doc-artifact" if name == "v2" else "model-artifact", created_by_email="ann@example.com",
                properties={
                    "v1": {}, "v2": {"accuracy": {"double": 1.0}}, "v3": {"accuracy": {"string": "1"}}
                }[name],
                digest=f"sha256:{1:064}" if name == "v3" else "", size_bytes=7 if name == "v3" else 0,
                external_id="run-7" if number and name == "v1" else "",
            )  # fmt: skip
        change = AliasChange(name="champion", version="v1" if number else "v2")
        await repositories.aliases.set(project_id, model.id, change, "ann")

    async def listed(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.versions.list(project_id, ModelVersionFilter(where=filter_), Sort(), slice_)

    every = (await listed(None, EVERY)).items
    await check(VERSION_EXPRESSIONS, model_version.FILTER_FIELDS, every, listed)

    async def of_model(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        chosen = ModelVersionFilter(registered_model_id=model.id, where=filter_)
        return await repositories.versions.list(project_id, chosen, Sort(), slice_)

    of_one = tuple(version for version in every if version.registered_model_id == model.id)
    await check(VERSION_EXPRESSIONS, model_version.FILTER_FIELDS, of_one, of_model)


async def test_filters_environments(repositories: Repositories, project_id: UUID) -> None:
    await stored_environment(
        repositories,
        project_id,
        name="prod-1",
        external_id="x",
        drift_policy=DriftPolicy.ENFORCE,
        properties={"zone": {"string": "a"}},
    )
    await stored_environment(repositories, project_id, name="dev", external_id="", drift_policy=DriftPolicy.REPORT)

    async def listed(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        chosen = ServingEnvironmentFilter(where=filter_)
        return await repositories.environments.list(project_id, chosen, Sort(), slice_)

    every = (await listed(None, EVERY)).items
    await check(ENVIRONMENT_EXPRESSIONS, serving_environment.FILTER_FIELDS, every, listed)


async def test_filters_services_and_serve_models(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    prod = await stored_environment(repositories, project_id, name="prod")
    second = await stored_version(repositories, around.model, name="v1")
    broken = {"desired_state": "DEPLOYED", "current_state": "UNDEPLOYED", "last_error": "broken", "external_id": ""}
    rows: list[tuple[str, ServingEnvironment, dict[str, Any]]] = [
        ("s1", prod, broken),
        ("s2", prod, {"labels": {"team": "x"}, "model_version_id": around.version.id, "url": "http://s2"}),
        ("t3", around.environment, {"labels": {"team": "y"}, "runtime": "other", "model_version_id": None}),
    ]
    for name, place, fields in rows:
        service = await stored_service(
            repositories, place, around.model, name=name, **{"labels": {}, "last_error": ""} | fields
        )
        await stored_serve_model(repositories, service, around.version, last_known_state="RUNNING")
        await stored_serve_model(repositories, service, second, last_known_state="FAILED")

    async def services(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.services.list(project_id, InferenceServiceFilter(where=filter_), Sort(), slice_)

    async def serve_models(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.serve_models.list(project_id, ServeModelFilter(where=filter_), Sort(), slice_)

    every = (await services(None, EVERY)).items
    await check(SERVICE_EXPRESSIONS, inference_service.FILTER_FIELDS, every, services)
    served = (await serve_models(None, EVERY)).items
    await check(SERVE_MODEL_EXPRESSIONS, serve_model.FILTER_FIELDS, served, serve_models)


async def test_filters_and_sorts_deployments_and_revisions(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    first, _ = [
        (await repositories.deployments.deploy(around.service(name=name), (), an_intent(around)))[1] for name in "ba"
    ]
    await repositories.deployments.undeploy(project_id, first.id, "ann")
    expressions = (
        "phase = DELETING", "phase != DEPLOYMENT_PHASE_DELETING", "phase:*", "-reason:*", "name = b AND namespace:*",
        "target_revision = 2", "target_revision < 2", "-serving_revision:*", "-observed_at:*", "url = ''",
        f"registered_model_id = {around.model.id}", f"model_version_id = {first.spec.model_version_id}",
        f"model_version_id != {project_id}", "created_at <= 9999-12-31T23:59:59Z",
    )  # fmt: skip

    async def deployments(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.deployments.list(project_id, DeploymentFilter(where=filter_), slice_, Sort("name"))

    async def revisions(filter_: Filter | None, slice_: Slice) -> Page[Any]:
        return await repositories.deployments.revisions(project_id, first.id, slice_, Sort("revision", False), filter_)

    every = (await deployments(None, EVERY)).items
    assert [each.name for each in every] == ["b", "a"]
    await check(expressions, deployment.FILTER_FIELDS, every, deployments, counts=False)

    both = (await revisions(None, EVERY)).items
    assert [each.generation for each in both] == [1, 2]
    for text, numbers in [
        ("revision = 2", [2]),
        ("revision != 2", [1]),
        ("cause = UNDEPLOY", [2]),
        ("created_by = a*", [1, 2]),
        ("outcome = SUPERSEDED OR outcome = PENDING", [1, 2]),
        ("served_from:*", []),
        (f"model_version_id = {first.spec.model_version_id} created_at:* -reason:*", [1, 2]),
    ]:
        page = await revisions(where(text, deployment.REVISION_FILTER_FIELDS), EVERY)
        assert [each.generation for each in page.items] == numbers, text


async def test_pages_of_revisions_in_both_directions(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    made = await deployed(repositories, around)
    await repositories.deployments.undeploy(project_id, made.id, "ann")
    for descending, numbers in [(False, [1, 2]), (True, [2, 1])]:
        sort, after, seen = Sort("revision", descending), None, []
        for _ in numbers:
            part = Slice(limit=1, by_cursor=True, after=after)
            page = await repositories.deployments.revisions(project_id, made.id, part, sort)
            seen += [revision.generation for revision in page.items]
            after = page.next
        assert (seen, after) == (numbers, None)

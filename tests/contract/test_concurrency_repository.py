"""Concurrent requests: names stay unique, one default remains, counts stay exact, and guards hold."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model, a_serve_model, a_version, an_environment
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_version

from registry_grpc.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Reason, RegistryError
from registry_grpc.domain.model_version import Credentials, ModelVersion, ModelVersionFilter, ModelVersionPatch
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelPatch

AT_ONCE = 20


async def refusals_of(calls: Sequence[Awaitable[object]]) -> list[RegistryError | None]:
    """Run all calls at once. Returns the error of each, or None."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    unforeseen = [o for o in outcomes if isinstance(o, BaseException) and not isinstance(o, RegistryError)]
    assert unforeseen == []
    return [outcome if isinstance(outcome, RegistryError) else None for outcome in outcomes]


async def defaults_of(repositories: Repositories, project_id: UUID, model_id: UUID) -> list[ModelVersion]:
    page = await repositories.versions.list(
        project_id, ModelVersionFilter(registered_model_id=model_id), Sort(), Slice(limit=100)
    )
    return [version for version in page.items if version.is_default]


async def test_of_concurrent_new_defaults_one_is_left(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    versions = [await stored_version(repositories, model) for _ in range(AT_ONCE)]
    patch = ModelVersionPatch(is_default=True)

    refusals = await refusals_of([repositories.versions.update(project_id, v.id, patch) for v in versions])

    assert refusals == [None] * AT_ONCE
    defaults = await defaults_of(repositories, project_id, model.id)
    assert len(defaults) == 1
    assert (await repositories.models.get(project_id, model.id)).default_version == await repositories.versions.get(
        project_id, defaults[0].id
    )


async def test_of_versions_created_as_default_at_once_one_is_left(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)

    refusals = await refusals_of([stored_version(repositories, model, is_default=True) for _ in range(AT_ONCE)])

    assert refusals == [None] * AT_ONCE
    assert len(await defaults_of(repositories, project_id, model.id)) == 1
    assert (await repositories.models.get(project_id, model.id)).version_count == AT_ONCE


async def test_counts_stay_exact(repositories: Repositories, project_id: UUID) -> None:
    models = [await stored_model(repositories, project_id) for _ in range(2)]

    refusals = await refusals_of(
        [stored_version(repositories, models[index % 2], status="READY") for index in range(AT_ONCE)]
    )

    assert refusals == [None] * AT_ONCE
    for model in models:
        assert (await repositories.models.get(project_id, model.id)).version_count == AT_ONCE // 2
    for filter_, total in [(ModelVersionFilter(status="READY"), AT_ONCE), (ModelVersionFilter(status="PENDING"), 0)]:
        assert (await repositories.versions.list(project_id, filter_, Sort(), Slice(limit=1))).total == total


Create = Callable[[Repositories, Surroundings], Awaitable[object]]

SAME_NAME: dict[str, tuple[Reason, Create]] = {
    "models": (
        Reason.REGISTERED_MODEL_NAME_TAKEN,
        lambda r, around: r.models.create(a_model(around.model.project_id, name="same")),
    ),
    "versions": (
        Reason.MODEL_VERSION_NAME_TAKEN,
        lambda r, around: r.versions.create(
            around.model.project_id, a_version(around.model, name="same"), Credentials()
        ),
    ),
    "default versions": (
        Reason.MODEL_VERSION_NAME_TAKEN,
        lambda r, around: r.versions.create(
            around.model.project_id, a_version(around.model, name="same", is_default=True), Credentials()
        ),
    ),
    "environments": (
        Reason.SERVING_ENVIRONMENT_NAME_TAKEN,
        lambda r, around: r.environments.create(an_environment(around.model.project_id, name="same")),
    ),
    "services": (
        Reason.INFERENCE_SERVICE_NAME_TAKEN,
        lambda r, around: r.services.create(
            service := around.service(name="same"), [a_serve_model(service, around.version)]
        ),
    ),
}


@pytest.mark.parametrize(("reason", "create"), SAME_NAME.values(), ids=SAME_NAME.keys())
async def test_of_concurrent_creations_with_a_name_one_wins(
    repositories: Repositories, around: Surroundings, reason: Reason, create: Create
) -> None:
    refusals = await refusals_of([create(repositories, around) for _ in range(AT_ONCE)])

    assert refusals.count(None) == 1
    losers = {(type(refusal), refusal.reason) for refusal in refusals if refusal is not None}
    assert losers == {(AlreadyExists, reason)}


async def test_of_concurrent_links_of_a_pair_one_wins(repositories: Repositories, around: Surroundings) -> None:
    service = around.service()
    await repositories.services.create(service, ())

    refusals = await refusals_of(
        [repositories.serve_models.create(a_serve_model(service, around.version)) for _ in range(AT_ONCE)]
    )

    assert refusals.count(None) == 1
    assert {refusal.reason for refusal in refusals if refusal is not None} == {Reason.SERVE_MODEL_EXISTS}


async def test_of_concurrent_renamings_one_wins(repositories: Repositories, project_id: UUID) -> None:
    models = [await stored_model(repositories, project_id) for _ in range(AT_ONCE)]
    patch = RegisteredModelPatch(name="same")

    refusals = await refusals_of([repositories.models.update(project_id, model.id, patch) for model in models])

    assert refusals.count(None) == 1
    assert {refusal.reason for refusal in refusals if refusal is not None} == {Reason.REGISTERED_MODEL_NAME_TAKEN}


async def test_concurrent_patches_of_other_fields_are_all_kept(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    patches = [
        RegisteredModelPatch(description="d"),
        RegisteredModelPatch(model_size=42),
        RegisteredModelPatch(labels={"l": "1"}),
        RegisteredModelPatch(state="s"),
    ]

    assert (
        await refusals_of([repositories.models.update(project_id, model.id, patch) for patch in patches]) == [None] * 4
    )

    read = await repositories.models.get(project_id, model.id)
    assert (read.description, read.model_size, read.labels, read.state) == ("d", 42, {"l": "1"}, "s")


async def test_no_service_is_left_in_a_deleted_environment(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id)
    for _ in range(5):
        environment = await stored_environment(repositories, project_id)
        around = Surroundings(environment, model, a_version(model))
        creation, deletion = await refusals_of(
            [
                repositories.services.create(around.service(), ()),
                repositories.environments.delete(project_id, environment.id),
            ]
        )
        _assert_one_of_two(
            creation, Reason.SERVING_ENVIRONMENT_NOT_FOUND, deletion, Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES
        )


async def test_no_service_is_left_of_a_deleted_model(repositories: Repositories, project_id: UUID) -> None:
    environment = await stored_environment(repositories, project_id)
    for _ in range(5):
        model = await stored_model(repositories, project_id, state="ARCHIVED")
        around = Surroundings(environment, model, a_version(model))
        creation, deletion = await refusals_of(
            [repositories.services.create(around.service(), ()), repositories.models.delete(project_id, model.id)]
        )
        _assert_one_of_two(creation, Reason.REGISTERED_MODEL_NOT_FOUND, deletion, Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS)


def _assert_one_of_two(
    creation: RegistryError | None, not_found: Reason, deletion: RegistryError | None, in_use: Reason
) -> None:
    """Exactly one of the two succeeded, and the other was refused with this reason."""
    if creation is not None:
        assert (type(creation), creation.reason, deletion) == (NotFound, not_found, None)
    else:
        assert deletion is not None
        assert (type(deletion), deletion.reason) == (FailedPrecondition, in_use)


async def test_no_version_is_left_of_a_deleted_model(repositories: Repositories, project_id: UUID) -> None:
    for is_default in (False, True) * 3:
        model = await stored_model(repositories, project_id, state="ARCHIVED")
        deletion, *creations = await refusals_of(
            [
                repositories.models.delete(project_id, model.id),
                *(stored_version(repositories, model, is_default=is_default) for _ in range(4)),
            ]
        )
        assert deletion is None
        assert {creation.reason for creation in creations if creation is not None} <= {
            Reason.REGISTERED_MODEL_NOT_FOUND
        }
    page = await repositories.versions.list(project_id, ModelVersionFilter(), Sort(), Slice())
    assert (page.items, page.total) == ((), 0)

"""The contract of InferenceServiceRepository for `update` and `follow`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, ConcurrentChange, NotFound, Reason
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.serve_model import ServeModelState


@pytest.fixture
async def service(repositories: Repositories, project_id: UUID) -> InferenceService:
    """A stored service as it is read."""
    environment = await stored_environment(repositories, project_id)
    model = await stored_model(repositories, project_id)
    service = await stored_service(repositories, environment, model)
    return await repositories.services.get(project_id, service.id)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "another name"),
        ("desired_state", "UNDEPLOYED"),
        ("current_state", "DEPLOYED"),
        ("external_id", ""),
        ("external_id", "another-uid"),
        ("url", ""),
        ("last_error", ""),
        ("labels", {"a": "1", "b": ""}),
        ("labels", {}),
    ],
)
async def test_update_only_changes_the_set_fields(
    repositories: Repositories, project_id: UUID, service: InferenceService, field: str, value: Any
) -> None:
    environment = await repositories.environments.get(project_id, service.serving_environment_id)
    model = await repositories.models.get(project_id, service.registered_model_id)
    bystander = await stored_service(repositories, environment, model)
    untouched = await repositories.services.get(project_id, bystander.id)

    updated = await repositories.services.update(project_id, service.id, InferenceServicePatch(**{field: value}))

    assert updated == replace(service, updated_at=updated.updated_at, etag=updated.etag, **{field: value})
    assert updated.updated_at > service.updated_at
    assert await repositories.services.get(project_id, service.id) == updated
    assert await repositories.services.get(project_id, bystander.id) == untouched


async def test_update_changes_the_version(
    repositories: Repositories, project_id: UUID, service: InferenceService
) -> None:
    model = await repositories.models.get(project_id, service.registered_model_id)
    version = await stored_version(repositories, model)

    updated = await repositories.services.update(
        project_id, service.id, InferenceServicePatch(model_version_id=version.id)
    )
    kept = await repositories.services.update(project_id, service.id, InferenceServicePatch(url="http://x"))

    assert updated == replace(service, updated_at=updated.updated_at, etag=updated.etag, model_version_id=version.id)
    assert kept.model_version_id == version.id


async def test_update_refuses_a_version_that_is_not_there(
    repositories: Repositories, project_id: UUID, service: InferenceService
) -> None:
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await repositories.services.update(
            project_id, service.id, InferenceServicePatch(model_version_id=uuid4(), url="http://not-written")
        )

    assert await repositories.services.get(project_id, service.id) == service


async def test_every_empty_patch_bumps_updated_at(
    repositories: Repositories, project_id: UUID, service: InferenceService
) -> None:
    first = await repositories.services.update(project_id, service.id, InferenceServicePatch())
    second = await repositories.services.update(project_id, service.id, InferenceServicePatch())

    assert service.updated_at < first.updated_at < second.updated_at
    assert replace(second, updated_at=service.updated_at, etag=service.etag) == service


async def test_update_refuses_a_name_taken_but_not_its_own(
    repositories: Repositories, project_id: UUID, service: InferenceService
) -> None:
    environment = await repositories.environments.get(project_id, service.serving_environment_id)
    model = await repositories.models.get(project_id, service.registered_model_id)
    other = await stored_service(repositories, environment, model)

    with refused(AlreadyExists, Reason.INFERENCE_SERVICE_NAME_TAKEN):
        await repositories.services.update(
            project_id, service.id, InferenceServicePatch(name=other.name, url="http://not-written")
        )

    assert await repositories.services.get(project_id, service.id) == service
    await repositories.services.update(project_id, service.id, InferenceServicePatch(name=service.name))


async def test_follow_does_not_overwrite_unseen_changes(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = around.service()
    seen = await repositories.services.create(service, ())
    changed = await repositories.services.update(project_id, service.id, InferenceServicePatch(url="http://new"))

    with refused(ConcurrentChange, Reason.CONCURRENT_CHANGE):
        await repositories.services.follow(
            project_id, service.id, InferenceServicePatch(url="http://old"), None, unchanged_since=seen.updated_at
        )

    assert await repositories.services.get(project_id, service.id) == changed


@pytest.mark.parametrize("served_state", [*ServeModelState, None])
async def test_follow_changes_the_service_and_the_state_of_all_it_serves(
    repositories: Repositories, project_id: UUID, around: Surroundings, served_state: ServeModelState | None
) -> None:
    service, bystander = around.service(), around.service()
    other_version = await stored_version(repositories, around.model)
    await repositories.services.create(
        service,
        [
            a_serve_model(service, around.version, last_known_state="RUNNING"),
            a_serve_model(service, other_version, last_known_state="FAILED"),
        ],
    )
    before = await repositories.services.get(project_id, service.id)
    untouched = await repositories.services.create(bystander, [a_serve_model(bystander, around.version)])

    after = await repositories.services.follow(
        project_id,
        service.id,
        InferenceServicePatch(current_state="DEPLOYED", external_id=""),
        served_state,
        unchanged_since=before.updated_at,
    )

    assert await repositories.services.get(project_id, service.id) == after
    assert after == replace(
        before,
        current_state="DEPLOYED",
        external_id="",
        updated_at=after.updated_at,
        etag=after.etag,
        served_models=tuple(
            replace(
                served,
                last_known_state=served_state or served.last_known_state,
                updated_at=now.updated_at,
                etag=now.etag,
            )
            for served, now in zip(before.served_models, after.served_models, strict=True)
        ),
    )
    assert after.updated_at > before.updated_at
    assert await repositories.services.get(project_id, bystander.id) == untouched


async def test_the_version_can_be_cleared(
    repositories: Repositories, project_id: UUID, service: InferenceService
) -> None:
    model = await repositories.models.get(project_id, service.registered_model_id)
    version = await stored_version(repositories, model)
    patch = InferenceServicePatch(model_version_id=version.id)
    assert (await repositories.services.update(project_id, service.id, patch)).model_version_id == version.id

    cleared = await repositories.services.update(project_id, service.id, InferenceServicePatch(model_version_id=None))

    assert cleared.model_version_id is None

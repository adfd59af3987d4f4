"""Objects of other projects do not exist: calls every method of every repository from another project."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_serve_model, a_service, a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_version
from tests.refusals import refused

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.inference_service import InferenceService, InferenceServiceFilter, InferenceServicePatch
from registry_grpc.domain.model_version import (
    Credentials,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
)
from registry_grpc.domain.paging import Page, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModel, RegisteredModelFilter, RegisteredModelPatch
from registry_grpc.domain.serve_model import ServeModel, ServeModelFilter, ServeModelState
from registry_grpc.domain.serving_environment import (
    ServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)


@dataclass(frozen=True)
class Tenant:
    """One object of each kind in one project, as it is read."""

    model: RegisteredModel
    version: ModelVersion
    environment: ServingEnvironment
    service: InferenceService
    serve_model: ServeModel


async def stored_tenant(repositories: Repositories, project_id: UUID) -> Tenant:
    """An object that can be deleted, so that only the project protects it."""
    model = await stored_model(repositories, project_id, state="ARCHIVED")
    version = await stored_version(repositories, model, is_default=True)
    environment = await stored_environment(repositories, project_id)
    service = a_service(environment, model, external_id="uid")
    service = await repositories.services.create(service, [a_serve_model(service, version)])
    model = await repositories.models.get(project_id, model.id)
    return Tenant(model, version, environment, service, service.served_models[0])


async def read_again(repositories: Repositories, tenant: Tenant) -> Tenant:
    project_id = tenant.model.project_id
    return Tenant(
        await repositories.models.get(project_id, tenant.model.id),
        await repositories.versions.get(project_id, tenant.version.id),
        await repositories.environments.get(project_id, tenant.environment.id),
        await repositories.services.get(project_id, tenant.service.id),
        await repositories.serve_models.get(project_id, tenant.serve_model.id),
    )


Call = Callable[[Repositories, UUID, Tenant], Awaitable[object]]

NOT_FOUND: dict[str, tuple[Reason, Call]] = {
    "models.get": (Reason.REGISTERED_MODEL_NOT_FOUND, lambda r, p, t: r.models.get(p, t.model.id)),
    "models.find name": (Reason.REGISTERED_MODEL_NOT_FOUND, lambda r, p, t: r.models.find(p, name=t.model.name)),
    "models.find id": (Reason.REGISTERED_MODEL_NOT_FOUND, lambda r, p, t: r.models.find(p, id=t.model.id)),
    "models.update": (
        Reason.REGISTERED_MODEL_NOT_FOUND,
        lambda r, p, t: r.models.update(p, t.model.id, RegisteredModelPatch(description="stolen")),
    ),
    "models.delete": (Reason.REGISTERED_MODEL_NOT_FOUND, lambda r, p, t: r.models.delete(p, t.model.id)),
    "versions.create": (
        Reason.REGISTERED_MODEL_NOT_FOUND,
        lambda r, p, t: r.versions.create(p, a_version(t.model), Credentials()),
    ),
    "versions.create default": (
        Reason.REGISTERED_MODEL_NOT_FOUND,
        lambda r, p, t: r.versions.create(p, a_version(t.model, is_default=True), Credentials()),
    ),
    "versions.get": (Reason.MODEL_VERSION_NOT_FOUND, lambda r, p, t: r.versions.get(p, t.version.id)),
    "versions.get of model": (
        Reason.MODEL_VERSION_NOT_FOUND,
        lambda r, p, t: r.versions.get(p, t.version.id, registered_model_id=t.model.id),
    ),
    "versions.find name": (
        Reason.MODEL_VERSION_NOT_FOUND,
        lambda r, p, t: r.versions.find(p, ModelVersionKey(name=t.version.name)),
    ),
    "versions.find id": (
        Reason.MODEL_VERSION_NOT_FOUND,
        lambda r, p, t: r.versions.find(p, ModelVersionKey(id=t.version.id)),
    ),
    "versions.find model": (
        Reason.MODEL_VERSION_NOT_FOUND,
        lambda r, p, t: r.versions.find(p, ModelVersionKey(registered_model_id=t.model.id)),
    ),
    "versions.update": (
        Reason.MODEL_VERSION_NOT_FOUND,
        lambda r, p, t: r.versions.update(p, t.version.id, ModelVersionPatch(uri="s3://stolen")),
    ),
    "versions.update default": (
        Reason.MODEL_VERSION_NOT_FOUND,
        lambda r, p, t: r.versions.update(
            p, t.version.id, ModelVersionPatch(is_default=True), registered_model_id=t.model.id
        ),
    ),
    "versions.credentials": (
        Reason.MODEL_VERSION_NOT_FOUND,
        lambda r, p, t: r.versions.credentials(p, t.version.id, t.version.uri),
    ),
    "environments.get": (Reason.SERVING_ENVIRONMENT_NOT_FOUND, lambda r, p, t: r.environments.get(p, t.environment.id)),
    "environments.find": (
        Reason.SERVING_ENVIRONMENT_NOT_FOUND,
        lambda r, p, t: r.environments.find(p, t.environment.name),
    ),
    "environments.update": (
        Reason.SERVING_ENVIRONMENT_NOT_FOUND,
        lambda r, p, t: r.environments.update(p, t.environment.id, ServingEnvironmentPatch(external_id="stolen")),
    ),
    "environments.delete": (
        Reason.SERVING_ENVIRONMENT_NOT_FOUND,
        lambda r, p, t: r.environments.delete(p, t.environment.id),
    ),
    "services.get": (Reason.INFERENCE_SERVICE_NOT_FOUND, lambda r, p, t: r.services.get(p, t.service.id)),
    "services.find_by_external_id": (
        Reason.INFERENCE_SERVICE_NOT_FOUND,
        lambda r, p, t: r.services.find_by_external_id(p, t.service.external_id),
    ),
    "services.find_by_name": (
        Reason.INFERENCE_SERVICE_NOT_FOUND,
        lambda r, p, t: r.services.find_by_name(p, t.environment.id, t.service.name),
    ),
    "services.update": (
        Reason.INFERENCE_SERVICE_NOT_FOUND,
        lambda r, p, t: r.services.update(p, t.service.id, InferenceServicePatch(url="http://stolen")),
    ),
    "services.follow": (
        Reason.INFERENCE_SERVICE_NOT_FOUND,
        lambda r, p, t: r.services.follow(
            p,
            t.service.id,
            InferenceServicePatch(url="http://stolen"),
            ServeModelState.FAILED,
            unchanged_since=t.service.updated_at,
        ),
    ),
    "services.follow after a change": (
        Reason.INFERENCE_SERVICE_NOT_FOUND,
        lambda r, p, t: r.services.follow(
            p, t.service.id, InferenceServicePatch(), None, unchanged_since=t.service.updated_at - timedelta(days=1)
        ),
    ),
    "services.delete": (Reason.INFERENCE_SERVICE_NOT_FOUND, lambda r, p, t: r.services.delete(p, t.service.id)),
    "serve_models.get": (Reason.SERVE_MODEL_NOT_FOUND, lambda r, p, t: r.serve_models.get(p, t.serve_model.id)),
    "serve_models.delete": (Reason.SERVE_MODEL_NOT_FOUND, lambda r, p, t: r.serve_models.delete(p, t.serve_model.id)),
}


@pytest.mark.parametrize(("reason", "call"), NOT_FOUND.values(), ids=NOT_FOUND.keys())
async def test_objects_of_another_project_are_not_found(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, reason: Reason, call: Call
) -> None:
    tenant = await stored_tenant(repositories, project_id)

    with refused(NotFound, reason):
        await call(repositories, other_project_id, tenant)

    assert await read_again(repositories, tenant) == tenant


@pytest.mark.parametrize(("reason", "call"), NOT_FOUND.values(), ids=NOT_FOUND.keys())
async def test_writes_of_another_project_block_nobody(
    postgres_repositories: Repositories, database: Database, other_project_id: UUID, reason: Reason, call: Call
) -> None:
    """It does not wait either, because rows of other projects are not locked. A fake has no locks."""
    project_id = uuid4()
    tenant = await stored_tenant(postgres_repositories, project_id)

    async with database.transaction() as connection, asyncio.timeout(10):
        for table in ("registered_model", "model_version", "serving_environment", "inference_service", "serve_model"):
            await connection.execute(f"SELECT FROM {table} WHERE project_id = $1 FOR UPDATE", project_id)
        with refused(NotFound, reason):
            await call(postgres_repositories, other_project_id, tenant)


@pytest.mark.parametrize("slice", [Slice(), Slice(by_cursor=True)], ids=["offset", "cursor"])
async def test_lists_show_their_own_project_only(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, slice: Slice
) -> None:
    tenant = await stored_tenant(repositories, project_id)
    await stored_tenant(repositories, other_project_id)

    listed = await _every_list(repositories, project_id, slice)

    assert [[item.id for item in page.items] for page in listed] == [
        [tenant.model.id],
        [tenant.version.id],
        [tenant.environment.id],
        [tenant.service.id],
        [tenant.serve_model.id],
    ]
    assert {page.total for page in listed} == {None if slice.by_cursor else 1}


@pytest.mark.parametrize("search", ["m", "mo", "model", "l_i"])
async def test_searches_find_their_own_project_only(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, search: str
) -> None:
    for other in (project_id, other_project_id):
        await stored_model(repositories, other, name="model if any")
        await stored_environment(repositories, other, name="model if any")

    for slice_ in (Slice(), Slice(by_cursor=True)):
        models = await repositories.models.list(project_id, RegisteredModelFilter(search=search), Sort(), slice_)
        environments = await repositories.environments.list(
            project_id, ServingEnvironmentFilter(search=search), Sort(), slice_
        )
        found = {item.project_id for item in models.items} | {item.project_id for item in environments.items}
        assert found == {project_id}
        assert (len(models.items), len(environments.items)) == (1, 1)


async def test_filters_by_foreign_ids_find_nothing(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    foreign = await stored_tenant(repositories, other_project_id)
    sort, slice_ = Sort(), Slice()

    versions = await repositories.versions.list(
        project_id, ModelVersionFilter(registered_model_id=foreign.model.id), sort, slice_
    )
    services = [
        await repositories.services.list(project_id, filter_, sort, slice_)
        for filter_ in (
            InferenceServiceFilter(serving_environment_id=foreign.environment.id),
            InferenceServiceFilter(registered_model_id=foreign.model.id),
            InferenceServiceFilter(model_version_id=foreign.version.id),
        )
    ]
    serve_models = [
        await repositories.serve_models.list(project_id, filter_, sort, slice_)
        for filter_ in (
            ServeModelFilter(inference_service_id=foreign.service.id),
            ServeModelFilter(model_version_id=foreign.version.id),
        )
    ]

    assert versions == Page((), total=0)
    assert services == [Page((), total=0)] * 3
    assert serve_models == [Page((), total=0)] * 2


async def _every_list(
    repositories: Repositories, project_id: UUID, slice: Slice
) -> tuple[
    Page[RegisteredModel], Page[ModelVersion], Page[ServingEnvironment], Page[InferenceService], Page[ServeModel]
]:
    sort = Sort()
    return (
        await repositories.models.list(project_id, RegisteredModelFilter(), sort, slice),
        await repositories.versions.list(project_id, ModelVersionFilter(), sort, slice),
        await repositories.environments.list(project_id, ServingEnvironmentFilter(), sort, slice),
        await repositories.services.list(project_id, InferenceServiceFilter(), sort, slice),
        await repositories.serve_models.list(project_id, ServeModelFilter(), sort, slice),
    )

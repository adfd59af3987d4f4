"""Any text of the length that the contract allows is stored and returned unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model, a_serve_model, a_version, an_environment
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version

from registry_grpc.domain import inference_service, model_version, registered_model, serving_environment
from registry_grpc.domain.inference_service import InferenceServiceFilter, InferenceServicePatch
from registry_grpc.domain.model_version import Credentials, ModelVersionFilter, ModelVersionKey, ModelVersionPatch
from registry_grpc.domain.paging import Page, Slice, Sort, View
from registry_grpc.domain.registered_model import RegisteredModelFilter, RegisteredModelPatch, Tags
from registry_grpc.domain.serve_model import ServeModelFilter
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch

TEXTS = {
    "sql": "'; DROP TABLE registered_model; --",
    "quotes": "\"'`$1$$E'\\'",
    "format": "%s %(name)s {0} {t} {} ${1}",
    "json": '{"a": [1, null]}',
    "backslashes": "\\ \\\\ \\n \\u0041",
    "control characters": "\x01\t\r\n\x1f\x7f",
    "blanks": "  \u00a0\u2003 ",
    "separators": "a\u2028b\u2029c",
    "html": "<b>&amp;</b>",
    "right to left": "\u202emodel\u202c שלום",
    "combining": "e\u0301 \u00e9",
    "beyond the BMP": "\U0001f916\U0001d518\U0010ffff",
    "noncharacters": "\ufffe\uffff\ufeff",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_models_keep_texts(repositories: Repositories, project_id: UUID, text: str) -> None:
    fields: dict[str, Any] = {
        "name": text,
        "description": text,
        "model_type": text,
        "state": text,
        "deployment_status": text,
        "tags": Tags(frameworks=(text, ""), architectures=(text,), tasks=(text,), subjects=(text,)),
        "labels": {text: text, "": ""},
    }
    created = await stored_model(repositories, project_id, owner_email=text, slug=text, **fields)
    other = await stored_model(repositories, project_id)

    assert await repositories.models.find(project_id, name=text) == created
    filter_ = RegisteredModelFilter(state=text, model_type=text)
    assert await repositories.models.list(project_id, filter_, Sort(), Slice()) == Page((created,), total=1)
    await repositories.models.update(project_id, created.id, RegisteredModelPatch(name="moved"))
    updated = await repositories.models.update(project_id, other.id, RegisteredModelPatch(**fields))
    assert updated == other._replace(updated_at=updated.updated_at, etag=updated.etag, **fields)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_versions_keep_texts(repositories: Repositories, project_id: UUID, text: str) -> None:
    model = await stored_model(repositories, project_id)
    fields: dict[str, Any] = dict.fromkeys(
        ("name", "description", "state", "status", "artifact_type", "model_framework", "model_framework_version",
         "container_image", "uri"), text
    ) | {"labels": {text: text}}  # fmt: skip
    new = a_version(model, created_by_email=text, updated_by_email=text, model_catalog_name=text, **fields)
    created = await repositories.versions.create(project_id, new, Credentials(text, text))
    other = await stored_version(repositories, model)

    assert await repositories.versions.find(project_id, ModelVersionKey(name=text)) == created
    assert await repositories.versions.credentials(project_id, created.id, created.uri) == Credentials(text, text)
    filter_ = ModelVersionFilter(state=text, status=text)
    listed = await repositories.versions.list(project_id, filter_, Sort(), Slice(view=View.FULL))
    assert listed == Page((created,), total=1)
    await repositories.versions.update(project_id, created.id, ModelVersionPatch(name="moved"))
    updated = await repositories.versions.update(project_id, other.id, ModelVersionPatch(**fields))
    assert updated == other._replace(updated_at=updated.updated_at, etag=updated.etag, **fields)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_environments_and_services_keep_texts(repositories: Repositories, project_id: UUID, text: str) -> None:
    around = await Surroundings.stored(repositories, project_id)
    environment = await repositories.environments.update(
        project_id, around.environment.id, ServingEnvironmentPatch(name=text, description=text, external_id=text)
    )
    around = replace(around, environment=environment)
    fields: dict[str, Any] = dict.fromkeys(("name", "external_id", "url", "last_error"), text) | {"labels": {text: ""}}
    service = around.service(runtime=text, **fields)
    served = a_serve_model(service, around.version, last_known_state=text)
    created = await repositories.services.create(service, [served])

    assert (environment.name, environment.description, environment.external_id) == (text, text, text)
    assert await repositories.environments.find(project_id, text) == environment
    assert replace(created, served_models=(), etag="") == around.as_read(service)
    assert await repositories.services.find_by_name(project_id, environment.id, text) == created
    assert await repositories.services.find_by_external_id(project_id, text) == created
    links = await repositories.serve_models.list(project_id, ServeModelFilter(state=text), Sort(), Slice())
    assert links.items == created.served_models
    updated = await repositories.services.update(project_id, service.id, InferenceServicePatch(**fields))
    assert updated == replace(created, updated_at=updated.updated_at, etag=updated.etag)
    nothing = await repositories.services.list(
        project_id, InferenceServiceFilter(desired_state=text, current_state=text), Sort(), Slice()
    )
    assert nothing == Page((), total=0)


async def test_limits_count_code_points(repositories: Repositories, project_id: UUID) -> None:
    def longest(limits: dict[str, int]) -> dict[str, Any]:
        return {field: "\U0001f916" * limit for field, limit in limits.items() if not field.endswith("_key")}

    model = a_model(project_id, description="\U0001f916" * 10_000, **longest(registered_model.LIMITS))
    version = a_version(model, **longest(model_version.LIMITS))
    credentials = Credentials("\U0001f916" * 500, "\U0001f511" * 500)
    environment = an_environment(project_id, **longest(serving_environment.LIMITS))
    around = Surroundings(environment, model, version)
    service = around.service(**longest(inference_service.LIMITS))

    await repositories.models.create(model)
    await repositories.versions.create(project_id, version, credentials)
    await repositories.environments.create(environment)
    created = await repositories.services.create(service, ())

    read = await repositories.models.get(project_id, model.id)
    assert read._replace(version_count=0, latest_version=None, etag="") == model
    assert read.latest_version
    assert read.latest_version._replace(etag="", number=0) == version
    assert await repositories.versions.credentials(project_id, version.id, version.uri) == credentials
    assert replace(await repositories.environments.get(project_id, environment.id), etag="") == environment
    assert replace(created, etag="") == around.as_read(service)


@pytest.mark.parametrize("size", [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1])
async def test_sizes_are_exact(repositories: Repositories, project_id: UUID, size: int) -> None:
    model = await stored_model(repositories, project_id, model_size=size)
    other = await stored_model(repositories, project_id)
    await repositories.models.update(project_id, other.id, RegisteredModelPatch(model_size=size))

    assert [(await repositories.models.get(project_id, id_)).model_size for id_ in (model.id, other.id)] == [size, size]


async def test_many_labels_and_tags_come_back_in_full(repositories: Repositories, project_id: UUID) -> None:
    labels = {f"key {index}": f"value {index}" for index in range(500)}
    names = tuple(f"tag {index}" for index in reversed(range(500)))

    model = await stored_model(repositories, project_id, labels=labels, tags=Tags(tasks=names))

    read = await repositories.models.get(project_id, model.id)
    assert (read.labels, read.tags) == (labels, Tags(tasks=names))

"""Properties keep their types, and external ids are unique, in every repository that has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model, a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersionKey, ModelVersionPatch
from registry_grpc.domain.properties import Properties
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch

PROPERTIES: Properties = {
    "none": {"int": 0},
    "least": {"int": -(2**63)},
    "greatest": {"int": 2**63 - 1},
    "one": {"double": 1.0},
    "tenth": {"double": 0.1},
    "huge": {"double": 1.7976931348623157e308},
    "tiny": {"double": 5e-324},
    "sixteen digits": {"double": 1e16},
    "yes": {"bool": True},
    "no": {"bool": False},
    "empty": {"string": ""},
    "text": {"string": "1"},
    "then": {"time": "0001-01-01T00:00:00.000000Z"},
    "": {"string": "of the empty key"},
    "a.b \"'\\": {"string": "\U0001f916"},
}


def typed(properties: Properties) -> dict[str, Any]:
    """With the Python types of the values, which `==` does not compare. A double without a fraction may be an int."""
    return {
        key: {
            kind: (type(float(content)) if kind == "double" else type(content), content)
            for kind, content in each.items()
        }
        for key, each in properties.items()
    }


async def test_properties_keep_their_types(repositories: Repositories, project_id: UUID) -> None:
    around = await Surroundings.stored(repositories, project_id)
    service = around.service()
    await repositories.services.create(service, ())

    model = await repositories.models.update(project_id, around.model.id, RegisteredModelPatch(properties=PROPERTIES))
    version = await repositories.versions.update(
        project_id, around.version.id, ModelVersionPatch(properties=PROPERTIES)
    )
    environment = await repositories.environments.update(
        project_id, around.environment.id, ServingEnvironmentPatch(properties=PROPERTIES)
    )
    changed = await repositories.services.update(project_id, service.id, InferenceServicePatch(properties=PROPERTIES))

    for updated in (model, version, environment, changed):
        assert typed(updated.properties) == typed(PROPERTIES)
    assert typed((await repositories.models.get(project_id, model.id)).properties) == typed(PROPERTIES)
    latest = (await repositories.models.get(project_id, model.id)).latest_version
    assert latest == version
    assert replace(changed, properties={}, updated_at=service.updated_at, etag="") == replace(
        around.as_read(service), properties={}
    )


async def test_a_patch_replaces_all_properties_or_none(repositories: Repositories, project_id: UUID) -> None:
    model = await stored_model(repositories, project_id, properties={"a": {"int": 1}, "b": {"bool": True}})

    kept = await repositories.models.update(project_id, model.id, RegisteredModelPatch(description="d"))
    replaced = await repositories.models.update(
        project_id, model.id, RegisteredModelPatch(properties={"b": {"int": 1}})
    )
    cleared = await repositories.models.update(project_id, model.id, RegisteredModelPatch(properties={}))

    assert typed(kept.properties) == typed(model.properties)
    assert typed(replaced.properties) == typed({"b": {"int": 1}})
    assert cleared.properties == {}


async def test_external_ids_of_models_are_unique_in_the_project(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model = await stored_model(repositories, project_id, external_id="x")
    await stored_model(repositories, other_project_id, external_id="x")
    other = await stored_model(repositories, project_id, external_id="X")

    with refused(AlreadyExists, Reason.EXTERNAL_ID_TAKEN):
        await repositories.models.create(a_model(project_id, external_id="x"))
    with refused(AlreadyExists, Reason.EXTERNAL_ID_TAKEN):
        await repositories.models.update(project_id, other.id, RegisteredModelPatch(external_id="x"))
    assert (await repositories.models.find(project_id, external_id="x")).id == model.id
    assert (await repositories.models.find(project_id, name=model.name, external_id="x")).id == model.id
    absent: tuple[dict[str, Any], ...] = ({"external_id": "y"}, {"external_id": "x", "name": other.name})
    for conditions in absent:
        with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
            await repositories.models.find(project_id, **conditions)
    await repositories.models.update(project_id, model.id, RegisteredModelPatch(external_id=""))
    await repositories.models.update(project_id, other.id, RegisteredModelPatch(external_id="x"))
    await stored_model(repositories, project_id, external_id="")


async def test_external_ids_of_versions_are_unique_in_the_project(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    model, sibling = [await stored_model(repositories, project_id, external_id=f"x{n}") for n in range(2)]
    version = await stored_version(repositories, model, external_id="x0")
    await stored_version(repositories, await stored_model(repositories, other_project_id), external_id="x0")
    other = await stored_version(repositories, sibling, external_id="")
    await stored_version(repositories, sibling, external_id="")

    with refused(AlreadyExists, Reason.EXTERNAL_ID_TAKEN):
        await stored_version(repositories, sibling, external_id="x0", name=a_version(model).name)
    with refused(AlreadyExists, Reason.EXTERNAL_ID_TAKEN):
        await repositories.versions.update(project_id, other.id, ModelVersionPatch(external_id="x0"))
    assert await repositories.versions.find(project_id, ModelVersionKey(external_id="x0")) == version
    of_sibling = ModelVersionKey(external_id="x0", registered_model_id=sibling.id)
    for key in (ModelVersionKey(external_id="x1"), of_sibling):
        with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
            await repositories.versions.find(project_id, key)


@pytest.mark.parametrize("taken", ["name", "external id"])
async def test_a_refused_version_leaves_the_others_as_they_are(
    repositories: Repositories, project_id: UUID, taken: str
) -> None:
    model = await stored_model(repositories, project_id)
    default = await stored_version(repositories, model, is_default=True, external_id="x", name="v1")

    with pytest.raises(AlreadyExists):
        await stored_version(
            repositories,
            model,
            is_default=True,
            name="v1" if taken == "name" else "v2",
            external_id="x" if taken == "external id" else "y",
        )

    assert await repositories.versions.get(project_id, default.id) == default

"""A refusal because of a taken name, external id or pair names the object that has it, and none of another project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.intents import an_intent
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_model, a_serve_model, a_version, an_environment
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version

from registry_grpc.domain.artifact import Artifact, ArtifactKind, ArtifactPatch, NewArtifact
from registry_grpc.domain.errors import AlreadyExists
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import Credentials, ModelVersionPatch
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch

KEPT = timedelta(days=1)
TAKEN: dict[str, Any] = {"name": "taken", "external_id": "x"}
Case = Callable[[Repositories, UUID, Surroundings, dict[str, Any]], Awaitable[tuple[Any, Awaitable[Any]]]]
"""Stores an object with these fields, and returns it with a write that would take one of them again."""


def an_artifact(project_id: UUID, version_id: UUID | None, **fields: Any) -> Artifact:
    new = NewArtifact(**{"kind": ArtifactKind.DATASET, "uri": "s3://b/data", "model_version_id": version_id} | fields)
    return Artifact.create(new, id=uuid4(), project_id=project_id)


async def new_model(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    return await stored_model(r, project_id, **TAKEN), r.models.create(a_model(project_id, **key))


async def changed_model(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    there = await stored_model(r, project_id, **TAKEN)
    return there, r.models.update(project_id, around.model.id, RegisteredModelPatch(**key))


def new_version(*, is_default: bool) -> Case:
    async def case(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
        there = await stored_version(r, around.model, **TAKEN)
        new = a_version(around.model, is_default=is_default, **key)
        return there, r.versions.create(project_id, new, Credentials())

    return case


def changed_version(**fields: Any) -> Case:
    async def case(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
        there = await stored_version(r, around.model, **TAKEN)
        patch = ModelVersionPatch(**{**fields, **key})
        return there, r.versions.update(project_id, around.version.id, patch)

    return case


async def restored_version(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    gone = await stored_version(r, around.model, **key)
    await r.deleted.delete(project_id, gone.id, "bob", force=False, retention=KEPT)
    return await stored_version(r, around.model, **TAKEN), r.deleted.restore(project_id, gone.id, retention=KEPT)


async def new_environment(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    there = await stored_environment(r, project_id, name="taken")
    return there, r.environments.create(an_environment(project_id, name="taken"))


async def changed_environment(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    there = await stored_environment(r, project_id, name="taken")
    patch = ServingEnvironmentPatch(name="taken")
    return there, r.environments.update(project_id, around.environment.id, patch)


async def new_service(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    there = await stored_service(r, around.environment, around.model, name="taken")
    return there, r.services.create(around.service(name="taken"), ())


async def changed_service(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    there = await stored_service(r, around.environment, around.model, name="taken")
    other = await stored_service(r, around.environment, around.model)
    return there, r.services.update(project_id, other.id, InferenceServicePatch(name="taken"))


async def new_deployment(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    there = await stored_service(r, around.environment, around.model, name="taken")
    return there, r.deployments.deploy(around.service(name="taken"), (), an_intent(around))


async def deployed_service(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
    there = await stored_service(r, around.environment, around.model, name="taken")
    other, _ = await r.deployments.deploy(around.service(), (), an_intent(around))
    return there, r.deployments.change_service(project_id, other.id, InferenceServicePatch(name="taken"), "bob")


def new_artifact(*, alone: bool) -> Case:
    async def case(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
        version_id = None if alone else around.version.id
        await r.artifacts.create(an_artifact(project_id, around.version.id if alone else None, name="taken"))
        there = await r.artifacts.create(an_artifact(project_id, version_id, **TAKEN))
        return there, r.artifacts.create(an_artifact(project_id, version_id, **{"name": "new"} | key))

    return case


def changed_artifact(*, alone: bool) -> Case:
    async def case(r: Repositories, project_id: UUID, around: Surroundings, key: dict[str, Any]) -> Any:
        version_id = None if alone else around.version.id
        await r.artifacts.create(an_artifact(project_id, around.version.id if alone else None, name="taken"))
        there = await r.artifacts.create(an_artifact(project_id, version_id, **TAKEN))
        other = await r.artifacts.create(an_artifact(project_id, version_id, name="other"))
        return there, r.artifacts.update(project_id, other.id, ArtifactPatch(**key))

    return case


NAMED: dict[str, Case] = {
    "new environment": new_environment,
    "changed environment": changed_environment,
    "new service": new_service,
    "changed service": changed_service,
    "new deployment": new_deployment,
    "deployed service": deployed_service,
    "restored version": restored_version,
}
WITH_EXTERNAL_ID: dict[str, Case] = {
    "new model": new_model,
    "changed model": changed_model,
    "new version": new_version(is_default=False),
    "new default version": new_version(is_default=True),
    "changed version": changed_version(),
    "version that becomes the default": changed_version(is_default=True),
    "new artifact of a version": new_artifact(alone=False),
    "new artifact that stands alone": new_artifact(alone=True),
    "changed artifact of a version": changed_artifact(alone=False),
    "changed artifact that stands alone": changed_artifact(alone=True),
}
CASES = [
    *((case, "name") for case in NAMED.items()),
    *((case, key) for case in WITH_EXTERNAL_ID.items() for key in ("name", "external_id")),
]


@pytest.mark.parametrize(("case", "key"), CASES, ids=[f"{name}-{key}" for (name, _), key in CASES])
async def test_the_holder_is_named(
    repositories: Repositories,
    project_id: UUID,
    around: Surroundings,
    case: tuple[str, Case],
    key: str,
) -> None:
    await stored_elsewhere(repositories, uuid4())
    holder, write = await case[1](repositories, project_id, around, {key: TAKEN[key]})

    with pytest.raises(AlreadyExists) as refusal:
        await write

    assert refusal.value.metadata == {"id": str(holder.id), "name": "taken"}
    assert refusal.value.full_message == f'{refusal.value.message}: "taken" has the id {holder.id}'


async def stored_elsewhere(repositories: Repositories, project_id: UUID) -> None:
    """Objects of another project with the same names and external ids."""
    around = await Surroundings.stored(repositories, project_id)
    model = await stored_model(repositories, project_id, **TAKEN)
    await stored_version(repositories, model, **TAKEN)
    await stored_service(repositories, around.environment, around.model, name="taken")
    await stored_environment(repositories, project_id, name="taken")
    await repositories.artifacts.create(an_artifact(project_id, None, **TAKEN))


async def test_the_serve_model_of_a_pair_is_named(repositories: Repositories, around: Surroundings) -> None:
    service = await stored_service(repositories, around.environment, around.model)
    there = await repositories.serve_models.create(a_serve_model(service, around.version))

    with pytest.raises(AlreadyExists) as refusal:
        await repositories.serve_models.create(replace(there, id=uuid4()))

    assert refusal.value.metadata == {"id": str(there.id)}
    assert refusal.value.detail == f"it has the id {there.id}"

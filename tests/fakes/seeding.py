"""Stores objects before a test begins. Returns them as they were written, not as they are read, except for versions, to
which the store gives a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from tests.fakes.builders import a_model, a_serve_model, a_service, a_version, an_environment
from tests.fakes.repositories import Repositories

from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import Credentials, ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment


async def stored_model(repositories: Repositories, project_id: UUID, **fields: Any) -> RegisteredModel:
    model = a_model(project_id, **fields)
    return await repositories.models.create(model)


async def stored_version(repositories: Repositories, model: RegisteredModel, **fields: Any) -> ModelVersion:
    return await repositories.versions.create(model.project_id, a_version(model, **fields), Credentials())


async def stored_environment(repositories: Repositories, project_id: UUID, **fields: Any) -> ServingEnvironment:
    environment = an_environment(project_id, **fields)
    return await repositories.environments.create(environment)


async def stored_service(
    repositories: Repositories, environment: ServingEnvironment, model: RegisteredModel, **fields: Any
) -> InferenceService:
    service = a_service(environment, model, **fields)
    stored = await repositories.services.create(service, ())
    return replace(service, etag=stored.etag)


async def stored_serve_model(
    repositories: Repositories, service: InferenceService, version: ModelVersion, **fields: Any
) -> ServeModel:
    serve_model = a_serve_model(service, version, **fields)
    stored = await repositories.serve_models.create(serve_model)
    return replace(serve_model, etag=stored.etag)

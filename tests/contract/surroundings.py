"""The objects that inference services and serve models need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tests.fakes.builders import a_service
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_version

from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serving_environment import ServingEnvironment


@dataclass(frozen=True)
class Surroundings:
    """An environment, a model and a version of it, all stored in one project."""

    environment: ServingEnvironment
    model: RegisteredModel
    version: ModelVersion

    @classmethod
    async def stored(cls, repositories: Repositories, project_id: UUID) -> Surroundings:
        model = await stored_model(repositories, project_id)
        return cls(await stored_environment(repositories, project_id), model, await stored_version(repositories, model))

    def service(self, **fields: Any) -> InferenceService:
        """A service that is not stored."""
        return a_service(self.environment, self.model, **fields)

    def as_read(self, service: InferenceService) -> InferenceService:
        """The service as it is read, with the names of its environment and model."""
        return replace(service, serving_environment_name=self.environment.name, registered_model_name=self.model.name)

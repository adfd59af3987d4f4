"""Where the registry's objects are kept.

For all repositories: objects of other projects do not exist. `create` trusts the ids of environments, services, models
and versions that serving objects name: use cases look them up in the project first. `list` is sorted as asked, ties by
id in the same direction; by offset it counts the total, by cursor it does not. Names and guards are decided by the
store itself, in the same transaction as the write. `create` sets times that are NOT_STORED by the store's clock, and
returns the object as stored; `updated_at` is never before `created_at`. Every method may raise Unavailable, Overloaded
or ConcurrentChange.

A page of a `list` ends before the object with which it would exceed the slice's `max_bytes`, but has one object at
least; if the slice is not to be cut, `list` raises InvalidRequest instead. Objects that are left out are not read.
The size of an object is 4 KiB, for all that is short, and the bytes of its description or last error, labels and tags:
of texts in UTF-8, of maps and lists about what they have as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

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


class RegisteredModelRepository(Protocol):
    """Keeps registered models."""

    async def create(self, model: RegisteredModel) -> RegisteredModel:
        """Raises AlreadyExists for a name taken in the project, NotFound when the parent is not of the project."""
        ...

    async def get(self, project_id: UUID, id: UUID) -> RegisteredModel:
        """With version count, latest and default version. Raises NotFound."""
        ...

    async def find(self, project_id: UUID, *, name: str = "", id: UUID | None = None) -> RegisteredModel:
        """The model that meets all conditions given, as `get` reads it. Raises NotFound."""
        ...

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        """With version counts, without latest and default versions."""
        ...

    async def update(self, project_id: UUID, id: UUID, patch: RegisteredModelPatch) -> RegisteredModel:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""
        ...

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Delete an ARCHIVED model and its versions. Raises NotFound; FailedPrecondition when it is not archived, or
        when inference services, serve models or traffic variants use it."""
        ...


class ModelVersionRepository(Protocol):
    """Keeps model versions. Of a model, at most one is the default: setting it clears the others (without touching
    their `updated_at`), and of concurrent requests exactly one wins."""

    async def create(self, project_id: UUID, version: ModelVersion, credentials: Credentials) -> ModelVersion:
        """The new version is younger than those that the model has. Raises NotFound for a model that is not of the
        project, AlreadyExists for a name taken in the model."""
        ...

    async def get(self, project_id: UUID, id: UUID, *, registered_model_id: UUID | None = None) -> ModelVersion:
        """Raises NotFound, also when the version is not of the model given."""
        ...

    async def find(self, project_id: UUID, key: ModelVersionKey) -> ModelVersion:
        """The oldest version that meets all conditions given. Raises NotFound."""
        ...

    async def list(
        self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice
    ) -> Page[ModelVersion]: ...

    async def update(
        self, project_id: UUID, id: UUID, patch: ModelVersionPatch, *, registered_model_id: UUID | None = None
    ) -> ModelVersion:
        """Change what is set and `updated_at`. A uri at another place (`domain.storage.place_of`) clears the keys that
        are not set with it. Raises NotFound, AlreadyExists."""
        ...

    async def credentials(self, project_id: UUID, id: UUID, uri: str) -> Credentials | None:
        """The version's keys for `uri`, in clear; None when they are for another place, to which the version's own uri
        was changed. Raises NotFound, SecretUnreadable."""
        ...


class ServingEnvironmentRepository(Protocol):
    """Keeps serving environments."""

    async def create(self, environment: ServingEnvironment) -> ServingEnvironment:
        """Raises AlreadyExists for a name taken in the project."""
        ...

    async def get(self, project_id: UUID, id: UUID) -> ServingEnvironment:
        """Raises NotFound."""
        ...

    async def find(self, project_id: UUID, name: str) -> ServingEnvironment:
        """Raises NotFound."""
        ...

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]: ...

    async def update(self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch) -> ServingEnvironment:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""
        ...

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Raises NotFound, FailedPrecondition when it has inference services."""
        ...


class InferenceServiceRepository(Protocol):
    """Keeps inference services. All but `list` fill in `served_models`, newest first."""

    async def create(self, service: InferenceService, served: Sequence[ServeModel]) -> InferenceService:
        """Store the service and its serve models at once, the first of those as the newest. Raises AlreadyExists for a
        name taken in the environment, NotFound when the environment, the model or a version has gone meanwhile."""
        ...

    async def get(self, project_id: UUID, id: UUID) -> InferenceService:
        """Raises NotFound."""
        ...

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> InferenceService:
        """The oldest one. Raises NotFound."""
        ...

    async def find_by_name(self, project_id: UUID, serving_environment_id: UUID, name: str) -> InferenceService:
        """Raises NotFound."""
        ...

    async def list(
        self, project_id: UUID, filter: InferenceServiceFilter, sort: Sort, slice: Slice
    ) -> Page[InferenceService]: ...

    async def update(self, project_id: UUID, id: UUID, patch: InferenceServicePatch) -> InferenceService:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""
        ...

    async def follow(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        served_state: ServeModelState | None,
        *,
        unchanged_since: datetime,
    ) -> InferenceService:
        """`update`, and the same state for all its serve models unless that is None. Raises NotFound, and
        ConcurrentChange when its `updated_at` is no longer that of what was looked at."""
        ...

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Delete it with its serve models; the deployment, if any, stays as a tombstone that wants the object ABSENT.
        Raises NotFound, FailedPrecondition while its current state is DEPLOYED."""
        ...


class ServeModelRepository(Protocol):
    """Keeps serve models; reads fill in the names of service and version."""

    async def create(self, serve_model: ServeModel) -> ServeModel:
        """Raises AlreadyExists for a pair that exists."""
        ...

    async def get(self, project_id: UUID, id: UUID) -> ServeModel:
        """Raises NotFound."""
        ...

    async def list(self, project_id: UUID, filter: ServeModelFilter, sort: Sort, slice: Slice) -> Page[ServeModel]: ...

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Raises NotFound."""
        ...

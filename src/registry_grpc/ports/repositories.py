"""The repositories that store the registry's objects.

For all repositories: objects of other projects do not exist. `create` trusts the ids of environments, services, models
and versions in serving objects: use cases look them up in the project first. `list` sorts as requested, ties by id in
the same direction; by offset it counts the total, by cursor it does not. The store itself checks names and guards, in
the transaction of the write. `create` replaces times that are NOT_STORED by the store's time, and returns the object as
stored; `updated_at` is never before `created_at`. Every method may raise Unavailable, Overloaded or ConcurrentChange.

A page of a `list` ends before the object that would exceed the slice's `max_bytes`, but has at least one object; if the
slice must not be cut, `list` raises InvalidRequest instead. Objects that do not fit are not read. An object counts
4 KiB for its short fields, and the bytes of its description or last error, labels and tags: strings in UTF-8, maps and
lists about as large as their JSON.
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
        """Raises AlreadyExists for a name taken in the project, NotFound if the parent is not in the project."""

    async def get(self, project_id: UUID, id: UUID) -> RegisteredModel:
        """The model with its version count, latest and default version. Raises NotFound."""

    async def find(self, project_id: UUID, *, name: str = "", id: UUID | None = None) -> RegisteredModel:
        """The model that meets all given conditions, like `get`. Raises NotFound."""

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        """Models with version counts, without latest and default versions."""

    async def update(self, project_id: UUID, id: UUID, patch: RegisteredModelPatch) -> RegisteredModel:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Delete an ARCHIVED model and its versions. Raises NotFound; FailedPrecondition if it is not archived, or if
        inference services, serve models or traffic variants use it."""


class ModelVersionRepository(Protocol):
    """Keeps model versions. At most one version of a model is the default: setting it clears the others without
    changing their `updated_at`, and exactly one of concurrent requests wins."""

    async def create(self, project_id: UUID, version: ModelVersion, credentials: Credentials) -> ModelVersion:
        """The new version is newer than all others of the model. Raises NotFound if the model is not in the project,
        AlreadyExists for a name taken in the model."""

    async def get(self, project_id: UUID, id: UUID, *, registered_model_id: UUID | None = None) -> ModelVersion:
        """Raises NotFound, also if the version does not belong to the given model."""

    async def find(self, project_id: UUID, key: ModelVersionKey) -> ModelVersion:
        """The oldest version that meets all given conditions. Raises NotFound."""

    async def list(
        self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice
    ) -> Page[ModelVersion]: ...

    async def update(
        self, project_id: UUID, id: UUID, patch: ModelVersionPatch, *, registered_model_id: UUID | None = None
    ) -> ModelVersion:
        """Change the fields of the patch and `updated_at`. Keys are given for the place (`domain.storage.place_of`) of
        the uri that the version has then, and replace all keys for another place. A uri without keys leaves the stored
        ones to the place for which they were given. Raises NotFound, AlreadyExists."""

    async def credentials(self, project_id: UUID, id: UUID, uri: str) -> Credentials | None:
        """The version's decrypted keys; None if it has none for the place of `uri`, whatever its own uri is now. Raises
        NotFound, SecretUnreadable."""

    async def keys_uri(self, project_id: UUID, id: UUID) -> str | None:
        """The uri for which the version's keys were given; None if it has no keys or does not exist."""


class ServingEnvironmentRepository(Protocol):
    """Keeps serving environments."""

    async def create(self, environment: ServingEnvironment) -> ServingEnvironment:
        """Raises AlreadyExists for a name taken in the project."""

    async def get(self, project_id: UUID, id: UUID) -> ServingEnvironment:
        """Raises NotFound."""

    async def find(self, project_id: UUID, name: str) -> ServingEnvironment:
        """Raises NotFound."""

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]: ...

    async def update(self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch) -> ServingEnvironment:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Raises NotFound, FailedPrecondition if it has inference services."""


class InferenceServiceRepository(Protocol):
    """Keeps inference services. All but `list` fill in `served_models`, newest first."""

    async def create(self, service: InferenceService, served: Sequence[ServeModel]) -> InferenceService:
        """Store the service and its serve models together, the first of them as the newest. Raises AlreadyExists for a
        name taken in the environment, NotFound if the environment, the model or a version was deleted meanwhile."""

    async def get(self, project_id: UUID, id: UUID) -> InferenceService:
        """Raises NotFound."""

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> InferenceService:
        """The oldest service with this external id. Raises NotFound."""

    async def find_by_name(self, project_id: UUID, serving_environment_id: UUID, name: str) -> InferenceService:
        """Raises NotFound."""

    async def list(
        self, project_id: UUID, filter: InferenceServiceFilter, sort: Sort, slice: Slice
    ) -> Page[InferenceService]: ...

    async def update(self, project_id: UUID, id: UUID, patch: InferenceServicePatch) -> InferenceService:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""

    async def follow(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        served_state: ServeModelState | None,
        *,
        unchanged_since: datetime,
    ) -> InferenceService:
        """`update`, and set all its serve models to `served_state` unless that is None. Raises NotFound, and
        ConcurrentChange if its `updated_at` is not `unchanged_since`."""

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Delete it with its serve models. Its deployment, if any, stays as a tombstone that wants the object ABSENT.
        Raises NotFound, FailedPrecondition while the current state is DEPLOYED."""


class ServeModelRepository(Protocol):
    """Keeps serve models; reads fill in the names of service and version."""

    async def create(self, serve_model: ServeModel) -> ServeModel:
        """Raises AlreadyExists for a pair that exists."""

    async def get(self, project_id: UUID, id: UUID) -> ServeModel:
        """Raises NotFound."""

    async def list(self, project_id: UUID, filter: ServeModelFilter, sort: Sort, slice: Slice) -> Page[ServeModel]: ...

    async def delete(self, project_id: UUID, id: UUID) -> None:
        """Raises NotFound."""

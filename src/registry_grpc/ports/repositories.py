"""The repositories that store the registry's objects.

For all repositories: objects of other projects do not exist. `create` trusts the ids of environments, services, models
and versions in serving objects: use cases look them up in the project first. `list` sorts as requested, ties by id in
the same direction; by offset it counts the total, by cursor it does not. The store itself checks names and guards, in
the transaction of the write. `create` replaces times that are NOT_STORED by the store's time, and returns the object as
stored; `updated_at` is never before `created_at`. Every method may raise Unavailable, Overloaded or ConcurrentChange.

Reads and writes fill in `etag`. It changes with every write of the object, also by another service. `update` and
`delete` raise Stale, in the same statement that would write, if the object exists and has none of the given `etags`.

A page of a `list` ends before the object that would exceed the slice's `max_bytes`, but has at least one object; if the
slice must not be cut, `list` raises InvalidRequest instead. Objects that do not fit are not read. An object counts
4 KiB for its short fields, and the bytes of its description or last error, labels, tags, properties, readme and
metadata: strings in UTF-8, maps and lists about as large as their JSON. Fields that the slice's view leaves out have
their default, those that only View.CONTRACT leaves out perhaps not; they count nothing. With View.FULL, a model counts
its latest and its default version as objects, even if it has none.

External ids of models and those of versions are unique in the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.artifact import Artifact, ArtifactFilter, ArtifactPatch
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.inference_service import InferenceService, InferenceServiceFilter, InferenceServicePatch
from registry_grpc.domain.model_alias import BY_NAME, LAST_MOVE_FIRST, AliasChange, ModelAlias, ModelAliasMove
from registry_grpc.domain.model_version import (
    LAST_DELETED_FIRST,
    Credentials,
    DeletedModelVersion,
    ModelVersion,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
)
from registry_grpc.domain.paging import NEWEST_FIRST, Page, Slice, Sort
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
        """Raises AlreadyExists for a name or external id taken in the project, NotFound if the parent is not in it."""

    async def get(self, project_id: UUID, id: UUID) -> RegisteredModel:
        """The model with its version count, latest and default version. Raises NotFound."""

    async def find(
        self, project_id: UUID, *, name: str = "", id: UUID | None = None, external_id: str = ""
    ) -> RegisteredModel:
        """The model that meets all given conditions, like `get`. Raises NotFound."""

    async def list(
        self, project_id: UUID, filter: RegisteredModelFilter, sort: Sort, slice: Slice
    ) -> Page[RegisteredModel]:
        """Models with version counts. Only View.FULL has their latest and default versions."""

    async def update(
        self, project_id: UUID, id: UUID, patch: RegisteredModelPatch, etags: Etags = None
    ) -> RegisteredModel:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Delete an ARCHIVED model and its versions. Raises NotFound; FailedPrecondition if it is not archived, or if
        inference services, serve models or traffic variants use it."""


class ModelVersionRepository(Protocol):
    """Keeps model versions. At most one version of a model is the default: setting it clears the others without
    changing their `updated_at`, and exactly one of concurrent requests wins."""

    async def create(
        self, project_id: UUID, version: ModelVersion, credentials: Credentials, artifacts_of: UUID | None = None
    ) -> ModelVersion:
        """The new version is newer than all others of the model, and gets the model's next number. With it, copies of
        the artifacts of the version `artifacts_of` are stored, without their external ids. Raises NotFound if
        the model is not in the project, AlreadyExists for a name taken in the model or an external id taken in the
        project."""

    async def get(self, project_id: UUID, id: UUID, *, registered_model_id: UUID | None = None) -> ModelVersion:
        """Raises NotFound, also if the version does not belong to the given model."""

    async def find(self, project_id: UUID, key: ModelVersionKey) -> ModelVersion:
        """The oldest version that meets all given conditions. Raises NotFound."""

    async def named(self, project_id: UUID, registered_model_id: UUID, version: str) -> ModelVersion:
        """The version of the model with this number; LATEST, the newest one; DEFAULT, the default version; the one with
        this alias; or the one with this name. The first of these that fits is meant. Raises NotFound."""

    async def list(self, project_id: UUID, filter: ModelVersionFilter, sort: Sort, slice: Slice) -> Page[ModelVersion]:
        """Only View.FULL has readme and metadata."""

    async def update(
        self,
        project_id: UUID,
        id: UUID,
        patch: ModelVersionPatch,
        *,
        registered_model_id: UUID | None = None,
        etags: Etags = None,
        attaches: bool = False,
    ) -> ModelVersion:
        """Change the fields of the patch and `updated_at`. Keys are given for the place (`domain.storage.place_of`) of
        the uri that the version has then, and replace all keys for another place. A uri without keys leaves the stored
        ones to the place for which they were given. `attaches` refuses a version that has a uri, in the same
        transaction. Raises NotFound, AlreadyExists, FailedPrecondition."""

    async def credentials(self, project_id: UUID, id: UUID, uri: str) -> Credentials | None:
        """The version's decrypted keys; None if it has none for the place of `uri`, whatever its own uri is now. Raises
        NotFound, SecretUnreadable."""

    async def keys_uri(self, project_id: UUID, id: UUID) -> str | None:
        """The uri for which the version's keys were given; None if it has no keys or does not exist."""


class DeletedVersionRepository(Protocol):
    """Keeps versions that were deleted, whole, for the `retention`, or until their model is deleted."""

    async def delete(
        self, project_id: UUID, id: UUID, user: str, *, force: bool, retention: timedelta, etags: Etags = None
    ) -> None:
        """Delete a version; with `force`, also its aliases, by the user. Raises NotFound; FailedPrecondition with the
        users of the version: services, serve models and traffic variants, and without `force` aliases."""

    async def restore(self, project_id: UUID, id: UUID, *, retention: timedelta) -> ModelVersion:
        """Put a deleted version back, as it was, but without aliases and not as the default. Raises NotFound, also
        after the retention; AlreadyExists if the model has another version with its name now."""

    async def list(
        self,
        project_id: UUID,
        registered_model_id: UUID,
        slice: Slice,
        sort: Sort = LAST_DELETED_FIRST,
        where: Filter | None = None,
        *,
        retention: timedelta,
    ) -> Page[DeletedModelVersion]:
        """Those of the model that can be restored, by cursor, in the order of their deletion or against it."""

    async def forget(self, retention: timedelta) -> None:
        """Destroy those that can no longer be restored, with their keys."""


class ModelAliasRepository(Protocol):
    """Keeps aliases and their moves. DEFAULT is the model's default version: setting it sets `is_default` as
    ModelVersionRepository.update does, and it has no moves. Concurrent changes of a model's aliases take effect one
    after the other. Every method raises NotFound if the model is not in the project."""

    async def set(self, project_id: UUID, registered_model_id: UUID, change: AliasChange, user: str) -> ModelAlias:
        """Raises NotFound for the version, as `named` does, and what AliasChange.check raises."""

    async def delete(self, project_id: UUID, registered_model_id: UUID, change: AliasChange, user: str) -> None:
        """Raises NotFound for the alias, and what AliasChange.check raises."""

    async def list(
        self,
        project_id: UUID,
        registered_model_id: UUID,
        slice: Slice,
        sort: Sort = BY_NAME,
        where: Filter | None = None,
    ) -> Page[ModelAlias]:
        """By name, by cursor."""

    async def moves(  # noqa: PLR0917 - all parts of a list
        self,
        project_id: UUID,
        registered_model_id: UUID,
        name: str,
        slice: Slice,
        sort: Sort = LAST_MOVE_FIRST,
        where: Filter | None = None,
    ) -> Page[ModelAliasMove]:
        """Those of the alias, or of all without a name, in their order or against it, by cursor. They are kept when
        aliases and versions are deleted."""


class ArtifactRepository(Protocol):
    """Keeps artifacts. It also reads the model artifacts, which are versions with a uri, under the ids of the versions.
    Writing to one of these raises InvalidRequest. Deleting a version deletes its artifacts."""

    async def create(self, artifact: Artifact) -> Artifact:
        """Raises NotFound if the version is not in the project; AlreadyExists for a name taken in the version (without
        one, among the artifacts of the project that stand alone) or an external id taken in the project."""

    async def get(self, project_id: UUID, id: UUID) -> Artifact:
        """Raises NotFound."""

    async def list(
        self, project_id: UUID, filter: ArtifactFilter, slice: Slice, sort: Sort = NEWEST_FIRST
    ) -> Page[Artifact]:
        """Model artifacts are only among those of a version, and those of which the filter says that they are of the
        kind MODEL."""

    async def update(self, project_id: UUID, id: UUID, patch: ArtifactPatch, etags: Etags = None) -> Artifact:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists, Stale; InvalidRequest if the patch does
        not fit the kind."""

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Raises NotFound, Stale."""


class ServingEnvironmentRepository(Protocol):
    """Keeps serving environments."""

    async def create(self, environment: ServingEnvironment) -> ServingEnvironment:
        """Raises AlreadyExists for a name taken in the project."""

    async def get(self, project_id: UUID, id: UUID) -> ServingEnvironment:
        """Raises NotFound."""

    async def find(self, project_id: UUID, name: str) -> ServingEnvironment:
        """Raises NotFound."""

    async def find_by_external_id(self, project_id: UUID, external_id: str) -> ServingEnvironment:
        """The oldest environment with this external id. Raises NotFound."""

    async def list(
        self, project_id: UUID, filter: ServingEnvironmentFilter, sort: Sort, slice: Slice
    ) -> Page[ServingEnvironment]: ...

    async def update(
        self, project_id: UUID, id: UUID, patch: ServingEnvironmentPatch, etags: Etags = None
    ) -> ServingEnvironment:
        """Change what is set and `updated_at`. Raises NotFound, AlreadyExists."""

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
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

    async def update(
        self, project_id: UUID, id: UUID, patch: InferenceServicePatch, etags: Etags = None
    ) -> InferenceService:
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

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Delete it with its serve models. Its deployment, if any, stays as a tombstone that wants the object ABSENT.
        Raises NotFound, FailedPrecondition while the current state is DEPLOYED."""


class ServeModelRepository(Protocol):
    """Keeps serve models; reads fill in the names of service and version."""

    async def create(self, serve_model: ServeModel) -> ServeModel:
        """Raises AlreadyExists for a pair that exists."""

    async def get(self, project_id: UUID, id: UUID) -> ServeModel:
        """Raises NotFound."""

    async def list(self, project_id: UUID, filter: ServeModelFilter, sort: Sort, slice: Slice) -> Page[ServeModel]: ...

    async def delete(self, project_id: UUID, id: UUID, etags: Etags = None) -> None:
        """Raises NotFound."""

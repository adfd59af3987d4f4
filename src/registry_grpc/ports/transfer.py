"""The port that reads whole projects, and adds the content of others to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar
from uuid import UUID

from registry_grpc.domain.artifact import Artifact
from registry_grpc.domain.model_alias import ModelAlias
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.domain.transfer import Added, ModelParent, Record

T = TypeVar("T", ServingEnvironment, RegisteredModel, ModelVersion, ModelAlias, Artifact)


class Batch(Protocol):
    """Adds objects with the ids that they have, unless the project has an object with this id, or else with this name
    in the same place; then nothing is changed. Times in the future become the present. Every method answers in the
    order of what it is given, and raises AlreadyExists for an id or external id that another object has, NotFound for
    a model or version that is not in the project, Unavailable, and ConcurrentChange. Objects of one call may also
    collide with each other: then the block has to be repeated with fewer of them."""

    async def add(self, objects: Sequence[T]) -> Sequence[Added]:
        """All are of one kind. Models are added without parents, with the deployment status UNDEPLOYED. A version gets
        the next number instead of its own if another version of the model has or had it, and is only the default
        version if the model has none. An alias is not moved if the model has it."""

    async def reserve_numbers(self, numbers: Iterable[tuple[UUID, int]]) -> Mapping[UUID, int]:
        """New versions of the models get numbers after these. Returns the last numbers of the models."""

    async def find_versions(self, sought: Sequence[tuple[UUID, UUID, str]]) -> Sequence[UUID]:
        """The versions of these models with these ids, or else with these names."""

    async def set_parents(self, parents: Sequence[ModelParent]) -> None:
        """Unless a model has a parent. Models are called by their ids, or else by their names."""


class TransferRepository(Protocol):
    """Reads and writes projects object by object, in bounded memory."""

    def export(self, project_id: UUID) -> AsyncGenerator[Record, None]:
        """All objects of the project as they are at one moment, in the order of TransferRecord, without header and
        trailer. Raises Unavailable, Overloaded, at any time."""

    def batch(self, project_id: UUID, user: str) -> AbstractAsyncContextManager[Batch]:
        """What is added in the block is stored when it ends without an error. Aliases are moved by `user`."""

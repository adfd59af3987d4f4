"""Whole projects in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from tests.fakes.model_aliases import InMemoryModelAliasRepository
from tests.fakes.store import InMemoryStore, check_external_id, oldest_first

from registry_grpc.domain.artifact import Artifact
from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason
from registry_grpc.domain.model_alias import ModelAlias
from registry_grpc.domain.model_version import Credentials, ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.transfer import Added, ModelParent, Record


class InMemoryTransferRepository:
    """Reads and writes projects in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store

    async def export(self, project_id: UUID) -> AsyncGenerator[Record, None]:  # noqa: C901 - one loop a kind of record
        store = {name: dict(rows) for name, rows in self._store.__dict__.items() if isinstance(rows, dict)}
        versions: dict[UUID, ModelVersion] = store["versions"]
        artifacts = sorted(store["artifacts"].values(), key=lambda each: each.name)
        for environment in _of(project_id, store["environments"]):
            yield Record(content=environment)
        models = _of(project_id, store["models"])
        for model in models:
            yield Record(content=model, last_version_number=store["numbers"].get(model.id, 0))
            own = sorted((v for v in versions.values() if v.registered_model_id == model.id), key=lambda v: v.number)
            for version in own:
                yield Record(content=version, has_keys=bool(store["credentials"][version.id][1]))
            for (model_id, _), alias in sorted(store["aliases"].items()):
                if model_id == model.id:
                    yield Record(content=alias, model_version_name=versions[alias.model_version_id].name)
            for version in own:
                for artifact in artifacts:
                    if artifact.model_version_id == version.id:
                        yield Record(content=artifact, model_version_name=version.name)
        for artifact in artifacts:
            if artifact.project_id == project_id and artifact.model_version_id is None:
                yield Record(content=artifact)
        for model in models:
            if model.parent_model_id:
                parent = store["models"][model.parent_model_id]
                yield Record(
                    content=ModelParent(
                        registered_model_id=model.id,
                        registered_model_name=model.name,
                        parent_model_id=parent.id,
                        parent_model_name=parent.name,
                    )
                )

    @asynccontextmanager
    async def batch(self, project_id: UUID, user: str) -> AsyncIterator[InMemoryBatch]:
        with self._store.transaction():
            yield InMemoryBatch(self._store, project_id, user)


class InMemoryBatch:
    """Adds to the store what it does not have."""

    def __init__(self, store: InMemoryStore, project_id: UUID, user: str) -> None:
        self._store = store
        self._project_id = project_id
        self._user = user

    async def add(self, objects: Sequence[Any]) -> Sequence[Added]:
        return [self._added(each) for each in objects]

    def _added(self, new: Any) -> Added:
        store = self._store
        match new:
            case ModelVersion():
                return self._add_version(new)
            case ModelAlias():
                return self._add_alias(new)
            case RegisteredModel():
                new = new._replace(parent_model_id=None, deployment_status="UNDEPLOYED")
                siblings = _of(self._project_id, store.models)
                return self._add(store.models, new, siblings, siblings)
            case Artifact():
                of_project = _of(self._project_id, store.artifacts)
                siblings = tuple(a for a in of_project if a.model_version_id == new.model_version_id)
                return self._add(store.artifacts, new, siblings, of_project)
        return self._add(store.environments, new, _of(self._project_id, store.environments))

    async def reserve_numbers(self, numbers: Iterable[tuple[UUID, int]]) -> Mapping[UUID, int]:
        for model_id, number in numbers:
            self._reserve(model_id, number)
        return self._store.numbers

    def _reserve(self, registered_model_id: UUID, last: int) -> None:
        numbers = self._store.numbers
        numbers[registered_model_id] = max(last, numbers.get(registered_model_id, 0))

    def _add_version(self, version: ModelVersion) -> Added:
        store, model_id = self._store, version.registered_model_id
        self._reserve(model_id, version.number)
        siblings = [v for v in store.versions.values() if v.registered_model_id == model_id]
        deleted = [d.model_version for d, _ in store.deleted_versions.values()]
        taken = [v.number for v in siblings]
        taken += [v.number for v in deleted if v.registered_model_id == model_id and v.id != version.id]
        number = version.number
        if not (has_place := _at_place(version, siblings)) and (number < 1 or number in taken):
            store.numbers[model_id] = number = store.numbers[model_id] + 1
        is_default = version.is_default and not any(v.is_default for v in siblings)
        of_project = [
            v for v in store.versions.values() if store.models[v.registered_model_id].project_id == self._project_id
        ]
        found = self._add(
            store.versions, version._replace(number=number, is_default=is_default, aliases=None), siblings, of_project
        )
        if not has_place:
            store.credentials[found.id] = version.uri, Credentials()
        return found._replace(number=store.versions[found.id].number, has_keys=bool(store.credentials[found.id][1]))

    async def find_versions(self, sought: Sequence[tuple[UUID, UUID, str]]) -> Sequence[UUID]:
        found = []
        for model_id, id_, name in sought:
            versions = [v for v in self._store.versions.values() if v.registered_model_id == model_id]
            by_id = [*(v for v in versions if v.id == id_), *(v for v in versions if v.name == name)]
            if not by_id:
                raise NotFound.of(Reason.MODEL_VERSION_NOT_FOUND, id_)
            found.append(by_id[0].id)
        return found

    def _add_alias(self, alias: ModelAlias) -> Added:
        place = alias.registered_model_id, alias.name
        if place in self._store.aliases:
            return Added(alias.model_version_id, created=False)
        number = self._store.versions[alias.model_version_id].number
        self._store.aliases[place] = replace(alias, version_number=number)
        InMemoryModelAliasRepository(self._store).log(*place, self._user)
        return Added(alias.model_version_id, created=True)

    async def set_parents(self, parents: Sequence[ModelParent]) -> None:
        for it in parents:
            child = self._model(it.registered_model_id, it.registered_model_name)
            above = self._model(it.parent_model_id, it.parent_model_name)
            if child.parent_model_id is None and child.id != above.id:
                self._store.models[child.id] = child._replace(parent_model_id=above.id)

    def _model(self, id: UUID, name: str) -> RegisteredModel:
        models: tuple[RegisteredModel, ...] = _of(self._project_id, self._store.models)
        for found in (*(m for m in models if m.id == id), *(m for m in models if m.name == name)):
            return found
        raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, id)

    def _add(self, rows: Any, new: Any, siblings: Iterable[Any], with_external_ids: Iterable[Any] = ()) -> Added:
        if found := _at_place(new, siblings):
            return Added(id=found.id, created=False)
        if new.id in rows:
            raise AlreadyExists(Reason.EXTERNAL_ID_TAKEN)
        check_external_id(new, with_external_ids)
        now = self._store.write_time()
        created = min(new.created_at, now)
        times = {"created_at": created, "updated_at": min(max(created, new.updated_at), now)}
        rows[new.id] = new._replace(**times) if hasattr(new, "_replace") else replace(new, **times)
        return Added(id=new.id, created=True)


def _of(project_id: UUID, rows: dict[UUID, Any]) -> tuple[Any, ...]:
    return oldest_first(row for row in rows.values() if row.project_id == project_id)


def _at_place(new: Any, siblings: Iterable[Any]) -> Any:
    """The sibling with its id, or else with its name."""
    by_id = [each for each in siblings if each.id == new.id]
    return next((each for each in (*by_id, *(each for each in siblings if each.name == new.name))), None)

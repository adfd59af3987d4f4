"""Aliases in memory."""

from __future__ import annotations

from itertools import count
from uuid import UUID

from tests.fakes.filtering import matches
from tests.fakes.model_versions import InMemoryModelVersionRepository
from tests.fakes.store import InMemoryStore, is_after

from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.filter.fields import Filter
from registry_grpc.domain.model_alias import (
    BY_NAME,
    LAST_MOVE_FIRST,
    AliasChange,
    ModelAlias,
    ModelAliasMove,
    no_such_alias,
)
from registry_grpc.domain.model_version import DEFAULT, ModelVersionPatch
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort

_sequences = count(1)


class InMemoryModelAliasRepository:
    """Keeps aliases in the store."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._versions = InMemoryModelVersionRepository(store)

    async def set(self, project_id: UUID, registered_model_id: UUID, change: AliasChange, user: str) -> ModelAlias:
        name = change.name
        now = self._aliases(project_id, registered_model_id).get(name)
        version = await self._versions.named(project_id, registered_model_id, change.version)
        change.check(now)
        if name == DEFAULT:
            if not version.is_default:
                await self._versions.update(project_id, version.id, ModelVersionPatch(is_default=True))
        else:
            protected = change.is_protected if change.is_protected is not None else bool(now and now.is_protected)
            stays = now is not None and now.model_version_id == version.id
            self._store.aliases[registered_model_id, name] = ModelAlias(
                registered_model_id=registered_model_id,
                name=name,
                model_version_id=version.id,
                version_number=version.number,
                is_protected=protected,
                moved_at=now.moved_at if now and stays else self._store.write_time(),
                moved_by=now.moved_by if now and stays else user,
            )
            if not stays:
                self.log(registered_model_id, name, user)
        return self._aliases(project_id, registered_model_id)[name]

    async def delete(self, project_id: UUID, registered_model_id: UUID, change: AliasChange, user: str) -> None:
        now = self._aliases(project_id, registered_model_id).get(change.name)
        change.check(now)
        if now is None:
            raise no_such_alias(registered_model_id, change.name)
        if change.name == DEFAULT:
            default = self._store.versions[now.model_version_id]
            self._store.versions[default.id] = default._replace(is_default=False)
        else:
            del self._store.aliases[registered_model_id, change.name]
            self.log(registered_model_id, change.name, user)

    async def list(
        self,
        project_id: UUID,
        registered_model_id: UUID,
        slice: Slice,
        sort: Sort = BY_NAME,
        where: Filter | None = None,
    ) -> Page[ModelAlias]:
        aliases = self._aliases(project_id, registered_model_id)
        names = sorted((name for name in aliases if is_after(name, sort, slice)), reverse=sort.descending)
        found = [aliases[name] for name in names if matches(where, aliases[name])]
        items = tuple(found[: slice.limit])
        return Page(items, next=Cursor(items[-1].name, registered_model_id) if len(found) > slice.limit else None)

    async def moves(  # noqa: PLR0917 - as the port
        self,
        project_id: UUID,
        registered_model_id: UUID,
        name: str,
        slice: Slice,
        sort: Sort = LAST_MOVE_FIRST,
        where: Filter | None = None,
    ) -> Page[ModelAliasMove]:
        self._aliases(project_id, registered_model_id)
        found = [
            move
            for model_id, move in self._store.alias_moves
            if model_id == registered_model_id
            and name in {"", move.name}
            and is_after(move.sequence, sort, slice)
            and matches(where, move)
        ]
        found.sort(key=lambda move: move.sequence, reverse=sort.descending)
        items = tuple(found[: slice.limit])
        return Page(items, next=Cursor(items[-1].sequence, registered_model_id) if len(found) > slice.limit else None)

    def _aliases(self, project_id: UUID, registered_model_id: UUID) -> dict[str, ModelAlias]:
        """All aliases of the model by name."""
        model = self._store.models.get(registered_model_id)
        if model is None or model.project_id != project_id:
            raise NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, registered_model_id)
        found = {
            name: alias for (model_id, name), alias in self._store.aliases.items() if model_id == registered_model_id
        }
        for version in self._store.versions.values():
            if version.registered_model_id == registered_model_id and version.is_default:
                found[DEFAULT] = ModelAlias(
                    registered_model_id=registered_model_id,
                    name=DEFAULT,
                    model_version_id=version.id,
                    version_number=version.number,
                )
        return found

    def log(self, registered_model_id: UUID, name: str, user: str) -> None:
        """Add the move of an alias, and correct the aliases of the model's versions."""
        store, alias = self._store, self._store.aliases.get((registered_model_id, name))
        move = ModelAliasMove(
            sequence=next(_sequences),
            name=name,
            model_version_id=alias.model_version_id if alias else None,
            version_number=alias.version_number if alias else None,
            moved_at=store.write_time(),
            moved_by=user,
        )
        store.alias_moves.append((registered_model_id, move))
        for version in [v for v in store.versions.values() if v.registered_model_id == registered_model_id]:
            names = sorted(alias.name for alias in store.aliases.values() if alias.model_version_id == version.id)
            store.versions[version.id] = version._replace(aliases=tuple(names))

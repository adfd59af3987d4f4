# Made from registry_client/aio by scripts/blocking_client.py. Change it there.
"""Aliases of the versions of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelregistry.v1 import model_alias_pb2 as pb
from modelregistry.v1.model_alias_pb2_grpc import ModelAliasServiceStub
from registry_client._sync.listing import Listed, Listing
from registry_client._sync.versions import Version
from registry_client.resources import Alias, AliasMove

if TYPE_CHECKING:
    from registry_client._sync.client import Client


class Aliases(Listed[Alias]):
    """The aliases of one model, such as `champion`."""

    def __init__(self, client: Client, model_id: str) -> None:
        self._client, self._model_id = client, model_id
        self._stub: Any = client.stub(ModelAliasServiceStub)

    def set(
        self,
        name: str,
        version: Version | str | int,
        *,
        expected_version: Version | str | None = None,
        protected: bool | None = None,
        force: bool = False,
    ) -> Alias:
        """Give the alias to a version: an object, a number, another alias, or a name.

        With `expected_version`, an object, an id, or "" for none, it is only moved from there: otherwise Aborted. A
        protected alias is only moved with `force`. Objects that are given are read again, because their `aliases` have
        changed.
        """
        request = pb.SetModelAliasRequest(
            registered_model_id=self._model_id,
            name=name,
            version=str(version.number) if isinstance(version, Version) else str(version),
            expected_version_id=_id(expected_version),
            is_protected=protected,
            force=force,
        )
        answer = self._stub.SetModelAlias(request)
        for each in (version, expected_version):
            if isinstance(each, Version):
                each.refresh()
        return Alias(answer.model_alias)

    def delete(
        self,
        name: str,
        *,
        expected_version: Version | str | None = None,
        force: bool = False,
        allow_missing: bool = False,
    ) -> None:
        """Delete the alias. A protected one is only deleted with `force`. Raises NotFound unless it may be missing."""
        request = pb.DeleteModelAliasRequest(
            registered_model_id=self._model_id,
            name=name,
            expected_version_id=_id(expected_version),
            force=force,
            allow_missing=allow_missing,
        )
        self._stub.DeleteModelAlias(request)

    def list(self, *, filter: str = "") -> Listing[Alias]:
        """The aliases by name."""
        request = pb.ListModelAliasesRequest(registered_model_id=self._model_id, filter=filter, page_size=100)
        return Listing(self._stub.ListModelAliases, request, "model_aliases", Alias)

    def history(self, name: str = "", *, filter: str = "") -> Listing[AliasMove]:
        """When the aliases, or the named one, were set, moved and deleted, and by whom. The newest move comes first."""
        request = pb.ListModelAliasMovesRequest(
            registered_model_id=self._model_id, name=name, filter=filter, page_size=100
        )
        return Listing(self._stub.ListModelAliasMoves, request, "model_alias_moves", AliasMove)


def _id(version: Version | str | None) -> str | None:
    return version.id if isinstance(version, Version) else version

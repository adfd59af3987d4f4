# Made from registry_client/aio by scripts/blocking_client.py. Change it there.
"""Registered models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from modelregistry.v1 import registered_model_pb2 as pb
from modelregistry.v1.registered_model_pb2_grpc import RegisteredModelServiceStub
from registry_client._sync.aliases import Aliases
from registry_client._sync.listing import Listed, Listing
from registry_client._sync.versions import ModelVersions
from registry_client.errors import AlreadyExists, NotFound, no_such_name
from registry_client.patches import filled, is_id, mask
from registry_client.resources import ModelRecord
from registry_client.values import Property

if TYPE_CHECKING:
    from registry_client._sync.client import Client


class Model(ModelRecord):
    """A registered model. Its methods read and write it in the registry."""

    def __init__(self, client: Client, message: pb.RegisteredModel) -> None:
        super().__init__(message)
        self._client = client

    @property
    def versions(self) -> ModelVersions:
        """Its versions."""
        return ModelVersions(self._client, self.id)

    @property
    def aliases(self) -> Aliases:
        """Names that are moved from version to version, such as `champion`."""
        return Aliases(self._client, self.id)

    def refresh(self) -> Self:
        """Read it again."""
        answer = self._client.stub(RegisteredModelServiceStub).GetRegisteredModel(
            pb.GetRegisteredModelRequest(id=self.id)
        )
        self.proto = answer.registered_model
        return self

    def update(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        model_type: str | None = None,
        model_size: int | None = None,
        state: str | None = None,
        deployment_status: str | None = None,
        owner_email: str | None = None,
        parent_model_id: str | None = None,
        tags: Mapping[str, Iterable[str]] | None = None,
        labels: Mapping[str, str] | None = None,
        properties: Mapping[str, Property] | None = None,
        external_id: str | None = None,
        clear: Iterable[str] = (),
        etag: str = "",
    ) -> Self:
        """Change what is given, and clear the fields that are named. Labels, tags and properties are set as a whole.

        With `etag=model.etag`, nothing is changed if somebody else has written the model since it was read: Aborted.
        """
        given = {
            "name": name,
            "description": description,
            "model_type": model_type,
            "model_size": model_size,
            "state": state,
            "deployment_status": deployment_status,
            "owner_email": owner_email,
            "parent_model_id": parent_model_id,
            "tags": tags,
            "labels": labels,
            "properties": properties,
            "external_id": external_id,
        }
        request = pb.UpdateRegisteredModelRequest(
            id=self.id,
            registered_model=filled(pb.RegisteredModelPatch, given),
            update_mask=mask(given, clear),
            etag=etag,
        )
        answer = self._client.stub(RegisteredModelServiceStub).UpdateRegisteredModel(request)
        self.proto = answer.registered_model
        return self

    def archive(self) -> Self:
        """Archive it. It cannot be deployed any more, but deleted."""
        return self.update(state="ARCHIVED")

    def restore(self) -> Self:
        """End that it is archived."""
        return self.update(state="LIVE")

    def delete(self, *, etag: str = "") -> None:
        """Delete it with its versions. It must be archived."""
        request = pb.DeleteRegisteredModelRequest(id=self.id, etag=etag)
        self._client.stub(RegisteredModelServiceStub).DeleteRegisteredModel(request)


class Models(Listed[Model]):
    """The registered models of the project."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stub: Any = client.stub(RegisteredModelServiceStub)

    def get(self, name_or_id: str) -> Model:
        """By its name or id. Raises NotFound."""
        if is_id(name_or_id):
            answer = self._stub.GetRegisteredModel(pb.GetRegisteredModelRequest(id=name_or_id))
        else:
            try:
                answer = self._stub.FindRegisteredModel(pb.FindRegisteredModelRequest(name=name_or_id))
            except NotFound as error:
                error.hint = no_such_name("model", name_or_id, self._client.project)
                raise
        return Model(self._client, answer.registered_model)

    def list(self, *, filter: str = "", order_by: str = "", search: str = "", page_size: int = 100) -> Listing[Model]:
        """The models that match the filter, such as `labels.team = "vision" AND state = "LIVE"`, the newest first
        unless `order_by` says otherwise. `search` is a part of the name in any letter case."""
        request = pb.ListRegisteredModelsRequest(
            filter=filter,
            order_by=order_by,
            search=search,
            page_size=page_size,
            view=pb.REGISTERED_MODEL_VIEW_FULL,
        )
        return Listing(self._stub.ListRegisteredModels, request, "registered_models", partial(Model, self._client))

    def create(
        self,
        name: str,
        *,
        description: str = "",
        model_type: str = "",
        owner_email: str = "",
        parent_model_id: str | None = None,
        tags: Mapping[str, Iterable[str]] | None = None,
        labels: Mapping[str, str] | None = None,
        properties: Mapping[str, Property] | None = None,
        external_id: str = "",
        exist_ok: bool = False,
    ) -> Model:
        """Raises AlreadyExists if there is a model with the name. With `exist_ok`, that model is the answer, as it is:
        the other arguments do not change it. So a cell of a notebook can run again, and of several programs that create
        a model at the same time, one does so, and all get it.
        """
        given = {
            "name": name,
            "description": description,
            "model_type": model_type,
            "owner_email": owner_email,
            "parent_model_id": parent_model_id,
            "tags": tags,
            "labels": labels,
            "properties": properties,
            "external_id": external_id,
        }
        request = pb.CreateRegisteredModelRequest(registered_model=filled(pb.NewRegisteredModel, given))
        try:
            answer = self._stub.CreateRegisteredModel(request)
        except AlreadyExists as error:
            if not exist_ok or error.reason != "REGISTERED_MODEL_NAME_TAKEN":
                raise
            return self.get(error.metadata["id"])
        return Model(self._client, answer.registered_model)

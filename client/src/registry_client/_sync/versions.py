# Made from registry_client/aio by scripts/blocking_client.py. Change it there.
"""Versions of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self, Unpack

from modelregistry.v1 import model_version_pb2 as pb
from modelregistry.v1.model_version_pb2_grpc import ModelVersionServiceStub
from registry_client._sync.artifacts import Artifacts
from registry_client._sync.deployments import Deployment
from registry_client._sync.listing import Listed, Listing
from registry_client.deploying import Plan
from registry_client.errors import AlreadyExists
from registry_client.options import Options
from registry_client.patches import filled, is_id, mask
from registry_client.resources import DeletedVersion, EnvironmentRecord, VersionRecord
from registry_client.values import Property

if TYPE_CHECKING:
    from registry_client._sync.client import Client


class Version(VersionRecord):
    """A version of a model. Its methods read and write it in the registry."""

    def __init__(self, client: Client, message: pb.ModelVersion) -> None:
        super().__init__(message)
        self._client = client

    def refresh(self) -> Self:
        """Read it again."""
        answer = self._client.stub(ModelVersionServiceStub).GetModelVersion(pb.GetModelVersionRequest(id=self.id))
        self.proto = answer.model_version
        return self

    def update(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        is_default: bool | None = None,
        state: str | None = None,
        status: str | None = None,
        uri: str | None = None,
        framework: str | None = None,
        framework_version: str | None = None,
        container_image: str | None = None,
        artifact_type: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        labels: Mapping[str, str] | None = None,
        properties: Mapping[str, Property] | None = None,
        metadata: Mapping[str, Any] | None = None,
        readme: str | None = None,
        digest: str | None = None,
        size_bytes: int | None = None,
        external_id: str | None = None,
        clear: Iterable[str] = (),
        etag: str = "",
    ) -> Self:
        """Change what is given, and clear the fields that are named. Labels, properties and metadata are set as a
        whole.

        With `etag=version.etag`, nothing is changed if somebody else has written the version since it was read:
        Aborted.
        """
        given = {
            "name": name,
            "description": description,
            "is_default": is_default,
            "state": state,
            "status": status,
            "uri": uri,
            "model_framework": framework,
            "model_framework_version": framework_version,
            "container_image": container_image,
            "artifact_type": artifact_type,
            "access_key": access_key,
            "secret_key": secret_key,
            "labels": labels,
            "properties": properties,
            "metadata": metadata,
            "readme": readme,
            "digest": digest,
            "size_bytes": size_bytes,
            "external_id": external_id,
        }
        request = pb.UpdateModelVersionRequest(
            id=self.id, model_version=filled(pb.ModelVersionPatch, given), update_mask=mask(given, clear), etag=etag
        )
        answer = self._client.stub(ModelVersionServiceStub).UpdateModelVersion(request)
        self.proto = answer.model_version
        return self

    @property
    def artifacts(self) -> Artifacts:
        """Its documents, data sets, metrics and parameters."""
        return Artifacts(self._client, self.id)

    def attach(
        self,
        uri: str,
        *,
        framework: str,
        framework_version: str,
        container_image: str = "",
        access_key: str = "",
        secret_key: str = "",
        digest: str = "",
        size_bytes: int = 0,
        etag: str = "",
    ) -> Self:
        """Give a version without files its files, and make it READY."""
        files = pb.ModelFiles(
            uri=uri,
            model_framework=framework,
            model_framework_version=framework_version,
            container_image=container_image,
            access_key=access_key,
            secret_key=secret_key,
            digest=digest,
            size_bytes=size_bytes,
        )
        request = pb.AttachModelArtifactRequest(id=self.id, files=files, etag=etag)
        answer = self._client.stub(ModelVersionServiceStub).AttachModelArtifact(request)
        self.proto = answer.model_version
        return self

    def deploy(
        self,
        environment: EnvironmentRecord | str,
        *,
        name: str = "",
        labels: Mapping[str, str] | None = None,
        or_update: bool = False,
        **options: Unpack[Options],
    ) -> Deployment:
        """Deploy it into an environment, an object or its name: see `Deployments.create`."""
        return self._client.deployments.create(
            self, environment, name=name, labels=labels, or_update=or_update, **options
        )

    def plan(
        self,
        environment: EnvironmentRecord | str,
        *,
        name: str = "",
        labels: Mapping[str, str] | None = None,
        or_update: bool = False,
        **options: Unpack[Options],
    ) -> Plan:
        """What `deploy` would do, and all problems that can be found beforehand."""
        return self._client.deployments.plan(
            self, environment, name=name, labels=labels, or_update=or_update, **options
        )

    def archive(self) -> Self:
        """Archive it. It cannot be deployed any more."""
        return self.update(state="ARCHIVED")

    def restore(self) -> Self:
        """End that it is archived."""
        return self.update(state="LIVE")

    def delete(self, *, force: bool = False, etag: str = "") -> None:
        """Delete it. `force` also deletes its aliases. It can be restored for some time: `model.versions.undelete`."""
        request = pb.DeleteModelVersionRequest(id=self.id, force=force, etag=etag)
        self._client.stub(ModelVersionServiceStub).DeleteModelVersion(request)


class ModelVersions(Listed[Version]):
    """The versions of one model."""

    def __init__(self, client: Client, model_id: str) -> None:
        self._client, self._model_id = client, model_id
        self._stub: Any = client.stub(ModelVersionServiceStub)

    def get(self, version: str | int) -> Version:
        """By its number (3), an alias of it ("champion", "latest", "default"), its name, or its id. Raises NotFound."""
        which = {"id": version} if isinstance(version, str) and is_id(version) else {"version": str(version)}
        answer = self._stub.GetModelVersion(
            pb.GetModelVersionRequest(registered_model_id=self._model_id, **which)
        )
        return Version(self._client, answer.model_version)

    def list(self, *, filter: str = "", order_by: str = "", page_size: int = 100) -> Listing[Version]:
        """The versions that match the filter, such as `status = "READY" AND properties.accuracy > 0.9`, the newest
        first unless `order_by` says otherwise."""
        request = pb.ListModelVersionsRequest(
            registered_model_id=self._model_id,
            filter=filter,
            order_by=order_by,
            page_size=page_size,
            view=pb.MODEL_VERSION_VIEW_FULL,
        )
        return Listing(self._stub.ListModelVersions, request, "model_versions", partial(Version, self._client))

    def deleted(self) -> Listing[DeletedVersion]:
        """The deleted versions that can still be restored, the last deleted first."""
        request = pb.ListDeletedModelVersionsRequest(registered_model_id=self._model_id, page_size=100)
        return Listing(self._stub.ListDeletedModelVersions, request, "deleted_model_versions", DeletedVersion)

    def undelete(self, version: DeletedVersion | str) -> Version:
        """Restore a deleted version, an object or its id. Its aliases stay deleted."""
        version_id = version if isinstance(version, str) else version.id
        answer = self._stub.UndeleteModelVersion(pb.UndeleteModelVersionRequest(id=version_id))
        return Version(self._client, answer.model_version)

    def create(
        self,
        name: str,
        *,
        uri: str = "",
        framework: str = "",
        framework_version: str = "",
        is_ready: bool = True,
        description: str = "",
        is_default: bool = False,
        container_image: str = "",
        artifact_type: str = "",
        access_key: str = "",
        secret_key: str = "",
        labels: Mapping[str, str] | None = None,
        properties: Mapping[str, Property] | None = None,
        metadata: Mapping[str, Any] | None = None,
        readme: str = "",
        digest: str = "",
        size_bytes: int = 0,
        external_id: str = "",
        exist_ok: bool = False,
    ) -> Version:
        """Add a version whose files are at the uri. With `is_ready=False`, it cannot be deployed before its status is
        set to READY, for example because the files are not there yet.

        Raises AlreadyExists if the model has one with the name. With `exist_ok`, that version is the answer if it has
        the same uri, because other files are another version. The other arguments do not change it, but a version that
        is PENDING becomes READY as a new one would.
        """
        given = {
            "name": name,
            "uri": uri,
            "model_framework": framework,
            "model_framework_version": framework_version,
            "description": description,
            "is_default": is_default,
            "container_image": container_image,
            "artifact_type": artifact_type,
            "access_key": access_key,
            "secret_key": secret_key,
            "labels": labels,
            "properties": properties,
            "metadata": metadata,
            "readme": readme,
            "digest": digest,
            "size_bytes": size_bytes,
            "external_id": external_id,
        }
        request = pb.CreateModelVersionRequest(
            registered_model_id=self._model_id, model_version=filled(pb.NewModelVersion, given)
        )
        try:
            version = Version(self._client, (self._stub.CreateModelVersion(request)).model_version)
        except AlreadyExists as error:
            if not exist_ok or error.reason != "MODEL_VERSION_NAME_TAKEN":
                raise
            version = self.get(error.metadata["id"])
            if version.uri != uri:
                error.hint = f"The uri of that version is {version.uri!r}. Other files need another version."
                raise
        return version.update(status="READY") if uri and is_ready and version.status == "PENDING" else version


class Versions(Listed[Version]):
    """The versions of all models of the project."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stub: Any = client.stub(ModelVersionServiceStub)

    def get(self, version: str) -> Version:
        """By its id, or as `model@3`, `model@champion` or `model@name`. Raises NotFound, and ValueError for other
        texts."""
        model, separator, name = version.rpartition("@")
        if separator:
            found = self._client.models.get(model)
            return found.versions.get(name)
        if not is_id(version):
            raise ValueError(f"A version is called by its id or as model@version, such as iris@champion: {version!r}")
        answer = self._stub.GetModelVersion(pb.GetModelVersionRequest(id=version))
        return Version(self._client, answer.model_version)

    def list(self, *, filter: str = "", order_by: str = "", page_size: int = 100) -> Listing[Version]:
        """The versions of all models that match the filter, such as `aliases:champion`."""
        request = pb.ListProjectModelVersionsRequest(
            filter=filter, order_by=order_by, page_size=page_size, view=pb.MODEL_VERSION_VIEW_FULL
        )
        return Listing(self._stub.ListProjectModelVersions, request, "model_versions", partial(Version, self._client))

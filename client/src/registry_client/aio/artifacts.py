"""Documents, data sets, metrics and parameters, of versions or standing alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from modelregistry.v1 import artifact_pb2 as pb
from modelregistry.v1.artifact_pb2_grpc import ArtifactServiceStub
from registry_client.aio.listing import Listed, Listing
from registry_client.errors import AlreadyExists
from registry_client.patches import filled, mask
from registry_client.resources import ArtifactRecord
from registry_client.values import Property, property_message

if TYPE_CHECKING:
    from registry_client.aio.client import AsyncClient

ArtifactKind = Literal["DOCUMENT", "DATASET", "METRIC", "PARAMETER"]


class Artifact(ArtifactRecord):
    """A document, data set, metric or parameter."""

    def __init__(self, client: AsyncClient, message: pb.Artifact) -> None:
        super().__init__(message)
        self._stub: Any = client.stub(ArtifactServiceStub)

    async def refresh(self) -> Self:
        """Read it again."""
        self.proto = (await self._stub.GetArtifact(pb.GetArtifactRequest(id=self.id))).artifact
        return self

    async def update(
        self,
        *,
        name: str | None = None,
        value: Property | None = None,
        uri: str | None = None,
        description: str | None = None,
        digest: str | None = None,
        size_bytes: int | None = None,
        labels: Mapping[str, str] | None = None,
        properties: Mapping[str, Property] | None = None,
        external_id: str | None = None,
        clear: Iterable[str] = (),
        etag: str = "",
    ) -> Self:
        """Change what is given, and clear the fields that are named, as `Version.update` does."""
        given = {
            "name": name,
            "value": None if value is None else property_message(value),
            "uri": uri,
            "description": description,
            "digest": digest,
            "size_bytes": size_bytes,
            "labels": labels,
            "properties": properties,
            "external_id": external_id,
        }
        request = pb.UpdateArtifactRequest(
            id=self.id, artifact=filled(pb.ArtifactPatch, given), update_mask=mask(given, clear), etag=etag
        )
        self.proto = (await self._stub.UpdateArtifact(request)).artifact
        return self

    async def delete(self, *, etag: str = "") -> None:
        """Delete it."""
        await self._stub.DeleteArtifact(pb.DeleteArtifactRequest(id=self.id, etag=etag))


class Artifacts(Listed[Artifact]):
    """The artifacts of a version; without one, those of the project."""

    def __init__(self, client: AsyncClient, version_id: str = "") -> None:
        self._client, self._version_id = client, version_id
        self._stub: Any = client.stub(ArtifactServiceStub)

    async def get(self, id: str) -> Artifact:
        """Raises NotFound."""
        return Artifact(self._client, (await self._stub.GetArtifact(pb.GetArtifactRequest(id=id))).artifact)

    def list(
        self, kind: ArtifactKind | Literal["MODEL", ""] = "", *, filter: str = "", order_by: str = ""
    ) -> Listing[Artifact]:
        """Those that match, the newest first unless `order_by` says otherwise."""
        request = pb.ListArtifactsRequest(
            model_version_id=self._version_id,
            kind=f"ARTIFACT_KIND_{kind or 'UNSPECIFIED'}",
            filter=filter,
            order_by=order_by,
            page_size=100,
        )
        return Listing(self._stub.ListArtifacts, request, "artifacts", partial(Artifact, self._client))

    async def create(
        self,
        kind: ArtifactKind,
        name: str,
        *,
        value: Property | None = None,
        uri: str = "",
        description: str = "",
        digest: str = "",
        size_bytes: int = 0,
        labels: Mapping[str, str] | None = None,
        properties: Mapping[str, Property] | None = None,
        external_id: str = "",
        exist_ok: bool = False,
    ) -> Artifact:
        """Metrics and parameters have a value, documents and data sets a uri.

        Raises AlreadyExists if there is an artifact with the name. With `exist_ok`, that artifact is the answer if its
        kind, value and uri are the same. The other arguments do not change it.
        """
        given = {
            "model_version_id": self._version_id or None,
            "kind": f"ARTIFACT_KIND_{kind}",
            "name": name,
            "value": None if value is None else property_message(value),
            "uri": uri,
            "description": description,
            "digest": digest,
            "size_bytes": size_bytes,
            "labels": labels,
            "properties": properties,
            "external_id": external_id,
        }
        wanted = filled(pb.NewArtifact, given)
        try:
            answer = await self._stub.CreateArtifact(pb.CreateArtifactRequest(artifact=wanted))
        except AlreadyExists as error:
            if not exist_ok or error.reason != "ARTIFACT_NAME_TAKEN":
                raise
            there = await self.get(error.metadata["id"])
            if any(getattr(there.proto, each) != getattr(wanted, each) for each in ("kind", "value", "uri")):
                error.hint = "The kind, value or uri of that artifact differs: update() changes it."
                raise
            return there
        return Artifact(self._client, answer.artifact)

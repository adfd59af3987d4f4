"""ArtifactService."""

from __future__ import annotations

from uuid import UUID

from modelregistry.v1 import artifact_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.artifact import artifact_message
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, order_of, word_in
from registry_grpc.adapters.grpc.request_fields import Reader, allowing_missing, body_id, patch_of, path_id
from registry_grpc.adapters.grpc.rpc import cursor_page, nothing_but_grpc, only_grpc, rpc
from registry_grpc.adapters.rest.etags import etags_in
from registry_grpc.domain.access import Role
from registry_grpc.domain.artifact import (
    FILTER_FIELDS,
    SORT_FIELDS,
    Artifact,
    ArtifactFilter,
    ArtifactKind,
    ArtifactPatch,
    NewArtifact,
)
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import NEWEST_FIRST, Page
from registry_grpc.ports.repositories import ArtifactRepository
from registry_grpc.services.artifacts import Artifacts


def _id(text: str) -> UUID:
    return path_id(text, "id", "invalid artifact id")


class ArtifactServicer:
    """The RPCs on artifacts."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ArtifactService"]

    def __init__(self, artifacts: ArtifactRepository, use_cases: Artifacts) -> None:
        self._artifacts = artifacts
        self._use_cases = use_cases

    @rpc(
        cursor_page(
            artifact_message, lambda items, token: pb.ListArtifactsResponse(artifacts=items, next_page_token=token)
        ),
        Role.VIEWER,
    )
    async def ListArtifacts(self, request: pb.ListArtifactsRequest, call: Call) -> Page[Artifact]:
        version = body_id(request.model_version_id, "model_version_id") if request.model_version_id else None
        filter_ = ArtifactFilter(
            model_version_id=version,
            kind=word_in(request, "kind", ArtifactKind),
            standing_alone=request.standing_alone,
            where=parse_filter(request.filter, FILTER_FIELDS),
        )
        sort = order_of(request, SORT_FIELDS, NEWEST_FIRST)
        return await self._artifacts.list(call.project_id, filter_, cursor_slice_of(request, call), sort)

    @rpc(only_grpc(artifact_message, lambda it: pb.GetArtifactResponse(artifact=it)), Role.VIEWER)
    async def GetArtifact(self, request: pb.GetArtifactRequest, call: Call) -> Artifact:
        return await self._artifacts.get(call.project_id, _id(request.id))

    @rpc(only_grpc(artifact_message, lambda it: pb.CreateArtifactResponse(artifact=it)), Role.EDITOR)
    async def CreateArtifact(self, request: pb.CreateArtifactRequest, call: Call) -> Artifact:
        kind = word_in(request.artifact, "kind", ArtifactKind)
        new = Reader(request.artifact, but=("kind",)).make(NewArtifact, kind=kind)
        return await self._use_cases.create(call.project_id, new)

    @rpc(only_grpc(artifact_message, lambda it: pb.UpdateArtifactResponse(artifact=it)), Role.EDITOR)
    async def UpdateArtifact(self, request: pb.UpdateArtifactRequest, call: Call) -> Artifact:
        patch = patch_of(ArtifactPatch, request.artifact, request)
        return await self._use_cases.update(call.project_id, _id(request.id), patch, etags_in(request.etag))

    @rpc(nothing_but_grpc(pb.DeleteArtifactResponse), Role.EDITOR)
    async def DeleteArtifact(self, request: pb.DeleteArtifactRequest, call: Call) -> None:
        with allowing_missing(request):
            await self._artifacts.delete(call.project_id, _id(request.id), etags_in(request.etag))

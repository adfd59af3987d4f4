"""TransferService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from modelregistry.v1 import transfer_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import message_of
from registry_grpc.adapters.grpc.mapping.transfer import lines_in, parts_of
from registry_grpc.adapters.grpc.request_fields import body_id
from registry_grpc.adapters.grpc.rpc import client_stream_rpc, only_grpc, rpc, stream_rpc
from registry_grpc.adapters.grpc.servicers.model_versions import version_message
from registry_grpc.domain.access import Role
from registry_grpc.domain.errors import Overloaded
from registry_grpc.domain.transfer import Imported
from registry_grpc.services.transfer import Copied, Transfers

MOST_EXPORTS = 2
"""How many exports a worker makes at a time. Each has a connection of its own to the database."""
MOST_IMPORTS = 4
"""How many imports a worker receives at a time. Each may hold a batch and the beginning of a long line in memory."""
LONGEST_EXPORT = 900.0
"""How many seconds an export may take. Until its end, PostgreSQL keeps all rows that are changed or deleted."""
LONGEST_PAUSE = 60.0
"""How many seconds an import may send nothing while the worker waits for its next part."""


def _part(part: bytes) -> pb.ExportProjectResponse:
    return pb.ExportProjectResponse(ndjson=part)


def _imported(imported: Imported) -> pb.ImportProjectResponse:
    ids = [str(id_) for id_ in imported.first_version_ids_without_keys]
    return message_of(pb.ImportProjectResponse, imported, first_version_ids_without_keys=ids)


def _copied(copied: Copied) -> pb.CopyModelVersionResponse:
    return message_of(pb.CopyModelVersionResponse, copied, model_version=version_message(copied.model_version))


async def _parts(requests: AsyncIterator[pb.ImportProjectRequest]) -> AsyncIterator[bytes]:
    """Raises TimeoutError when the sender pauses for too long."""
    while True:
        async with asyncio.timeout(LONGEST_PAUSE):
            if (request := await anext(requests, None)) is None:
                return
        yield request.ndjson


class TransferServicer:
    """The RPCs on exports, imports and copies."""

    SERVICE = pb.DESCRIPTOR.services_by_name["TransferService"]

    def __init__(self, transfers: Transfers) -> None:
        self._transfers = transfers
        self._exports, self._imports = asyncio.Semaphore(MOST_EXPORTS), asyncio.Semaphore(MOST_IMPORTS)

    @stream_rpc(only_grpc(_part), Role.VIEWER, longest=LONGEST_EXPORT)
    async def ExportProject(
        self,
        request: pb.ExportProjectRequest,  # noqa: ARG002 - it is empty
        call: Call,
    ) -> AsyncGenerator[bytes, None]:
        if self._exports.locked():
            raise Overloaded
        async with self._exports, aclosing(parts_of(self._transfers.export(call.project_id))) as parts:
            async for part in parts:
                yield part

    @client_stream_rpc(only_grpc(_imported), Role.DEPLOYER)
    async def ImportProject(self, request: AsyncIterator[pb.ImportProjectRequest], call: Call) -> Imported:
        if self._imports.locked():
            raise Overloaded
        async with self._imports:
            return await self._transfers.import_(call.project_id, lines_in(_parts(request)), call.user)

    @rpc(only_grpc(_copied), Role.EDITOR)
    async def CopyModelVersion(self, request: pb.CopyModelVersionRequest, call: Call) -> Copied:
        given = request.source_project_id
        source = body_id(given, "source_project_id") if given else call.project_id
        source = await call.other_project(source, Role.ADMIN if request.with_keys else Role.VIEWER)
        return await self._transfers.copy(
            call.project_id,
            body_id(request.registered_model_id, "registered_model_id"),
            source,
            body_id(request.model_version_id, "model_version_id"),
            name=request.name,
            with_keys=request.with_keys,
        )

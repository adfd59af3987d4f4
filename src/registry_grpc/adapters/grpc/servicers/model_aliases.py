"""ModelAliasService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from modelregistry.v1 import model_alias_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, message_of, order_of
from registry_grpc.adapters.grpc.request_fields import allowing_missing, body_id, require
from registry_grpc.adapters.grpc.rpc import cursor_page, nothing_but_grpc, only_grpc, rpc
from registry_grpc.domain.access import Role
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.model_alias import (
    BY_NAME,
    FILTER_FIELDS,
    LAST_MOVE_FIRST,
    MOVE_FILTER_FIELDS,
    MOVE_SORT_FIELDS,
    SORT_FIELDS,
    AliasChange,
    ModelAlias,
    ModelAliasMove,
)
from registry_grpc.domain.paging import Page
from registry_grpc.domain.patch import UNSET
from registry_grpc.ports.repositories import ModelAliasRepository


def _alias(alias: ModelAlias) -> pb.ModelAlias:
    return message_of(pb.ModelAlias, alias)


def _move(move: ModelAliasMove) -> pb.ModelAliasMove:
    return message_of(pb.ModelAliasMove, move)


def _model_id(request: Any) -> UUID:
    return body_id(request.registered_model_id, "registered_model_id")


def _conditions(request: Any) -> dict[str, Any]:
    expected: Any = UNSET
    if request.HasField("expected_version_id"):
        text = request.expected_version_id
        expected = body_id(text, "expected_version_id") if text else None
    return {"name": request.name, "expected_version_id": expected, "force": request.force}


class ModelAliasServicer:
    """The RPCs on aliases."""

    SERVICE = pb.DESCRIPTOR.services_by_name["ModelAliasService"]

    def __init__(self, aliases: ModelAliasRepository) -> None:
        self._aliases = aliases

    @rpc(only_grpc(_alias, lambda it: pb.SetModelAliasResponse(model_alias=it)), Role.EDITOR)
    async def SetModelAlias(self, request: pb.SetModelAliasRequest, call: Call) -> ModelAlias:
        require(request, "name", "version")
        protected = request.is_protected if request.HasField("is_protected") else None
        change = AliasChange(version=request.version, is_protected=protected, **_conditions(request))
        return await self._aliases.set(call.project_id, _model_id(request), change, call.user)

    @rpc(nothing_but_grpc(pb.DeleteModelAliasResponse), Role.EDITOR)
    async def DeleteModelAlias(self, request: pb.DeleteModelAliasRequest, call: Call) -> None:
        change = AliasChange(**_conditions(request))
        with allowing_missing(request):
            await self._aliases.delete(call.project_id, _model_id(request), change, call.user)

    @rpc(
        cursor_page(
            _alias, lambda items, token: pb.ListModelAliasesResponse(model_aliases=items, next_page_token=token)
        ),
        Role.VIEWER,
    )
    async def ListModelAliases(self, request: pb.ListModelAliasesRequest, call: Call) -> Page[ModelAlias]:
        sort, where = order_of(request, SORT_FIELDS, BY_NAME), parse_filter(request.filter, FILTER_FIELDS)
        slice_ = cursor_slice_of(request, call, str)
        return await self._aliases.list(call.project_id, _model_id(request), slice_, sort, where)

    @rpc(
        cursor_page(
            _move, lambda items, token: pb.ListModelAliasMovesResponse(model_alias_moves=items, next_page_token=token)
        ),
        Role.VIEWER,
    )
    async def ListModelAliasMoves(self, request: pb.ListModelAliasMovesRequest, call: Call) -> Page[ModelAliasMove]:
        slice_ = cursor_slice_of(request, call, int)
        sort = order_of(request, MOVE_SORT_FIELDS, LAST_MOVE_FIRST)
        where = parse_filter(request.filter, MOVE_FILTER_FIELDS)
        return await self._aliases.moves(call.project_id, _model_id(request), request.name, slice_, sort, where)

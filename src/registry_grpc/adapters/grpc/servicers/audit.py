"""AuditService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from modelregistry.v1 import audit_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, message_of
from registry_grpc.adapters.grpc.rpc import cursor_page, only_grpc, rpc, stream_rpc
from registry_grpc.domain.access import Role
from registry_grpc.domain.audit import FILTER_FIELDS, AuditEntry
from registry_grpc.domain.errors import InvalidRequest, PermissionDenied, Violation
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Page
from registry_grpc.services.audit import Audit


def _entry(entry: AuditEntry) -> pb.AuditEntry:
    return message_of(pb.AuditEntry, entry)


class AuditServicer:
    """The RPCs on the audit log."""

    SERVICE = pb.DESCRIPTOR.services_by_name["AuditService"]

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    @rpc(
        cursor_page(
            _entry, lambda items, token: pb.ListAuditEntriesResponse(audit_entries=items, next_page_token=token)
        ),
        Role.ADMIN,
    )
    async def ListAuditEntries(self, request: pb.ListAuditEntriesRequest, call: Call) -> Page[AuditEntry]:
        where = parse_filter(request.filter, FILTER_FIELDS)
        return await self._audit.list(_project(request, call), where, cursor_slice_of(request, call))

    @stream_rpc(only_grpc(_entry, lambda it: pb.WatchAuditEntriesResponse(audit_entry=it)), Role.ADMIN)
    def WatchAuditEntries(self, request: pb.WatchAuditEntriesRequest, call: Call) -> AsyncIterator[AuditEntry]:
        position = request.after_position if request.HasField("after_position") else None
        if position is not None and position < 0:
            raise InvalidRequest([Violation("after_position", "must be at least 0")])
        where = parse_filter(request.filter, FILTER_FIELDS)
        return self._audit.watch(_project(request, call), where, position)


def _project(request: Any, call: Call) -> UUID | None:
    """None for all projects."""
    if not request.all_projects:
        return call.project_id
    if call.role is not Role.OPERATOR:
        raise PermissionDenied(Role.OPERATOR.name, call.role.name if call.role else "")
    return None

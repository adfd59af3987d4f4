"""EventService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from modelregistry.v1 import event_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, message_of, time_of
from registry_grpc.adapters.grpc.request_fields import filter_id
from registry_grpc.adapters.grpc.rpc import cursor_page, only_grpc, rpc, stream_rpc
from registry_grpc.domain.access import Role
from registry_grpc.domain.event import FILTER_FIELDS, Event, EventFilter
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Page
from registry_grpc.services.event_log import Bookmark, Events


def _event(event: Event) -> pb.Event:
    return message_of(pb.Event, event)


def _watched(each: Event | Bookmark) -> pb.WatchEventsResponse:
    event = _event(each) if isinstance(each, Event) else None
    return pb.WatchEventsResponse(event=event, resume_token=each.resume_token)


class EventServicer:
    """The RPCs on the event log."""

    SERVICE = pb.DESCRIPTOR.services_by_name["EventService"]

    def __init__(self, events: Events) -> None:
        self._events = events

    @rpc(
        cursor_page(_event, lambda items, token: pb.ListEventsResponse(events=items, next_page_token=token)),
        Role.VIEWER,
    )
    async def ListEvents(self, request: pb.ListEventsRequest, call: Call) -> Page[Event]:
        filter_ = EventFilter(
            **_conditions(request, call),
            occurred_from=time_of(request, "occurred_from"),
            occurred_before=time_of(request, "occurred_before"),
        )
        slice_ = cursor_slice_of(request, call)
        return await self._events.list(call.project_id, filter_, slice_, oldest_first=request.oldest_first)

    @stream_rpc(only_grpc(_watched), Role.VIEWER)
    def WatchEvents(self, request: pb.WatchEventsRequest, call: Call) -> AsyncIterator[Event | Bookmark]:
        filter_ = EventFilter(**_conditions(request, call))
        return self._events.watch(call.project_id, filter_, request.resume_token or None)


def _conditions(request: Any, call: Call) -> dict[str, Any]:
    return {
        "types": tuple(request.types),
        "resource_id": filter_id(request.resource_id, "resource_id", call),
        "registered_model_id": filter_id(request.registered_model_id, "registered_model_id", call),
        "where": parse_filter(request.filter, FILTER_FIELDS),
    }

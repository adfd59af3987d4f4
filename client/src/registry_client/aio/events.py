"""The event log of the project."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelregistry.v1 import event_pb2 as pb
from modelregistry.v1.event_pb2_grpc import EventServiceStub
from registry_client.aio import runtime
from registry_client.aio.listing import Listed, Listing
from registry_client.aio.watching import watched
from registry_client.resources import Event
from registry_client.values import timestamp

if TYPE_CHECKING:
    from registry_client.aio.client import AsyncClient


class Events(Listed[Event]):
    """Every change of any resource of the project, whoever made it."""

    def __init__(self, client: AsyncClient) -> None:
        self._stub: Any = client.stub(EventServiceStub)

    def list(
        self,
        types: Iterable[str] = (),
        *,
        resource_id: str = "",
        registered_model_id: str = "",
        since: datetime | None = None,
        before: datetime | None = None,
        oldest_first: bool = False,
        filter: str = "",
    ) -> Listing[Event]:
        """Those of the types, such as `version.created`, or of all types of a kind, such as `version`."""
        request = pb.ListEventsRequest(
            types=types,
            resource_id=resource_id,
            registered_model_id=registered_model_id,
            occurred_from=None if since is None else timestamp(since),
            occurred_before=None if before is None else timestamp(before),
            oldest_first=oldest_first,
            filter=filter,
            page_size=100,
        )
        return Listing(self._stub.ListEvents, request, "events", Event)

    async def watch(
        self,
        types: Iterable[str] = (),
        *,
        after: str = "",
        resource_id: str = "",
        registered_model_id: str = "",
        filter: str = "",
        timeout: float | None = None,
    ) -> runtime.Stream[Event]:
        """Each event when it happens, from now on, or after the event whose `resume_token` is given. A watch that
        breaks goes on by itself, and misses nothing.

        Raises OutOfRange if the log cannot be continued after the token; DeadlineExceeded after the timeout.
        """
        asked = list(types)

        def request_after(token: str) -> pb.WatchEventsRequest:
            return pb.WatchEventsRequest(
                resume_token=token or after,
                types=asked,
                resource_id=resource_id,
                registered_model_id=registered_model_id,
                filter=filter,
            )

        answers = watched(self._stub.WatchEvents, request_after, lambda answer: str(answer.resume_token), timeout)
        async with aclosing(answers):
            async for answer in answers:
                if answer.HasField("event"):
                    yield Event(answer.event)

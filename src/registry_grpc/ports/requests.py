"""The port that remembers the answers to requests, so that a request can be sent again when its answer was lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to which its caller gave an id. `content` is equal for equal requests. It may contain secrets."""

    project_id: UUID
    id: str
    rpc: str
    content: bytes = field(repr=False)


class Requests(Protocol):
    """Carries out each request once, and remembers its answer for a day or longer."""

    async def once(
        self, request: Request, work: Callable[[], Awaitable[bytes]], resume: Callable[[UUID], Awaitable[bytes]]
    ) -> bytes:
        """The answer of `work`, or that of the earlier request with this id. Everything that `work` writes is stored
        together with the answer, or nothing is, so that a refused request can be sent again. Of concurrent requests
        with one id, the others wait for the first.

        Between `settle` and its answer, the process of the first may have ended, so the others do not wait: what
        `resume` answers to one of them is the answer to all. Raises RequestIdReused if the earlier request was another
        one; ConcurrentChange if it takes too long.
        """

    async def settle(self, id: UUID) -> None:
        """Commit what the present request has written, because it is about to call the cluster. From here on, `resume`
        can answer it from the state of the deployment with this id. Does nothing for a request without an id."""


async def nothing_to_settle(_id: UUID) -> None:
    """For use cases whose requests have no ids."""

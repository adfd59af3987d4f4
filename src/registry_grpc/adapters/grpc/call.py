"""What is known of one call of an RPC besides its request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import grpc

NO_PROJECT = UUID(int=0)

# It is for the log only, where no client may write as much as it likes. The gateway's log cuts it as well.
_LONGEST_REQUEST_ID = 128
_READ = frozenset(("project-id", "x-request-id", "x-user", "x-envoy-original-path"))


@dataclass(slots=True, kw_only=True)
class Call:
    """One call. Use cases are told `project_id` and `user`; the rest is for adapters."""

    method: str
    """`modelregistry.v1.RegisteredModelService/GetRegisteredModel`, for the log."""
    request_id: str = ""
    """The caller's, or a new one."""
    project_id: UUID = NO_PROJECT
    user: str = ""
    """Who calls, as the caller says; for the history of deployments."""
    is_rest: bool = False
    """Whether it came over a REST route. The use cases do not care; a few lenient rules of the contract do."""
    code: grpc.StatusCode = grpc.StatusCode.OK
    """How it ended, for the log."""

    def identify(self, metadata: dict[str, str]) -> None:
        self.request_id = metadata.get("x-request-id", "")[:_LONGEST_REQUEST_ID] or str(uuid4())
        self.user = metadata.get("x-user", "")


def metadata_of(pairs: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    """The metadata that the service reads. Of a key that is given more than once the first counts, as it did for the Go
    service, but two different projects are as good as none: somebody in between may have checked the other one."""
    found: dict[str, str] = {}
    for key, value in pairs or ():
        if key in _READ and found.setdefault(key, value) != value and key == "project-id":
            found[key] = ""
    return found

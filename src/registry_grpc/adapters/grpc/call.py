"""One call of an RPC: who calls and for which project, besides the request itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import grpc

from registry_grpc.domain.errors import ProjectIdRequired
from registry_grpc.domain.ids import parse_uuid

NO_PROJECT = UUID(int=0)

# The request id only goes into the log, so a longer one is cut. The gateway's log cuts it as well.
_LONGEST_REQUEST_ID = 128
_READ = frozenset(("project-id", "x-request-id", "x-user", "x-envoy-original-path"))


@dataclass(slots=True, kw_only=True)
class Call:
    """One call. Use cases get `project_id` and `user`; only adapters read the rest."""

    method: str
    """`modelregistry.v1.RegisteredModelService/GetRegisteredModel`, for the log."""
    request_id: str = ""
    """The id that the caller sent, or a new one."""
    project_id: UUID = NO_PROJECT
    user: str = ""
    """The name that the caller gives for itself. The history of deployments keeps it."""
    is_rest: bool = False
    """Whether the call came over a REST route, for which the contract has a few lenient rules."""
    code: grpc.StatusCode = grpc.StatusCode.OK
    """The code that the log shows."""

    def identify(self, metadata: dict[str, str]) -> None:
        """Raises ProjectIdRequired."""
        self.request_id = metadata.get("x-request-id", "")[:_LONGEST_REQUEST_ID] or str(uuid4())
        self.user = metadata.get("x-user", "")
        self.project_id = _project_id(metadata.get("project-id", ""))


@lru_cache(maxsize=1024)  # the same few projects call all the time
def _project_id(text: str) -> UUID:
    """Refuses the all-zero UUID, which switched tenancy off in the Go service (quirks Q1, Q2)."""
    project_id = parse_uuid(text)
    if project_id is None or project_id == NO_PROJECT:
        raise ProjectIdRequired
    return project_id


def metadata_of(pairs: Iterable[tuple[str, Any]] | None) -> dict[str, str]:
    """The metadata that the service reads. The first value of a repeated key counts, as in the Go service.

    Two different projects count as none, because a proxy in between may have checked the other one.
    """
    found: dict[str, str] = {}
    for key, value in pairs or ():
        if key in _READ and found.setdefault(key, value) != value and key == "project-id":
            found[key] = ""
    return found

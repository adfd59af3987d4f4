"""Refused calls in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from registry_grpc.adapters.grpc.call import Peers
from registry_grpc.adapters.grpc.handlers import Auditing
from registry_grpc.domain.audit import Refused
from registry_grpc.domain.webhook import networks_of

LOOPBACK = Peers(networks_of(("127.0.0.0/8",)))


@dataclass
class Noted:
    """Keeps what is noted. `error` is raised instead, if there is one."""

    refused: list[Refused] = field(default_factory=list)
    error: Exception | None = None

    async def note(self, refused: Refused) -> None:
        if self.error is not None:
            raise self.error
        self.refused.append(refused)


def auditing(noted: Any = None) -> Auditing:
    """Audits into `noted`, or nowhere."""
    return Auditing((noted or Noted()).note, LOOPBACK)

"""Who makes the changes of the present call, and how: the event log and the audit log keep it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple

NAMELESS = "registry"
"""A caller that gave no name."""
CONTROLLER = "controller"
"""What follows from the state of the cluster, whichever process has seen it."""


class Origin(NamedTuple):
    """What the audit log keeps of a call, besides the name of the caller."""

    authentication: str
    """As Caller.method."""
    rpc: str
    request_id: str
    address: str
    """That of the client, as far as the registry knows it."""


ACTOR: ContextVar[str] = ContextVar("actor", default=NAMELESS)
ORIGIN: ContextVar[Callable[[], Origin] | None] = ContextVar("origin", default=None)
"""A function, because only writes need it."""

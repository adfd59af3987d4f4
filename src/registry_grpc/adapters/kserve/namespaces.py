"""Reads whether a namespace exists, which takes a right that is not bound in the namespace itself."""

from __future__ import annotations

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api
from registry_grpc.adapters.kserve.errors import StatusError

GONE = ""
TERMINATING = "Terminating"


async def phase_of(api: Api, namespace: str) -> str | None:
    """The phase of the namespace; GONE if it does not exist, None if the registry may not know. Raises Unreachable."""
    try:
        found = await api.find(kinds.NAMESPACES, namespace)
    except StatusError:
        return None
    return GONE if found is None else (found.get("status") or {}).get("phase") or "Active"

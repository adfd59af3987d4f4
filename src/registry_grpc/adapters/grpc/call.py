"""One RPC on its way through the interceptors to its servicer and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.message import Message

_NO_PROJECT = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """A method of a service, as far as its interceptors need to know it. Made once, when the server starts."""

    name: str
    """`modelregistry.v1.RegisteredModelService/GetRegisteredModel`."""
    parse: Callable[[bytes], Message]
    """Reads the message of the request."""
    body: str
    """The field of the request that is the body of its route: `registered_model`; empty when there is none."""
    is_rest: bool
    """Whether it came over a REST route. The use cases do not care; a few lenient rules of the contract do."""
    is_stream: bool


@dataclass(slots=True)
class Call:
    """What is known of one call of an RPC besides its request. Interceptors fill it in."""

    rpc: Rpc
    context: grpc.aio.ServicerContext[Any, Any]
    metadata: dict[str, Any]
    request_id: str = ""
    project_id: UUID = _NO_PROJECT
    code: grpc.StatusCode = grpc.StatusCode.OK
    """How it ended, for the access log."""

    @property
    def user(self) -> str:
        """Who calls, as the caller says; for the history of deployments."""
        return str(self.metadata.get("x-user", ""))


Handler = Callable[[Call, Any], Awaitable[Any]]
Interceptor = Callable[[Handler], Handler]

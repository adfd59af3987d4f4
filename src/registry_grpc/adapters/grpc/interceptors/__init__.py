"""What happens to every RPC: one file each, and their order, which is data."""

from __future__ import annotations

from registry_grpc.adapters.grpc.call import Handler, Interceptor
from registry_grpc.adapters.grpc.interceptors.access_log import access_log
from registry_grpc.adapters.grpc.interceptors.deadline import deadline
from registry_grpc.adapters.grpc.interceptors.errors import errors
from registry_grpc.adapters.grpc.interceptors.request_id import request_id
from registry_grpc.adapters.grpc.interceptors.tenant import tenant
from registry_grpc.adapters.grpc.interceptors.validation import validation

# From the outside in. The log stands outside of the errors, so that it sees the code the client gets.
ORDER: tuple[Interceptor, ...] = (request_id, access_log, errors, deadline, tenant, validation)


def intercepted(handler: Handler) -> Handler:
    """The handler behind all interceptors. Put together once per method, when the server starts."""
    for interceptor in reversed(ORDER):
        handler = interceptor(handler)
    return handler

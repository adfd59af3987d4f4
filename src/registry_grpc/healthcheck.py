"""`registry-grpc healthcheck`, for container probes. Imports little, because it starts anew with every probe."""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from registry_grpc.settings import Settings

_PATIENCE_SECONDS = 3.0


def healthcheck(settings: Settings, address: str | None) -> None:
    """Exit status 0 when it serves, 1 otherwise."""
    target = address or f"{settings.worker_host}:{settings.worker_port}"
    # A proxy of the environment is for calls to elsewhere.
    with grpc.insecure_channel(target, options=(("grpc.enable_http_proxy", 0),)) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE_SECONDS)
        except grpc.RpcError as error:
            sys.exit(f"{target} does not serve: {error.code().name}")
    print(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))  # noqa: T201
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        sys.exit(1)

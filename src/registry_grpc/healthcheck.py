"""`registry-grpc healthcheck`, for container probes. It imports little, because each probe starts a new process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from registry_grpc.settings import Settings
from registry_grpc.tls import Endpoint

_PATIENCE_SECONDS = 3.0


def healthcheck(settings: Settings, targets: Sequence[str]) -> None:
    """Exits with status 1 unless all targets serve."""
    endpoints = [Endpoint(settings, target) for target in targets]
    with ThreadPoolExecutor(len(targets)) as pool:
        found = dict(zip(targets, pool.map(_status_of, endpoints), strict=True))
    for target, status in found.items():
        print(f"{target.rpartition('://')[2]} {status}")  # noqa: T201
    if set(found.values()) != {"SERVING"}:
        sys.exit(1)


def _status_of(endpoint: Endpoint) -> str:
    """The serving status of the endpoint, or why there is none. Raises ConfigurationError."""
    with endpoint.channel() as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE_SECONDS)
        except grpc.RpcError as error:
            why = endpoint.problem() if error.code() is grpc.StatusCode.UNAVAILABLE else ""
            return f"does not serve: {error.code().name}{why and f': {why}'}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

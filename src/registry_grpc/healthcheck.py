"""`registry-grpc healthcheck`, for container probes. It imports little, because each probe starts a new process."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from registry_grpc.settings import Settings

_PATIENCE_SECONDS = 3.0


def healthcheck(settings: Settings, address: str | None) -> None:
    """Exits with status 1 unless all targets serve: the address, or all workers without one."""
    targets = [address] if address else settings.worker_addresses
    with ThreadPoolExecutor(len(targets)) as pool:
        found = dict(zip(targets, pool.map(_status_of, targets), strict=True))
    for target, status in found.items():
        print(f"{target} {status}")  # noqa: T201
    if set(found.values()) != {"SERVING"}:
        sys.exit(1)


def _status_of(target: str) -> str:
    """The serving status of the target, or why there is none."""
    # A proxy of the environment must not be used for this.
    with grpc.insecure_channel(target, options=(("grpc.enable_http_proxy", 0),)) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE_SECONDS)
        except grpc.RpcError as error:
            return f"does not serve: {error.code().name}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

"""`registry-grpc healthcheck`, for container probes. Imports little, because it starts anew with every probe."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from registry_grpc.settings import Settings

_PATIENCE_SECONDS = 3.0


def healthcheck(settings: Settings, address: str | None) -> None:
    """Exit status 0 when what was asked serves, 1 otherwise. Without an address, all workers are asked at once."""
    targets = [address] if address else settings.worker_addresses
    with ThreadPoolExecutor(len(targets)) as pool:
        found = dict(zip(targets, pool.map(_status_of, targets), strict=True))
    for target, status in found.items():
        print(f"{target} {status}")  # noqa: T201
    if set(found.values()) != {"SERVING"}:
        sys.exit(1)


def _status_of(target: str) -> str:
    """What it says, or why it does not."""
    # A proxy of the environment is for calls to elsewhere.
    with grpc.insecure_channel(target, options=(("grpc.enable_http_proxy", 0),)) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=_PATIENCE_SECONDS)
        except grpc.RpcError as error:
            return f"does not serve: {error.code().name}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

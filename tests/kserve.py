"""The adapter under test on a cluster, and helpers for tests of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from registry_grpc.adapters.kserve.api import Api
from registry_grpc.adapters.kserve.client import connect
from registry_grpc.adapters.kserve.cluster import KServeCluster
from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.kserve.throttle import Limits
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.evidence import Evidence
from registry_grpc.domain.model_version import Credentials

REGISTRY_ID = UUID("6f0e5c1a-0000-4000-8000-000000000001")
NO_KEYS = Credentials()
QUICK = Limits(requests_per_second=1000, burst=1000, timeout=10)
IMPATIENT = Pace(first_pause=0.02, longest_pause=0.1, shortest_watch=0.05, refused=(0.05, 0.1), new_namespaces=0.05)
PATIENCE = 60.0


@asynccontextmanager
async def connected(
    kubeconfig: Path,
    *,
    registry_id: UUID = REGISTRY_ID,
    limits: Limits = QUICK,
    namespaces: tuple[str, ...] = (),
    pace: Pace = IMPATIENT,
) -> AsyncIterator[KServeCluster]:
    """The adapter, which is closed at the end."""
    api = Api(await connect(kubeconfig), limits)
    cluster = KServeCluster(api, registry_id=registry_id, namespaces=namespaces, pace=pace)
    try:
        yield cluster
    finally:
        await cluster.close()


async def applied(
    cluster: KServeCluster, deployment: Deployment, credentials: Credentials = NO_KEYS, *, force: bool = False
) -> Deployment:
    """The deployment after an apply that is based on a new observation, as the reconciler stores it."""
    seen = await cluster.observe(deployment)
    result = await cluster.apply(deployment, credentials, seen=seen, force=force)
    return replace(deployment, applied=result, applied_generation=deployment.generation, applied_at=seen.at)


async def observed(
    cluster: KServeCluster, deployment: Deployment, holds: Callable[[Evidence], bool] = lambda _: True
) -> Evidence:
    """The first observation that meets the condition."""
    deadline = time.monotonic() + PATIENCE
    while True:
        evidence = await cluster.observe(deployment)
        if holds(evidence):
            return evidence
        assert time.monotonic() < deadline, f"still {evidence}"
        await asyncio.sleep(0.05)


def is_serving(evidence: Evidence) -> bool:
    """Ready and rolled out. KServe still writes its status for a moment after that."""
    live, rollout = evidence.live, evidence.rollout
    return (
        live is not None
        and live.ready is not None
        and live.ready.is_true
        and live.transition_status == "UpToDate"
        and rollout is not None
        and rollout.is_complete
        and rollout.revision == live.revision
    )


def is_gone(evidence: Evidence) -> bool:
    return evidence.live is None

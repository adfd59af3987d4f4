"""A queue with the deployments and the time of a test, and results of passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.deployment_queue import InMemoryDeploymentQueue
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.store import InMemoryStore

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.domain.decision import PassResult, ServiceView
from registry_grpc.domain.deployment import Applied, Deployment, Phase
from registry_grpc.domain.inference_service import ServiceState
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.ports.cluster import OwnedObject
from registry_grpc.ports.deployments import Claim, DeploymentQueue

AFTER_THE_REQUEST = timedelta(seconds=3)
"""The time after which the request that made a deployment should have made its first pass."""
AFTER_THE_LEASE = timedelta(seconds=10)
APPLIED = Applied(uid="uid-1", k8s_generation=1, resource_version="7", content={"spec": {}})
SERVING = ServiceView(
    current_state=ServiceState.DEPLOYED,
    external_id="uid-1",
    url="http://iris",
    last_error="",
    served_state=ServeModelState.RUNNING,
)
_BACKDATE = """
UPDATE deployment SET next_at = next_at - $1::interval, lease_until = lease_until - $1::interval,
    dirty_at = dirty_at - $1::interval
"""
_TIMES = {
    "deployment": ("created_at", "observed_at", "served_known_from", "phase_since", "tried_at"),
    "deployment_revision": ("created_at", "served_from", "served_until"),
    "deployment_serving": ("served_from", "served_until"),
    "deployment_event": ("occurred_at",),
}


@dataclass(frozen=True)
class Queues:
    """The queues of two processes on the same deployments, and a way to let time pass."""

    repositories: Repositories
    queue: DeploymentQueue
    elsewhere: DeploymentQueue
    let_pass: Callable[[timedelta], Awaitable[None]]
    restore: Callable[[], Awaitable[None]]
    """Changes the epoch, as if the present rows had been dumped and restored."""
    grow_old: Callable[[timedelta], Awaitable[datetime]]
    """Makes everything that has happened this much older, and returns the present time."""

    async def claimed(self) -> list[Claim]:
        """Claim everything that is due."""
        return await self.queue.claim(100)

    async def next(self) -> Claim:
        (claim,) = await self.queue.claim(1)
        return claim

    async def taken(self, deployment: Deployment) -> Claim:
        claim = await self.queue.claim_one(deployment.id)
        assert claim is not None
        return claim

    async def passed(self, deployment: Deployment, **result: Any) -> Deployment:
        """The deployment after a pass with this result."""
        assert await self.queue.record(await self.taken(deployment), a_result(deployment, **result))
        return await self.repositories.deployments.get(deployment.project_id, deployment.id)


def queues_in_memory() -> Queues:
    store = InMemoryStore()
    clock: Any = store.clock

    async def let_pass(span: timedelta) -> None:
        clock.advance(span)

    async def restore() -> None:
        store.restore()

    async def grow_old(span: timedelta) -> datetime:
        clock.advance(span)
        return store.clock.now()

    queues = InMemoryDeploymentQueue(store), InMemoryDeploymentQueue(store)
    return Queues(in_memory_repositories(store), *queues, let_pass, restore, grow_old)


def queues_on(database: Database, repositories: Repositories) -> Queues:
    async def let_pass(span: timedelta) -> None:
        await database.execute(_BACKDATE, span)

    async def restore() -> None:
        await database.execute("UPDATE registry_installation SET id = id")  # a restore writes this row again, too

    async def grow_old(span: timedelta) -> datetime:
        for table, columns in _TIMES.items():
            times = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
            await database.execute(f"UPDATE {table} SET {times}", span)
        [(now,)] = await database.fetch("SELECT now()")
        assert isinstance(now, datetime)
        return now

    queues = PostgresDeploymentQueue(database), PostgresDeploymentQueue(database)
    return Queues(repositories, *queues, let_pass, restore, grow_old)


def a_result(deployment: Deployment, **fields: Any) -> PassResult:
    """The result of a pass that found the current revision serving."""
    said: dict[str, Any] = {
        "phase": Phase.DEPLOYED,
        "reason": DeploymentReason.NONE,
        "message": "",
        "url": "http://iris",
        "drift": (),
        "applied": APPLIED,
        "applied_generation": deployment.generation,
        "applied_at": deployment.revised_at,
        "serving_generation": deployment.generation,
        "attempts": 0,
        "again_in": None,
        "has_seen": True,
        "service": SERVING,
    }
    return PassResult(**said | fields)


def seen(deployment: Deployment, **fields: Any) -> OwnedObject:
    """The object of a deployment, applied and ready."""
    said: dict[str, Any] = {
        "namespace": deployment.namespace,
        "name": deployment.name,
        "uid": APPLIED.uid,
        "k8s_generation": APPLIED.k8s_generation,
        "revision": deployment.generation,
        "is_ready": True,
        "deployment_id": deployment.id,
    }
    return OwnedObject(**said | fields)

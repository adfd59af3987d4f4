"""A cluster in memory, whose objects only change when a test changes them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from tests.fakes.clock import FakeClock

from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference, Want
from registry_grpc.domain.deployment_options import NO_OPTIONS, DeploymentOptions
from registry_grpc.domain.evidence import Condition, Evidence, LiveObject, Rollout
from registry_grpc.domain.explanation import Link
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.preflight import ClusterFacts
from registry_grpc.ports.cluster import Change, Cluster, NamespacesInUse

TRUE = Condition(status="True")
FALSE = Condition(status="False", reason="Starting")


async def nothing(_: str) -> None:
    """A function that is called before a method of the cluster does anything."""


@dataclass
class InMemoryCluster(Cluster):
    """Implements ports.cluster.Cluster. Applied objects serve at once unless `serves` is False. `meanwhile` is called
    with the name of each method before it does anything, and may raise."""

    clock: FakeClock
    serves: bool = True
    meanwhile: Callable[[str], Awaitable[None]] = nothing
    objects: dict[tuple[str, str], LiveObject] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    cleaned: list[Want] = field(default_factory=list)
    restored: list[Credentials | None] = field(default_factory=list)
    forced: list[bool] = field(default_factory=list)
    kept: bool = False
    links: tuple[Link, ...] = ()
    namespace_is_gone: bool = False
    news: asyncio.Queue[Change] = field(default_factory=asyncio.Queue)
    watching: int = 0

    @asynccontextmanager
    async def patience(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(seconds):
            yield

    async def observe(self, deployment: Deployment) -> Evidence:
        await self._called("observe")
        if self.namespace_is_gone:
            return Evidence(at=self.clock.now(), namespace_is_gone=True)
        live = self.objects.get((deployment.namespace, deployment.name))
        if live is None:
            return Evidence(at=self.clock.now())
        rollout = Rollout(revision=live.revision, is_observed=True, is_complete=live.ready is TRUE, is_available=True)
        return Evidence(at=self.clock.now(), live=live, rollout=rollout)

    async def trace(self, deployment: Deployment) -> tuple[Link, ...]:
        await self._called("trace")
        return self.links

    async def apply(
        self, deployment: Deployment, credentials: Credentials | None, *, seen: Evidence, force: bool
    ) -> Applied:
        await self._called("apply")
        self.forced.append(force)
        live = seen.live
        ready = TRUE if self.serves else FALSE
        stored = LiveObject(
            uid=live.uid if live else f"uid-{self.calls['apply']}",
            k8s_generation=live.k8s_generation + 1 if live else 1,
            resource_version=str(self.calls["apply"]),
            deployment_id=str(deployment.id),
            registry_id="registry",
            revision=deployment.generation,
            has_conditions=True,
            ready=ready,
            predictor_ready=ready,
            ingress_ready=TRUE,
            status_written_at=self.clock.now(),
            url="http://iris",
        )
        self.objects[deployment.namespace, deployment.name] = stored
        return Applied(
            uid=stored.uid,
            k8s_generation=stored.k8s_generation,
            resource_version="1",
            content={"annotations": {}, "spec": {}, "secrets": ["a-secret"]},
        )

    def keeps_secret(self, deployment: Deployment) -> bool:
        return self.kept

    async def delete(self, deployment: Deployment, *, seen: Evidence) -> None:
        await self._called("delete")
        del self.objects[deployment.namespace, deployment.name]

    async def restore_secret(self, deployment: Deployment, credentials: Credentials | None) -> None:
        await self._called("restore_secret")
        self.restored.append(credentials)

    async def clean_up(self, deployment: Deployment) -> Applied | None:
        await self._called("clean_up")
        self.cleaned.append(deployment.want)
        return deployment.applied

    async def look(self, namespace: str, name: str, inference_service_id: UUID | None) -> LiveObject | None:
        await self._called("look")
        live = self.objects.get((namespace, name))
        is_meant = inference_service_id is None or (live and live.deployment_id == str(inference_service_id))
        return live if is_meant else None

    async def remove(self, namespace: str, name: str, inference_service_id: UUID) -> None:
        await self._called("remove")
        self.objects.pop((namespace, name), None)

    async def changes(self, used: NamespacesInUse) -> AsyncGenerator[Change, None]:
        self.watching += 1
        try:
            while True:
                yield await self.news.get()
        finally:
            self.watching -= 1

    def change(self, deployment: Deployment, **fields: Any) -> None:
        """Change the object as somebody else would."""
        place = deployment.namespace, deployment.name
        self.objects[place] = replace(self.objects[place], **fields)

    async def manifest(self, deployment: Deployment, credentials: Credentials) -> str:
        raise NotImplementedError

    async def dry_run(self, deployment: Deployment, credentials: Credentials) -> tuple[FieldDifference, ...]:
        raise NotImplementedError

    async def facts(
        self, namespace: str, options: DeploymentOptions = NO_OPTIONS, *, canary_of: str = ""
    ) -> ClusterFacts:
        return ClusterFacts()

    async def close(self) -> None:
        pass

    async def _called(self, method: str) -> None:
        self.calls[method] += 1
        await self.meanwhile(method)

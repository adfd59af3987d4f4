"""The port to the cluster, a Kubernetes API with KServe."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference
from registry_grpc.domain.deployment_options import NO_OPTIONS, DeploymentOptions
from registry_grpc.domain.evidence import Evidence, LiveObject
from registry_grpc.domain.explanation import Link
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.preflight import ClusterFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedObject:
    """An InferenceService with this registry's mark."""

    namespace: str
    name: str
    uid: str
    k8s_generation: int
    revision: int
    """The revision from which it was applied; 0 when the object does not say."""
    is_ready: bool
    deployment_id: UUID | None
    """None when the label is not a UUID."""


@dataclass(frozen=True, slots=True)
class Relisted:
    """The watch of a namespace starts again: the present state of all objects with our mark in it (or EVERYWHERE)."""

    namespace: str
    objects: tuple[OwnedObject, ...]


@dataclass(frozen=True, slots=True)
class Unseen:
    """The API server refuses to list the objects of a namespace (or EVERYWHERE). A Relisted follows when it no longer
    does."""

    namespace: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An object with our mark (InferenceService, Deployment or pod) was created, changed or deleted, or its Secret was
    deleted, if the registry may watch Secrets."""

    deployment_id: UUID


Change = Relisted | Unseen | Changed
EVERYWHERE = ""
"""In place of a namespace."""
NamespacesInUse = Callable[[], Awaitable[Collection[str]]]


class Cluster(Protocol):
    """Every method raises domain.errors.Unavailable (CLUSTER_UNAVAILABLE) when the API server cannot be reached, is
    overloaded (429, 5xx) or does not answer in time, and domain.errors.ClusterReadFailed when it refuses a read."""

    def patience(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """Raise TimeoutError when the calls inside, which are made one after another, take longer in total. The time in
        which they wait for the registry's own limits does not count."""

    async def observe(self, deployment: Deployment) -> Evidence:
        """Read the deployment's object, its workload and pods, and, if something is wrong, its warning events."""

    async def trace(self, deployment: Deployment) -> tuple[Link, ...]:
        """Read the chain from the deployment's object to its containers and its URL, as far as the registry may. Texts
        may be long and have secrets."""

    async def apply(
        self, deployment: Deployment, credentials: Credentials | None, *, seen: Evidence, force: bool
    ) -> Applied:
        """Write the deployment's spec to the object by server-side apply, after its Secret. If the credentials are
        None, because they are no longer stored, the last Secret stays in use if `keeps_secret`.

        `seen` is the observation on which the apply is based: a missing object is created, an own one is updated with
        its uid and resourceVersion as preconditions. `force` takes over fields from other managers, and under the
        policy `enforce` removes what they added. Nothing stays of a canary that has ended. Applying the same deployment
        again changes nothing. Raises domain.evidence.ApplyRefused: with API_UNAVAILABLE if a later try may succeed,
        with NAME_TAKEN if another object has the name.
        """

    def keeps_secret(self, deployment: Deployment) -> bool:
        """Whether the spec needs keys, and the last applied object has a Secret for the same place."""

    async def delete(self, deployment: Deployment, *, seen: Evidence) -> None:
        """Delete the observed object (by uid, in the foreground) if it belongs to this deployment. Can be repeated.

        Raises ApplyRefused (FORBIDDEN, ADMISSION, REJECTED, API_UNAVAILABLE).
        """

    async def restore_secret(self, deployment: Deployment, credentials: Credentials | None) -> None:
        """Write the Secret of the applied object again: somebody may have deleted it, or there are other keys. Changes
        nothing if it is as it should be, or if the keys are no longer stored. Raises ApplyRefused."""

    async def clean_up(self, deployment: Deployment) -> Applied | None:
        """Delete the deployment's Secrets that are no longer needed. Can be repeated. Returns the applied object, which
        no longer has their names. Raises ApplyRefused.

        If the deployment is wanted ABSENT and its object is gone, these are all Secrets. If the wanted revision serves,
        these are the Secrets of earlier revisions, whose pods needed them until then.
        """

    async def manifest(self, deployment: Deployment, credentials: Credentials) -> str:
        """The object that would be applied, as JSON. Raises Unavailable only if the API server cannot be reached."""

    async def dry_run(self, deployment: Deployment, credentials: Credentials) -> tuple[FieldDifference, ...]:
        """Apply without effect, but with all webhooks. Returns the differences from the live object of that name.

        Raises ApplyRefused like `apply`, also for reads that the API server refuses; Unavailable only if the server
        cannot be reached."""

    async def facts(
        self, namespace: str, options: DeploymentOptions = NO_OPTIONS, *, canary_of: str = ""
    ) -> ClusterFacts:
        """Read the facts that preflight needs for these options, with those about canaries for the object of that name.
        Facts that cannot be read are None. Raises Unavailable only if the API server cannot be reached."""

    async def look(self, namespace: str, name: str, inference_service_id: UUID | None) -> LiveObject | None:
        """The object of that name, for a service that is not under deployment control. With an id, only if the object
        has it, as the objects of the Go service have."""

    async def remove(self, namespace: str, name: str, inference_service_id: UUID) -> None:
        """Delete the object of that name if it has the service's id, as the objects of the Go service have.

        Raises Unavailable and ClusterReadFailed only."""

    def changes(self, used: NamespacesInUse) -> AsyncGenerator[Change, None]:
        """Watch all objects with our mark, without end: yields a Relisted first, after every gap and every ten minutes,
        and a Changed for every change. After errors of the connection, this tries again with backoff.

        If the registry watches named namespaces, each of them is watched on its own, and so are those that `used`
        returns, which is asked again and again. No namespace waits for another one. If there are many, all of them are
        listed less often. When a right was taken away, Unseen follows within about a minute, or later with many."""

    async def close(self) -> None:
        """Close connections."""

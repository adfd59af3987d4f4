"""The cluster: one Kubernetes API with KServe, seen as the registry needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference
from registry_grpc.domain.evidence import Evidence, LiveObject
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
    """The one it was applied from; 0 when it does not say."""
    is_ready: bool
    deployment_id: UUID | None
    """None when the label is not a UUID."""


@dataclass(frozen=True, slots=True)
class Relisted:
    """The watch begins anew: all objects with our mark, as they are now."""

    objects: tuple[OwnedObject, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """An object with our mark (InferenceService, Deployment or pod) changed, came or went."""

    deployment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What an apply would do: the manifest, as JSON text, and how a live object of that name differs from it."""

    manifest: str
    differences: tuple[FieldDifference, ...]


class Cluster(Protocol):
    """Every method raises domain.errors.Unavailable (CLUSTER_UNAVAILABLE) when the API server cannot be reached, is
    overloaded (429, 5xx) or does not answer in time, and domain.errors.ClusterReadFailed when it refuses a read."""

    async def observe(self, deployment: Deployment) -> Evidence:
        """Look at the deployment's object, its workload and pods, and, when it is not well, its warning events."""
        ...

    async def apply(
        self, deployment: Deployment, credentials: Credentials | None, *, seen: Evidence, force: bool
    ) -> Applied:
        """Bring the object to the deployment's spec by server-side apply, its Secret first. Without credentials (None:
        they are stored no longer) the Secret applied last stays in use if it was made for the same place.

        `seen` is the look it is based on: a missing object is created, an own one updated with its uid and
        resourceVersion as preconditions. `force` takes fields over from other managers and takes out what they added.
        The same deployment applied twice changes nothing. Raises domain.evidence.ApplyRefused, with API_UNAVAILABLE for
        all that may pass by itself, and NAME_TAKEN for an object of that name that is not this deployment's.
        """
        ...

    async def delete(self, deployment: Deployment, *, seen: Evidence) -> None:
        """Delete the object that was seen (by uid, in the foreground) if it is this deployment's; repeatable.

        Raises ApplyRefused (FORBIDDEN, REJECTED, API_UNAVAILABLE).
        """
        ...

    async def clean_up(self, deployment: Deployment, credentials: Credentials | None = None) -> None:
        """Delete the Secrets made for the deployment that nothing needs any more. Repeatable. Raises ApplyRefused.

        Once its object is gone (the deployment is wanted ABSENT) that is all of them. Once the wanted revision serves,
        it is those of earlier revisions, whose pods needed them until then. `credentials` are those of the wanted
        revision: they tell the Secret of an apply that did not get further.
        """
        ...

    def manifest(self, deployment: Deployment, credentials: Credentials) -> str:
        """The object as it would be applied, as JSON; nothing is sent."""
        ...

    async def dry_run(self, deployment: Deployment, credentials: Credentials) -> DryRun:
        """Apply without effect, through all webhooks. Raises ApplyRefused as `apply` would."""
        ...

    async def facts(self, namespace: str, service_account: str = "") -> ClusterFacts:
        """Find out what preflight needs to know; what cannot be found out is None."""
        ...

    async def look(self, namespace: str, name: str) -> LiveObject | None:
        """Look at an object of that name, whoever made it, for a service that is not under deployment control."""
        ...

    async def remove(self, namespace: str, name: str, inference_service_id: UUID) -> None:
        """Delete the object of that name if it carries the id of the service, as those of the Go service do.

        Raises Unavailable and ClusterReadFailed only."""
        ...

    def changes(self) -> AsyncIterator[Relisted | Changed]:
        """Watch all objects with our mark, for ever: first a Relisted, then Changed, and Relisted again after every
        gap and every ten minutes. Errors of the connection are waited out inside, with backoff."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...

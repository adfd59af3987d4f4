"""The clusters on which tests run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.cluster import furnish
from tests.cluster.client import ClusterClient
from tests.cluster.faulty import FaultyCluster

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError


@dataclass(frozen=True)
class TestCluster:
    """A cluster with KServe, real or simulated.

    admin                the kubeconfig of a user with all rights
    registry             the kubeconfig of the registry with its RBAC; None where the tests cannot set that up
    worker               the kubeconfig of a worker, which may only read; None as `registry`
    simulated            the simulated cluster itself, None on a real one
    """

    __test__ = False

    admin: Path
    registry: Path | None
    simulated: FaultyCluster | None = None
    worker: Path | None = None

    async def create_namespace(self, name: str = "") -> str:
        """A new namespace in which the registry has its rights."""
        name = name or f"test-{uuid4().hex[:8]}"
        if self.simulated is not None:
            self.simulated.create_namespace(name)
            return name
        async with ClusterClient.from_kubeconfig(self.admin) as client:
            await furnish.create_namespace(client, name, with_role=self.registry is not None)
        return name

    async def take_rights(self, namespace: str) -> None:
        """Take the registry's rights in the namespace."""
        if self.simulated is not None:
            self.simulated.faults.forbid("*", "*", namespace=namespace, user="registry")
            return
        async with ClusterClient.from_kubeconfig(self.admin) as client:
            await furnish.unbind_role(client, namespace)

    async def give_rights(self, namespace: str) -> None:
        if self.simulated is not None:
            self.simulated.faults.clear()
            return
        async with ClusterClient.from_kubeconfig(self.admin) as client:
            with suppress(ApiError):  # a new namespace has them already
                await furnish.bind_role(client, namespace)

    async def delete_namespace(self, name: str) -> None:
        async with ClusterClient.from_kubeconfig(self.admin) as client:
            await client.call("DELETE", f"/api/v1/namespaces/{name}")

    def not_overlooked(self, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Pods that must be gone when a deletion in the foreground has ended. The garbage collector of a real cluster
        that is busy may not have heard of a new pod: then it is still ending."""
        return [pod for pod in pods if self.simulated is not None or "deletionTimestamp" not in pod["metadata"]]
